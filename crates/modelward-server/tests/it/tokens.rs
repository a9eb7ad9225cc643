//! The token endpoint: exchange with proof of possession, delegation, introspection and metadata.

use axum::body::Body;
use http::Request;
use modelward_decision::vocabulary::Privilege;
use modelward_identity::token::{Admission, ProofKey, Proofs, Scheme, Shown};
use serde_json::{Value, json};

use crate::house::{Answer, House, ORIGIN, Session};

pub(crate) const SESSION: &str = "urn:modelward:params:oauth:token-type:session";
pub(crate) const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(crate) fn key(byte: u8) -> ProofKey {
    ProofKey::from_seed(zeroize::Zeroizing::new([byte; 32])).unwrap()
}

pub(crate) fn proof(house: &House, key: &ProofKey, path: &str, nonce: Option<&str>) -> String {
    let url = format!("{ORIGIN}{path}");
    key.prove("POST", &url, None, nonce, &house.ids(), house.now()).unwrap()
}

pub(crate) async fn token(house: &House, fields: &[(&str, &str)], proof: Option<&str>) -> Answer {
    let mut form = vec![("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")];
    form.extend(fields);
    post(house, "/api/v1/token", &form, proof, None).await
}

pub(crate) async fn post(
    house: &House,
    path: &str,
    form: &[(&str, &str)],
    proof: Option<&str>,
    bearer: Option<&str>,
) -> Answer {
    let escaped = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    if let Some(bearer) = bearer {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    house.send(request.body(Body::from(body.join("&"))).unwrap()).await
}

async fn grants(house: &House, by: &Session, to: &str, privileges: &[&str]) {
    for privilege in privileges {
        let until = house.now() + jiff::SignedDuration::from_hours(9);
        let body = json!({ "grantee": to, "privilege": privilege, "scope": "fraud", "not_after": until });
        house.post("/api/v1/grants", by, body).await.ok();
    }
}

pub(crate) fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap_or_default().to_owned()
}

/// A house where femi may read and predict on `fraud`.
pub(crate) async fn furnished() -> (House, Session, Session) {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    grants(&house, &dana, "femi", &["read-only", "inference"]).await;
    (house, dana, femi)
}

#[tokio::test]
async fn a_token_is_bound_to_the_key_that_asked_for_it() {
    let (house, _, femi) = furnished().await;
    let asked =
        [("subject_token", femi.secret.as_str()), ("subject_token_type", SESSION), ("scope", "inference")];
    let made = proof(&house, &key(9), "/api/v1/token", None);
    let answer = token(&house, &asked, Some(&made)).await.ok();
    assert_eq!(answer["token_type"], "DPoP");
    assert!((299..=300).contains(&answer["expires_in"].as_u64().unwrap()), "{answer}");
    let text = answer["access_token"].as_str().unwrap();
    let now = house.now();
    assert!(house.verifier.verify(text.as_bytes(), &house.plane.snapshot(), now).is_err());

    let url = "https://any.example/x";
    let door = Admission::new(house.verifier.clone(), Proofs::new(std::sync::Arc::new(house.ids()), now));
    let shown = |proof: String| {
        let proofs = [proof.as_bytes()];
        let shown = Shown {
            token: text.as_bytes(),
            scheme: Scheme::Dpop,
            proofs: &proofs,
            method: "POST",
            url,
            certificate: None,
        };
        door.admit(&shown, &house.plane.snapshot(), now).is_ok()
    };
    let prove =
        |key: &ProofKey| key.prove("POST", url, Some(text.as_bytes()), None, &house.ids(), now).unwrap();
    assert!(shown(prove(&key(9))));
    assert!(!shown(prove(&key(66))));

    let again = token(&house, &asked, Some(&made)).await;
    assert_eq!(
        (again.status.as_u16(), error(&again).as_str()),
        (400, "invalid_dpop_proof"),
        "a proof counts once"
    );
    let elsewhere = proof(&house, &key(9), "/api/v1/login", None);
    assert_eq!(error(&token(&house, &asked, Some(&elsewhere)).await), "invalid_dpop_proof");
}

