//! Security events of elsewhere: what is taken for one, and what it says.

use std::fmt::Write as _;

use expect_test::expect;
use modelward_identity::federation::{EventKind, Expected};
use serde_json::{Value, json};

use super::provider::{CLIENT, Provider, URL, issuer, with};
use crate::support::{later, noon};

const AUDIENCE: &str = "https://modelward.example/events";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

fn claims() -> Value {
    json!({
        "iss": URL, "aud": AUDIENCE, "iat": noon().as_second(), "jti": "756E69717565",
        "sub_id": { "format": "iss_sub", "iss": URL, "sub": "248289761001" },
        "events": { format!("{CAEP}session-revoked"): { "reason_admin": { "en": "left" } } },
    })
}

fn event(uri: &str, payload: &Value) -> Value {
    with(claims(), json!({ "events": { uri: payload } }))
}

fn read(header: Value, claims: &Value, seconds: i64) -> String {
    let op = Provider::new("a");
    let header = with(json!({ "alg": "EdDSA", "typ": "secevent+jwt", "kid": "a" }), header);
    told(&op.sign_as(&header, claims), seconds)
}

fn told(token: &str, seconds: i64) -> String {
    let keys = Provider::new("a").keys();
    match issuer().event(token, &keys, AUDIENCE, later(seconds)) {
        Ok(event) => format!("{:?}", event.kind),
        Err(refusal) => format!("{}: {refusal}", refusal.delivery_code()),
    }
}

/// What a transmitter, or somebody who plays one, may send instead of an event, with what RFC 8935 has us answer.
#[test]
fn only_an_event_of_its_own_kind_for_us_is_taken() {
    let now = noon().as_second();
    let mut table = String::new();
    let mut row = |name: &str, text: String| writeln!(table, "{name} -> {text}").unwrap();
    for change in [
        json!({}),
        json!({ "sub": "248289761001" }),
        json!({ "exp": now + 60 }),
        json!({ "nonce": "n" }),
        json!({ "sub_id": null }),
        json!({ "sub_id": "248289761001" }),
        json!({ "sub_id": { "format": "iss_sub", "iss": URL } }),
        json!({ "sub_id": { "format": "who-knows", "id": "x" } }),
        json!({ "sub_id": { "format": "aliases", "identifiers": [] } }),
        json!({ "sub_id": { "format": 7 } }),
        json!({ "sub_id": { "format": "complex", "user": "dana" } }),
        json!({ "sub_id": { "format": "complex", "pet": { "format": "opaque", "id": "x" } } }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "jti": 7 }),
        json!({ "iat": null }),
        json!({ "iat": "now" }),
        json!({ "iat": 1.5 }),
        json!({ "iat": now + 31 }),
        json!({ "iat": now - 7 * 24 * 3600 - 31 }),
        json!({ "iss": "https://other.example.org" }),
        json!({ "iss": null }),
        json!({ "aud": "https://another.example" }),
        json!({ "aud": [AUDIENCE, "https://another.example"] }),
        json!({ "aud": null }),
        json!({ "events": null }),
        json!({ "events": {} }),
        json!({ "events": [] }),
        json!({ "events": { format!("{CAEP}session-revoked"): 1 } }),
        json!({ "events": { format!("{CAEP}session-revoked"): {}, format!("{RISC}account-purged"): {} } }),
    ] {
        row(&change.to_string(), read(json!({}), &with(claims(), change), 0));
    }
    for header in [
        json!({ "typ": "JWT" }),
        json!({ "typ": null }),
        json!({ "typ": "logout+jwt" }),
        json!({ "alg": "none" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "RS512" }),
        json!({ "kid": "unknown" }),
        json!({ "jku": "https://evil.example" }),
        json!({ "crit": ["b64"], "b64": false }),
    ] {
        row(&header.to_string(), read(header, &claims(), 0));
    }
    let op = Provider::new("a");
    let good = op.sign_as(&json!({ "alg": "EdDSA", "typ": "secevent+jwt", "kid": "a" }), &claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    row("no signature", told(&format!("{signed}."), 0));
    row("two parts", told(signed, 0));
    row("nothing", told("", 0));
    row("too long", told(&"a".repeat(17 * 1024), 0));
    let twice = format!(r#"{{"iss":"{URL}","iss":"{URL}"}}"#);
    row("a claim twice", told(&op.sign_text(r#"{"alg":"EdDSA","typ":"secevent+jwt","kid":"a"}"#, &twice), 0));
    expect![[r#"
        {} -> SessionRevoked
        {"sub":"248289761001"} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"exp":1795190460} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"nonce":"n"} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"sub_id":null} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"sub_id":"248289761001"} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"sub_id":{"format":"iss_sub","iss":"https://id.example.org/realms/staff"}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"sub_id":{"format":"who-knows","id":"x"}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"sub_id":{"format":"aliases","identifiers":[]}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"sub_id":{"format":7}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"sub_id":{"format":"complex","user":"dana"}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"sub_id":{"format":"complex","pet":{"format":"opaque","id":"x"}}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"jti":null} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"jti":""} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"jti":7} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"iat":null} -> invalid_request: the token's claims have a member missing, doubled or of the wrong kind
        {"iat":"now"} -> invalid_request: the token's claims have a member missing, doubled or of the wrong kind
        {"iat":1.5} -> invalid_request: the token's claims have a member missing, doubled or of the wrong kind
        {"iat":1795190431} -> invalid_request: the token is not valid yet
        {"iat":1794585569} -> invalid_request: the token is too old to be shown here, or lives too long
        {"iss":"https://other.example.org"} -> invalid_issuer: the token is of another issuer
        {"iss":null} -> invalid_issuer: the token is of another issuer
        {"aud":"https://another.example"} -> invalid_audience: the token is for another audience, or for others too
        {"aud":["https://modelward.example/events","https://another.example"]} -> invalid_audience: the token is for another audience, or for others too
        {"aud":null} -> invalid_audience: the token is for another audience, or for others too
        {"events":null} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"events":{}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"events":[]} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"events":{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":1}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"events":{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":{},"https://schemas.openid.net/secevent/risc/event-type/account-purged":{}}} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        {"typ":"JWT"} -> invalid_request: the token is of another type
        {"typ":null} -> invalid_request: the token is of another type
        {"typ":"logout+jwt"} -> invalid_request: the token is of another type
        {"alg":"none"} -> invalid_request: the token is signed under an algorithm this issuer is not trusted with
        {"alg":"HS256"} -> invalid_request: the token is signed under an algorithm this issuer is not trusted with
        {"alg":"RS512"} -> invalid_request: the token is signed under an algorithm this issuer is not trusted with
        {"kid":"unknown"} -> invalid_key: the token is signed by a key its issuer does not publish
        {"jku":"https://evil.example"} -> invalid_request: the token's header has a member missing, unknown, doubled or of the wrong kind
        {"crit":["b64"],"b64":false} -> invalid_request: the token's header has a member missing, unknown, doubled or of the wrong kind
        no signature -> invalid_key: the token's signature is wrong
        two parts -> invalid_request: the token does not consist of three parts
        nothing -> invalid_request: the token does not consist of three parts
        too long -> invalid_request: the token is longer than 16384 bytes
        a claim twice -> invalid_request: the token's claims have a member missing, doubled or of the wrong kind
    "#]].assert_eq(&table);
}

