//! Talks to the control API: bounded answers, bounded waits, no redirects, no plain text beyond loopback.

mod events;
mod trust;

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use modelward_server::wire::{ErrorBody, ErrorCode, Secret, StepUp, TokenError};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use events::Events;
pub use trust::TrustError;
pub(crate) use trust::client_config;

use crate::config::HttpUrl;
use crate::exit::chain;

/// The largest answer that is read.
const MAX_ANSWER: usize = 64 << 20;

/// How long a server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A control plane, and the session that is shown to it.
#[derive(Debug)]
pub struct Client {
    http: Wire,
    server: HttpUrl,
    /// Another one after somebody signed in again. Held for a clone or a store alone.
    session: Mutex<Option<Secret>>,
    sign_in: Option<Box<dyn SignIn>>,
}

/// Whoever can be asked to sign in again, when a request needs that.
pub trait SignIn: fmt::Debug + Send + Sync {
    /// A new session, or nothing where nobody signed in.
    fn again(&self, asked: StepUp) -> Pin<Box<dyn Future<Output = Option<Secret>> + Send + '_>>;
}

/// What carries requests to a server.
pub(crate) type Wire = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// # Errors
/// The server is reached in plain text beyond loopback, or the authorities cannot be read.
pub(crate) fn wire(server: &HttpUrl, ca: Option<PathBuf>) -> Result<Wire, ClientError> {
    if !server.is_https() && !server.is_loopback() {
        return Err(ClientError::PlainText(server.clone()));
    }
    let tls = client_config(ca)?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(legacy::Client::builder(TokioExecutor::new()).build(https))
}

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`{0}` is not on this machine, and passwords are not sent in plain text")]
    PlainText(HttpUrl),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("failed to reach `{server}`: {reason}")]
    Unreachable { server: HttpUrl, reason: String },
    #[error("`{server}` did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Slow { server: HttpUrl },
    #[error("the answer of `{server}` is larger than {MAX_ANSWER} bytes")]
    TooLarge { server: HttpUrl },
    /// The server said no.
    #[error("{}", .body.error.message)]
    Refused { status: u16, body: Box<ErrorBody> },
    #[error("the token endpoint refused: {}", .0.error_description.as_deref().unwrap_or(&.0.error))]
    Token(Box<TokenError>),
    /// The proof has to be made again, with this nonce.
    #[error("the token endpoint asks for a proof with a nonce")]
    Nonce(String),
    #[error("`{server}` answered {status} with something that is not of the control API")]
    Foreign { server: HttpUrl, status: u16 },
    #[error("the request cannot be written: {reason}")]
    Request { reason: String },
}

impl Client {
    /// # Errors
    /// The server is reached in plain text beyond loopback, or the authorities cannot be read.
    pub fn new(server: HttpUrl, ca: Option<PathBuf>, session: Option<Secret>) -> Result<Self, ClientError> {
        Ok(Self { http: wire(&server, ca)?, server, session: Mutex::new(session), sign_in: None })
    }

    /// One that has somebody to ask: a request that needs another sign-in is sent again after it.
    #[must_use]
    pub fn asking(self, sign_in: impl SignIn + 'static) -> Self {
        Self { sign_in: Some(Box::new(sign_in)), ..self }
    }

