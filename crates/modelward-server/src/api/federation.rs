//! Signing in and out through an issuer of elsewhere.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{Request, StatusCode};
use modelward_decision::vocabulary::Binding;

use super::account::oauth_refusal;
use super::{Answer, Plane, incoming, not_from_elsewhere};
use crate::http::{respond, respond_plain};
use crate::ops::{account, federation as elsewhere};
use crate::wire::{ErrorCode, IssuerLoginRequest, LogoutNoticeRequest};

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
