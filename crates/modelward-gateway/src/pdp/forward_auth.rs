//! Forward authentication over HTTP, as nginx (`auth_request`) and Traefik (`ForwardAuth`) ask for it.
//!
//! What is asked about stands in headers. They count from a proxy that shows its secret, and from nobody else; a request
//! that carries those of both proxies is refused, since one of them then came from the client.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use modelward_decision::inventory::Protocol;
use tokio::time::timeout;

use super::Door;
use super::proxied::{CREDENTIALS, DECISION, MODEL, OBLIGATIONS, Passed, SECRET, Told, VERSION, check};
use crate::answer::Body;
use crate::refusal::{Reason, Refusal};

/// Target and method of the request, as either proxy names them.
const NGINX: (HeaderName, HeaderName) =
    (HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-original-method"));
const TRAEFIK: (HeaderName, HeaderName) =
    (HeaderName::from_static("x-forwarded-uri"), HeaderName::from_static("x-forwarded-method"));
/// Where the request came from; read from proxies that may say so.
const CLIENT: HeaderName = HeaderName::from_static("x-real-ip");

const REQUEST_TIME: Duration = Duration::from_secs(10);

pub(super) async fn serve(door: &Door<'_>, request: Request<Incoming>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let answered = timeout(REQUEST_TIME, Box::pin(answer(door, &parts))).await;
    let answered =
        answered.unwrap_or_else(|_| Err(Refusal::new(Reason::Closed, "the request took longer than it may")));
    match answered {
        Ok(passed) => pass(&passed),
        Err(refusal) => refuse(&refusal),
    }
}

async fn answer(door: &Door<'_>, parts: &Parts) -> Result<Passed, Refusal> {
    let secret = one(&parts.headers, &SECRET).unwrap_or_default();
    check(door, secret.map(HeaderValue::as_bytes), told(&parts.headers)).await
}

/// The request the proxy asks about.
fn told(headers: &HeaderMap) -> Result<Told<'_>, Refusal> {
    let nginx = (one(headers, &NGINX.0)?, one(headers, &NGINX.1)?);
    let traefik = (one(headers, &TRAEFIK.0)?, one(headers, &TRAEFIK.1)?);
    let (((Some(target), Some(method)), (None, None)) | ((None, None), (Some(target), Some(method)))) =
        (nginx, traefik)
    else {
        let message = "name the request in `x-original-uri` and `x-original-method`, or in \
                       `x-forwarded-uri` and `x-forwarded-method`, and not in both";
        return Err(Refusal::new(Reason::Http, message));
    };
    let (Ok(target), Ok(method)) = (target.to_str(), method.to_str()) else {
        return Err(Refusal::new(Reason::Http, "the method or the target of the request cannot be read"));
    };
    let mut copied = HeaderMap::new();
    for name in &CREDENTIALS {
        for value in headers.get_all(name) {
            copied.append(name.clone(), value.clone());
        }
    }
    let client = one(headers, &CLIENT)?.and_then(|value| value.to_str().ok()?.parse::<IpAddr>().ok());
    Ok(Told { method, target, headers: copied, client })
}

/// A header that stands at most once. An empty one is how nginx leaves one out.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().filter(|value| !value.is_empty());
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Refusal::new(Reason::Http, format!("`{name}` stands more than once"))),
    }
}

fn pass(passed: &Passed) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in passed.headers() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

impl Passed {
    /// What the proxy may pass on to the model server, or act on.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            (DECISION, self.decision.to_string()),
            (MODEL, self.model.clone()),
            (VERSION, self.version.clone()),
        ];
        if !self.obligations.is_empty() {
            headers.push((OBLIGATIONS, self.obligations.clone()));
        }
        headers
    }
}

/// 401 where another credential could help, 403 else: nginx takes no other status for a no.
fn refuse(refusal: &Refusal) -> Response<Body> {
    let mut response = refusal.response(Protocol::OpenInference);
    if response.status() != StatusCode::UNAUTHORIZED {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response.map(Body::from)
}