    pub const fn server(&self) -> &HttpUrl {
        &self.server
    }

    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::GET, path, None).await
    }

    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ClientError::Request { reason: error.to_string() })?;
        self.json(Method::POST, path, Some((JSON, body.into()))).await
    }

    /// Posts without a body.
    pub async fn act<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::POST, path, None).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::DELETE, path, None).await
    }

    /// Posts a form, as the token endpoint takes it.
    pub async fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        self.json(Method::POST, path, Some((FORM, form(fields)))).await
    }

    /// Posts a form with a proof of possession (RFC 9449 section 5).
    pub async fn form_proved<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        proof: &str,
    ) -> Result<T, ClientError> {
        let proof = HeaderValue::try_from(proof)
            .map_err(|error| ClientError::Request { reason: error.to_string() })?;
        let request = self.request(Method::POST, path, "application/json", Some((FORM, form(fields))))?;
        self.json_of(with_header(request, DPOP, proof)).await
    }

    /// Reads bytes as they are, `None` where there is nothing.
    pub async fn bytes(&self, path: &str) -> Result<Option<Bytes>, ClientError> {
        let response = self.send(Method::GET, path, "*/*", None).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let status = response.status();
        let body = self.collect(response).await?;
        if status.is_success() { Ok(Some(body)) } else { Err(self.refusal(status, &body)) }
    }

    /// Follows a stream of server-sent events.
    pub async fn events(&self, path: &str) -> Result<Events, ClientError> {
        let response = self.send(Method::GET, path, "text/event-stream", None).await?;
        let status = response.status();
        if !status.is_success() {
            let body = self.collect(response).await?;
            return Err(self.refusal(status, &body));
        }
        Ok(Events::new(self.server.clone(), response.into_body()))
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<(HeaderValue, Bytes)>,
    ) -> Result<T, ClientError> {
        let request = self.request(method.clone(), path, "application/json", body.clone())?;
        let answer = self.json_of(request).await;
        let asked = answer.as_ref().err().and_then(ClientError::step_up);
        if !self.signed_in_again(asked).await {
            return answer;
        }
        let request = self.request(method, path, "application/json", body)?;
        self.json_of(request).await
    }

    /// Whether somebody signed in again, as they were asked to.
    async fn signed_in_again(&self, asked: Option<StepUp>) -> bool {
        let (Some(asked), Some(sign_in)) = (asked, &self.sign_in) else { return false };
        let Some(session) = sign_in.again(asked).await else { return false };
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        true
    }

    async fn json_of<T: DeserializeOwned>(&self, request: Request<Full<Bytes>>) -> Result<T, ClientError> {
        let response = self.exchange(request).await?;
        let status = response.status();
        let nonce = response.headers().get(NONCE).and_then(|nonce| nonce.to_str().ok()).map(str::to_owned);
        let body = self.collect(response).await?;
        if !status.is_success() {
            return Err(match (self.refusal(status, &body), nonce) {
                (ClientError::Token(error), Some(nonce)) if error.error == "use_dpop_nonce" => {
                    ClientError::Nonce(nonce)
                }
                (error, _) => error,
            });
        }
        serde_json::from_slice(&body)
            .map_err(|_| ClientError::Foreign { server: self.server.clone(), status: status.as_u16() })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Option<(HeaderValue, Bytes)>,
    ) -> Result<Response<Incoming>, ClientError> {
        self.exchange(self.request(method, path, accept, body)?).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Option<(HeaderValue, Bytes)>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let unwritten = |reason: String| ClientError::Request { reason };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server))
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("modelward/", env!("CARGO_PKG_VERSION")));
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(session) = session {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", session.expose()))
                .map_err(|error| unwritten(error.to_string()))?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let body = match body {
            Some((kind, body)) => {
                request = request.header(CONTENT_TYPE, kind);
                Full::new(body)
            }
            None => Full::default(),
        };
        request.body(body).map_err(|error| unwritten(error.to_string()))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.http.request(request)).await;
        answer
            .map_err(|_| ClientError::Slow { server: self.server.clone() })?
            .map_err(|error| ClientError::Unreachable { server: self.server.clone(), reason: chain(&error) })
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
        let collected = tokio::time::timeout(ANSWER_TIMEOUT, body)
            .await
            .map_err(|_| ClientError::Slow { server: self.server.clone() })?;
        match collected {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(ClientError::TooLarge { server: self.server.clone() })
            }
            Err(error) => {
                Err(ClientError::Unreachable { server: self.server.clone(), reason: chain(error.as_ref()) })
            }
        }
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> ClientError {
        if let Ok(body) = serde_json::from_slice::<ErrorBody>(body) {
            return ClientError::Refused { status: status.as_u16(), body: Box::new(body) };
        }
        if let Ok(body) = serde_json::from_slice::<TokenError>(body) {
            return ClientError::Token(Box::new(body));
        }
        ClientError::Foreign { server: self.server.clone(), status: status.as_u16() }
    }
}

fn form(fields: &[(&str, &str)]) -> Bytes {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&").into()
}

fn with_header(
    mut request: Request<Full<Bytes>>,
    name: HeaderName,
    value: HeaderValue,
) -> Request<Full<Bytes>> {
    request.headers_mut().insert(name, value);
    request
}

/// A proof of possession, and the nonce the next one is to carry (RFC 9449 sections 4.1 and 8.1).
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
pub(crate) const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

impl ClientError {
    /// The sign-in that the request needs, where that is what is missing.
    pub fn step_up(&self) -> Option<StepUp> {
        match self {
            Self::Refused { body, .. } => body.error.step_up,
            _ => None,
        }
    }

    /// The server's code, where it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { body, .. } => Some(body.error.code),
            _ => None,
        }
    }
}

/// Text as it stands in a path segment, a query or a form: all but unreserved characters escaped (RFC 3986, 2.3).
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A query string with the members of a flat value that are present, with its `?`.
pub fn query<T: Serialize>(filter: &T) -> String {
    let Ok(serde_json::Value::Object(members)) = serde_json::to_value(filter) else { return String::new() };
    let pairs: Vec<String> = members
        .iter()
        .filter_map(|(name, value)| {
            let text = match value {
                serde_json::Value::Null => return None,
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Some(format!("{}={}", escape(name), escape(&text)))
        })
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_cannot_leave_its_place_in_a_path() {
        assert_eq!(escape("../keys?x=1&y#z"), "..%2Fkeys%3Fx%3D1%26y%23z");
        assert_eq!(query(&serde_json::json!({ "rows": "a b", "model": null })), "?rows=a%20b");
        assert_eq!(query(&serde_json::json!({ "limit": 3 })), "?limit=3");
        assert_eq!(query(&serde_json::json!({})), "");
    }

    #[test]
    fn a_password_is_not_sent_in_plain_text() {
        let far: HttpUrl = "http://modelward.example.org".parse().unwrap();
        assert!(matches!(Client::new(far, None, None), Err(ClientError::PlainText(_))));
    }
}
