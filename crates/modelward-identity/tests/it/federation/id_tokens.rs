//! ID tokens, good and bad.

use std::fmt::Write as _;

use expect_test::expect;
use jiff::SignedDuration;
use modelward_decision::vocabulary::{Binding, CredentialScope, PersonId, Privilege};
use modelward_identity::Strength;
use modelward_identity::federation::{Assertion, Expected, ForeignRefusal};
use modelward_identity::session;
use serde_json::{Value, json};

use super::provider::{CLIENT, Provider, URL, issuer, with};
use crate::support::{House, later, noon};

const NONCE: &str = "n-0S6_WzA2Mj";

fn claims() -> Value {
    let now = noon().as_second();
    json!({
        "iss": URL, "sub": "248289761001", "aud": CLIENT, "exp": now + 300, "iat": now, "auth_time": now - 60,
        "nonce": NONCE, "acr": "urn:example:mfa", "amr": ["pwd", "otp", "not a word"], "sid": "s-1",
        "groups": ["fraud", "everybody"], "email": "dana@example.org", "name": "Dana", "extra": { "a": [1] },
    })
}

fn check(token: &str, seconds: i64) -> Result<Assertion, ForeignRefusal> {
    let expected =
        Expected { client: CLIENT, nonce: Some(NONCE), login_age_max: SignedDuration::from_hours(12) };
    issuer().assert(token, &Provider::new("a").keys(), &expected, later(seconds))
}

fn told(outcome: &Result<Assertion, ForeignRefusal>) -> String {
    match outcome {
        Ok(assertion) => format!("{}", assertion.identity()),
        Err(refusal) => format!("no: {refusal}"),
    }
}

#[test]
fn a_good_one_becomes_a_session_that_reaches_what_its_issuer_is_trusted_with() {
    let assertion = check(&Provider::new("a").sign(&claims()), 0).unwrap();
    assert_eq!(assertion.groups().iter().collect::<Vec<_>>(), ["everybody", "fraud"]);
    let house = House::new();
    let login = assertion.login(PersonId::from_uuid(uuid::Uuid::from_u128(1)));
    let opened = session::open(&login, house.since(), Binding::Cookie, None, &house.ids, noon());
    let record = &opened.record;
    assert_eq!(record.strength, Strength::TwoFactors);
    assert_eq!(record.methods.iter().map(|word| word.as_str()).collect::<Vec<_>>(), ["pwd", "otp"]);
    assert_eq!(record.authenticated_at, later(-60));
    let origin = record.origin.as_ref().unwrap();
    assert_eq!((origin.identity.subject.as_str(), origin.sid.as_deref()), ("248289761001", Some("s-1")));
    let who = record.authenticate(&opened.token, &house.epochs, noon()).unwrap();
    let CredentialScope::Limited { privileges, models, .. } = &who.session().scope else {
        panic!("a session of elsewhere is never full")
    };
    assert_eq!(privileges.iter().copied().collect::<Vec<_>>(), [Privilege::ReadOnly, Privilege::Inference]);
    assert!(models.is_empty());
    assert!(!who.rights().privileges.contains(&Privilege::Govern));
}