#[test]
fn every_event_of_caep_risc_and_ssf_is_known() {
    let mut table = String::new();
    let mut row = |uri: &str, payload: Value| {
        let text = read(json!({}), &event(uri, &payload), 0);
        let name = uri.trim_start_matches("https://schemas.openid.net/secevent/").replace("/event-type", "");
        writeln!(table, "{name} {payload} -> {text}").unwrap();
    };
    for (name, payload) in [
        ("session-revoked", json!({})),
        ("token-claims-change", json!({ "claims": { "role": "ro-admin" } })),
        ("token-claims-change", json!({})),
        ("credential-change", json!({ "credential_type": "fido2-roaming", "change_type": "create" })),
        ("credential-change", json!({ "credential_type": "password", "change_type": "revoke" })),
        ("credential-change", json!({ "credential_type": "password", "change_type": "forget" })),
        ("credential-change", json!({ "change_type": "revoke" })),
        (
            "assurance-level-change",
            json!({ "namespace": "NIST-AAL", "current_level": "nist-aal1", "change_direction": "decrease" }),
        ),
        (
            "assurance-level-change",
            json!({ "namespace": "NIST-AAL", "current_level": "nist-aal2", "change_direction": "increase" }),
        ),
        ("assurance-level-change", json!({ "namespace": "NIST-AAL", "current_level": "nist-aal2" })),
        (
            "device-compliance-change",
            json!({ "previous_status": "compliant", "current_status": "not-compliant" }),
        ),
        (
            "device-compliance-change",
            json!({ "previous_status": "not-compliant", "current_status": "compliant" }),
        ),
        ("device-compliance-change", json!({ "previous_status": "compliant", "current_status": "unsure" })),
        ("session-established", json!({ "acr": "phr" })),
        ("session-presented", json!({})),
        ("risk-level-change", json!({ "principal": "USER", "current_level": "HIGH" })),
        ("risk-level-change", json!({ "principal": "TENANT", "current_level": "LOW" })),
        ("risk-level-change", json!({ "principal": "DEVICE", "current_level": "EXTREME" })),
        ("something-new", json!({})),
    ] {
        row(&format!("{CAEP}{name}"), payload);
    }
    for name in [
        "account-credential-change-required",
        "account-purged",
        "account-disabled",
        "account-enabled",
        "identifier-changed",
        "identifier-recycled",
        "credential-compromise",
        "opt-in",
        "opt-out-initiated",
        "opt-out-cancelled",
        "opt-out-effective",
        "recovery-activated",
        "recovery-information-changed",
        "sessions-revoked",
    ] {
        row(&format!("{RISC}{name}"), json!({}));
    }
    row(&format!("{SSF}verification"), json!({ "state": "VGhpcw" }));
    row(&format!("{SSF}verification"), json!({}));
    row(&format!("{SSF}stream-updated"), json!({ "status": "paused" }));
    row("https://example.org/own", json!({}));
    expect![[r#"
        caep/session-revoked {} -> SessionRevoked
        caep/token-claims-change {"claims":{"role":"ro-admin"}} -> TokenClaimsChange
        caep/token-claims-change {} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        caep/credential-change {"credential_type":"fido2-roaming","change_type":"create"} -> CredentialChange(Create)
        caep/credential-change {"credential_type":"password","change_type":"revoke"} -> CredentialChange(Revoke)
        caep/credential-change {"credential_type":"password","change_type":"forget"} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        caep/credential-change {"change_type":"revoke"} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        caep/assurance-level-change {"namespace":"NIST-AAL","current_level":"nist-aal1","change_direction":"decrease"} -> AssuranceLevelChange { decreased: true }
        caep/assurance-level-change {"namespace":"NIST-AAL","current_level":"nist-aal2","change_direction":"increase"} -> AssuranceLevelChange { decreased: false }
        caep/assurance-level-change {"namespace":"NIST-AAL","current_level":"nist-aal2"} -> AssuranceLevelChange { decreased: true }
        caep/device-compliance-change {"previous_status":"compliant","current_status":"not-compliant"} -> DeviceComplianceChange { compliant: false }
        caep/device-compliance-change {"previous_status":"not-compliant","current_status":"compliant"} -> DeviceComplianceChange { compliant: true }
        caep/device-compliance-change {"previous_status":"compliant","current_status":"unsure"} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        caep/session-established {"acr":"phr"} -> SessionEstablished
        caep/session-presented {} -> SessionPresented
        caep/risk-level-change {"principal":"USER","current_level":"HIGH"} -> RiskLevelChange { of: User, level: High }
        caep/risk-level-change {"principal":"TENANT","current_level":"LOW"} -> RiskLevelChange { of: Many, level: Low }
        caep/risk-level-change {"principal":"DEVICE","current_level":"EXTREME"} -> invalid_request: the token is no security event as the Shared Signals Framework writes it
        caep/something-new {} -> Unknown
        risc/account-credential-change-required {} -> AccountCredentialChangeRequired
        risc/account-purged {} -> AccountPurged
        risc/account-disabled {} -> AccountDisabled
        risc/account-enabled {} -> AccountEnabled
        risc/identifier-changed {} -> IdentifierChanged
        risc/identifier-recycled {} -> IdentifierRecycled
        risc/credential-compromise {} -> CredentialCompromise
        risc/opt-in {} -> OptChanged
        risc/opt-out-initiated {} -> OptChanged
        risc/opt-out-cancelled {} -> OptChanged
        risc/opt-out-effective {} -> OptChanged
        risc/recovery-activated {} -> RecoveryActivated
        risc/recovery-information-changed {} -> RecoveryInformationChanged
        risc/sessions-revoked {} -> SessionsRevoked
        ssf/verification {"state":"VGhpcw"} -> Verification { state: Some("VGhpcw") }
        ssf/verification {} -> Verification { state: None }
        ssf/stream-updated {"status":"paused"} -> StreamUpdated { enabled: false }
        https://example.org/own {} -> Unknown
    "#]].assert_eq(&table);
}

#[test]
fn what_happened_is_told_with_its_time_and_its_reason() {
    let op = Provider::new("a");
    let header = json!({ "alg": "EdDSA", "typ": "secevent+jwt", "kid": "a" });
    let take =
        |claims: &Value| issuer().event(&op.sign_as(&header, claims), &op.keys(), AUDIENCE, noon()).unwrap();
    let told = take(&claims());
    assert_eq!(
        (told.kind, told.at, told.reason.as_deref()),
        (EventKind::SessionRevoked, noon(), Some("left"))
    );
    let earlier = noon().as_second() - 90;
    let before = take(&event(&format!("{CAEP}session-revoked"), &json!({ "event_timestamp": earlier })));
    assert_eq!((before.at, before.reason), (later(-90), None));
    // Nobody raises a signal in the future, where no sign-in could ever be newer.
    let ahead =
        take(&event(&format!("{CAEP}session-revoked"), &json!({ "event_timestamp": earlier + 3600 })));
    assert_eq!(ahead.at, noon());
    assert_eq!(take(&claims()).once, told.once);
    assert_ne!(take(&with(claims(), json!({ "jti": "other" }))).once, told.once);
    assert!(told.once_until > later(7 * 24 * 3600));
}

#[test]
fn subjects_are_read_part_by_part() {
    let op = Provider::new("a");
    let header = json!({ "alg": "EdDSA", "typ": "secevent+jwt", "kid": "a" });
    let mut table = String::new();
    for subject in [
        json!({ "format": "email", "email": "dana@example.org" }),
        json!({ "format": "opaque", "id": "sid-1" }),
        json!({ "format": "phone_number", "phone_number": "+49123" }),
        json!({ "format": "aliases", "identifiers": [
            { "format": "email", "email": "dana@example.org" }, { "format": "iss_sub", "iss": URL, "sub": "d" },
        ] }),
        json!({ "format": "complex",
            "user": { "format": "iss_sub", "iss": URL, "sub": "d" },
            "session": { "format": "opaque", "id": "sid-1" },
            "device": { "format": "opaque", "id": "laptop" },
            "tenant": { "format": "opaque", "id": "t" },
        }),
        json!({ "user": { "format": "email", "email": "dana@example.org" } }),
    ] {
        let claims = with(claims(), json!({ "sub_id": subject }));
        let event = issuer().event(&op.sign_as(&header, &claims), &op.keys(), AUDIENCE, noon()).unwrap();
        writeln!(table, "{subject}\n  {:?}", event.subject).unwrap();
    }
    expect![[r#"
        {"format":"email","email":"dana@example.org"}
          Subject { user: [], session: [], device: [], plain: [Email("dana@example.org")] }
        {"format":"opaque","id":"sid-1"}
          Subject { user: [], session: [], device: [], plain: [Opaque("sid-1")] }
        {"format":"phone_number","phone_number":"+49123"}
          Subject { user: [], session: [], device: [], plain: [Other] }
        {"format":"aliases","identifiers":[{"format":"email","email":"dana@example.org"},{"format":"iss_sub","iss":"https://id.example.org/realms/staff","sub":"d"}]}
          Subject { user: [], session: [], device: [], plain: [Email("dana@example.org"), IssSub { issuer: "https://id.example.org/realms/staff", subject: "d" }] }
        {"format":"complex","user":{"format":"iss_sub","iss":"https://id.example.org/realms/staff","sub":"d"},"session":{"format":"opaque","id":"sid-1"},"device":{"format":"opaque","id":"laptop"},"tenant":{"format":"opaque","id":"t"}}
          Subject { user: [IssSub { issuer: "https://id.example.org/realms/staff", subject: "d" }], session: [Opaque("sid-1")], device: [Opaque("laptop")], plain: [] }
        {"user":{"format":"email","email":"dana@example.org"}}
          Subject { user: [Email("dana@example.org")], session: [], device: [], plain: [] }
    "#]].assert_eq(&table);
}

/// Row 6 at the doors for foreign tokens: all of one issuer, by one key, for one audience.
#[test]
fn threat_06_at_the_doors_of_issuers_only_the_diagonal_passes() {
    let op = Provider::new("a");
    let (issuer, keys) = (issuer(), op.keys());
    let now = noon().as_second();
    let id_token = json!({
        "iss": URL, "aud": CLIENT, "sub": "248289761001", "iat": now, "exp": now + 300, "auth_time": now - 5,
    });
    let logout = json!({
        "iss": URL, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "j", "sub": "248289761001",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let event = with(claims(), json!({ "aud": CLIENT }));
    let kinds = [
        ("ID token", "JWT", id_token),
        ("logout token", "logout+jwt", logout),
        ("event", "secevent+jwt", event),
    ];
    for (kind, own, claims) in &kinds {
        for (_, typ, _) in &kinds {
            let token = op.sign_as(&json!({ "alg": "EdDSA", "typ": typ, "kid": "a" }), claims);
            let expected =
                Expected { client: CLIENT, nonce: None, login_age_max: jiff::SignedDuration::from_hours(12) };
            let passes = |door: &str| *kind == door && own == typ;
            assert_eq!(
                issuer.assert(&token, &keys, &expected, noon()).is_ok(),
                passes("ID token"),
                "{kind} as {typ} at the sign-in"
            );
            assert_eq!(
                issuer.notice(&token, &keys, CLIENT, noon()).is_ok(),
                passes("logout token"),
                "{kind} as {typ} at the sign-out"
            );
            assert_eq!(
                issuer.event(&token, &keys, CLIENT, noon()).is_ok(),
                passes("event"),
                "{kind} as {typ} among the events"
            );
        }
    }
}
