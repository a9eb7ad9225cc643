//! Identities of elsewhere.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use modelward_decision::vocabulary::Binding;

use super::{Answer, Plane, incoming, not_from_elsewhere};
use crate::control::json;
use crate::http::{respond, respond_plain};
use crate::ops::{account, federation as elsewhere};
use crate::problem::Problem;
use crate::wire::{ErrorCode, IdentityRequest, IssuerLoginRequest, LogoutNoticeRequest, TokenError};

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
        Err(problem) => oauth_refusal(&problem),
    }
}

fn oauth_refusal(problem: &Problem) -> Response {
    let body = TokenError {
        error: "invalid_request".to_owned(),
        error_description: Some(problem.message.replace(['"', '\\'], "'")),
    };
    let mut response = Response::new(Body::from(json(&body).unwrap_or_default()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) async fn issuers(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(elsewhere::issuers(&plane, &caller).await?)
}

pub(super) async fn issuer(
    State(plane): State<Plane>,
    Path(issuer): Path<String>,
    request: Request<Body>,
) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(elsewhere::issuer(&plane, &caller, &issuer).await?)
}

pub(super) async fn distrust(
    State(plane): State<Plane>,
    Path(issuer): Path<String>,
    request: Request<Body>,
) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(elsewhere::distrust(&plane, &caller, &issuer).await?)
}

pub(super) async fn trust(
    State(plane): State<Plane>,
    Path(issuer): Path<String>,
    request: Request<Body>,
) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(elsewhere::trust(&plane, &caller, &issuer).await?)
}

pub(super) async fn strangers(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(elsewhere::strangers(&plane, &caller).await?)
}

pub(super) async fn identities(
    State(plane): State<Plane>,
    Path(person): Path<String>,
    request: Request<Body>,
) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(elsewhere::identities(&plane, &caller, &person).await?)
}

pub(super) async fn link(
    State(plane): State<Plane>,
    Path(person): Path<String>,
    request: Request<Body>,
) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let asked: IdentityRequest = incoming.json()?;
    respond(elsewhere::link(&plane, &caller, &person, asked).await?)
}

pub(super) async fn unlink(
    State(plane): State<Plane>,
    Path(person): Path<String>,
    request: Request<Body>,
) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let asked: IdentityRequest = incoming.json()?;
    respond(elsewhere::unlink(&plane, &caller, &person, asked).await?)
}
