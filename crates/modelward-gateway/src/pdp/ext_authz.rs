//! Envoy's external authorization service over gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! One unary method, so the few lines of gRPC it needs stand here instead of a framework: a length-prefixed message in,
//! one out, a status in the trailers. Whatever is a `Check` gets a verdict, a denial if need be, and not an error: an
//! Envoy that is set to let requests through on errors must not do so because of us.

mod wire;

use std::net::IpAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use modelward_decision::inventory::Protocol;
use prost::Message as _;
use tokio::time::timeout;

use super::Door;
use super::proxied::{CREDENTIALS, Passed, SECRET, Told, check};
use crate::answer::Body;
use crate::refusal::{Reason, Refusal};
use wire::{
    CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValueOption, HttpRequest, HttpStatus,
    OkHttpResponse, Outcome, RpcStatus,
};

const METHOD: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Bytes of one message at most; heads fit, and no more is looked at.
const MESSAGE_MAX: usize = 128 * 1024;
/// The flag and the length before a message.
const PREFIX: usize = 5;

const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Status codes of gRPC that stand here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Ok = 0,
    InvalidArgument = 3,
    PermissionDenied = 7,
    Unimplemented = 12,
    Unavailable = 14,
    Unauthenticated = 16,
}

pub(super) async fn serve(door: &Door<'_>, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let is_grpc = parts.version == Version::HTTP_2
        && parts.method == Method::POST
        && parts
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| matches!(kind.as_bytes(), b"application/grpc" | b"application/grpc+proto"));
    if !is_grpc || parts.uri.path() != METHOD {
        return failed(Code::Unimplemented, "only envoy.service.auth.v3.Authorization/Check is served");
    }
    let message = match timeout(REQUEST_TIME, read(body)).await {
        Ok(Some(message)) => message,
        Ok(None) => return failed(Code::InvalidArgument, "the request is not one message of its method"),
        Err(_) => return failed(Code::InvalidArgument, "the request did not arrive in time"),
    };
    let late = || Err(Refusal::new(Reason::Closed, "the request took longer than it may"));
    let verdict = timeout(REQUEST_TIME, Box::pin(verdict(door, &parts.headers, &message))).await;
    let response = match verdict.unwrap_or_else(|_| late()) {
        Ok(passed) => allowed(&passed),
        Err(refusal) => denied(&refusal),
    };
    answered(&response)
}

/// The one message of a unary request, uncompressed.
async fn read(body: Incoming) -> Option<CheckRequest> {
    let bytes = Limited::new(body, MESSAGE_MAX + PREFIX).collect().await.ok()?.to_bytes();
    let (prefix, message) = bytes.split_first_chunk::<PREFIX>()?;
    let [0, length @ ..] = prefix else { return None };
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (message.len() == length).then(|| CheckRequest::decode(message).ok()).flatten()
}

async fn verdict(door: &Door<'_>, metadata: &HeaderMap, request: &CheckRequest) -> Result<Passed, Refusal> {
    let mut secrets = metadata.get_all(&SECRET).iter();
    let secret = secrets.next().filter(|_| secrets.next().is_none());
    check(door, secret.map(HeaderValue::as_bytes), told(request)).await
}

/// The request as Envoy tells it.
fn told(request: &CheckRequest) -> Result<Told<'_>, Refusal> {
    let malformed = |message: &'static str| Refusal::new(Reason::Http, message);
    let attributes = request.attributes.as_ref().ok_or_else(|| malformed("there are no attributes"))?;
    let http = attributes
        .request
        .as_ref()
        .and_then(|request| request.http.as_ref())
        .ok_or_else(|| malformed("the attributes hold no HTTP request"))?;
    if !http.query.is_empty() {
        return Err(malformed("no route here takes query parameters"));
    }
    let client = attributes
        .source
        .as_ref()
        .and_then(|source| source.address.as_ref()?.socket_address.as_ref())
        .and_then(|socket| socket.address.parse::<IpAddr>().ok());
    Ok(Told { method: &http.method, target: &http.path, headers: headers(http)?, client })
}

/// The headers that are read here. Envoy joins a header that stands twice with a comma, and such a credential is none.
fn headers(http: &HttpRequest) -> Result<HeaderMap, Refusal> {
    let mut copied = HeaderMap::new();
    let listed = http.header_map.iter().flat_map(|map| &map.headers).map(|header| {
        let raw = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value };
        (header.key.as_str(), raw)
    });
    let mapped = http.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    for (name, value) in mapped.chain(listed) {
        let Some(name) = CREDENTIALS.iter().find(|known| name.eq_ignore_ascii_case(known.as_str())) else {
            continue;
        };
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| Refusal::new(Reason::Http, "a header holds what no header can"))?;
        copied.append(name.clone(), value);
    }
    Ok(copied)
}

/// The caller's credential ends here: the model server behind has no use for it.
fn allowed(passed: &Passed) -> CheckResponse {
    let told = passed.headers();
    let removed = CREDENTIALS.iter().map(|name| name.as_str().to_owned()).collect();
    CheckResponse {
        status: Some(RpcStatus { code: Code::Ok.number(), message: String::new() }),
        outcome: Some(Outcome::Ok(OkHttpResponse {
            headers: told.into_iter().map(|(name, value)| HeaderValueOption::set(name, value)).collect(),
            headers_to_remove: removed,
        })),
    }
}

/// The gateway's own error, in the shape and with the status it would have there.
fn denied(refusal: &Refusal) -> CheckResponse {
    let response = refusal.response(Protocol::OpenInference);
    let code = match response.status() {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        // Any other is a no: what matters to Envoy is that it is not `Ok`.
        _ => Code::PermissionDenied,
    };
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            Some(HeaderValueOption::set(name.as_str(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    CheckResponse {
        status: Some(RpcStatus { code: code.number(), message: refusal.reason.code().to_owned() }),
        outcome: Some(Outcome::Denied(DeniedHttpResponse {
            status: Some(HttpStatus { code: response.status().as_u16().into() }),
            headers,
            body: String::from_utf8_lossy(response.body()).into_owned(),
        })),
    }
}

fn answered(response: &CheckResponse) -> Response<Body> {
    let mut framed = BytesMut::with_capacity(PREFIX + response.encoded_len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(response.encoded_len()).unwrap_or(u32::MAX));
    framed.put_slice(&response.encode_to_vec());
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    grpc(Body::Trailed(Some(framed.freeze()), Some(trailers)))
}

/// What is no `Check` at all: a status alone, and Envoy takes it for an error.
fn failed(code: Code, message: &'static str) -> Response<Body> {
    let mut response = grpc(Body::from(Bytes::new()));
    response.headers_mut().insert(GRPC_STATUS, HeaderValue::from(code.number()));
    response.headers_mut().insert(GRPC_MESSAGE, HeaderValue::from_static(message));
    response
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

fn grpc(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

impl Code {
    const fn number(self) -> i32 {
        self as i32
    }
}
