//! Reading requests: shapes that several endpoints share, and their bounds.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ANSWER_MAX, ApiError, CONTEXT_MAX};
use crate::language::{LanguageModel, Sampling, TokenId};
use crate::random::{hash, mix};

/// The most texts in one request.
const TEXTS_MAX: usize = 64;

pub(super) fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    let body =
        body.map_err(|error| ApiError { status: error.status(), ..ApiError::invalid(error.body_text()) })?;
    serde_json::from_slice(&body).map_err(|error| {
        let message = error.to_string();
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
        match unknown {
            Some((name, _)) => {
                ApiError::param(name, "unknown_parameter", format!("unknown parameter: `{name}`"))
            }
            None => ApiError::invalid(format!("failed to parse the request: {message}")),
        }
    })
}

/// One text, several, or the same as tokens.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Texts {
    One(String),
    Many(Vec<String>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

impl Texts {
    pub(super) fn into_texts(self, param: &str, language: &LanguageModel) -> Result<Vec<String>, ApiError> {
        let decode = |tokens: Vec<u32>| {
            let tokens: Vec<TokenId> = tokens.into_iter().map(TokenId::new).collect();
            let bytes = language
                .decode(&tokens)
                .ok_or_else(|| ApiError::param(param, "invalid_token", "a token does not exist"))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
            Self::Tokens(tokens) => vec![decode(tokens)?],
            Self::TokenLists(lists) => lists.into_iter().map(decode).collect::<Result<_, ApiError>>()?,
        };
        if texts.is_empty() || texts.len() > TEXTS_MAX {
            let message = format!("`{param}` takes 1 to {TEXTS_MAX} texts");
            return Err(ApiError::param(param, "invalid_length", message));
        }
        for text in &texts {
            within_context(param, language.encode(text).len())?;
        }
        Ok(texts)
    }
}

/// One stop text or up to four.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Stop {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: bool,
    #[serde(default)]
    pub(super) include_obfuscation: Option<bool>,
}

/// Stream options without a stream are an error.
pub(super) fn include_usage(stream: bool, options: Option<StreamOptions>) -> Result<bool, ApiError> {
    match (stream, options) {
        (true, Some(options)) if options.include_obfuscation == Some(true) => {
            Err(unsupported("stream_options.include_obfuscation"))
        }
        (true, options) => Ok(options.unwrap_or_default().include_usage),
        (false, None) => Ok(false),
        (false, Some(_)) => Err(ApiError::param(
            "stream_options",
            "invalid_value",
            "`stream_options` is only allowed when `stream` is true",
        )),
    }
}

/// How a request asks to sample; `None` means the API's default.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) max_tokens: Option<u64>,
    pub(super) max_tokens_default: usize,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) presence_penalty: Option<f64>,
    pub(super) frequency_penalty: Option<f64>,
    pub(super) logit_bias: Option<BTreeMap<String, f64>>,
    pub(super) stop: Option<Stop>,
    pub(super) seed: Option<i64>,
    pub(super) alternatives: usize,
}

impl Asked {
    /// Without a seed the prompt is the seed: equal requests get equal answers.
    pub(super) fn sampling(self, prompt: &str) -> Result<Sampling, ApiError> {
        let max_tokens = match self.max_tokens {
            None => self.max_tokens_default,
            Some(asked) => usize::try_from(asked)
                .ok()
                .filter(|asked| *asked <= ANSWER_MAX)
                .ok_or_else(|| out_of_range("max_tokens", 0.0, ANSWER_MAX as f64))?,
        };
        Ok(Sampling {
            max_tokens,
            temperature: between("temperature", self.temperature, 0.0, 2.0)?.unwrap_or(1.0),
            top_p: between("top_p", self.top_p, 0.0, 1.0)?.unwrap_or(1.0),
            presence_penalty: between("presence_penalty", self.presence_penalty, -2.0, 2.0)?.unwrap_or(0.0),
            frequency_penalty: between("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?
                .unwrap_or(0.0),
            logit_bias: logit_bias(self.logit_bias.unwrap_or_default())?,
            stop: stop(self.stop.unwrap_or_default())?,
            seed: self
                .seed
                .map_or_else(|| hash(prompt.as_bytes()), |seed| mix(u64::from_le_bytes(seed.to_le_bytes()))),
            alternatives: self.alternatives,
        })
    }
}

fn logit_bias(asked: BTreeMap<String, f64>) -> Result<BTreeMap<TokenId, f64>, ApiError> {
    asked
        .into_iter()
        .map(|(token, bias)| {
            let id = token.parse().map_err(|_| {
                ApiError::param("logit_bias", "invalid_key", format!("`{token}` is not a token id"))
            })?;
            let bias = between("logit_bias", Some(bias), -100.0, 100.0)?.unwrap_or(0.0);
            Ok((TokenId::new(id), bias))
        })
        .collect()
}

fn stop(asked: Stop) -> Result<Vec<String>, ApiError> {
    let stops = match asked {
        Stop::None => Vec::new(),
        Stop::One(text) => vec![text],
        Stop::Many(texts) => texts,
    };
    if stops.len() > 4 || stops.iter().any(|text| text.is_empty() || text.len() > 256) {
        let message = "`stop` takes up to four texts of 1 to 256 bytes";
        return Err(ApiError::param("stop", "invalid_value", message));
    }
    Ok(stops)
}

pub(super) fn between(name: &str, value: Option<f64>, low: f64, high: f64) -> Result<Option<f64>, ApiError> {
    match value {
        Some(value) if !(low..=high).contains(&value) => Err(out_of_range(name, low, high)),
        value => Ok(value),
    }
}

/// A whole number up to `high`, or `default`.
pub(super) fn count(name: &str, value: Option<u64>, default: usize, high: usize) -> Result<usize, ApiError> {
    let Some(value) = value else { return Ok(default) };
    usize::try_from(value)
        .ok()
        .filter(|value| *value <= high)
        .ok_or_else(|| out_of_range(name, 0.0, high as f64))
}

fn out_of_range(name: &str, low: f64, high: f64) -> ApiError {
    ApiError::param(name, "invalid_value", format!("`{name}` must lie between {low} and {high}"))
}

pub(super) fn unsupported(name: &str) -> ApiError {
    ApiError::param(name, "unsupported_parameter", format!("`{name}` is not supported by this model"))
}

pub(super) fn within_context(param: &str, tokens: usize) -> Result<(), ApiError> {
    if tokens <= CONTEXT_MAX {
        return Ok(());
    }
    let message = format!("the model's context holds {CONTEXT_MAX} tokens, and `{param}` has {tokens}");
    Err(ApiError::param(param, "context_length_exceeded", message))
}