#[tokio::test]
async fn a_bearer_token_lives_two_minutes_and_carries_nothing_above_inference() {
    let (house, dana, femi) = furnished().await;
    let asked =
        |scope| [("subject_token", femi.secret.as_str()), ("subject_token_type", SESSION), ("scope", scope)];
    let answer = token(&house, &asked("inference read-only"), None).await.ok();
    assert_eq!(answer["token_type"], "Bearer");
    assert!((119..=120).contains(&answer["expires_in"].as_u64().unwrap()), "{answer}");
    let govern = [
        ("subject_token", dana.secret.as_str()),
        ("subject_token_type", SESSION),
        ("scope", "govern"),
        ("audience", ORIGIN),
    ];
    let refused = token(&house, &govern, None).await;
    assert_eq!(error(&refused), "access_denied");
    assert!(refused.text.contains("needs a token bound to its holder"), "{}", refused.text);
}

#[tokio::test]
async fn a_token_for_what_weighs_most_is_asked_for_with_a_nonce() {
    let (house, dana, _) = furnished().await;
    let asked = [
        ("subject_token", dana.secret.as_str()),
        ("subject_token_type", SESSION),
        ("scope", "govern"),
        ("audience", ORIGIN),
    ];
    let made = proof(&house, &key(9), "/api/v1/token", None);
    let refused = token(&house, &asked, Some(&made)).await;
    assert_eq!(error(&refused), "use_dpop_nonce");
    let nonce = refused.headers["dpop-nonce"].to_str().unwrap().to_owned();
    let made = proof(&house, &key(9), "/api/v1/token", Some(&nonce));
    let govern = token(&house, &asked, Some(&made)).await.ok();
    let text = govern["access_token"].as_str().unwrap();

    // And it is used with one: at the control API, whose path and method the proof is for.
    let call = async |nonce: Option<&str>, path: &str| {
        let url = format!("{ORIGIN}{path}");
        let proof =
            key(9).prove("GET", &url, Some(text.as_bytes()), nonce, &house.ids(), house.now()).unwrap();
        let request = Request::get("/api/v1/groups")
            .header("authorization", format!("DPoP {text}"))
            .header("dpop", proof);
        house.send(request.body(Body::empty()).unwrap()).await
    };
    let refused = call(None, "/api/v1/groups").await;
    assert_eq!(refused.status, 401);
    assert!(refused.headers["www-authenticate"].to_str().unwrap().contains("use_dpop_nonce"));
    assert_eq!(call(Some(&nonce), "/api/v1/groups").await.status, 200);
    assert_eq!(call(Some(&nonce), "/api/v1/people").await.status, 401, "a proof for another path");
    let bearer = Request::get("/api/v1/groups").header("authorization", format!("Bearer {text}"));
    assert_eq!(house.send(bearer.body(Body::empty()).unwrap()).await.status, 401);
}

#[tokio::test]
async fn details_are_read_whole_or_not_at_all() {
    let (house, _, femi) = furnished().await;
    let asked = async |details: &str, more: &[(&str, &str)]| {
        let mut form = vec![
            ("subject_token", femi.secret.as_str()),
            ("subject_token_type", SESSION),
            ("authorization_details", details),
        ];
        form.extend(more);
        token(&house, &form, None).await
    };
    let good = r#"[{"type":"modelward","privileges":["inference"],"models":["fraud"]}]"#;
    let answer = asked(good, &[]).await.ok();
    assert_eq!(
        (answer["scope"].as_str(), answer["models"].as_array().map(Vec::len)),
        (Some("inference"), Some(1))
    );
    assert_eq!(error(&asked(good, &[("scope", "inference")]).await), "invalid_request");
    let single = r#"[{"type":"modelward","actions":["predict","readCard"],"models":["fraud"]}]"#;
    let answer = asked(single, &[]).await.ok();
    assert_eq!(answer["actions"], json!(["readCard", "predict"]));
    assert_eq!(answer["scope"], "read-only inference");
    let text = answer["access_token"].as_str().unwrap();
    let told = post(&house, "/api/v1/introspect", &[("token", text)], None, Some(&femi.secret)).await.ok();
    assert_eq!(told["actions"], answer["actions"]);
    for wrong in [
        "",
        "{}",
        "[]",
        "[1]",
        r#"[{"type":"payment","privileges":["inference"]}]"#,
        r#"[{"type":"modelward"}]"#,
        r#"[{"type":"modelward","privileges":["root"]}]"#,
        r#"[{"type":"modelward","actions":["x"]}]"#,
        r#"[{"type":"modelward","privileges":["inference"],"actions":["predict"]}]"#,
        r#"[{"type":"modelward","privileges":["inference"],"privileges":["deploy"]}]"#,
        r#"[{"type":"modelward","privileges":["inference"]},{"type":"modelward","privileges":["read-only"]}]"#,
    ] {
        if wrong.is_empty() {
            continue;
        }
        assert_eq!(error(&asked(wrong, &[]).await), "invalid_authorization_details", "{wrong}");
    }
    let unknown = r#"[{"type":"modelward","privileges":["inference"],"models":["nothing"]}]"#;
    assert_eq!(error(&asked(unknown, &[]).await), "access_denied", "an unknown model is not any model");
}

