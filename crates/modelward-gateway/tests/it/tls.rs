//! TLS to the gateway, HTTP/2 in it, and a certificate replaced under way.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use modelward_gateway::Tls;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::rig::{CHAT_STREAM, INFER, Rig, Setup};

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["gw.test".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

async fn connect(
    rig: &Rig,
    authority: &str,
    alpn: &[u8],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(rig.gateway).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("gw.test").unwrap(), stream).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_over_tls_is_as_strict_and_streams() {
    let (chain, key) = certificate();
    let tls = Tls::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let rig = Rig::with(Setup { tls: Some(tls.clone()), ..Setup::default() }).await;
    let stream = connect(&rig, &chain, b"h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let token = rig.token(rig.people.ines);
    let request = |authority: &str, path: &str, body: &str| {
        http::Request::post(format!("https://{authority}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::new(bytes::Bytes::copy_from_slice(body.as_bytes())))
            .unwrap()
    };
    let answer = sender.send_request(request("gw.test", "/oip/v2/models/fraud/infer", INFER)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer =
        sender.send_request(request("gw.test", "/llm/v1/chat/completions", CHAT_STREAM)).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"), "{body:?}");
    let mut two_hosts = request("gw.test", "/oip/v2/models/fraud/infer", INFER);
    two_hosts.headers_mut().insert("host", "other.test".parse().unwrap());
    assert_eq!(sender.send_request(two_hosts).await.unwrap().status(), 400);
    let get = http::Request::get("https://gw.test/oip/v2/models")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::new(bytes::Bytes::new()))
        .unwrap();
    assert_eq!(sender.send_request(get).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_certificate_is_shown_to_the_next_connection() {
    let (chain, key) = certificate();
    let tls = Tls::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let rig = Rig::with(Setup { tls: Some(tls.clone()), ..Setup::default() }).await;
    connect(&rig, &chain, b"http/1.1").await.unwrap();
    let (next, next_key) = certificate();
    assert!(tls.replace(next.as_bytes(), key.as_bytes()).is_err(), "a key of another certificate");
    assert!(tls.replace(b"", b"").is_err());
    connect(&rig, &chain, b"http/1.1").await.unwrap();
    tls.replace(next.as_bytes(), next_key.as_bytes()).unwrap();
    connect(&rig, &next, b"http/1.1").await.unwrap();
    assert!(connect(&rig, &chain, b"http/1.1").await.is_err());
}
