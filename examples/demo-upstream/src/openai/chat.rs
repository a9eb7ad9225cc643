//! `POST /v1/chat/completions`, as JSON and as events.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::request::{self, Asked, Stop, StreamOptions};
use super::stream::{self, Event};
use super::{ApiError, ok, require_model, token_logprob};
use crate::language::{Finish, Generation, LanguageModel, MODEL, Piece};
use crate::random::mix;
use crate::server::Service;

/// The most messages in one conversation.
const MESSAGES_MAX: usize = 256;

/// The most answers to one request.
pub(super) const CHOICES_MAX: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChatRequest {
    model: String,
    messages: Vec<Message>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    n: Option<u64>,
    stop: Option<Stop>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    logprobs: bool,
    top_logprobs: Option<u64>,
    logit_bias: Option<BTreeMap<String, f64>>,
    seed: Option<i64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    #[expect(dead_code, reason = "its only use is that another format does not parse")]
    response_format: Option<ResponseFormat>,
    store: Option<bool>,
    #[expect(dead_code, reason = "accepted as in the API, and of no use here")]
    user: Option<String>,
    #[expect(dead_code, reason = "accepted as in the API, and of no use here")]
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat {
    Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    role: Role,
    content: Content,
    #[expect(dead_code, reason = "accepted as in the API, and of no use here")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    System,
    Developer,
    User,
    Assistant,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part {
    #[serde(alias = "input_text", alias = "output_text")]
    Text { text: String },
}

impl Content {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.iter().map(|Part::Text { text }| text.as_str()).collect(),
        }
    }
}

/// What a conversation is about: what the user said, the last words twice.
pub(super) fn topic(turns: &[(Role, String)]) -> String {
    let said: Vec<&str> =
        turns.iter().filter(|(role, _)| *role == Role::User).map(|(_, text)| text.as_str()).collect();
    let last = said.last().copied().unwrap_or_default();
    format!("{} {last}", said.join(" "))
}

/// Several answers to one prompt, each from a seed of its own.
pub(super) fn answers(
    language: &LanguageModel,
    about: &str,
    sampling: &crate::language::Sampling,
    count: usize,
) -> Vec<Generation> {
    let prompt = language.answering(about);
    (0_u64..)
        .take(count)
        .map(|choice| {
            let seed = if choice == 0 { sampling.seed } else { mix(sampling.seed.wrapping_add(choice)) };
            language.generate(&prompt, &crate::language::Sampling { seed, ..sampling.clone() })
        })
        .collect()
}

/// Runs a generation where it cannot hold up other requests.
pub(super) async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError {
        status: axum::http::StatusCode::INTERNAL_SERVER_ERROR,
        ..ApiError::invalid("the model failed to answer")
    })
}

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let request: ChatRequest = request::parse(body)?;
    require_model(&request.model)?;
    if request.messages.is_empty() || request.messages.len() > MESSAGES_MAX {
        let message = format!("`messages` takes 1 to {MESSAGES_MAX} messages");
        return Err(ApiError::param("messages", "invalid_length", message));
    }
    if request.store == Some(true) {
        return Err(request::unsupported("store"));
    }
    let choices = request::count("n", request.n, 1, CHOICES_MAX)?.max(1);
    let alternatives = request::count("top_logprobs", request.top_logprobs, 0, 20)?;
    if alternatives > 0 && !request.logprobs {
        let message = "`top_logprobs` is only allowed when `logprobs` is true";
        return Err(ApiError::param("top_logprobs", "invalid_value", message));
    }
    let include_usage = request::include_usage(request.stream, request.stream_options)?;
    let turns: Vec<(Role, String)> =
        request.messages.iter().map(|message| (message.role, message.content.text())).collect();
    let prompt_tokens: usize = turns.iter().map(|(_, text)| service.language.encode(text).len()).sum();
    request::within_context("messages", prompt_tokens)?;
    let about = topic(&turns);
    let asked = Asked {
        max_tokens: request.max_completion_tokens.or(request.max_tokens),
        max_tokens_default: 256,
        temperature: request.temperature,
        top_p: request.top_p,
        presence_penalty: request.presence_penalty,
        frequency_penalty: request.frequency_penalty,
        logit_bias: request.logit_bias,
        stop: request.stop,
        seed: request.seed,
        alternatives,
    };
    let sampling = asked.sampling(&about)?;
    let generating = Arc::clone(&service);
    let generated = off_loop(move || answers(&generating.language, &about, &sampling, choices)).await?;
    let answer = Answer {
        id: service.id("chatcmpl"),
        created: service.now(),
        language: &service.language,
        with_logprobs: request.logprobs,
        usage: usage(prompt_tokens, &generated),
    };
    if request.stream {
        return Ok(stream::respond(answer.events(&generated, include_usage), service.pace));
    }
    Ok(ok(&answer.json(&generated)))
}

