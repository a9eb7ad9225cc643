//! Parts of an answer that say more than the answer: each needs a right of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Action;

/// A sensitive part of a request or response, whatever a protocol calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// Log probabilities of tokens, of the answer or the prompt.
    Logprobs,
    /// Vectors that stand for a text or an image.
    Embeddings,
    /// Numbers behind a label: probabilities, margins, distances.
    RawScores,
    /// Activations, expert routing, reasoning the model keeps to itself.
    HiddenStates,
    /// Token ids of prompt or answer.
    Tokens,
    /// Attributions of an answer to its inputs.
    Explanations,
    /// Steering of the sampler that speeds up extraction, such as a logit bias.
    SamplingControl,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a sensitive field")]
pub struct UnknownField(pub String);

impl Field {
    pub const ALL: [Self; 7] = [
        Self::Logprobs,
        Self::Embeddings,
        Self::RawScores,
        Self::HiddenStates,
        Self::Tokens,
        Self::Explanations,
        Self::SamplingControl,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logprobs => "logprobs",
            Self::Embeddings => "embeddings",
            Self::RawScores => "raw-scores",
            Self::HiddenStates => "hidden-states",
            Self::Tokens => "tokens",
            Self::Explanations => "explanations",
            Self::SamplingControl => "sampling-control",
        }
    }

    /// The action whoever asks for this field must be allowed to do.
    pub const fn action(self) -> Action {
        match self {
            Self::Logprobs => Action::ReadLogprobs,
            Self::Embeddings => Action::Embed,
            Self::RawScores => Action::ReadRawScores,
            Self::HiddenStates => Action::ReadHiddenStates,
            Self::Tokens => Action::ReadTokens,
            Self::Explanations => Action::ExplainPrediction,
            Self::SamplingControl => Action::ControlSampling,
        }
    }

    /// The field an action is about, if it is about one.
    pub fn of(action: Action) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.action() == action)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, UnknownField> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| UnknownField(text.chars().take(64).collect()))
    }
}