#[tokio::test]
async fn threat_26_whoever_acts_for_another_can_do_what_both_may() {
    let (house, dana, femi) = furnished().await;
    let gil = house.invited(&dana, "gil").await;
    let asked = [
        ("subject_token", femi.secret.as_str()),
        ("subject_token_type", SESSION),
        ("actor_token", gil.secret.as_str()),
        ("actor_token_type", SESSION),
        ("scope", "read-only inference"),
    ];
    assert_eq!(error(&token(&house, &asked, None).await), "access_denied", "gil may do nothing");
    grants(&house, &dana, "gil", &["inference"]).await;
    let answer = token(&house, &asked, None).await.ok();
    assert_eq!(answer["scope"], "inference");
    let text = answer["access_token"].as_str().unwrap();
    let verify = || house.verifier.verify(text.as_bytes(), &house.plane.snapshot(), house.now());
    let who = verify().unwrap();
    let id = |name: &str| house.plane.snapshot().person_named(name).unwrap().id.to_string();
    assert_eq!(who.principal().to_string(), id("femi"));
    assert_eq!(who.actors()[0].principal.to_string(), id("gil"));
    assert!(!who.rights().privileges.contains(&Privilege::ReadOnly));

    let half = [&asked[..3], &asked[4..]].concat();
    assert_eq!(error(&token(&house, &half, None).await), "invalid_request");
    house.post("/api/v1/people/gil", &dana, json!({ "active": false })).await.ok();
    assert!(verify().is_err(), "it ends with each of them");
}

