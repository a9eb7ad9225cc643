//! The control API: each route reads its request, names its caller, and hands both to one operation.

mod account;
mod everything;
mod federation;
mod openapi;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post};
use http::Request;

use crate::control::ControlPlane;
use crate::http::{BODY_MAX, Incoming};
use crate::problem::Problem;
use crate::routes::{Method, ROUTES};
use crate::wire::ErrorCode;

pub use openapi::document;

pub(crate) type Plane = Arc<ControlPlane>;
pub(crate) type Answer = Result<Response, Problem>;

/// The router of the API. Built from [`ROUTES`], so that what is listed is what there is.
pub(crate) fn router() -> Router<Plane> {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, handler(route.method, route.path));
    }
    router
}

/// The handler of a listed route; one that is listed and not handled answers as a fault of ours, and a test finds it.
fn handler(method: Method, path: &str) -> MethodRouter<Plane> {
    use self::{account as own, everything as all, federation as elsewhere};
    match (method, path.strip_prefix("/api/v1/").unwrap_or(path)) {
        (Method::Post, "enrol") => post(own::enrol),
        (Method::Post, "enrol/confirm") => post(own::enrol_confirm),
        (Method::Post, "login") => post(own::login),
        (Method::Post, "enrol/passkey/begin") => post(own::enrol_passkey_begin),
        (Method::Post, "enrol/passkey") => post(own::enrol_passkey),
        (Method::Post, "login/passkey/begin") => post(own::passkey_login_begin),
        (Method::Post, "login/passkey") => post(own::passkey_login),
        (Method::Post, "login/again/begin") => post(own::again_begin),
        (Method::Post, "login/again") => post(own::again),
        (Method::Get, "factors") => get(own::factors),
        (Method::Get, "factors/sign-ins") => get(own::attempts),
        (Method::Post, "factors/passkeys/begin") => post(own::passkey_begin),
        (Method::Post, "factors/passkeys") => post(own::add_passkey),
        (Method::Delete, "factors/passkeys/{passkey}") => delete(own::remove_passkey),
        (Method::Post, "factors/authenticator/begin") => post(own::authenticator_begin),
        (Method::Post, "factors/authenticator") => post(own::add_authenticator),
        (Method::Delete, "factors/authenticator") => delete(own::remove_authenticator),
        (Method::Post, "factors/recovery-codes") => post(own::recovery_codes),
        (Method::Get, "people/{person}/factors") => get(all::factors_of),
        (Method::Get, "sign-in") => get(elsewhere::options),
        (Method::Post, "login/issuer") => post(elsewhere::login),
        (Method::Get, "issuers") => get(all::issuers),
        (Method::Get, "issuers/{issuer}") => get(all::issuer),
        (Method::Post, "issuers/{issuer}/distrust") => post(all::distrust),
        (Method::Post, "issuers/{issuer}/trust") => post(all::trust),
        (Method::Post, "issuers/{issuer}/logout") => post(elsewhere::logout),
        (Method::Post, "issuers/{issuer}/events") => post(elsewhere::event),
        (Method::Get, "signals") => get(all::signals),
        (Method::Post, "signals/lift") => post(all::lift_signal),
        (Method::Get, "signals/received") => get(all::signals_received),
        (Method::Get, "signals/transmitters") => get(all::transmitters),
        (Method::Post, "signals/transmitters/{issuer}/verify") => post(all::verify_transmitter),
        (Method::Get, "strangers") => get(all::strangers),
        (Method::Get, "people/{person}/identities") => get(all::identities),
        (Method::Post, "people/{person}/identities") => post(all::link),
        (Method::Post, "people/{person}/identities/unlink") => post(all::unlink),
        (Method::Post, "token") => post(own::token),
        (Method::Post, "introspect") => post(own::introspect),
        (Method::Post, "revoke") => post(own::revoke),
        (Method::Get, "/.well-known/oauth-authorization-server") => get(own::metadata),
        (Method::Get, "/.well-known/jwks.json") => get(own::jwks),
        (Method::Post, "logout") => post(own::logout),
        (Method::Get, "whoami") => get(own::whoami),
        (Method::Get, "sessions") => get(own::sessions),
        (Method::Post, "sessions/end-others") => post(own::end_others),
        (Method::Delete, "sessions/{session}") => delete(own::end_session),
        (Method::Get, "privileges") => get(all::privileges),
        (Method::Get, "grants") => get(all::grants),
        (Method::Post, "grants") => post(all::give),
        (Method::Get, "grants/{grant}") => get(all::grant),
        (Method::Post, "grants/{grant}/revoke") => post(all::revoke),
        (Method::Post, "apply") => post(all::apply),
        (Method::Get, "projects") => get(all::projects),
        (Method::Get, "environments") => get(all::environments),
        (Method::Get, "models") => get(all::models),
        (Method::Get, "models/{model}") => get(all::model),
        (Method::Get, "models/{model}/access") => get(all::model_access),
        (Method::Get, "models/{model}/versions/{version}") => get(all::version),
        (Method::Get, "models/{model}/versions/{version}/metrics") => get(all::metrics),
        (Method::Get, "endpoints") => get(all::endpoints),
        (Method::Get, "endpoints/{endpoint}") => get(all::endpoint),
        (Method::Get, "datasets") => get(all::datasets),
        (Method::Get, "datasets/{dataset}") => get(all::dataset),
        (Method::Get, "groups") => get(all::groups),
        (Method::Post, "groups") => post(all::apply_groups),
        (Method::Get, "people") => get(all::people),
        (Method::Post, "people/{person}") => post(all::change_person),
        (Method::Get, "people/{person}/sessions") => get(all::sessions_of),
        (Method::Post, "people/{person}/end-sessions") => post(all::end_sessions),
        (Method::Post, "enrolments") => post(all::invite),
        (Method::Post, "machines") => post(all::apply_machines),
        (Method::Get, "machines") => get(all::machines),
        (Method::Get, "scim-clients") => get(all::scim_clients),
        (Method::Post, "scim-clients") => post(all::add_scim_client),
        (Method::Post, "scim-clients/{client}/rotate") => post(all::rotate_scim_secret),
        (Method::Post, "scim-clients/{client}/resume") => post(all::resume_scim_client),
        (Method::Post, "scim-clients/{client}/revoke") => post(all::revoke_scim_client),
        (Method::Post, "can") => post(all::can),
        (Method::Post, "who-can") => post(all::who_can),
        (Method::Post, "what-can") => post(all::what_can),
        (Method::Get, "matrix") => get(all::matrix),
        (Method::Get, "policy") => get(all::policy),
        (Method::Get, "policy/handbook") => get(all::handbook),
        (Method::Get, "policy/bundles") => get(all::bundles),
        (Method::Post, "policy/bundles") => post(all::propose),
        (Method::Get, "policy/bundles/{bundle}") => get(all::bundle),
        (Method::Get, "policy/bundles/{bundle}/file") => get(all::bundle_file),
        (Method::Get, "policy/bundles/{bundle}/difference") => get(all::bundle_difference),
        (Method::Get, "policy/bundles/{bundle}/policies/{policy}") => get(all::bundle_policy),
        (Method::Get, "policy/bundles/{bundle}/policies/{policy}/effects") => get(all::policy_effects),
        (Method::Post, "policy/bundles/{bundle}/signatures") => post(all::sign_bundle),
        (Method::Post, "policy/bundles/{bundle}/replay") => post(all::replay_bundle),
        (Method::Post, "policy/trial") => post(all::try_bundle),
        (Method::Post, "policy/trial/end") => post(all::end_trial),
        (Method::Post, "policy/activate") => post(all::activate),
        (Method::Post, "policy/rollback") => post(all::roll_back),
        (Method::Post, "policy/suspend") => post(all::suspend),
        (Method::Post, "policy/replay") => post(all::replay_text),
        (Method::Get, "decisions") => get(all::decisions),
        (Method::Get, "decisions/stream") => get(stream::decisions),
        (Method::Get, "decisions/{decision}") => get(all::decision),
        (Method::Get, "decisions/{decision}/replay") => get(all::replay),
        (Method::Get, "keys") => get(all::keys),
        (Method::Post, "keys/{purpose}/rotate") => post(all::rotate_key),
        (Method::Post, "keys/{key}/revoke") => post(all::revoke_key),
        (Method::Get, "gateways") => get(all::gateways),
        (Method::Post, "gateways") => post(all::invite_gateway),
        (Method::Post, "gateways/{gateway}/remove") => post(all::remove_gateway),
        (Method::Get, "ledger") => get(all::ledger),
        (Method::Get, "ledger/entries/{index}") => get(all::ledger_entry),
        (Method::Get, "ledger/entries/{index}/proof") => get(all::ledger_proof),
        (Method::Get, "/ledger/checkpoint") => get(all::checkpoint),
        (Method::Get, "/ledger/tile/{*path}") => get(all::tile),
        (Method::Get, "openapi.json") => get(openapi::serve),
        (Method::Get | Method::Post | Method::Delete, _) => {
            MethodRouter::new().fallback(async || Problem::new(ErrorCode::Internal, "no handler"))
        }
    }
}

/// Reads a request of ordinary size.
async fn incoming(plane: &Plane, request: Request<Body>) -> Result<Incoming, Problem> {
    Incoming::read(plane, request, BODY_MAX).await
}

pub(crate) async fn not_found(State(_): State<Plane>) -> Problem {
    Problem::new(ErrorCode::NotFound, "there is nothing at this address")
}

pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(ErrorCode::MethodNotAllowed, "this address takes another method")
}

pub(crate) use self::account::{cookie, no_cookie, not_from_elsewhere};
pub(crate) use self::stream::feed;
