//! Oneself.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, SET_COOKIE};
use http::{Request, Response, StatusCode};
use modelward_decision::vocabulary::{Binding, SessionId};

use super::{Answer, Plane, incoming};
use crate::caller;
use crate::control::json;
use crate::http::{respond, respond_plain};
use crate::ops::account::{self, SignedIn};
use crate::ops::{enrol as enrolment, factors, token as exchange};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::wire::{
    AddPasskeyRequest, AuthenticatorRequest, EnrolConfirmRequest, EnrolPasskeyBegin, EnrolPasskeyRequest,
    EnrolRequest, LoginRequest, PasskeyLoginRequest, RevokeTokenRequest, Secret, TokenError, TokenRequest,
};

/// Requests without a credential of their own come from our pages or from no page at all: a program sends neither
/// `Origin` nor `Sec-Fetch-Site`.
pub(crate) fn not_from_elsewhere(parts: &http::request::Parts, settings: &Settings) -> Result<(), Problem> {
    let from_a_browser = parts.headers.contains_key("sec-fetch-site") || parts.headers.contains_key("origin");
    if from_a_browser { caller::same_origin(&parts.headers, settings) } else { Ok(()) }
}

pub(super) async fn enrol(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    not_from_elsewhere(&incoming.parts, &plane.settings)?;
    let asked: EnrolRequest = incoming.json()?;
    respond_plain(&enrolment::start(&plane, &incoming.visit, asked).await?)
}

pub(super) async fn enrol_confirm(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    not_from_elsewhere(&incoming.parts, &plane.settings)?;
    let asked: EnrolConfirmRequest = incoming.json()?;
    respond(enrolment::confirm(&plane, &incoming.visit, asked).await?)
}

pub(super) async fn login(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    not_from_elsewhere(&incoming.parts, &plane.settings)?;
    let asked: LoginRequest = incoming.json()?;
    let signed_in = account::sign_in(&plane, &incoming.visit, asked, Binding::None).await?;
    respond(signed_in.map(|signed_in| account::logged_in(&plane, &signed_in)))
}

pub(super) async fn enrol_passkey_begin(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    not_from_elsewhere(&incoming.parts, &plane.settings)?;
    let asked: EnrolPasskeyBegin = incoming.json()?;
    respond_plain(&enrolment::begin_passkey(&plane, &incoming.visit, asked).await?)
}

pub(super) async fn enrol_passkey(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    not_from_elsewhere(&incoming.parts, &plane.settings)?;
    let asked: EnrolPasskeyRequest = incoming.json()?;
    respond(enrolment::confirm_passkey(&plane, &incoming.visit, asked).await?)
}

pub(super) async fn passkey_login_begin(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    not_from_elsewhere(&incoming.parts, &plane.settings)?;
    respond_plain(&factors::begin_sign_in(&plane, &incoming.visit).await?)
}

pub(super) async fn passkey_login(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    not_from_elsewhere(&incoming.parts, &plane.settings)?;
    let asked: PasskeyLoginRequest = incoming.json()?;
    let signed_in = factors::sign_in(&plane, &incoming.visit, &asked, Binding::None).await?;
    respond(signed_in.map(|signed_in| account::logged_in(&plane, &signed_in)))
}

pub(super) async fn again_begin(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(factors::begin_again(&plane, &caller).await?)
}

/// The new session goes the way the old one came: a browser gets a cookie, a program the secret.
pub(super) async fn again(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let asked: PasskeyLoginRequest = incoming.json()?;
    let allowed = factors::again(&plane, &caller, &incoming.visit, &asked).await?;
    let in_browser = caller.form_token.is_some();
    let mut set = None;
    let allowed = allowed.map(|signed_in| {
        let mut answer = account::logged_in(&plane, &signed_in);
        if in_browser {
            set = Some(cookie(&plane.settings, &signed_in));
            answer.session_secret = Secret::new("");
        }
        answer
    });
    let mut response = respond(allowed)?;
    if let Some(cookie) = set.transpose()? {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

pub(super) async fn factors(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(factors::own(&plane, &caller).await?)
}

pub(super) async fn attempts(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(factors::attempts(&plane, &caller).await?)
}

pub(super) async fn passkey_begin(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(factors::begin_passkey(&plane, &caller).await?)
}

pub(super) async fn add_passkey(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let asked: AddPasskeyRequest = incoming.json()?;
    respond(factors::add_passkey(&plane, &caller, &incoming.visit, asked).await?)
}

pub(super) async fn remove_passkey(
    State(plane): State<Plane>,
    Path(passkey): Path<String>,
    request: Request<Body>,
) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(factors::remove_passkey(&plane, &caller, &passkey).await?)
}

pub(super) async fn authenticator_begin(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(factors::begin_authenticator(&plane, &caller).await?)
}

pub(super) async fn add_authenticator(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let asked: AuthenticatorRequest = incoming.json()?;
    respond(factors::add_authenticator(&plane, &caller, asked).await?)
}

pub(super) async fn remove_authenticator(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(factors::remove_authenticator(&plane, &caller).await?)
}

pub(super) async fn recovery_codes(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(factors::new_recovery_codes(&plane, &caller).await?)
}

pub(super) async fn end_others(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(account::end_others(&plane, &caller).await?)
}

/// The cookie of a session just opened: for this host, out of reach of scripts, not sent along from other sites.
pub(crate) fn cookie(settings: &Settings, signed_in: &SignedIn) -> Result<HeaderValue, Problem> {
    let secure = if settings.is_https() { "; Secure" } else { "" };
    let secret = signed_in.opened.token.expose();
    let text =
        format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}", settings.session_cookie(), secret.as_str());
    let mut value =
        HeaderValue::from_str(&text).map_err(|error| Problem::internal("writing a cookie", &error))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn no_cookie(settings: &Settings) -> Result<HeaderValue, Problem> {
    let secure = if settings.is_https() { "; Secure" } else { "" };
    let text = format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}", settings.session_cookie());
    HeaderValue::from_str(&text).map_err(|error| Problem::internal("writing a cookie", &error))
}

