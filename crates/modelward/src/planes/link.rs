//! One connection to the control plane: HTTP/2 over mutual TLS, for the feed and everything beside it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use modelward_planes::message::CONTROL_NAME;
use modelward_server::wire::ErrorBody;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers that are neither the feed nor a bundle.
const ANSWER_MAX: usize = 1 << 20;
/// As large as a bundle may be, written as JSON.
const BUNDLE_MAX: usize = 160 << 20;

/// A connection that stands. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    sender: SendRequest<Full<Bytes>>,
}

/// Why the control plane was not reached, or said no.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("failed to reach the control plane at `{address}`")]
    Reach {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the control plane did not answer in time")]
    Slow,
    #[error("the connection to the control plane broke")]
    Broken(#[from] hyper::Error),
    #[error("{0}")]
    Refused(String),
    /// The certificate is that of no gateway any more.
    #[error("the control plane does not know this gateway: {0}")]
    Unknown(String),
    #[error("the control plane answered something else than it was asked for")]
    Foreign,
}

impl Link {
    pub(crate) async fn connect(address: &str, tls: ClientConfig) -> Result<Self, LinkError> {
        let reach = |source| LinkError::Reach { address: address.to_owned(), source };
        let connecting = async {
            let stream = TcpStream::connect(address).await.map_err(reach)?;
            stream.set_nodelay(true).map_err(reach)?;
            let name = ServerName::try_from(CONTROL_NAME).map_err(|_| LinkError::Foreign)?;
            let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.map_err(reach)?;
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .handshake(TokioIo::new(stream))
                .await?;
            drop(tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "the connection to the control plane ended");
                }
            }));
            Ok(Self { sender })
        };
        timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| LinkError::Slow)?
    }

    /// Asks, and reads the answer.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> Result<A, LinkError> {
        let body = self.whole(Method::POST, path, json(question)?, ANSWER_MAX).await?;
        serde_json::from_slice(&body).map_err(|_| LinkError::Foreign)
    }

    /// Tells, and waits until it is heard.
    pub(crate) async fn tell<Q: Serialize>(&self, path: &str, what: &Q) -> Result<(), LinkError> {
        self.whole(Method::POST, path, json(what)?, ANSWER_MAX).await.map(drop)
    }

    pub(crate) async fn bundle(&self, path: &str) -> Result<Bytes, LinkError> {
        self.whole(Method::GET, path, Bytes::new(), BUNDLE_MAX).await
    }

    /// Asks for what comes in parts.
    pub(crate) async fn stream<Q: Serialize>(&self, path: &str, question: &Q) -> Result<Incoming, LinkError> {
        let sending = self.send(Method::POST, path, json(question)?);
        timeout(ANSWER_TIMEOUT, sending).await.map_err(|_| LinkError::Slow)?
    }

    async fn whole(&self, method: Method, path: &str, body: Bytes, max: usize) -> Result<Bytes, LinkError> {
        let asking = async {
            let answer = self.send(method, path, body).await?;
            let read = Limited::new(answer, max).collect().await;
            read.map(http_body_util::Collected::to_bytes).map_err(|_| LinkError::Foreign)
        };
        timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| LinkError::Slow)?
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Incoming, LinkError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{CONTROL_NAME}{path}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| LinkError::Foreign)?;
        let answer = self.sender.clone().send_request(request).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let read = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
        let body = read.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let said = serde_json::from_slice::<ErrorBody>(&body);
        let message = said.map_or_else(|_| format!("it answered {status}"), |body| body.error.message);
        Err(if status == StatusCode::UNAUTHORIZED {
            LinkError::Unknown(message)
        } else {
            LinkError::Refused(message)
        })
    }
}

fn json<T: Serialize>(value: &T) -> Result<Bytes, LinkError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|_| LinkError::Foreign)
}
