//! Requests and answers at the edge: bounded bodies, strict JSON, headers that keep browsers from being talked into things.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use modelward_identity::Strength;
use modelward_seal::canonical::{self, Limits};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::caller::{self, Caller, Visit};
use crate::control::{Allowed, ControlPlane};
use crate::problem::{Challenge, Problem};
use crate::wire::{ErrorCode, StepUp};

/// Most a request can carry, unless it declares an inventory.
pub(crate) const BODY_MAX: usize = 64 * 1024;
/// Most an inventory can take.
pub(crate) const INVENTORY_MAX: usize = 8 * 1024 * 1024;

/// Most a proposed bundle can take.
pub(crate) const BUNDLE_MAX: usize = 16 * 1024 * 1024;

/// The nonce for the next proof (RFC 9449 section 8.1).
const NONCE_HEADER: HeaderName = HeaderName::from_static("dpop-nonce");

/// Names the decision behind an answer.
const DECISION_HEADER: HeaderName = HeaderName::from_static("mw-decision");

/// A request whose body was read.
pub(crate) struct Incoming {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) visit: Visit,
}

impl Incoming {
    pub(crate) async fn read(
        plane: &ControlPlane,
        request: Request<Body>,
        max: usize,
    ) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, max).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(Problem::new(
                    ErrorCode::TooLarge,
                    format!("the body is larger than {max} bytes"),
                ));
            }
            Err(_) => return Err(Problem::malformed("the body ended early")),
        };
        let visit = Visit::of(&parts, &body, &plane.settings, plane.now())?;
        Ok(Self { parts, body, visit })
    }

    pub(crate) async fn caller(&self, plane: &ControlPlane) -> Result<Caller, Problem> {
        caller::authenticate(plane, &self.parts, &self.visit, None).await
    }

    /// The body as strict JSON: no member twice, none unknown, nothing after it.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.media_type() != Some("application/json") {
            return Err(Problem::new(ErrorCode::MediaType, "send `Content-Type: application/json`"));
        }
        let limits = Limits::DEFAULT.bytes(BUNDLE_MAX);
        let value = canonical::parse_strict(&self.body, limits)
            .map_err(|error| Problem::malformed(error.to_string()))?;
        serde_json::from_value(value).map_err(|error| Problem::malformed(error.to_string()))
    }

    /// The body as JSON, or the default where there is none.
    pub(crate) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// The body as a form: no field twice, none unknown.
    pub(crate) fn form<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.media_type() != Some("application/x-www-form-urlencoded") {
            return Err(Problem::new(
                ErrorCode::MediaType,
                "send `Content-Type: application/x-www-form-urlencoded`",
            ));
        }
        query(&self.body)
    }

    /// The body as text of this kind.
    pub(crate) fn text(&self, media_type: &str) -> Result<&str, Problem> {
        if !self.media_type().is_some_and(|sent| sent.eq_ignore_ascii_case(media_type)) {
            return Err(Problem::new(ErrorCode::MediaType, format!("send `Content-Type: {media_type}`")));
        }
        std::str::from_utf8(&self.body).map_err(|_| Problem::malformed("the body is not UTF-8"))
    }

    /// The query of the address.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        query(self.parts.uri.query().unwrap_or_default().as_bytes())
    }

    fn media_type(&self) -> Option<&str> {
        let value = self.parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next().unwrap_or(value).trim())
    }
}

/// Reads `application/x-www-form-urlencoded` text. Fields left empty, as browsers send them, count as absent.
fn query<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(text).map_err(|_| Problem::malformed("the form is not UTF-8"))?;
    let filled: Vec<&str> = text
        .split('&')
        .filter(|pair| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty()))
        .collect();
    let uri = http::Uri::builder()
        .path_and_query(format!("/?{}", filled.join("&")))
        .build()
        .map_err(|_| Problem::malformed("the form cannot be read"))?;
    axum::extract::Query::<T>::try_from_uri(&uri)
        .map(|axum::extract::Query(value)| value)
        .map_err(|rejection| Problem::malformed(rejection.body_text()))
}

fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Lets an answer go, as JSON.
pub(crate) fn respond<T: Serialize>(allowed: Allowed<T>) -> Result<Response, Problem> {
    let id = allowed.id();
    let mut response = answer(StatusCode::OK, "application/json", allowed.into_json()?);
    note_decision(&mut response, &id.to_string());
    Ok(response)
}

/// Lets an answer go in another form.
pub(crate) fn respond_as<T>(
    allowed: Allowed<T>,
    media_type: &'static str,
    write: impl FnOnce(T) -> Result<Vec<u8>, Problem>,
) -> Result<Response, Problem> {
    let id = allowed.id();
    let mut response = answer(StatusCode::OK, media_type, allowed.release(write)?);
    note_decision(&mut response, &id.to_string());
    Ok(response)
}

/// An answer that rests on no decision, because it is public or was proved by its own body.
pub(crate) fn respond_plain<T: Serialize>(value: &T) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, "application/json", crate::control::json(value)?))
}

pub(crate) fn html(status: StatusCode, page: String) -> Response {
    answer(status, "text/html; charset=utf-8", page)
}

pub(crate) fn bytes(media_type: &'static str, body: impl Into<Body>) -> Response {
    answer(StatusCode::OK, media_type, body)
}

fn note_decision(response: &mut Response, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(DECISION_HEADER, value);
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = crate::control::json(&self.body()).unwrap_or_default();
        let mut response = answer(status, "application/json", body);
        if let Some(id) = self.decision {
            note_decision(&mut response, &id.to_string());
        }
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match (&self.challenge, self.step_up) {
            (Some(challenge), _) => challenge.write(headers),
            (None, Some(step_up)) => step_up.write(headers),
            (None, None) if matches!(self.code, ErrorCode::Unauthenticated) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"modelward\""));
            }
            (None, None) => {}
        }
        response
    }
}

impl StepUp {
    /// As a header of an answer (RFC 9470 section 3).
    fn write(self, headers: &mut HeaderMap) {
        let acr = Strength::of_level(self.strength).map_or("phr", Strength::acr);
        let challenge = format!(
            "Bearer realm=\"modelward\", error=\"insufficient_user_authentication\", acr_values=\"{acr}\", \
             max_age=\"{}\"",
            self.max_age
        );
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
    }
}

impl Challenge {
    /// As headers of an answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let challenge = format!("DPoP error=\"{}\", algs=\"EdDSA ES256\"", self.error);
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Ok(nonce) = HeaderValue::from_str(self.nonce.as_str()) {
            headers.insert(NONCE_HEADER, nonce);
        }
    }
}

/// What every answer carries: nothing from elsewhere, nothing inline, no frame around it, no address passed on.
pub(crate) async fn guard(mut response: Response) -> Response {
    const HEADERS: [(&str, &str); 6] = [
        (
            "content-security-policy",
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        // Not `no-referrer`: with it, browsers send the console's own forms with `Origin: null`.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