pub(super) fn usage(prompt_tokens: usize, generated: &[Generation]) -> Value {
    let completion_tokens: usize = generated.iter().map(|generation| generation.pieces.len()).sum();
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    })
}

pub(super) const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

/// `{…, "top_logprobs": […]}` of one piece.
pub(super) fn piece_logprobs(language: &LanguageModel, piece: &Piece) -> Value {
    let mut entry = token_logprob(language, piece.token, piece.logprob);
    let top: Vec<Value> =
        piece.alternatives.iter().map(|(token, logprob)| token_logprob(language, *token, *logprob)).collect();
    if let Some(fields) = entry.as_object_mut() {
        fields.insert("top_logprobs".to_owned(), top.into());
    }
    entry
}

struct Answer<'a> {
    id: String,
    created: u64,
    language: &'a LanguageModel,
    with_logprobs: bool,
    usage: Value,
}

impl Answer<'_> {
    fn json(&self, generated: &[Generation]) -> Value {
        let choices: Vec<Value> = generated
            .iter()
            .enumerate()
            .map(|(index, generation)| {
                json!({
                    "index": index,
                    "message": {
                        "role": "assistant",
                        "content": generation.text(),
                        "refusal": null,
                        "annotations": [],
                    },
                    "logprobs": self.logprobs(&generation.pieces),
                    "finish_reason": finish_reason(generation.finish),
                })
            })
            .collect();
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": MODEL,
            "choices": choices,
            "usage": self.usage,
            "service_tier": "default",
            "system_fingerprint": self.language.fingerprint(),
        })
    }

    fn logprobs(&self, pieces: &[Piece]) -> Value {
        if !self.with_logprobs {
            return Value::Null;
        }
        let content: Vec<Value> = pieces.iter().map(|piece| piece_logprobs(self.language, piece)).collect();
        json!({ "content": content, "refusal": null })
    }

    /// Role, tokens, finish reason, usage if asked for, `[DONE]`. Several choices take turns.
    fn events(&self, generated: &[Generation], include_usage: bool) -> Vec<Event> {
        let longest = generated.iter().map(|generation| generation.pieces.len()).max().unwrap_or(0);
        let mut events = Vec::new();
        let mut push = |index: usize, delta: Value, logprobs: Value, finish: Option<&str>| {
            let choice =
                json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish });
            events.push(Event::data(&self.chunk(&[choice], include_usage, Value::Null)));
        };
        for index in 0..generated.len() {
            push(index, json!({ "role": "assistant", "content": "", "refusal": null }), Value::Null, None);
        }
        for place in 0..=longest {
            for (index, generation) in generated.iter().enumerate() {
                if let Some(piece) = generation.pieces.get(place) {
                    let logprobs = self.logprobs(std::slice::from_ref(piece));
                    push(index, json!({ "content": piece.text }), logprobs, None);
                } else if place == generation.pieces.len() {
                    push(index, json!({}), Value::Null, Some(finish_reason(generation.finish)));
                }
            }
        }
        if include_usage {
            events.push(Event::data(&self.chunk(&[], true, self.usage.clone())));
        }
        events.push(Event::done());
        events
    }

    /// With usage asked for, every chunk has the field, and only the last has a value in it.
    fn chunk(&self, choices: &[Value], include_usage: bool, usage: Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": MODEL,
            "service_tier": "default",
            "system_fingerprint": self.language.fingerprint(),
            "choices": choices,
        });
        if let (true, Some(fields)) = (include_usage, chunk.as_object_mut()) {
            fields.insert("usage".to_owned(), usage);
        }
        chunk
    }
}
