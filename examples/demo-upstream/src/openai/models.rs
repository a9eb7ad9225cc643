//! `GET /v1/models` and `GET /v1/models/{model}`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{ApiError, ok, require_model};
use crate::language::MODEL;
use crate::server::Service;

pub(super) async fn list(State(service): State<Arc<Service>>) -> Response {
    ok(&json!({ "object": "list", "data": [card(&service)] }))
}

pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Path(model): Path<String>,
) -> Result<Response, ApiError> {
    require_model(&model)?;
    Ok(ok(&card(&service)))
}

fn card(service: &Service) -> Value {
    json!({ "id": MODEL, "object": "model", "created": service.started_at, "owned_by": env!("CARGO_PKG_NAME") })
}
