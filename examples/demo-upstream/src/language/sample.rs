//! Choosing tokens from the model's probabilities.

use std::collections::BTreeMap;

use super::tokenizer::{END, TokenId, Tokenizer};
use super::{LanguageModel, Prompt, alternatives, logprob};
use crate::random::Random;

/// How to choose. Fields mean what they mean in the OpenAI API.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampling {
    pub(crate) max_tokens: usize,
    /// 0 chooses the most probable token; 1 samples from the model as it is.
    pub(crate) temperature: f64,
    pub(crate) top_p: f64,
    pub(crate) presence_penalty: f64,
    pub(crate) frequency_penalty: f64,
    /// Added to the logarithm of a token's probability before choosing.
    pub(crate) logit_bias: BTreeMap<TokenId, f64>,
    /// Texts that end the generation and are not part of it.
    pub(crate) stop: Vec<String>,
    pub(crate) seed: u64,
    /// Alternatives reported per token.
    pub(crate) alternatives: usize,
}

/// What was generated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Generation {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) finish: Finish,
}

/// One generated token. The log probabilities are the model's own, before bias, penalties and temperature.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    pub(crate) token: TokenId,
    /// Shorter than the token when a stop text began inside it.
    pub(crate) text: String,
    pub(crate) logprob: f64,
    pub(crate) alternatives: Vec<(TokenId, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model or a stop text ended it.
    Stop,
    /// The limit ended it.
    Length,
}

impl Generation {
    pub(crate) fn text(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }
}

impl LanguageModel {
    /// Equal prompt and sampling give an equal generation.
    pub(crate) fn generate(&self, prompt: &Prompt, sampling: &Sampling) -> Generation {
        let mut random = Random::new(sampling.seed);
        let mut history = prompt.history.clone();
        let mut used: BTreeMap<TokenId, u32> = BTreeMap::new();
        let mut pieces: Vec<Piece> = Vec::new();
        let mut text = String::new();
        while pieces.len() < sampling.max_tokens {
            let distribution = self.distribution(&history, &prompt.weights);
            let token = choose(&distribution, sampling, &used, &mut random);
            if token == END {
                return Generation { pieces, finish: Finish::Stop };
            }
            let piece = self.text(token);
            text.push_str(&piece);
            pieces.push(Piece {
                token,
                text: piece,
                logprob: logprob(&distribution, token),
                alternatives: alternatives(&distribution, sampling.alternatives),
            });
            if let Some(end) = first_stop(&text, &sampling.stop) {
                return Generation { pieces: cut(pieces, end), finish: Finish::Stop };
            }
            history.push(token);
            *used.entry(token).or_default() += 1;
        }
        Generation { pieces, finish: Finish::Length }
    }
}

fn choose(
    distribution: &[f64],
    sampling: &Sampling,
    used: &BTreeMap<TokenId, u32>,
    random: &mut Random,
) -> TokenId {
    let mut logits: Vec<(TokenId, f64)> = (0_u32..)
        .map(TokenId::new)
        .zip(distribution)
        .filter(|(token, _)| Tokenizer::speakable(*token))
        .map(|(token, probability)| {
            let bias = sampling.logit_bias.get(&token).copied().unwrap_or(0.0);
            let times = f64::from(used.get(&token).copied().unwrap_or(0));
            let repeated = if times > 0.0 { sampling.presence_penalty } else { 0.0 };
            (token, probability.ln() + bias - repeated - times * sampling.frequency_penalty)
        })
        .collect();
    logits.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    let Some((best, highest)) = logits.first().copied() else { return END };
    if sampling.temperature <= 0.0 {
        return best;
    }
    let weights: Vec<f64> =
        logits.iter().map(|(_, logit)| ((logit - highest) / sampling.temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    // The nucleus: the fewest tokens that together reach `top_p` (Holtzman et al., 2020).
    let mut nucleus = 0.0;
    let mut kept = 0;
    for weight in &weights {
        nucleus += weight;
        kept += 1;
        if nucleus >= sampling.top_p * total {
            break;
        }
    }
    let mut drawn = random.unit() * nucleus;
    for ((token, _), weight) in logits.iter().zip(&weights).take(kept) {
        drawn -= weight;
        if drawn < 0.0 {
            return *token;
        }
    }
    best
}

/// Where the earliest stop text begins, in bytes.
fn first_stop(text: &str, stops: &[String]) -> Option<usize> {
    stops.iter().filter_map(|stop| text.find(stop.as_str())).min()
}

/// The pieces up to `end` bytes of text.
fn cut(pieces: Vec<Piece>, end: usize) -> Vec<Piece> {
    let mut kept = Vec::new();
    let mut room = end;
    for mut piece in pieces {
        if room == 0 {
            break;
        }
        if piece.text.len() > room {
            piece.text = piece.text.get(..room).unwrap_or_default().to_owned();
        }
        room -= piece.text.len();
        kept.push(piece);
    }
    kept
}
