//! Every kind of token there is, shown at every door there is: only its own takes it.

use jiff::SignedDuration;
use modelward_decision::vocabulary::Privilege;
use modelward_identity::token::{Demand, Profile, ProofKey, Proofs, Verifier};
use serde_json::{Value, json};

use crate::support::{CONTROL, GATEWAY, House, ISS, SeededIds, URL, ask, b64, forge, holder, noon};

/// The claims of tokens that are not ours, as their standards write them.
fn foreign(kind: &str) -> (Value, Value) {
    let now = noon().as_second();
    let until = (noon() + SignedDuration::from_secs(60)).as_second();
    let header = |typ: &str| json!({ "alg": "EdDSA", "typ": typ, "kid": "k" });
    match kind {
        "ID token" => (
            header("JWT"),
            json!({ "iss": ISS, "sub": "dana", "aud": GATEWAY, "exp": until, "iat": now, "nonce": "n" }),
        ),
        "logout token" => (
            header("logout+jwt"),
            json!({
                "iss": ISS, "aud": GATEWAY, "iat": now, "exp": until, "jti": "j", "sid": "s",
                "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            }),
        ),
        _ => (
            header("secevent+jwt"),
            json!({
                "iss": ISS, "aud": GATEWAY, "iat": now, "jti": "j",
                "sub_id": { "format": "opaque", "id": "dana" },
                "events": { "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} },
            }),
        ),
    }
}

/// Row 6: six kinds of token by three doors. The foreign ones are signed by our own keys, with our own key ids, so that
/// it is not the signature that tells them apart.
#[test]
fn threat_06_only_the_diagonal_passes() {
    let house = House::new();
    let minted = |profile| {
        let asked = modelward_identity::token::Ask { profile, ..ask([Privilege::ReadOnly], []) };
        house.exchange(&house.dana(), &asked, noon()).unwrap().text.expose().to_owned()
    };
    let (access, control) = (minted(Profile::Access), minted(Profile::Control));
    let proof = |key: &ProofKey| key.prove("POST", URL, None, None, &house.ids, noon()).unwrap();
    let mut kinds =
        vec![("access", access.clone()), ("control", control.clone()), ("proof", proof(&holder()))];
    for kind in ["ID token", "logout token", "security event"] {
        for (key, typ) in
            [(&house.access_key, None), (&house.control_key, None), (&house.access_key, Some("at+jwt"))]
        {
            let (mut header, claims) = foreign(kind);
            header["kid"] = json!(key.id().as_str());
            if let Some(typ) = typ {
                header["typ"] = json!(typ);
            }
            kinds.push((kind, forge(key.expose_seed(), &header.to_string(), &claims.to_string())));
        }
    }
    // The claims of one plane under the type and the key of the other.
    let claims = |token: &str| crate::support::read(token).1;
    for (key, typ, of) in
        [(&house.access_key, "at+jwt", &control), (&house.control_key, "mw-control+jwt", &access)]
    {
        let header = json!({ "alg": "EdDSA", "typ": typ, "kid": key.id().as_str() }).to_string();
        kinds.push(("claims of the other plane", forge(key.expose_seed(), &header, &claims(of))));
    }
    kinds.push(("claims without a signature", format!("{}.{}.", b64("{}"), b64("{}"))));

    let proofs = Proofs::new(std::sync::Arc::new(SeededIds::new(12)), noon());
    let demand = Demand { method: "POST", url: URL, token: None, nonce: false };
    let verify =
        |verifier: &Verifier, token: &str| verifier.verify(token.as_bytes(), &house.epochs, noon()).is_ok();
    for (kind, token) in &kinds {
        assert_eq!(verify(&house.gateway, token), *kind == "access", "{kind} at the gateway");
        assert_eq!(
            verify(&house.control, token),
            *kind == "control",
            "{kind} at the control API ({CONTROL})"
        );
        let is_proof = proofs.check(token.as_bytes(), &demand, None, noon()).is_ok();
        assert_eq!(is_proof, *kind == "proof", "{kind} as a proof");
    }
}
