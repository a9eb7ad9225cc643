//! `POST /v1/responses`, as JSON and as events. Nothing is stored, nothing runs in the background.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::chat::{Content, Role, answers, off_loop, piece_logprobs, topic};
use super::request::{self, Asked};
use super::stream::{self, Event};
use super::{ApiError, ok, require_model};
use crate::language::{Finish, Generation, LanguageModel, MODEL, Piece};
use crate::server::Service;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponsesRequest {
    model: String,
    input: Input,
    instructions: Option<String>,
    max_output_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_logprobs: Option<u64>,
    #[serde(default)]
    include: Option<Vec<Include>>,
    #[serde(default)]
    stream: Option<bool>,
    /// True is the API's default and asks for an id that can be used again; nothing here keeps one.
    store: Option<bool>,
    background: Option<bool>,
    previous_response_id: Option<String>,
    conversation: Option<Value>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    metadata: Option<Map<String, Value>>,
    #[expect(dead_code, reason = "accepted as in the API, and of no use here")]
    user: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Item>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    #[serde(rename = "type", default)]
    #[expect(dead_code, reason = "its only use is that another kind of item does not parse")]
    kind: ItemKind,
    role: Role,
    content: Content,
    #[serde(default)]
    #[expect(dead_code, reason = "clients send back what they received, ids included")]
    id: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "clients send back what they received, status included")]
    status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ItemKind {
    #[default]
    Message,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Include {
    #[serde(rename = "message.output_text.logprobs")]
    Logprobs,
}

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let request: ResponsesRequest = request::parse(body)?;
    require_model(&request.model)?;
    for (name, asked) in [
        ("background", request.background == Some(true)),
        ("store", request.store == Some(true)),
        ("previous_response_id", request.previous_response_id.is_some()),
        ("conversation", request.conversation.is_some()),
        ("tools", request.tools.is_some_and(|tools| !tools.is_empty())),
    ] {
        if asked {
            return Err(request::unsupported(name));
        }
    }
    let turns: Vec<(Role, String)> = match request.input {
        Input::Text(text) => vec![(Role::User, text)],
        Input::Items(items) => items.into_iter().map(|item| (item.role, item.content.text())).collect(),
    };
    let input_tokens: usize = turns
        .iter()
        .map(|(_, text)| text)
        .chain(&request.instructions)
        .map(|text| service.language.encode(text).len())
        .sum();
    request::within_context("input", input_tokens)?;
    let with_logprobs = request.include.is_some_and(|include| include.contains(&Include::Logprobs));
    let alternatives = request::count("top_logprobs", request.top_logprobs, 0, 20)?;
    let about = topic(&turns);
    let asked = Asked {
        max_tokens: request.max_output_tokens,
        max_tokens_default: 256,
        temperature: request.temperature,
        top_p: request.top_p,
        alternatives: if with_logprobs { alternatives } else { 0 },
        ..Asked::default()
    };
    let sampling = asked.sampling(&about)?;
    let generating = Arc::clone(&service);
    let mut generated = off_loop(move || answers(&generating.language, &about, &sampling, 1)).await?;
    let generation = generated.pop().unwrap_or(Generation { pieces: Vec::new(), finish: Finish::Stop });
    let answer = Answer {
        id: service.id("resp"),
        message_id: service.id("msg"),
        created: service.now(),
        language: &service.language,
        with_logprobs,
        top_logprobs: alternatives,
        instructions: request.instructions,
        max_output_tokens: request.max_output_tokens,
        temperature: request.temperature.unwrap_or(1.0),
        top_p: request.top_p.unwrap_or(1.0),
        metadata: request.metadata.unwrap_or_default(),
        input_tokens,
        generation,
    };
    if request.stream == Some(true) {
        return Ok(stream::respond(answer.events(), service.pace));
    }
    Ok(ok(&answer.finished()))
}

struct Answer<'a> {
    id: String,
    message_id: String,
    created: u64,
    language: &'a LanguageModel,
    with_logprobs: bool,
    top_logprobs: usize,
    instructions: Option<String>,
    max_output_tokens: Option<u64>,
    temperature: f64,
    top_p: f64,
    metadata: Map<String, Value>,
    input_tokens: usize,
    generation: Generation,
}

