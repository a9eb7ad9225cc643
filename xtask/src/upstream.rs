//! The model server of the benches: answers are constant, how they come is set from outside.
//!
//! `POST /bench` with a [`Mode`] sets the delay of plain answers and the length and pace of streams. It stands for a
//! model server of either protocol as far as a gateway can tell, and does no work that would be measured with it.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::Error;

/// The largest request body, in bytes.
const BODY_MAX: usize = 1 << 20;

/// How answers come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Milliseconds before a plain answer.
    pub delay_ms: u64,
    /// Events per stream.
    pub events: u32,
    /// Microseconds between two events; 0 sends as fast as they are taken.
    pub pace_us: u64,
}

const LABEL: &str = r#"{"model_name":"breast-cancer","model_version":"1","outputs":[{"name":"label","shape":[1,1],"datatype":"BYTES","data":["benign"]}]}"#;
const METADATA: &str = r#"{"name":"breast-cancer","versions":["1","2"],"platform":"bench","inputs":[{"name":"measurements","datatype":"FP64","shape":[-1,30]}],"outputs":[{"name":"label","datatype":"BYTES","shape":[-1,1]}]}"#;
const READY: &str = r#"{"live":true,"ready":true}"#;
const MODELS: &str = r#"{"object":"list","data":[{"id":"ward-notes","object":"model","created":1767225600,"owned_by":"bench"}]}"#;
const CHAT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"ward-notes","choices":[{"index":0,"message":{"role":"assistant","content":"The margin is the raw score."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}"#;
/// 200 bytes with its frame.
const EVENT: &[u8] = b"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"ward-notes\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" measurement\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

type Body = BoxBody<Bytes, Infallible>;

/// Listens on a free port of the loopback interface, prints the address in one line, and serves until it is ended.
pub async fn run() -> Result<(), Error> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let listener = listener.map_err(Error::connect("127.0.0.1:0"))?;
    let address = listener.local_addr().map_err(Error::connect("127.0.0.1:0"))?;
    let mut out = std::io::stdout();
    writeln!(out, "{address}").and_then(|()| out.flush()).map_err(Error::file("standard output"))?;
    let mode = Arc::new(RwLock::new(Mode { delay_ms: 0, events: 100, pace_us: 20_000 }));
    loop {
        let (stream, _) = listener.accept().await.map_err(Error::connect(address.to_string()))?;
        stream.set_nodelay(true).map_err(Error::connect(address.to_string()))?;
        let mode = Arc::clone(&mode);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&mode), request));
            // A caller that goes away is no news.
            let _served = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(mode: Arc<RwLock<Mode>>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_MAX).collect().await else {
        return Ok(json(StatusCode::PAYLOAD_TOO_LARGE, "{}"));
    };
    let body = body.to_bytes();
    let path = head.uri.path();
    if head.method == Method::POST && path == "/bench" {
        let Ok(asked) = serde_json::from_slice(&body) else {
            return Ok(json(StatusCode::BAD_REQUEST, "{}"));
        };
        *mode.write().unwrap_or_else(PoisonError::into_inner) = asked;
        return Ok(json(StatusCode::OK, "{}"));
    }
    let mode = *mode.read().unwrap_or_else(PoisonError::into_inner);
    if head.method == Method::GET {
        let constant = match path {
            "/v1/models" => MODELS,
            path if path.ends_with("/ready") || path.ends_with("/live") => READY,
            _ => METADATA,
        };
        return Ok(json(StatusCode::OK, constant));
    }
    if body.windows(13).any(|part| part == b"\"stream\":true") {
        return Ok(events(mode));
    }
    if mode.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(mode.delay_ms)).await;
    }
    Ok(json(StatusCode::OK, if path.ends_with("/infer") { LABEL } else { CHAT }))
}

fn json(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Events at a steady pace, counted from the first, so that a late one does not delay the rest.
fn events(mode: Mode) -> Response<Body> {
    let begun = Instant::now();
    let told = stream::unfold(0_u32, move |number| async move {
        if number > mode.events {
            return None;
        }
        if mode.pace_us > 0 {
            tokio::time::sleep_until(begun + Duration::from_micros(mode.pace_us * u64::from(number))).await;
        }
        let event = if number == mode.events { DONE } else { EVENT };
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(event))), number + 1))
    });
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(told)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}
