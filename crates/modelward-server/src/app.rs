//! Everything the control listener answers, as one service.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, middleware};
use http::{Request, StatusCode};

use crate::api::{self, Plane};
use crate::console::site;
use crate::control::ControlPlane;
use crate::http as edge;
use crate::scim;

/// What the binary adds beside API and console, such as `/metrics`.
pub type Extra = Router;

/// API, console, ledger files and health, with the guards every answer carries.
///
/// Each connection has to bring its peer's address as `ConnectInfo<SocketAddr>`.
pub fn router(plane: Arc<ControlPlane>, extra: Extra) -> Router {
    api::router()
        .merge(site::router())
        .merge(scim::router())
        .route("/healthz/live", get(async || StatusCode::NO_CONTENT))
        .route("/healthz/ready", get(ready))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(plane)
        .merge(extra)
        .layer(middleware::map_response(edge::guard))
}

async fn ready(State(plane): State<Plane>) -> Response {
    match plane.enforcer().ready() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(unavailable) => crate::problem::Problem::from(unavailable).into_response(),
    }
}

async fn not_found(state: State<Plane>, request: Request<Body>) -> Response {
    if request.uri().path().starts_with("/api/") {
        return api::not_found(state).await.into_response();
    }
    site::nothing_here(state, request).await
}

async fn method_not_allowed() -> Response {
    api::method_not_allowed().await.into_response()
}