#[test]
fn rows_1_to_7_and_9_what_is_wrong_with_an_id_token_is_refused() {
    let (op, now) = (Provider::new("a"), noon().as_second());
    let mut table = String::new();
    let mut row = |name: &str, token: &str| {
        writeln!(table, "{name}: {}", told(&check(token, 0))).unwrap();
    };
    row("as it should be", &op.sign(&claims()));
    for alg in ["none", "nOnE", "HS256", "RS256", "ES256"] {
        row(&format!("alg {alg}"), &op.sign_as(&with(op.header(), json!({ "alg": alg })), &claims()));
    }
    let headers = [
        json!({ "crit": ["exp"] }),
        json!({ "b64": false }),
        json!({ "jku": "https://evil.example/jwks" }),
        json!({ "x5u": "https://evil.example/x5u" }),
        json!({ "jwk": op.jwk() }),
        json!({ "zip": "DEF" }),
        json!({ "cty": "JWT" }),
        json!({ "typ": "logout+jwt" }),
        json!({ "typ": "at+jwt" }),
        json!({ "typ": "secevent+jwt" }),
        json!({ "typ": null }),
        json!({ "kid": "b" }),
        json!({ "kid": "../../dev/null" }),
        json!({ "kid": "' UNION SELECT" }),
        json!({ "kid": "k".repeat(4000) }),
        json!({ "kid": null }),
        json!({ "x5t": "dGh1bWI" }),
    ];
    for change in headers {
        let shown: String = change.to_string().chars().take(40).collect();
        row(&format!("header {shown}"), &op.sign_as(&with(op.header(), change), &claims()));
    }
    row("another's signature", &Provider::new("b").sign_as(&op.header(), &claims()));
    let changes = [
        json!({ "iss": format!("{URL}/") }),
        json!({ "iss": null }),
        json!({ "aud": "another" }),
        json!({ "aud": [CLIENT] }),
        json!({ "aud": [CLIENT, "another"] }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "azp": "another" }),
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": "s".repeat(256) }),
        json!({ "sub": 7 }),
        json!({ "exp": now - 29 }),
        json!({ "exp": now - 30 }),
        json!({ "exp": "tomorrow" }),
        json!({ "exp": 1e300 }),
        json!({ "exp": null }),
        json!({ "iat": now + 30 }),
        json!({ "iat": now + 31 }),
        json!({ "iat": now - 629 }),
        json!({ "iat": now - 630 }),
        json!({ "iat": null }),
        json!({ "nbf": now + 31 }),
        json!({ "auth_time": null }),
        json!({ "auth_time": now + 31 }),
        json!({ "auth_time": now - 12 * 3600 - 30 }),
        json!({ "events": {} }),
        json!({ "amr": "pwd" }),
        json!({ "groups": "fraud" }),
        json!({ "groups": ["fraud", 7] }),
        json!({ "groups": null, "_claim_names": { "groups": "src1" } }),
        json!({ "groups": null, "hasgroups": true }),
        json!({ "groups": null }),
        json!({ "email": 7, "name": null }),
    ];
    for change in changes {
        let shown: String = change.to_string().chars().take(60).collect();
        row(&shown, &op.sign(&with(claims(), change)));
    }
    row(
        "doubled aud",
        &op.sign_text(&op.header().to_string(), &claims().to_string().replacen('{', "{\"aud\":\"x\",", 1)),
    );
    row(
        "doubled alg",
        &op.sign_text(
            &op.header().to_string().replacen('{', "{\"alg\":\"EdDSA\",", 1),
            &claims().to_string(),
        ),
    );
    row(
        "deep",
        &op.sign_text(
            &op.header().to_string(),
            &claims().to_string().replacen('{', &format!("{{\"d\":{}{},", "[".repeat(20), "]".repeat(20)), 1),
        ),
    );
    row("long", &op.sign(&with(claims(), json!({ "pad": "x".repeat(16 * 1024) }))));
    let good = op.sign(&claims());
    row("two parts", good.rsplit_once('.').unwrap().0);
    row("four parts", &format!("{good}.AAAA"));
    row("padding", &format!("{good}="));
    row("nothing", "");
    expect![[r#"
        as it should be: 248289761001 at https://id.example.org/realms/staff
        alg none: no: the token is signed under an algorithm this issuer is not trusted with
        alg nOnE: no: the token is signed under an algorithm this issuer is not trusted with
        alg HS256: no: the token is signed under an algorithm this issuer is not trusted with
        alg RS256: no: the token is signed under an algorithm this issuer is not trusted with
        alg ES256: no: the token is signed by a key its issuer does not publish
        header {"crit":["exp"]}: no: the token's header has a member missing, unknown, doubled or of the wrong kind
        header {"b64":false}: no: the token's header has a member missing, unknown, doubled or of the wrong kind
        header {"jku":"https://evil.example/jwks"}: no: the token's header has a member missing, unknown, doubled or of the wrong kind
        header {"x5u":"https://evil.example/x5u"}: no: the token's header has a member missing, unknown, doubled or of the wrong kind
        header {"jwk":{"kty":"OKP","crv":"Ed25519","use: no: the token's header has a member missing, unknown, doubled or of the wrong kind
        header {"zip":"DEF"}: no: the token's header has a member missing, unknown, doubled or of the wrong kind
        header {"cty":"JWT"}: no: the token's header has a member missing, unknown, doubled or of the wrong kind
        header {"typ":"logout+jwt"}: no: the token is of another type
        header {"typ":"at+jwt"}: no: the token is of another type
        header {"typ":"secevent+jwt"}: no: the token is of another type
        header {"typ":null}: 248289761001 at https://id.example.org/realms/staff
        header {"kid":"b"}: no: the token is signed by a key its issuer does not publish
        header {"kid":"../../dev/null"}: no: the token is signed by a key its issuer does not publish
        header {"kid":"' UNION SELECT"}: no: the token is signed by a key its issuer does not publish
        header {"kid":"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: no: the token is signed by a key its issuer does not publish
        header {"kid":null}: 248289761001 at https://id.example.org/realms/staff
        header {"x5t":"dGh1bWI"}: 248289761001 at https://id.example.org/realms/staff
        another's signature: no: the token's signature is wrong
        {"iss":"https://id.example.org/realms/staff/"}: no: the token is of another issuer
        {"iss":null}: no: the token is of another issuer
        {"aud":"another"}: no: the token is for another audience, or for others too
        {"aud":["modelward-console"]}: 248289761001 at https://id.example.org/realms/staff
        {"aud":["modelward-console","another"]}: no: the token is for another audience, or for others too
        {"aud":[]}: no: the token is for another audience, or for others too
        {"aud":null}: no: the token is for another audience, or for others too
        {"azp":"another"}: no: the token is for another audience, or for others too
        {"nonce":"another"}: no: the token answers another request
        {"nonce":null}: no: the token answers another request
        {"sub":null}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"sub":""}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"sub":"ssssssssssssssssssssssssssssssssssssssssssssssssssss: no: the token's claims have a member missing, doubled or of the wrong kind
        {"sub":7}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"exp":1795190371}: 248289761001 at https://id.example.org/realms/staff
        {"exp":1795190370}: no: the token has expired
        {"exp":"tomorrow"}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"exp":1e+300}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"exp":null}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"iat":1795190430}: 248289761001 at https://id.example.org/realms/staff
        {"iat":1795190431}: no: the token is not valid yet
        {"iat":1795189771}: 248289761001 at https://id.example.org/realms/staff
        {"iat":1795189770}: no: the token is too old to be shown here, or lives too long
        {"iat":null}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"nbf":1795190431}: no: the token is not valid yet
        {"auth_time":null}: no: the issuer does not say when the person signed in there (`auth_time`)
        {"auth_time":1795190431}: no: the token is not valid yet
        {"auth_time":1795147170}: no: the person signed in at the issuer too long ago
        {"events":{}}: no: the token is of another type
        {"amr":"pwd"}: no: the token's claims have a member missing, doubled or of the wrong kind
        {"groups":"fraud"}: no: the groups of the token are not a list of at most 1000 texts
        {"groups":["fraud",7]}: no: the groups of the token are not a list of at most 1000 texts
        {"groups":null,"_claim_names":{"groups":"src1"}}: no: the issuer left the groups out because there are too many (`_claim_names`)
        {"groups":null,"hasgroups":true}: no: the issuer left the groups out because there are too many (`_claim_names`)
        {"groups":null}: 248289761001 at https://id.example.org/realms/staff
        {"email":7,"name":null}: 248289761001 at https://id.example.org/realms/staff
        doubled aud: no: the token's claims have a member missing, doubled or of the wrong kind
        doubled alg: no: the token's header has a member missing, unknown, doubled or of the wrong kind
        deep: no: the token's claims have a member missing, doubled or of the wrong kind
        long: no: the token is longer than 16384 bytes
        two parts: no: the token does not consist of three parts
        four parts: no: the token does not consist of three parts
        padding: no: a part of the token is not canonical base64url without padding
        nothing: no: the token does not consist of three parts
    "#]].assert_eq(&table);
}

