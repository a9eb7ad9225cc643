//! `POST /v1/completions`, as JSON and as events, with log probabilities of the prompt where asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::chat::{CHOICES_MAX, finish_reason, off_loop};
use super::request::{self, Asked, Stop, StreamOptions, Texts};
use super::stream::{self, Event};
use super::{ApiError, ok, require_model};
use crate::language::{Finish, Generation, LanguageModel, MODEL, Sampling, ScoredToken, TokenId};
use crate::random::mix;
use crate::server::Service;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompletionsRequest {
    model: String,
    prompt: Texts,
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    n: Option<u64>,
    best_of: Option<u64>,
    stop: Option<Stop>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    logprobs: Option<u64>,
    #[serde(default)]
    echo: bool,
    logit_bias: Option<BTreeMap<String, f64>>,
    seed: Option<i64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    #[expect(dead_code, reason = "accepted as in the API, and of no use here")]
    user: Option<String>,
}

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let request: CompletionsRequest = request::parse(body)?;
    require_model(&request.model)?;
    let choices = request::count("n", request.n, 1, CHOICES_MAX)?.max(1);
    let best_of = request::count("best_of", request.best_of, choices, CHOICES_MAX)?;
    if best_of < choices || (request.stream && best_of > choices) {
        let message = "`best_of` must be at least `n`, and equal to it in a stream";
        return Err(ApiError::param("best_of", "invalid_value", message));
    }
    let alternatives = request::count("logprobs", request.logprobs, 0, 5)?;
    let include_usage = request::include_usage(request.stream, request.stream_options)?;
    let prompts = request.prompt.into_texts("prompt", &service.language)?;
    let asked = Asked {
        max_tokens: request.max_tokens,
        max_tokens_default: 16,
        temperature: request.temperature,
        top_p: request.top_p,
        presence_penalty: request.presence_penalty,
        frequency_penalty: request.frequency_penalty,
        logit_bias: request.logit_bias,
        stop: request.stop,
        seed: request.seed,
        alternatives,
    };
    let sampling = asked.sampling(&prompts.concat())?;
    let generating = Arc::clone(&service);
    let order = Order { choices, best_of, echo: request.echo, with_logprobs: request.logprobs.is_some() };
    let completed = off_loop(move || {
        let language = &generating.language;
        let prompt_tokens: usize = prompts.iter().map(|prompt| language.encode(prompt).len()).sum();
        let completed: Vec<Completed> =
            prompts.iter().flat_map(|prompt| order.complete(language, prompt, &sampling)).collect();
        (prompt_tokens, completed)
    })
    .await?;
    let (prompt_tokens, completed) = completed;
    let completion_tokens: usize = completed.iter().map(|choice| choice.generated).sum();
    let answer = Answer {
        id: service.id("cmpl"),
        created: service.now(),
        language: &service.language,
        with_logprobs: request.logprobs.is_some(),
        usage: json!({
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        }),
    };
    if request.stream {
        return Ok(stream::respond(answer.events(&completed, include_usage), service.pace));
    }
    Ok(ok(&answer.json(&completed)))
}

#[derive(Debug, Clone, Copy)]
struct Order {
    choices: usize,
    best_of: usize,
    echo: bool,
    with_logprobs: bool,
}

/// One choice: the echoed prompt, if it was asked for, and what was generated after it.
struct Completed {
    echoed: String,
    /// The tokens of the echoed prompt, then the generated ones from [`Self::first_generated`] on.
    tokens: Vec<Token>,
    first_generated: usize,
    finish: Finish,
    generated: usize,
}

struct Token {
    text: String,
    /// Where it begins in the choice, in characters.
    offset: usize,
    /// `None` for the first token of a prompt: nothing stands before it.
    logprob: Option<f64>,
    alternatives: Vec<(TokenId, f64)>,
}

impl Completed {
    fn text(&self) -> String {
        let generated = self.tokens.iter().skip(self.first_generated).map(|token| token.text.as_str());
        std::iter::once(self.echoed.as_str()).chain(generated).collect()
    }
}

impl Order {
    fn complete(self, language: &LanguageModel, prompt: &str, sampling: &Sampling) -> Vec<Completed> {
        let start = language.continuing(prompt);
        let mut generated: Vec<Generation> = (0_u64..)
            .take(self.best_of)
            .map(|choice| {
                let seed = if choice == 0 { sampling.seed } else { mix(sampling.seed.wrapping_add(choice)) };
                language.generate(&start, &Sampling { seed, ..sampling.clone() })
            })
            .collect();
        if self.best_of > self.choices {
            generated.sort_by(|left, right| mean_logprob(right).total_cmp(&mean_logprob(left)));
            generated.truncate(self.choices);
        }
        generated
            .into_iter()
            .map(|generation| self.assemble(language, prompt, sampling, generation))
            .collect()
    }