impl Answer<'_> {
    fn status(&self) -> &'static str {
        match self.generation.finish {
            Finish::Stop => "completed",
            Finish::Length => "incomplete",
        }
    }

    fn finished(&self) -> Value {
        let output_tokens = self.generation.pieces.len();
        let usage = json!({
            "input_tokens": self.input_tokens,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": output_tokens,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": self.input_tokens + output_tokens,
        });
        self.object(self.status(), &[self.message(self.status())], &usage)
    }

    fn object(&self, status: &str, output: &[Value], usage: &Value) -> Value {
        let incomplete = match (status, self.generation.finish) {
            ("incomplete", Finish::Length) => json!({ "reason": "max_output_tokens" }),
            _ => Value::Null,
        };
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": incomplete,
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "model": MODEL,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": { "effort": null, "summary": null },
            "store": false,
            "temperature": self.temperature,
            "text": { "format": { "type": "text" } },
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": self.top_logprobs,
            "top_p": self.top_p,
            "truncation": "disabled",
            "usage": usage,
            "user": null,
            "metadata": self.metadata,
        })
    }

    fn message(&self, status: &str) -> Value {
        json!({
            "id": self.message_id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [self.part(&self.generation.pieces)],
        })
    }

    fn part(&self, pieces: &[Piece]) -> Value {
        let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        json!({ "type": "output_text", "annotations": [], "logprobs": self.logprobs(pieces), "text": text })
    }

    fn logprobs(&self, pieces: &[Piece]) -> Vec<Value> {
        if !self.with_logprobs {
            return Vec::new();
        }
        pieces.iter().map(|piece| piece_logprobs(self.language, piece)).collect()
    }

    /// The documented order: created, in progress, item, part, one delta per token, and everything closed again.
    fn events(&self) -> Vec<Event> {
        let mut sequence = Sequence::default();
        let place = json!({ "item_id": self.message_id, "output_index": 0, "content_index": 0 });
        let empty = json!({
            "id": self.message_id, "type": "message", "status": "in_progress", "role": "assistant", "content": [],
        });
        let begun = self.object("in_progress", &[], &Value::Null);
        sequence.push("response.created", json!({ "response": begun }));
        sequence.push("response.in_progress", json!({ "response": begun }));
        sequence.push("response.output_item.added", json!({ "output_index": 0, "item": empty }));
        sequence.push("response.content_part.added", with(&place, json!({ "part": self.part(&[]) })));
        for piece in &self.generation.pieces {
            let logprobs = self.logprobs(std::slice::from_ref(piece));
            let delta = json!({ "delta": piece.text, "logprobs": logprobs });
            sequence.push("response.output_text.delta", with(&place, delta));
        }
        let pieces = &self.generation.pieces;
        let text = json!({ "text": self.generation.text(), "logprobs": self.logprobs(pieces) });
        sequence.push("response.output_text.done", with(&place, text));
        sequence.push("response.content_part.done", with(&place, json!({ "part": self.part(pieces) })));
        let item = self.message(self.status());
        sequence.push("response.output_item.done", json!({ "output_index": 0, "item": item }));
        let last = match self.generation.finish {
            Finish::Stop => "response.completed",
            Finish::Length => "response.incomplete",
        };
        sequence.push(last, json!({ "response": self.finished() }));
        sequence.events
    }
}

#[derive(Default)]
struct Sequence {
    events: Vec<Event>,
}

impl Sequence {
    fn push(&mut self, name: &str, fields: Value) {
        let number = self.events.len();
        let data = with(&json!({ "type": name, "sequence_number": number }), fields);
        self.events.push(Event::named(name, &data));
    }
}

/// Two objects as one.
fn with(base: &Value, more: Value) -> Value {
    let mut joined = base.as_object().cloned().unwrap_or_default();
    if let Value::Object(more) = more {
        joined.extend(more);
    }
    Value::Object(joined)
}
