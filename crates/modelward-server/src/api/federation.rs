//! Signing in and out through an issuer of elsewhere, and its security events.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use modelward_decision::vocabulary::Binding;

use super::account::oauth_refusal;
use super::{Answer, Plane, incoming, not_from_elsewhere};
use crate::http::{respond, respond_plain};
use crate::ops::signals::{self, Untaken};
use crate::ops::{account, federation as elsewhere};
use crate::wire::{ErrorCode, EventRefused, IssuerLoginRequest, LogoutNoticeRequest};

pub(super) async fn options(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    incoming(&plane, request).await?;
    respond_plain(&elsewhere::options(&plane).await?)
}

pub(super) async fn login(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    not_from_elsewhere(&incoming.parts, &plane.settings)?;
    let asked: IssuerLoginRequest = incoming.json()?;
    let signed_in = elsewhere::sign_in_with_token(&plane, &incoming.visit, asked, Binding::None).await?;
    respond(signed_in.map(|signed_in| account::logged_in(&plane, &signed_in)))
}

/// The issuer itself asks, from wherever it is: the notice carries its own proof.
pub(super) async fn logout(
    State(plane): State<Plane>,
    Path(issuer): Path<String>,
    request: Request<Body>,
) -> Response {
    let done = async {
        let incoming = incoming(&plane, request).await?;
        let asked: LogoutNoticeRequest = incoming.form()?;
        let noticed = elsewhere::signed_out_there(&plane, &incoming.visit, &issuer, &asked).await?;
        respond_plain(&noticed)
    };
    match done.await {
        Ok(response) => response,
        // Back-Channel Logout 1.0 section 2.8: 400, in the form of OAuth.
        Err(problem) if matches!(problem.code, ErrorCode::Unavailable | ErrorCode::Internal) => {
            problem.into_response()
        }
        Err(problem) => oauth_refusal(StatusCode::BAD_REQUEST, "invalid_request", &problem),
    }
}

/// A transmitter brings a security event (RFC 8935): the event carries its own proof.
pub(super) async fn event(
    State(plane): State<Plane>,
    Path(issuer): Path<String>,
    request: Request<Body>,
) -> Response {
    let taken = async {
        let incoming = incoming(&plane, request).await?;
        let token = incoming.text("application/secevent+jwt")?;
        signals::pushed(&plane, &incoming.visit, &issuer, token).await
    };
    let (err, problem) = match taken.await {
        Ok(()) => return StatusCode::ACCEPTED.into_response(),
        Err(Untaken::Refused(refusal, problem)) => (refusal.delivery_code(), problem),
        Err(Untaken::Failed(problem)) => match problem.code {
            ErrorCode::Refused | ErrorCode::NotFound => ("access_denied", problem),
            ErrorCode::Malformed | ErrorCode::MediaType | ErrorCode::TooLarge => ("invalid_request", problem),
            // It is kept and comes again.
            _ => return problem.into_response(),
        },
    };
    let refused = EventRefused { err: err.to_owned(), description: problem.message };
    let body = crate::control::json(&refused).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("en-US"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
