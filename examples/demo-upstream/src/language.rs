//! A small language model: interpolated n-grams over words, weighted by topic.
//!
//! Each paragraph of the text it learned from is a topic. A prompt is compared with every paragraph, and each
//! count is weighted by how close its paragraph is (a mixture model after Iyer and Ostendorf, 1999). Orders are
//! interpolated down to the uniform distribution after Witten and Bell (1991), so every token has a probability
//! above zero and every reported log probability is a true one.

mod sample;
mod tokenizer;
mod topic;

use std::collections::{BTreeSet, HashMap};

pub(crate) use sample::{Finish, Generation, Piece, Sampling};
pub(crate) use tokenizer::TokenId;
use tokenizer::{END, Tokenizer};
use topic::Topics;
pub(crate) use topic::{DIMENSIONS, normalise};

/// What the model learned from.
const TEXT: &str = include_str!("../data/ward-notes.txt");

/// The longest n-gram.
const ORDER: usize = 5;

/// How much of the mass of a context goes to shorter contexts, per distinct continuation it was seen with.
const BACKOFF: f64 = 0.15;

/// Name under which the model is served.
pub(crate) const MODEL: &str = "ward-notes";

/// Counts and vocabulary of one trained model.
#[derive(Debug)]
pub(crate) struct LanguageModel {
    tokenizer: Tokenizer,
    topics: Topics,
    /// For each context of fewer than [`ORDER`] tokens: what followed it.
    followers: HashMap<Vec<TokenId>, Followers>,
}

#[derive(Debug, Default)]
struct Followers {
    /// One per occurrence in the text: the token, and the paragraph in which it stood.
    seen: Vec<(TokenId, usize)>,
    distinct: BTreeSet<TokenId>,
}

/// Where a generation starts: the tokens so far, and the weight of each paragraph.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    history: Vec<TokenId>,
    weights: Vec<f64>,
}

/// One token of a scored prompt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoredToken {
    pub(crate) token: TokenId,
    pub(crate) logprob: f64,
    pub(crate) alternatives: Vec<(TokenId, f64)>,
}

impl LanguageModel {
    /// Learns the text that ships with this crate.
    pub(crate) fn train() -> Self {
        let paragraphs: Vec<String> = TEXT.split("\n\n").map(|raw| raw.trim().replace('\n', " ")).collect();
        let tokenizer = Tokenizer::learn(&paragraphs);
        let mut followers: HashMap<Vec<TokenId>, Followers> = HashMap::new();
        for (paragraph, text) in paragraphs.iter().enumerate() {
            let mut tokens = vec![END];
            tokens.extend(tokenizer.encode(text));
            tokens.push(END);
            for end in 1..tokens.len() {
                let (before, rest) = tokens.split_at(end);
                let Some(next) = rest.first() else { continue };
                for length in 0..ORDER.min(end + 1) {
                    let context = before.get(end - length..).unwrap_or_default();
                    let entry = followers.entry(context.to_vec()).or_default();
                    entry.seen.push((*next, paragraph));
                    entry.distinct.insert(*next);
                }
            }
        }
        Self { tokenizer, topics: Topics::learn(&paragraphs), followers }
    }

    /// How many tokens the model knows.
    pub(crate) fn vocabulary_len(&self) -> usize {
        self.tokenizer.len()
    }

    /// A name for exactly these counts: equal text, equal fingerprint.
    pub(crate) fn fingerprint(&self) -> String {
        format!("fp_{:010x}", crate::random::hash(TEXT.as_bytes()) >> 24)
    }

    pub(crate) fn encode(&self, text: &str) -> Vec<TokenId> {
        self.tokenizer.encode(text)
    }

    /// `None` when one of the tokens does not exist.
    pub(crate) fn decode(&self, tokens: &[TokenId]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for token in tokens {
            bytes.extend_from_slice(self.tokenizer.bytes(*token)?);
        }
        Some(bytes)
    }

    /// A token as text; bytes that are not UTF-8 on their own are written `bytes:\xe2`.
    pub(crate) fn text(&self, token: TokenId) -> String {
        let bytes = self.tokenizer.bytes(token).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().fold(String::from("bytes:"), |text, byte| format!("{text}\\x{byte:02x}")),
        }
    }

    /// The bytes of a token, empty for one that does not exist.
    pub(crate) fn token_bytes(&self, token: TokenId) -> &[u8] {
        self.tokenizer.bytes(token).unwrap_or_default()
    }

    /// A vector of [`DIMENSIONS`] numbers and length 1 that stands for a text.
    pub(crate) fn embed(&self, text: &str) -> Vec<f64> {
        topic::embed(text)
    }

    /// To be continued after `text`.
    pub(crate) fn continuing(&self, text: &str) -> Prompt {
        let mut history = vec![END];
        history.extend(self.tokenizer.encode(text));
        Prompt { history, weights: self.topics.weights(text) }
    }

    /// To be answered with a paragraph about `text`.
    pub(crate) fn answering(&self, text: &str) -> Prompt {
        Prompt { history: vec![END], weights: self.topics.weights(text) }
    }

    /// The tokens of `text` with what the model thought of each; `top` alternatives per token.
    pub(crate) fn score(&self, text: &str, top: usize) -> Vec<ScoredToken> {
        let prompt = self.continuing(text);
        let mut scored = Vec::new();
        for end in 1..prompt.history.len() {
            let (before, rest) = prompt.history.split_at(end);
            let Some(token) = rest.first().copied() else { continue };
            let distribution = self.distribution(before, &prompt.weights);
            scored.push(ScoredToken {
                token,
                logprob: logprob(&distribution, token),
                alternatives: alternatives(&distribution, top),
            });
        }
        scored
    }

    /// The probability of every token after `history`. Sums to 1; nothing in it is 0.
    fn distribution(&self, history: &[TokenId], weights: &[f64]) -> Vec<f64> {
        let size = self.tokenizer.len();
        let mut probabilities = vec![1.0 / size as f64; size];
        for length in 0..ORDER.min(history.len() + 1) {
            let context = history.get(history.len() - length..).unwrap_or_default();
            // A context that was never seen has no longer context that was.
            let Some(followers) = self.followers.get(context) else { break };
            let weight = |paragraph: &usize| weights.get(*paragraph).copied().unwrap_or(1.0);
            let mass: f64 = followers.seen.iter().map(|(_, paragraph)| weight(paragraph)).sum();
            let held_back = BACKOFF * followers.distinct.len() as f64;
            let total = mass + held_back;
            for probability in &mut probabilities {
                *probability *= held_back / total;
            }
            for (token, paragraph) in &followers.seen {
                if let Some(probability) = probabilities.get_mut(token.index()) {
                    *probability += weight(paragraph) / total;
                }
            }
        }
        probabilities
    }
}

fn logprob(distribution: &[f64], token: TokenId) -> f64 {
    distribution.get(token.index()).copied().unwrap_or(f64::MIN_POSITIVE).ln()
}

/// The `top` most probable tokens with their log probabilities, most probable first, ties by token.
fn alternatives(distribution: &[f64], top: usize) -> Vec<(TokenId, f64)> {
    if top == 0 {
        return Vec::new();
    }
    let mut ranked: Vec<(TokenId, f64)> =
        (0_u32..).map(TokenId::new).zip(distribution.iter().copied()).collect();
    ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    ranked.truncate(top);
    ranked.into_iter().map(|(token, probability)| (token, probability.ln())).collect()
}
