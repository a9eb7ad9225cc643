//! A sidecar for programs that cannot prove possession of a key: it does so in their place.
//!
//! It listens on loopback or on a Unix socket, for the programs of one user. To them it is the gateway; to the gateway it
//! is a client that holds a key, takes a token bound to it for what each route needs, and makes a proof for each request.
//! The key is made at the start and never leaves this process; so is the refresh handle that tokens are taken with, for as
//! long as the process runs and eight hours at most.

mod door;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    USER_AGENT, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use modelward_gateway::routes;
use modelward_identity::Strength;
use modelward_server::wire::StepUp;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub use door::{Door, RunSecret};
pub use tokens::{SignedIn, Tokens};

use crate::client::{ClientError, DPOP, NONCE, Wire};
use crate::config::HttpUrl;
use crate::exit::chain;
use crate::step_up;

/// Answers programs of this user. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Agent(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    door: Door,
    tokens: Tokens,
    wire: Wire,
    gateway: HttpUrl,
    /// What the gateway wants in the next proof, as it said last; held for a clone or a store.
    nonce: Mutex<Option<String>>,
}

/// Where programs reach it.
#[derive(Debug)]
pub enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

type Body = Either<Full<Bytes>, Incoming>;

/// Requests held in memory, so that one can be sent again with a nonce, are no larger.
const BODY_MAX: usize = 16 << 20;
const CONNECTIONS: usize = 256;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// A request is sent this often, for nonces.
const TRIES: u32 = 3;
/// The head of an answer. What follows may take as long as the gateway lets it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);

/// What of a request goes on, besides method, path and body.
const PASSED_ON: [HeaderName; 4] =
    [ACCEPT, CONTENT_TYPE, USER_AGENT, HeaderName::from_static("x-modelward-purpose")];
/// What of an answer comes back.
const BROUGHT_BACK: [HeaderName; 4] =
    [CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, HeaderName::from_static("x-modelward-decision")];

impl Agent {
    pub fn new(door: Door, tokens: Tokens, wire: Wire, gateway: HttpUrl) -> Self {
        Self(Arc::new(Shared { door, tokens, wire, gateway, nonce: Mutex::new(None) }))
    }

    /// Gives back what tokens were taken with.
    pub async fn end(&self) {
        self.0.tokens.end().await;
    }