#[test]
fn an_unknown_assurance_is_one_factor() {
    let op = Provider::new("a");
    for (acr, strength) in [
        (json!("phr"), Strength::PhishingResistant),
        (json!("urn:example:mfa"), Strength::TwoFactors),
        (json!("urn:example:unheard"), Strength::OneFactor),
        (json!(null), Strength::OneFactor),
    ] {
        let assertion = check(&op.sign(&with(claims(), json!({ "acr": acr }))), 0).unwrap();
        let login = assertion.login(PersonId::from_uuid(uuid::Uuid::from_u128(1)));
        assert_eq!(login.strength(), strength, "{acr}");
    }
}

#[test]
fn two_issuers_with_one_subject_are_two_identities() {
    let mut other = issuer();
    other.url = "https://other.example.org".parse().unwrap();
    let op = Provider::new("a");
    let expected =
        Expected { client: CLIENT, nonce: Some(NONCE), login_age_max: SignedDuration::from_hours(12) };
    let theirs = other
        .assert(
            &op.sign(&with(claims(), json!({ "iss": "https://other.example.org" }))),
            &op.keys(),
            &expected,
            noon(),
        )
        .unwrap();
    let ours = check(&op.sign(&claims()), 0).unwrap();
    assert_eq!(theirs.identity().subject, ours.identity().subject);
    assert_ne!(theirs.identity().digest(), ours.identity().digest());
}

#[test]
fn groups_of_ours_come_only_under_the_prefix_of_the_tier() {
    assert!(issuer().may_give("corp-analysts"));
    assert!(!issuer().may_give("security"));
    let mut none = issuer();
    none.tier.group_prefix = None;
    assert!(!none.may_give("corp-analysts"));
}
