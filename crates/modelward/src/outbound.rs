//! Fetches what issuers publish, and nothing that could be inside our network: the name is resolved here, once, and the
//! connection goes to the address that was checked.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use modelward_decision::vocabulary::Name;
use modelward_identity::federation::{DOCUMENT_BYTES_MAX, FETCH_TIMEOUT, WebUrl};
use modelward_server::outbound::{Fetched, Outbound, OutboundError, Outgoing};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::client::{TrustError, client_config};

/// Turns names into addresses.
pub trait Resolve: fmt::Debug + Send + Sync {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a>;
}

pub type Resolved<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// The resolver of the system.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            Ok(found.map(|address| address.ip()).take(ADDRESSES_MAX).collect())
        })
    }
}

/// Addresses of one name that are looked at.
const ADDRESSES_MAX: usize = 64;

/// Fetches over TLS, under the authorities of each issuer.
#[derive(Debug)]
pub struct Fetcher {
    trust: BTreeMap<Name, Arc<ClientConfig>>,
    resolver: Arc<dyn Resolve>,
}

impl Fetcher {
    /// Each issuer with the file of the authorities to believe in the place of the system's.
    ///
    /// # Errors
    /// A file cannot be read, or holds no certificate.
    pub fn new(
        issuers: impl IntoIterator<Item = (Name, Option<PathBuf>)>,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, TrustError> {
        let mut trust = BTreeMap::new();
        for (name, ca_file) in issuers {
            trust.insert(name, Arc::new(client_config(ca_file)?));
        }
        Ok(Self { trust, resolver })
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Vec<u8>, OutboundError> {
        let address = self.pinned(&outgoing).await?;
        let config = self
            .trust
            .get(&outgoing.issuer)
            .ok_or_else(|| OutboundError::Unreachable("nobody is trusted to vouch for it".to_owned()))?;
        let host = ServerName::try_from(outgoing.url.host().to_owned()).map_err(unreachable)?;
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(host, stream).await.map_err(unreachable)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
        // Ends by itself once the sender is gone.
        drop(tokio::spawn(connection));
        let response = sender.send_request(request(&outgoing)?).await.map_err(unreachable)?;
        let status = response.status();
        let body = match Limited::new(response.into_body(), DOCUMENT_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(OutboundError::TooLarge),
            Err(error) => return Err(unreachable(error)),
        };
        // A redirect is an answer like any other that is none.
        if !matches!(
            status,
            StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT
        ) {
            return Err(OutboundError::Status { status: status.as_u16(), body: body.to_vec() });
        }
        Ok(body.to_vec())
    }

    /// The one address that is connected to: what was checked is what is used.
    async fn pinned(&self, outgoing: &Outgoing) -> Result<SocketAddr, OutboundError> {
        let url: &WebUrl = &outgoing.url;
        let resolved = match url.literal() {
            Some(address) => vec![address],
            None => self.resolver.resolve(url.host(), url.port()).await.map_err(unreachable)?,
        };
        Ok(SocketAddr::new(outgoing.reach.pin(url, &resolved)?, url.port()))
    }
}

fn request(outgoing: &Outgoing) -> Result<Request<Full<Bytes>>, OutboundError> {
    let (method, kind, body) = match (&outgoing.form, &outgoing.json) {
        (Some(form), _) => {
            (Method::POST, Some("application/x-www-form-urlencoded"), Full::from(form.as_bytes().to_vec()))
        }
        (None, Some(json)) => (Method::POST, Some("application/json"), Full::from(json.as_bytes().to_vec())),
        (None, None) => (Method::GET, None, Full::default()),
    };
    let mut request = Request::builder()
        .method(method)
        .uri(outgoing.url.target())
        .header(HOST, outgoing.url.authority())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("modelward/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close");
    if let Some(kind) = kind {
        request = request.header(CONTENT_TYPE, kind);
    }
    let shown = match (&outgoing.basic, &outgoing.bearer) {
        (Some(basic), _) => Some(("Basic", basic)),
        (None, bearer) => bearer.as_ref().map(|bearer| ("Bearer", bearer)),
    };
    if let Some((scheme, secret)) = shown {
        let text = Zeroizing::new(format!("{scheme} {}", secret.as_str()));
        let mut value = HeaderValue::from_str(&text).map_err(unreachable)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(body).map_err(unreachable)
}

fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OutboundError {
    OutboundError::Unreachable(crate::exit::chain(&*error.into()))
}

impl Outbound for Fetcher {
    fn fetch(&self, outgoing: Outgoing) -> Fetched<'_> {
        Box::pin(async move {
            match tokio::time::timeout(FETCH_TIMEOUT, self.exchange(outgoing)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(OutboundError::Slow),
            }
        })
    }
}

#[cfg(test)]
mod tests;