    fn assemble(
        self,
        language: &LanguageModel,
        prompt: &str,
        sampling: &Sampling,
        generation: Generation,
    ) -> Completed {
        let echoed = if self.echo { prompt.to_owned() } else { String::new() };
        let mut tokens = if self.echo && self.with_logprobs {
            prompt_tokens(language, prompt, sampling.alternatives)
        } else {
            Vec::new()
        };
        let first_generated = tokens.len();
        let generated = generation.pieces.len();
        let mut offset = echoed.chars().count();
        for piece in generation.pieces {
            let length = piece.text.chars().count();
            tokens.push(Token {
                text: piece.text,
                offset,
                logprob: Some(piece.logprob),
                alternatives: piece.alternatives,
            });
            offset += length;
        }
        Completed { echoed, tokens, first_generated, finish: generation.finish, generated }
    }
}

fn prompt_tokens(language: &LanguageModel, prompt: &str, alternatives: usize) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut position = 0;
    for ScoredToken { token, logprob, alternatives } in language.score(prompt, alternatives) {
        let first = tokens.is_empty();
        tokens.push(Token {
            text: language.text(token),
            offset: prompt.char_indices().take_while(|(start, _)| *start < position).count(),
            logprob: (!first).then_some(logprob),
            alternatives: if first { Vec::new() } else { alternatives },
        });
        position += language.token_bytes(token).len();
    }
    tokens
}

fn mean_logprob(generation: &Generation) -> f64 {
    let total: f64 = generation.pieces.iter().map(|piece| piece.logprob).sum();
    total / generation.pieces.len().max(1) as f64
}

struct Answer<'a> {
    id: String,
    created: u64,
    language: &'a LanguageModel,
    with_logprobs: bool,
    usage: Value,
}

impl Answer<'_> {
    fn json(&self, completed: &[Completed]) -> Value {
        let choices: Vec<Value> = completed
            .iter()
            .enumerate()
            .map(|(index, choice)| {
                let logprobs = self.logprobs(&choice.tokens);
                self.choice(index, &choice.text(), &logprobs, Some(finish_reason(choice.finish)))
            })
            .collect();
        let mut body = self.body(&choices);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("usage".to_owned(), self.usage.clone());
        }
        body
    }

    fn events(&self, completed: &[Completed], include_usage: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let mut push = |choices: &[Value], usage: Value| {
            let mut body = self.body(choices);
            if let (true, Some(fields)) = (include_usage, body.as_object_mut()) {
                fields.insert("usage".to_owned(), usage);
            }
            events.push(Event::data(&body));
        };
        for (index, choice) in completed.iter().enumerate() {
            let (echoed, generated) = choice.tokens.split_at(choice.first_generated.min(choice.tokens.len()));
            if !choice.echoed.is_empty() {
                push(&[self.choice(index, &choice.echoed, &self.logprobs(echoed), None)], Value::Null);
            }
            for token in generated {
                let logprobs = self.logprobs(std::slice::from_ref(token));
                push(&[self.choice(index, &token.text, &logprobs, None)], Value::Null);
            }
            push(&[self.choice(index, "", &Value::Null, Some(finish_reason(choice.finish)))], Value::Null);
        }
        if include_usage {
            push(&[], self.usage.clone());
        }
        events.push(Event::done());
        events
    }

    fn body(&self, choices: &[Value]) -> Value {
        json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": MODEL,
            "choices": choices,
            "system_fingerprint": self.language.fingerprint(),
        })
    }

    fn choice(&self, index: usize, text: &str, logprobs: &Value, finish: Option<&str>) -> Value {
        json!({ "text": text, "index": index, "logprobs": logprobs, "finish_reason": finish })
    }

    /// Parallel lists, with offsets in characters from the start of the choice.
    fn logprobs(&self, tokens: &[Token]) -> Value {
        if !self.with_logprobs {
            return Value::Null;
        }
        let top: Vec<Value> = tokens.iter().map(|token| self.top(token)).collect();
        json!({
            "tokens": tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>(),
            "token_logprobs": tokens.iter().map(|token| token.logprob).collect::<Vec<_>>(),
            "top_logprobs": top,
            "text_offset": tokens.iter().map(|token| token.offset).collect::<Vec<_>>(),
        })
    }

    fn top(&self, token: &Token) -> Value {
        if token.alternatives.is_empty() {
            return Value::Null;
        }
        let ranked =
            token.alternatives.iter().map(|(token, logprob)| (self.language.text(*token), (*logprob).into()));
        Value::Object(ranked.collect::<Map<String, Value>>())
    }
}
