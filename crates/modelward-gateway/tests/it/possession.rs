//! Proof of possession at the door: whoever sends a bound token holds what it is bound to.

use std::sync::Arc;

use modelward_decision::vocabulary::{PrincipalRef, Privilege};
use modelward_gateway::Tls;
use modelward_identity::token::{ProofKey, Thumbprint, TokenBinding};
use modelward_identity::{Models, Rights};
use modelward_seal::source::Clock as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::rig::{Answer, INFER, Rig, Setup, holder, request};

const PATH: &str = "/oip/v2/models/fraud/infer";
const BASE: &str = "https://gw.test";

fn predicts() -> Rights {
    Rights::new([Privilege::Inference], Models::Any)
}

/// A token for predictions bound to the honest client's key.
fn bound(rig: &Rig) -> String {
    rig.token_bound(PrincipalRef::Person(rig.people.ines), predicts(), Some(holder()))
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threat_08_a_stolen_token_is_worth_nothing_without_its_key() {
    let rig = Rig::start().await;
    let token = bound(&rig);
    let proved = |key: &ProofKey, base: &str, method: &str, path: &str| {
        rig.proved(key, base, method, path, &token, INFER)
    };
    let honest = || proved(&holder(), BASE, "POST", PATH);
    assert_eq!(rig.raw(honest().as_bytes()).await.status, 200);
    rig.upstream.take();

    let thief = ProofKey::from_seed(zeroize::Zeroizing::new([66; 32])).unwrap();
    let other_path = proved(&holder(), BASE, "POST", "/oip/v2/models/vault/infer");
    let proof_of =
        |text: &str| text.lines().find_map(|line| line.strip_prefix("dpop: ")).unwrap_or_default().to_owned();
    let with_proof = |proof: &str| {
        let text = honest();
        text.replace(&proof_of(&text), proof)
    };
    let replayed = honest();
    assert_eq!(rig.raw(replayed.as_bytes()).await.status, 200);
    rig.upstream.take();
    let other_token = rig.proved(&holder(), BASE, "POST", PATH, &bound(&rig), INFER);
    for (name, text, error) in [
        ("as a bearer token", request("POST", PATH, &token, INFER), "invalid_token"),
        ("as an api key", honest().replace("authorization: DPoP", "x-api-key:"), "invalid_token"),
        ("without a proof", with_proof("").replace("dpop: \r\n", ""), "invalid_dpop_proof"),
        ("with an empty proof", with_proof(""), "invalid_dpop_proof"),
        ("with two proofs", honest().replace("dpop: ", "dpop: x\r\ndpop: "), "invalid_dpop_proof"),
        ("by another key", proved(&thief, BASE, "POST", PATH), "invalid_dpop_proof"),
        (
            "for another address",
            proved(&holder(), "https://attacker.test", "POST", PATH),
            "invalid_dpop_proof",
        ),
        ("for another path", with_proof(&proof_of(&other_path)), "invalid_dpop_proof"),
        (
            "for another method",
            with_proof(&proof_of(&proved(&holder(), BASE, "GET", PATH))),
            "invalid_dpop_proof",
        ),
        ("for another token", with_proof(&proof_of(&other_token)), "invalid_dpop_proof"),
        ("seen before", replayed, "invalid_dpop_proof"),
        ("with the token as proof", with_proof(&token), "invalid_dpop_proof"),
        ("with a nonce of nobody", with_nonce(&rig, &token, "abc"), "use_dpop_nonce"),
    ] {
        let answer = rig.raw(text.as_bytes()).await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        assert!(challenge(&answer).contains(error), "{name}: {answer:?}");
        assert!(!answer.body.contains(&token), "{name}");
        assert_eq!(rig.upstream.take(), Vec::<String>::new(), "{name}");
    }
}

fn with_nonce(rig: &Rig, token: &str, nonce: &str) -> String {
    let (url, now) = (format!("{BASE}{PATH}"), rig.system.clock.now());
    let proof =
        holder().prove("POST", &url, Some(token.as_bytes()), Some(nonce), &*rig.system.ids, now).unwrap();
    request("POST", PATH, token, INFER)
        .replace("authorization: Bearer", &format!("dpop: {proof}\r\nauthorization: DPoP"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_refuses_a_proof_gives_the_nonce_that_the_next_one_may_carry() {
    let rig = Rig::start().await;
    let token = bound(&rig);
    let refused = rig.raw(with_nonce(&rig, &token, "abc").as_bytes()).await;
    assert_eq!(challenge(&refused), "dpop error=\"use_dpop_nonce\", algs=\"eddsa es256\"");
    // The head of an answer is read in lower case, so the nonce is asked for once more.
    let text = rig.raw_text(with_nonce(&rig, &token, "abc").as_bytes()).await;
    let nonce = text.lines().find_map(|line| line.strip_prefix("dpop-nonce: ")).unwrap().trim();
    assert_eq!(rig.raw(with_nonce(&rig, &token, nonce).as_bytes()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bearer_token_is_not_taken_as_a_bound_one() {
    let rig = Rig::start().await;
    let token = rig.token(rig.people.ines);
    let answer = rig.raw(rig.proved(&holder(), BASE, "POST", PATH, &token, INFER).as_bytes()).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(rig.raw(request("POST", PATH, &token, INFER).as_bytes()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_says_what_it_is_and_who_gives_tokens_for_it() {
    let rig = Rig::start().await;
    let nobody = b"POST /oip/v2/models/fraud/infer HTTP/1.1\r\nhost: gw.test\r\nconnection: close\r\n\r\n";
    let text = rig.raw_text(nobody).await;
    for scheme in ["Bearer realm=\"modelward\"", "DPoP algs=\"EdDSA ES256\""] {
        let line = format!(
            "www-authenticate: {scheme}, resource_metadata=\"{BASE}/.well-known/oauth-protected-resource\""
        );
        assert!(text.contains(&line), "{line} in {text}");
    }
    let answer = rig
        .raw(b"GET /.well-known/oauth-protected-resource HTTP/1.1\r\nhost: gw.test\r\nconnection: close\r\n\r\n")
        .await;
    let metadata: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(metadata["resource"], BASE);
    assert_eq!(metadata["authorization_servers"][0], "https://modelward.test");
    assert_eq!(metadata["bearer_methods_supported"][0], "header");
}

/// A client certificate of no authority, and its thumbprint.
fn client_certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>, TokenBinding) {
    let made = rcgen::generate_simple_self_signed(vec!["client".to_owned()]).unwrap();
    let der = made.cert.der().clone();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let binding = TokenBinding::Certificate(Thumbprint::of_certificate(&der));
    (der, key, binding)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_bound_to_a_certificate_is_taken_on_a_connection_that_showed_it() {
    let server = rcgen::generate_simple_self_signed(vec!["gw.test".to_owned()]).unwrap();
    let (chain, key) = (server.cert.pem(), server.signing_key.serialize_pem());
    let tls = Tls::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let rig = Rig::with(Setup { tls: Some(tls), ..Setup::default() }).await;
    let (mine, my_key, binding) = client_certificate();
    let (other, other_key, _) = client_certificate();
    let token = rig.token_to(PrincipalRef::Person(rig.people.ines), predicts(), Some(binding));
    for (name, shown, status) in [
        ("the certificate itself", Some((mine, my_key)), 200),
        ("another one", Some((other, other_key)), 401),
        ("none", None, 401),
    ] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            Some((certificate, key)) => config.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => config.with_no_client_auth(),
        };
        let stream = TcpStream::connect(rig.gateway).await.unwrap();
        let name_of_server = ServerName::try_from("gw.test").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name_of_server, stream).await.unwrap();
        stream.write_all(request("POST", PATH, &token, INFER).as_bytes()).await.unwrap();
        let mut whole = Vec::new();
        drop(stream.read_to_end(&mut whole).await);
        let answer = Answer::parse(&whole);
        assert_eq!(answer.status, status, "{name}: {answer:?}");
    }
}

#[test]
fn a_client_can_tell_by_the_route_what_its_token_has_to_be_for() {
    use http::Method;
    use modelward_gateway::routes::privileges;
    let words = |method, path| {
        let found: Vec<_> = privileges(&method, path).iter().map(|privilege| privilege.as_str()).collect();
        found.join(" ")
    };
    assert_eq!(words(Method::POST, "/llm/v1/chat/completions"), "inference inference-sensitive");
    assert_eq!(words(Method::POST, "/llm/v1/embeddings"), "inference-sensitive");
    assert_eq!(words(Method::POST, PATH), "inference inference-sensitive");
    let listed = words(Method::GET, "/llm/v1/models");
    assert!(
        listed.contains("read-only") && listed.contains("inference"),
        "what one may use is listed: {listed}"
    );
    assert_eq!(words(Method::DELETE, "/llm/v1/models/chat"), "", "what is always denied needs nothing");
    assert_eq!(words(Method::GET, "/"), "");
    assert_eq!(words(Method::GET, ""), "");
}
