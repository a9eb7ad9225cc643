//! The listener, the credential, and the life of the process.

use std::fmt;
use std::future::Future;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::classifier::{Classifier, Report, TrainError};
use crate::language::{LanguageModel, MODEL};
use crate::{open_inference, openai};

/// The largest request body, in bytes.
const BODY_MAX: usize = 1 << 20;

/// The longest line of options on standard input, in bytes.
const OPTIONS_MAX: u64 = 1 << 16;

/// What every caller must present as `authorization: Bearer …`. Never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Credential(String);

impl Credential {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    fn matches(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// How to serve. As JSON, one line, on the standard input of [`run`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub credential: Credential,
    /// Seconds since 1970: what `created` fields count from. This crate reads no clock.
    pub started_at: u64,
    /// Port 0 takes a free one.
    #[serde(default = "loopback")]
    pub listen: SocketAddr,
    /// Milliseconds between two events of a stream.
    #[serde(default = "pace_ms")]
    pub pace_ms: u64,
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

const fn pace_ms() -> u64 {
    15
}

impl Options {
    /// On a free port of the loopback interface, with 15 ms between the events of a stream.
    pub fn new(credential: Credential, started_at: u64) -> Self {
        Self { credential, started_at, listen: loopback(), pace_ms: pace_ms() }
    }
}

/// What [`run`] prints on standard output once it listens: one line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartupReport {
    pub url: String,
    pub classifier: String,
    pub versions: Vec<Report>,
    pub language_model: String,
    pub vocabulary: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("failed to read the options from standard input")]
    ReadOptions(#[source] io::Error),
    #[error("the first line of standard input is not a valid set of options")]
    ParseOptions(#[source] serde_json::Error),
    #[error("a credential must not be empty")]
    EmptyCredential,
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error("failed to listen on `{address}`")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("failed to start the runtime")]
    Runtime(#[source] io::Error),
    #[error("failed to report the address on standard output")]
    Report(#[source] io::Error),
    #[error("the server failed")]
    Serve(#[source] io::Error),
}

/// The whole life of a child process: reads [`Options`] as one line of JSON from standard input (so that the
/// credential stands in no argument list and no environment), trains, listens, prints a [`StartupReport`], and
/// serves until standard input closes, which it does when the parent ends.
pub fn run() -> Result<(), RunError> {
    let mut line = String::new();
    io::stdin().lock().take(OPTIONS_MAX).read_line(&mut line).map_err(RunError::ReadOptions)?;
    let options: Options = serde_json::from_str(&line).map_err(RunError::ParseOptions)?;
    let (parent_gone, gone) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // What else arrives is of no interest; an error means the same as the end.
        let _ended = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(parent_gone);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    let served = runtime.block_on(async {
        let server = Server::bind(options).await?;
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, &server.report()).map_err(|error| RunError::Report(error.into()))?;
        out.write_all(b"\n").and_then(|()| out.flush()).map_err(RunError::Report)?;
        drop(out);
        server.serve(async move { drop(gone.await) }).await
    });
    // Streams still open must not keep the process alive.
    runtime.shutdown_background();
    served
}

/// A trained server that has its port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
}

impl Server {
    /// Trains both models (well under a second when optimised) and takes the port.
    pub async fn bind(options: Options) -> Result<Self, RunError> {
        if options.credential.0.is_empty() {
            return Err(RunError::EmptyCredential);
        }
        let classifier = Classifier::train()?;
        let language = LanguageModel::train();
        let listen_failed = |source| RunError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let service = Arc::new(Service {
            classifier,
            language,
            credential: options.credential,
            started_at: options.started_at,
            started: Instant::now(),
            pace: Duration::from_millis(options.pace_ms),
            answers: AtomicU64::new(0),
            loaded: AtomicBool::new(true),
        });
        Ok(Self { listener, address, service })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn report(&self) -> StartupReport {
        StartupReport {
            url: format!("http://{}", self.address),
            classifier: open_inference::MODEL.to_owned(),
            versions: self.service.classifier.reports().cloned().collect(),
            language_model: MODEL.to_owned(),
            vocabulary: self.service.language.vocabulary_len(),
        }
    }

    /// Serves until `shutdown` completes, then lets requests in flight finish.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), RunError> {
        let router = router(self.service);
        axum::serve(self.listener, router).with_graceful_shutdown(shutdown).await.map_err(RunError::Serve)
    }
}

/// What every handler shares.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) classifier: Classifier,
    pub(crate) language: LanguageModel,
    credential: Credential,
    pub(crate) started_at: u64,
    started: Instant,
    pub(crate) pace: Duration,
    answers: AtomicU64,
    /// Whether the classifier is loaded; the repository routes of the inference protocol change it.
    pub(crate) loaded: AtomicBool,
}

impl Service {
    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.started_at.saturating_add(self.started.elapsed().as_secs())
    }

    /// An id that this process has not used before, such as `chatcmpl-0000000000000007`.
    pub(crate) fn id(&self, prefix: &str) -> String {
        format!("{prefix}-{:016x}", self.answers.fetch_add(1, Ordering::Relaxed))
    }
}

fn router(service: Arc<Service>) -> Router {
    Router::new()
        .merge(open_inference::routes())
        .merge(openai::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&service), require_credential))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(service)
}

/// Health is open, as probes expect; everything else needs the credential.
async fn require_credential(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if open_inference::is_open(path) || is_authorised(&service.credential, request.headers()) {
        return next.run(request).await;
    }
    refuse(path, StatusCode::UNAUTHORIZED, "missing or wrong credential")
}

fn is_authorised(credential: &Credential, headers: &HeaderMap) -> bool {
    let mut presented = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (presented.next(), presented.next()) else {
        return false;
    };
    value.as_bytes().strip_prefix(b"Bearer ").is_some_and(|token| credential.matches(token))
}

async fn unknown_path(request: Request) -> Response {
    refuse(request.uri().path(), StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn wrong_method(request: Request) -> Response {
    refuse(request.uri().path(), StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
}

/// In the shape of the protocol that the path belongs to.
fn refuse(path: &str, status: StatusCode, message: &str) -> Response {
    if path.starts_with("/v1/") || path == "/tokenize" {
        return openai::refusal(status, message);
    }
    open_inference::refusal(status, message)
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