    /// Serves until the future it is raced against ends it.
    pub async fn serve(self, listening: Listening) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = match &listening {
                Listening::Tcp(listener) => listener.accept().await.map(|(stream, _)| Either::Left(stream)),
                Listening::Unix(listener, _) => {
                    listener.accept().await.map(|(stream, _)| Either::Right(stream))
                }
            };
            let stream = match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let agent = self.clone();
            drop(tokio::spawn(async move {
                match stream {
                    Either::Left(stream) => agent.speak(stream).await,
                    Either::Right(stream) => agent.speak(stream).await,
                }
                drop(place);
            }));
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S) {
        let agent = self.clone();
        let service = service_fn(move |request| {
            let agent = agent.clone();
            async move { Ok::<_, std::convert::Infallible>(Box::pin(agent.answer(request)).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match self.forward(&parts, body).await {
            Ok(response) => response,
            Err(problem) => problem.response(),
        }
    }

    async fn forward(&self, parts: &Parts, body: Incoming) -> Result<Response<Body>, Problem> {
        self.0.door.admit(&parts.headers)?;
        if parts.uri.query().is_some() {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "no route of the gateway takes query parameters",
            ));
        }
        let body = timeout(BODY_TIMEOUT, Limited::new(body, BODY_MAX).collect());
        let body =
            body.await.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive"))?;
        let body = body
            .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or broke off"))?
            .to_bytes();
        let answer = self.send(parts, body.clone()).await?;
        // A token can end early, with the session or the key that signed it; the next one tells.
        let answer = match (answer.status(), asked_of(answer.headers())) {
            (StatusCode::UNAUTHORIZED, Some(asked)) => {
                if !self.0.tokens.sign_in_again(asked).await {
                    return Err(Problem::new(StatusCode::UNAUTHORIZED, step_up::hint(asked)));
                }
                self.send(parts, body).await?
            }
            (StatusCode::UNAUTHORIZED, None) => {
                self.0.tokens.forget().await;
                self.send(parts, body).await?
            }
            _ => answer,
        };
        Ok(brought_back(answer))
    }

    /// Sends a request, and again while its proof needs another nonce: each gateway at the address has its own.
    async fn send(&self, parts: &Parts, body: Bytes) -> Result<Response<Incoming>, Problem> {
        let privileges = routes::privileges(&parts.method, parts.uri.path());
        let token = self.0.tokens.token(&privileges).await?;
        let url = format!("{}{}", self.0.gateway, parts.uri.path());
        let mut tries = 0;
        loop {
            tries += 1;
            let nonce = self.0.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let proof = self.0.tokens.prove(parts.method.as_str(), &url, token.expose(), nonce.as_deref())?;
            let request = outgoing(parts, &url, token.expose(), &proof, body.clone())?;
            let answer = timeout(ANSWER_TIMEOUT, self.0.wire.request(request)).await;
            let answer = answer
                .map_err(|_| Problem::new(StatusCode::GATEWAY_TIMEOUT, "the gateway took too long"))?
                .map_err(|error| {
                    let message = format!("the gateway cannot be reached: {}", chain(&error));
                    Problem::new(StatusCode::BAD_GATEWAY, message)
                })?;
            let asked = answer.headers().get(NONCE).and_then(|nonce| nonce.to_str().ok()).map(str::to_owned);
            let Some(asked) = asked else { return Ok(answer) };
            let is_refused = answer.status() == StatusCode::UNAUTHORIZED && nonce.as_ref() != Some(&asked);
            *self.0.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
            if !is_refused || tries == TRIES {
                return Ok(answer);
            }
        }
    }
}

/// The sign-in that an answer asks for (RFC 9470 section 3).
fn asked_of(headers: &HeaderMap) -> Option<StepUp> {
    let challenge = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    if !challenge.contains("error=\"insufficient_user_authentication\"") {
        return None;
    }
    let value = |name: &str| challenge.split_once(&format!("{name}=\""))?.1.split('"').next();
    let strength = value("acr_values").and_then(Strength::of_acr).unwrap_or(Strength::PhishingResistant);
    let max_age = value("max_age").and_then(|age| age.parse().ok()).unwrap_or(0);
    Some(StepUp { strength: strength.level(), max_age })
}

fn outgoing(
    parts: &Parts,
    url: &str,
    token: &str,
    proof: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Problem> {
    let unwritten = |_| Problem::new(StatusCode::BAD_REQUEST, "the request cannot be passed on");
    let mut credential =
        HeaderValue::try_from(format!("DPoP {token}")).map_err(|error| unwritten(error.into()))?;
    credential.set_sensitive(true);
    let mut request = Request::builder()
        .method(parts.method.clone())
        .uri(url)
        .header(AUTHORIZATION, credential)
        .header(DPOP, proof)
        .body(Full::new(body))
        .map_err(unwritten)?;
    copy(&PASSED_ON, &parts.headers, request.headers_mut());
    Ok(request)
}

/// The answer as it streams in, with what of its head a program has a use for.
fn brought_back(answer: Response<Incoming>) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(Either::Right(body));
    *response.status_mut() = parts.status;
    copy(&BROUGHT_BACK, &parts.headers, response.headers_mut());
    response
}

fn copy(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        if let Some(value) = from.get(name) {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// Why the agent answers in the place of the gateway.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// In the shape that most clients can show.
    fn response(self) -> Response<Body> {
        let document = json!({
            "error": {
                "message": format!("modelward agent: {}", self.message),
                "type": "agent_error",
                "param": null,
                "code": "agent",
            }
        });
        let mut response = Response::new(Either::Left(Full::new(Bytes::from(document.to_string()))));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let status = match &error {
            ClientError::Token(body) if body.error == "invalid_grant" => StatusCode::UNAUTHORIZED,
            ClientError::Token(_) | ClientError::Refused { .. } => StatusCode::FORBIDDEN,
            ClientError::PlainText(_)
            | ClientError::Trust(_)
            | ClientError::Unreachable { .. }
            | ClientError::Slow { .. }
            | ClientError::TooLarge { .. }
            | ClientError::Nonce(_)
            | ClientError::Foreign { .. }
            | ClientError::Request { .. } => StatusCode::BAD_GATEWAY,
        };
        let hint = if status == StatusCode::UNAUTHORIZED { "; sign in with `modelward login`" } else { "" };
        Self::new(status, format!("{}{hint}", chain(&error)))
    }
}

impl Listening {
    /// On a free port of this machine that nobody else's machine reaches.
    pub async fn loopback(port: u16) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok((Self::Tcp(listener), address))
    }

    /// On a socket in a folder that is its owner's alone: whoever can open it may ask.
    pub fn socket(path: PathBuf) -> io::Result<Self> {
        Ok(Self::Unix(UnixListener::bind(&path)?, path))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Nobody answers there any more.
            let _gone = std::fs::remove_file(path);
        }
    }
}