pub(super) async fn token(State(plane): State<Plane>, request: Request<Body>) -> Response<Body> {
    in_oauth(given(&plane, request).await)
}

/// Ends a token or a refresh handle (RFC 7009).
pub(super) async fn revoke(State(plane): State<Plane>, request: Request<Body>) -> Response<Body> {
    in_oauth(revoked(&plane, request).await)
}

/// Refusals of OAuth have a form of their own.
fn in_oauth(answer: Result<Response<Body>, exchange::Refused>) -> Response<Body> {
    match answer {
        Ok(response) => response,
        Err(refused) => {
            let status = match refused.error {
                "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
                "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
                // RFC 6749 section 5.2: all the others are 400.
                _ => StatusCode::BAD_REQUEST,
            };
            let mut response = oauth_refusal(status, refused.error, &refused.problem);
            if let Some(challenge) = &refused.problem.challenge {
                challenge.write(response.headers_mut());
            }
            response
        }
    }
}

/// A refusal in the form of OAuth (RFC 6749 section 5.2).
pub(super) fn oauth_refusal(status: StatusCode, error: &str, problem: &Problem) -> Response<Body> {
    let body = TokenError {
        error: error.to_owned(),
        error_description: Some(problem.message.replace(['"', '\\'], "'")),
    };
    let mut response = Response::new(Body::from(json(&body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn given(plane: &Plane, request: Request<Body>) -> Result<Response<Body>, exchange::Refused> {
    let incoming = incoming(plane, request).await?;
    let asked: TokenRequest = incoming.form()?;
    let allowed = exchange::token(plane, &incoming.visit, &incoming.parts, asked).await?;
    Ok(respond(allowed)?)
}

async fn revoked(plane: &Plane, request: Request<Body>) -> Result<Response<Body>, exchange::Refused> {
    let incoming = incoming(plane, request).await?;
    let asked: RevokeTokenRequest = incoming.form()?;
    Ok(respond_plain(&exchange::revoke(plane, &asked).await?)?)
}

pub(super) async fn introspect(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    respond(exchange::introspect(&plane, &caller, incoming.form()?).await?)
}

/// What a program must know to get a token here (RFC 8414).
pub(super) async fn metadata(State(plane): State<Plane>) -> Answer {
    respond_plain(&exchange::metadata(&plane))
}

/// The keys that access tokens verify under, for whoever does so without asking (RFC 7517 section 5).
pub(super) async fn jwks(State(plane): State<Plane>) -> Answer {
    respond_plain(&plane.access.keys().jwks())
}

pub(super) async fn logout(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let mut response = respond(account::sign_out(&plane, &caller).await?)?;
    if caller.form_token.is_some() {
        response.headers_mut().insert(SET_COOKIE, no_cookie(&plane.settings)?);
    }
    Ok(response)
}

pub(super) async fn whoami(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(account::whoami(&plane, &caller).await?)
}

pub(super) async fn sessions(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    respond(account::sessions(&plane, &caller).await?)
}

pub(super) async fn end_session(
    State(plane): State<Plane>,
    Path(session): Path<String>,
    request: Request<Body>,
) -> Answer {
    let caller = incoming(&plane, request).await?.caller(&plane).await?;
    let id: SessionId = session.parse().map_err(|_| Problem::not_found("session", &session))?;
    let own = caller.session.as_ref().is_some_and(|record| record.id == id);
    let response = respond(account::end_session(&plane, &caller, id).await?)?;
    if own && caller.form_token.is_some() {
        let mut response = response.into_response();
        response.headers_mut().insert(SET_COOKIE, no_cookie(&plane.settings)?);
        return Ok(response);
    }
    Ok(response)
}
