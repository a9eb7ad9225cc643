//! Answers and refusals in the protocol's own shape, and what a request says about versions.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, StatusCode};
use modelward_scim::query::View;
use modelward_scim::{Error, ErrorKind, Kind, MEDIA_TYPE, Object};
use modelward_seal::canonical::{self, Limits};
use serde_json::Value;

use super::BODY_MAX;
use crate::http::Incoming;
use crate::problem::Problem;
use crate::wire::ErrorCode;

/// Members of a group have three parts each.
const LIMITS: Limits = Limits { bytes: BODY_MAX, depth: 16, values: 50_000 };

/// What is answered.
pub(super) struct Answered {
    status: StatusCode,
    body: Option<Value>,
    location: Option<String>,
    version: Option<String>,
}

/// What is refused. The error is boxed since it is passed on often.
#[derive(Debug)]
pub(super) struct Refusal {
    error: Box<Error>,
    retry_after: Option<u32>,
}

impl Answered {
    pub(super) const fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body), location: None, version: None }
    }

    pub(super) const fn gone() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, location: None, version: None }
    }

    pub(super) fn found(kind: Kind, resource: Object, view: &View) -> Self {
        let meta = |name: &str| resource.get("meta")?.get(name)?.as_str().map(str::to_owned);
        let (location, version) = (meta("location"), meta("version"));
        let shown = Value::Object(view.show(kind, resource));
        Self { status: StatusCode::OK, body: Some(shown), location, version }
    }

    pub(super) fn created(kind: Kind, resource: Object, view: &View) -> Self {
        Self { status: StatusCode::CREATED, ..Self::found(kind, resource, view) }
    }

    /// 304 where the client has this version (RFC 7644 section 3.14).
    pub(super) fn unless_known(self, headers: &HeaderMap) -> Self {
        let known = Matching::read(headers, &IF_NONE_MATCH);
        match &self.version {
            Some(version) if known.as_ref().is_some_and(|known| known.covers(version)) => {
                Self { status: StatusCode::NOT_MODIFIED, body: None, ..self }
            }
            Some(_) | None => self,
        }
    }

    pub(super) fn into_response(self) -> Response {
        let body = self.body.map(|body| body.to_string());
        let mut response = response(self.status, body);
        let headers = response.headers_mut();
        for (name, value) in [(LOCATION, self.location), (ETAG, self.version)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl Refusal {
    pub(super) fn unauthenticated() -> Self {
        Error::status(401, "no secret of a provisioning client, or one that no longer counts").into()
    }

    pub(super) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Error::new(kind, detail).into()
    }

    pub(super) fn not_found() -> Self {
        // The same for what is not there and what is another client's.
        Error::status(404, "there is no such resource").into()
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Error::status(403, detail).into()
    }

    pub(super) fn unavailable(detail: impl Into<String>, retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Error::status(503, detail).into() }
    }

    pub(super) fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = response(status, Some(self.error.body().to_string()));
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"modelward scim\""));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error: Box::new(error), retry_after: None }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let error = match problem.code {
            ErrorCode::Unauthenticated => return Self::unauthenticated(),
            ErrorCode::Malformed => Error::new(ErrorKind::InvalidValue, problem.message),
            // 422 is none of this protocol's.
            ErrorCode::Refused => Error::status(403, problem.message),
            code => Error::status(code.status(), problem.message),
        };
        Self { retry_after: problem.retry_after, ..error.into() }
    }
}

impl From<modelward_store::StoreError> for Refusal {
    fn from(error: modelward_store::StoreError) -> Self {
        Problem::from(error).into()
    }
}

fn response(status: StatusCode, body: Option<String>) -> Response {
    let has_body = body.is_some();
    let mut response = Response::new(Body::from(body.unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    }
    response
}

/// The body as strict JSON.
pub(super) fn body(incoming: &Incoming) -> Result<Value, Refusal> {
    let media_type = incoming.parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if ![MEDIA_TYPE, "application/json"].iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
        return Err(Error::status(415, format!("send `Content-Type: {MEDIA_TYPE}`")).into());
    }
    canonical::parse_strict(&incoming.body, LIMITS)
        .map_err(|error| Refusal::new(ErrorKind::InvalidSyntax, error.to_string()))
}

/// The versions a request names; weak comparison, as ours are weak (RFC 9110 section 8.8.3.2).
#[derive(Debug, Default)]
pub(super) struct Matching {
    any: bool,
    versions: Vec<String>,
}

impl Matching {
    /// What `If-Match` asks for; everything where it is absent.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self::read(headers, &IF_MATCH).unwrap_or(Self { any: true, versions: Vec::new() })
    }

    fn read(headers: &HeaderMap, name: &http::HeaderName) -> Option<Self> {
        let mut named = Self::default();
        let mut is_there = false;
        for value in headers.get_all(name) {
            is_there = true;
            for one in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                named.any |= one == "*";
                named.versions.push(one.strip_prefix("W/").unwrap_or(one).to_owned());
            }
        }
        is_there.then_some(named)
    }

    fn covers(&self, version: &str) -> bool {
        let version = version.strip_prefix("W/").unwrap_or(version);
        self.any || self.versions.iter().any(|one| one == version)
    }

    /// Refuses a change of another version than the client has seen.
    pub(super) fn check(&self, version: &str) -> Result<(), Refusal> {
        if self.covers(version) {
            return Ok(());
        }
        Err(Error::status(412, "the resource was changed since: read it again").into())
    }
}
