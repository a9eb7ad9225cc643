use std::sync::atomic::{AtomicUsize, Ordering};

use modelward_identity::federation::Reach;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const HOST: &str = "id.example.org";

/// Says what it is told to, and counts how often it is asked.
#[derive(Debug)]
struct Names(Vec<IpAddr>, AtomicUsize);

impl Resolve for Names {
    fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> Resolved<'a> {
        // Rebound: whoever asks twice is led elsewhere.
        let asked = self.1.fetch_add(1, Ordering::Relaxed);
        let found = if asked == 0 { self.0.clone() } else { vec!["192.0.2.1".parse().unwrap()] };
        Box::pin(std::future::ready(Ok(found)))
    }
}

struct Server {
    port: u16,
    folder: tempfile::TempDir,
    asked: Arc<AtomicUsize>,
}

/// An issuer's server for `HOST` that has one answer.
async fn server(answer: String) -> Server {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            counted.fetch_add(1, Ordering::Relaxed);
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = vec![0; 4096];
            let _read = stream.read(&mut head).await;
            let _written = stream.write_all(answer.as_bytes()).await;
            let _closed = stream.shutdown().await;
        }
    });
    Server { port, folder, asked }
}

fn answer(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{more}\r\n{body}", body.len())
}

async fn ask(
    server: &Server,
    url: &str,
    addresses: &[&str],
    private: bool,
) -> Result<Vec<u8>, OutboundError> {
    let name: Name = "corporate".parse().unwrap();
    let names = Names(addresses.iter().map(|text| text.parse().unwrap()).collect(), AtomicUsize::new(0));
    let ca = Some(server.folder.path().join("ca.pem"));
    let fetcher = Fetcher::new([(name.clone(), ca)], Arc::new(names)).unwrap();
    let reach = if private { Reach::with_private([HOST.to_owned()]) } else { Reach::default() };
    fetcher
        .fetch(Outgoing {
            issuer: name,
            url: url.parse().unwrap(),
            reach,
            form: None,
            json: None,
            basic: None,
            bearer: None,
        })
        .await
}

#[tokio::test]
async fn the_checked_address_is_the_one_that_is_asked() {
    let server = server(answer("200 OK", "", "{}")).await;
    let url = format!("https://{HOST}:{}/jwks", server.port);
    assert_eq!(ask(&server, &url, &["127.0.0.1"], true).await.unwrap(), b"{}");
    assert_eq!(server.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn row_20_a_name_that_leads_inside_is_not_asked_at_all() {
    let server = server(answer("200 OK", "", "{}")).await;
    let url = format!("https://{HOST}:{}/jwks", server.port);
    for addresses in [&["127.0.0.1"][..], &["93.184.215.14", "127.0.0.1"], &["::ffff:127.0.0.1"]] {
        let refused = ask(&server, &url, addresses, false).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Address(_)), "{refused}");
    }
    assert_eq!(server.asked.load(Ordering::Relaxed), 0, "no packet was sent");
}

#[tokio::test]
async fn row_20_redirects_and_floods_are_no_answers() {
    let moved = server(answer("302 Found", "location: https://169.254.169.254/\r\n", "")).await;
    let url = format!("https://{HOST}:{}/jwks", moved.port);
    let refused = ask(&moved, &url, &["127.0.0.1"], true).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Status { status: 302, .. }), "{refused}");

    let flood = server(answer("200 OK", "", &"x".repeat(DOCUMENT_BYTES_MAX + 1))).await;
    let url = format!("https://{HOST}:{}/jwks", flood.port);
    let refused = ask(&flood, &url, &["127.0.0.1"], true).await.unwrap_err();
    assert!(matches!(refused, OutboundError::TooLarge), "{refused}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_no_certificate() {
    let server = server(answer("200 OK", "", "{}")).await;
    let name: Name = "corporate".parse().unwrap();
    let names = Names(vec!["127.0.0.1".parse().unwrap()], AtomicUsize::new(0));
    let ca = Some(server.folder.path().join("ca.pem"));
    let fetcher = Fetcher::new([(name.clone(), ca)], Arc::new(names)).unwrap();
    let url = format!("https://other.example.org:{}/jwks", server.port).parse().unwrap();
    let reach = Reach::with_private(["other.example.org".to_owned()]);
    let refused = fetcher
        .fetch(Outgoing { issuer: name, url, reach, form: None, json: None, basic: None, bearer: None })
        .await
        .unwrap_err();
    assert!(matches!(refused, OutboundError::Unreachable(_)), "{refused}");
}
