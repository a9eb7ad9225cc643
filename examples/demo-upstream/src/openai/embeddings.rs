//! `POST /v1/embeddings`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{self, Texts};
use super::{ApiError, ok, require_model};
use crate::language::{DIMENSIONS, MODEL, normalise};
use crate::server::Service;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmbeddingsRequest {
    model: String,
    input: Texts,
    encoding_format: Option<Encoding>,
    dimensions: Option<u64>,
    #[expect(dead_code, reason = "accepted as in the API, and of no use here")]
    user: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Float,
    Base64,
}

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let request: EmbeddingsRequest = request::parse(body)?;
    require_model(&request.model)?;
    let dimensions = request::count("dimensions", request.dimensions, DIMENSIONS, DIMENSIONS)?.max(1);
    let texts = request.input.into_texts("input", &service.language)?;
    let encoding = request.encoding_format.unwrap_or_default();
    let tokens: usize = texts.iter().map(|text| service.language.encode(text).len()).sum();
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let mut vector = service.language.embed(text);
            vector.truncate(dimensions);
            normalise(&mut vector);
            json!({ "object": "embedding", "index": index, "embedding": encode(&vector, encoding) })
        })
        .collect();
    Ok(ok(&json!({
        "object": "list",
        "data": data,
        "model": MODEL,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })))
}

fn encode(vector: &[f64], encoding: Encoding) -> Value {
    match encoding {
        Encoding::Float => json!(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| single(*value).to_le_bytes()).collect();
            BASE64_STANDARD.encode(bytes).into()
        }
    }
}

/// The nearest single-precision number.
#[expect(clippy::cast_possible_truncation, reason = "the API's base64 form is single precision")]
fn single(value: f64) -> f32 {
    value as f32
}