#[tokio::test]
async fn a_bound_token_is_exchanged_by_whoever_holds_its_key_and_stays_bound() {
    let (house, _, femi) = furnished().await;
    let first = [
        ("subject_token", femi.secret.as_str()),
        ("subject_token_type", SESSION),
        ("scope", "read-only inference"),
    ];
    let made = proof(&house, &key(9), "/api/v1/token", None);
    let bound = token(&house, &first, Some(&made)).await.ok();
    let asked = [
        ("subject_token", bound["access_token"].as_str().unwrap()),
        ("subject_token_type", ACCESS),
        ("scope", "inference"),
    ];
    assert_eq!(error(&token(&house, &asked, None).await), "invalid_grant");
    let thief = proof(&house, &key(66), "/api/v1/token", None);
    assert_eq!(error(&token(&house, &asked, Some(&thief)).await), "invalid_grant");
    let mine = proof(&house, &key(9), "/api/v1/token", None);
    let narrower = token(&house, &asked, Some(&mine)).await.ok();
    assert_eq!(
        (narrower["scope"].as_str(), narrower["token_type"].as_str()),
        (Some("inference"), Some("DPoP"))
    );
    let other = [asked[0], ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"), asked[2]];
    assert_eq!(error(&token(&house, &other, None).await), "invalid_request");
}

#[tokio::test]
async fn a_token_is_told_to_its_holder_and_to_those_who_may_read_access() {
    let (house, dana, femi) = furnished().await;
    let gil = house.invited(&dana, "gil").await;
    let asked =
        [("subject_token", femi.secret.as_str()), ("subject_token_type", SESSION), ("scope", "inference")];
    let made = proof(&house, &key(9), "/api/v1/token", None);
    let bound = token(&house, &asked, Some(&made)).await.ok();
    let text = bound["access_token"].as_str().unwrap();
    let tell = async |token: &str, by: &Session| -> Value {
        post(&house, "/api/v1/introspect", &[("token", token)], None, Some(&by.secret)).await.ok()
    };
    let own = tell(text, &femi).await;
    assert_eq!(own["active"], true);
    assert_eq!((own["scope"].as_str(), own["acr"].as_str()), (Some("inference"), Some("2fa")));
    assert_eq!(own["cnf"]["jkt"], key(9).thumbprint().to_string());
    assert_eq!(tell(text, &dana).await["sub"], own["sub"]);
    for (token, by) in [(text, &gil), ("x.y.z", &femi), ("", &femi), (femi.secret.as_str(), &femi)] {
        if token.is_empty() {
            continue;
        }
        assert_eq!(tell(token, by).await, json!({ "active": false }));
    }
    let nobody = post(&house, "/api/v1/introspect", &[("token", text)], None, None).await;
    assert_eq!(nobody.status, 401);
    house.pass_seconds(331);
    assert_eq!(tell(text, &femi).await, json!({ "active": false }));
}

#[tokio::test]
async fn the_control_api_says_how_to_get_a_token() {
    let house = House::new().await;
    let request = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let metadata = house.send(request("/.well-known/oauth-authorization-server")).await.ok();
    assert_eq!(metadata["issuer"], ORIGIN);
    assert_eq!(metadata["token_endpoint"], format!("{ORIGIN}/api/v1/token"));
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["EdDSA", "ES256"]));
    assert_eq!(metadata["revocation_endpoint"], format!("{ORIGIN}/api/v1/revoke"));
    assert_eq!(metadata["grant_types_supported"][1], "refresh_token");
    let keys = house.send(request("/.well-known/jwks.json")).await.ok();
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");
    assert!(keys["keys"][0].get("d").is_none());
}

/// A request over a connection whose client showed this certificate in the handshake.
fn certified(request: http::request::Builder, certificate: &[u8], body: String) -> Request<Body> {
    let mut request = request.body(Body::from(body)).unwrap();
    let shown = modelward_server::gateways::PeerCertificate(modelward_seal::Digest::of(certificate));
    request.extensions_mut().insert(shown);
    request
}

#[tokio::test]
async fn a_token_is_bound_to_the_certificate_it_was_asked_for_with() {
    let (house, dana, _) = furnished().await;
    let exchange = |scope: &str, certificate: &[u8]| {
        let body = format!(
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={}\
             &subject_token_type={SESSION}&audience={ORIGIN}&scope={scope}",
            dana.secret
        );
        let request =
            Request::post("/api/v1/token").header("content-type", "application/x-www-form-urlencoded");
        certified(request, certificate, body)
    };
    let answer = house.send(exchange("govern", b"mine")).await.ok();
    assert_eq!(answer["token_type"], "Bearer", "RFC 8705 has no scheme of its own");
    let text = answer["access_token"].as_str().unwrap();
    let call = async |certificate: Option<&[u8]>| {
        let request = Request::get("/api/v1/groups").header("authorization", format!("Bearer {text}"));
        match certificate {
            Some(certificate) => house.send(certified(request, certificate, String::new())).await.status,
            None => house.send(request.body(Body::empty()).unwrap()).await.status,
        }
    };
    assert_eq!(call(Some(b"mine")).await, 200);
    assert_eq!(call(Some(b"of a thief")).await, 401);
    assert_eq!(call(None).await, 401);
    let told = post(&house, "/api/v1/introspect", &[("token", text)], None, Some(&dana.secret)).await.ok();
    let thumbprint =
        modelward_identity::token::Thumbprint::new(modelward_seal::Digest::of(b"mine")).to_string();
    assert_eq!(told["cnf"]["x5t#S256"], thumbprint);
}
