//! An OpenAI-compatible API for the language model: chat, completions, responses, embeddings, models, and vLLM's
//! `/tokenize`.
//!
//! Every answer is generated as a whole and then, where asked, told in events at the pace of the options. Nothing is
//! stored: an id from an answer cannot be used again.

mod chat;
mod completions;
mod embeddings;
mod models;
mod request;
mod responses;
mod stream;
mod tokenize;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::language::{LanguageModel, MODEL, TokenId};
use crate::server::{self, Service};

/// The longest prompt plus answer, in tokens.
const CONTEXT_MAX: usize = 4096;

/// The longest answer, in tokens.
const ANSWER_MAX: usize = 1024;

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::show))
        .route("/v1/chat/completions", post(chat::create))
        .route("/v1/completions", post(completions::create))
        .route("/v1/responses", post(responses::create))
        .route("/v1/embeddings", post(embeddings::create))
        .route("/tokenize", post(tokenize::create))
}

pub(crate) fn refusal(status: StatusCode, message: &str) -> Response {
    let code = match status {
        StatusCode::UNAUTHORIZED => Some("invalid_api_key"),
        StatusCode::NOT_FOUND => Some("unknown_url"),
        _ => None,
    };
    ApiError { status, message: message.to_owned(), param: None, code }.into_response()
}

/// A failed request: `{"error": {"message", "type", "param", "code"}}`.
#[derive(Debug)]
struct ApiError {
    status: StatusCode,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
}

impl ApiError {
    fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into(), param: None, code: None }
    }

    fn param(name: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(name.to_owned()), code: Some(code), ..Self::invalid(message) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = if self.status.is_server_error() { "server_error" } else { "invalid_request_error" };
        let error = json!({ "message": self.message, "type": kind, "param": self.param, "code": self.code });
        server::json(self.status, &json!({ "error": error }))
    }
}

fn ok(body: &Value) -> Response {
    server::json(StatusCode::OK, body)
}

fn require_model(model: &str) -> Result<(), ApiError> {
    if model == MODEL {
        return Ok(());
    }
    Err(ApiError {
        status: StatusCode::NOT_FOUND,
        ..ApiError::param("model", "model_not_found", format!("the model `{model}` does not exist"))
    })
}

/// `{"token", "logprob", "bytes"}` of chat and responses.
fn token_logprob(language: &LanguageModel, token: TokenId, logprob: f64) -> Value {
    json!({ "token": language.text(token), "logprob": logprob, "bytes": language.token_bytes(token) })
}
