//! Notices that somebody signed out elsewhere.

use std::fmt::Write as _;

use expect_test::expect;
use serde_json::{Value, json};

use super::provider::{CLIENT, Provider, URL, issuer, with};
use crate::support::{later, noon};

fn claims() -> Value {
    let now = noon().as_second();
    json!({
        "iss": URL, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "bWJq", "sub": "248289761001", "sid": "s-1",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    })
}

fn told(header: Value, claims: &Value, seconds: i64) -> String {
    let op = Provider::new("a");
    let token = op.sign_as(&with(json!({ "alg": "EdDSA", "typ": "logout+jwt", "kid": "a" }), header), claims);
    match issuer().notice(&token, &op.keys(), CLIENT, later(seconds)) {
        Ok(notice) => format!("sub {:?} sid {:?}", notice.subject, notice.sid),
        Err(refusal) => format!("no: {refusal}"),
    }
}

#[test]
fn only_a_fresh_notice_for_us_ends_sessions() {
    let now = noon().as_second();
    let mut table = String::new();
    let mut row = |name: &str, text: String| writeln!(table, "{name}: {text}").unwrap();
    for change in [
        json!({}),
        json!({ "sid": null }),
        json!({ "sub": null }),
        json!({ "sub": null, "sid": null }),
        json!({ "nonce": "n" }),
        json!({ "events": null }),
        json!({ "events": {} }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": 1 } }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "aud": "another" }),
        json!({ "aud": [CLIENT, "another"] }),
        json!({ "iss": "https://other.example.org" }),
        json!({ "iat": null }),
        json!({ "exp": null }),
        json!({ "exp": now - 31 }),
    ] {
        row(&change.to_string(), told(json!({}), &with(claims(), change), 0));
    }
    row("typ JWT", told(json!({ "typ": "JWT" }), &claims(), 0));
    row("no typ", told(json!({ "typ": null }), &claims(), 0));
    row("five minutes old", told(json!({}), &with(claims(), json!({ "exp": now + 3600 })), 330));
    expect![[r#"
        {}: sub Some("248289761001") sid Some("s-1")
        {"sid":null}: sub Some("248289761001") sid None
        {"sub":null}: sub None sid Some("s-1")
        {"sub":null,"sid":null}: no: the token is no notice of a sign-out
        {"nonce":"n"}: no: the token is no notice of a sign-out
        {"events":null}: no: the token is no notice of a sign-out
        {"events":{}}: no: the token is no notice of a sign-out
        {"events":{"http://schemas.openid.net/event/backchannel-logout":1}}: no: the token is no notice of a sign-out
        {"jti":null}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"jti":""}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"aud":"another"}: no: the token is for another audience, or for others too
        {"aud":["modelward-console","another"]}: no: the token is for another audience, or for others too
        {"iss":"https://other.example.org"}: no: the token is of another issuer
        {"iat":null}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"exp":null}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"exp":1795190369}: no: the token has expired
        typ JWT: no: the token is of another type
        no typ: no: the token is of another type
        five minutes old: no: the token is too old to be shown here, or lives too long
    "#]].assert_eq(&table);
}

#[test]
fn the_same_notice_is_the_same_whoever_brings_it() {
    let op = Provider::new("a");
    let header = json!({ "alg": "EdDSA", "typ": "logout+jwt", "kid": "a" });
    let notice =
        |claims: &Value| issuer().notice(&op.sign_as(&header, claims), &op.keys(), CLIENT, noon()).unwrap();
    assert_eq!(notice(&claims()).once, notice(&with(claims(), json!({ "sid": null }))).once);
    assert_ne!(notice(&claims()).once, notice(&with(claims(), json!({ "jti": "other" }))).once);
    assert!(notice(&claims()).once_until > later(300));
}
