//! `POST /tokenize` in vLLM's shape: which token ids a text has, for `logit_bias` and token prompts.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{ApiError, CONTEXT_MAX, ok, request, require_model};
use crate::server::Service;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenizeRequest {
    model: String,
    prompt: String,
}

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let request: TokenizeRequest = request::parse(body)?;
    require_model(&request.model)?;
    let tokens: Vec<u32> =
        service.language.encode(&request.prompt).into_iter().map(|token| token.get()).collect();
    Ok(ok(&json!({ "count": tokens.len(), "max_model_len": CONTEXT_MAX, "tokens": tokens })))
}
