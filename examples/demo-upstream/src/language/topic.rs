//! Vectors that stand for texts, and how close a prompt is to each paragraph.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::hash;

/// Length of an embedding.
pub(crate) const DIMENSIONS: usize = 256;

/// How much closer paragraphs are preferred. At 14, a paragraph that shares a rare word with the prompt outweighs
/// all others together; one that shares only common words does not.
const SHARPNESS: f64 = 14.0;

/// Word statistics of each paragraph.
#[derive(Debug)]
pub(crate) struct Topics {
    paragraphs: Vec<BTreeMap<String, f64>>,
    /// For each word: the more paragraphs it stands in, the less it says.
    rarity: BTreeMap<String, f64>,
}

impl Topics {
    pub(crate) fn learn(paragraphs: &[String]) -> Self {
        let mut spread: BTreeMap<String, usize> = BTreeMap::new();
        for paragraph in paragraphs {
            for word in words(paragraph).collect::<BTreeSet<_>>() {
                *spread.entry(word).or_default() += 1;
            }
        }
        let count = paragraphs.len() as f64;
        let rarity = spread.into_iter().map(|(word, seen)| (word, (count / seen as f64).ln())).collect();
        let mut topics = Self { paragraphs: Vec::new(), rarity };
        topics.paragraphs = paragraphs.iter().map(|paragraph| topics.vector(paragraph)).collect();
        topics
    }

    /// A weight above zero for each paragraph; 1 on average. All are 1 when the prompt shares no word with any.
    pub(crate) fn weights(&self, prompt: &str) -> Vec<f64> {
        let prompt = self.vector(prompt);
        let raw: Vec<f64> = self
            .paragraphs
            .iter()
            .map(|paragraph| {
                let closeness: f64 = prompt
                    .iter()
                    .filter_map(|(word, value)| paragraph.get(word).map(|other| value * other))
                    .sum();
                (SHARPNESS * closeness).exp()
            })
            .collect();
        let mean = raw.iter().sum::<f64>() / raw.len().max(1) as f64;
        raw.into_iter().map(|weight| weight / mean).collect()
    }

    /// Rarity-weighted word frequencies, of length 1.
    fn vector(&self, text: &str) -> BTreeMap<String, f64> {
        let mut vector: BTreeMap<String, f64> = BTreeMap::new();
        for word in words(text) {
            if let Some(rarity) = self.rarity.get(&word) {
                *vector.entry(word).or_default() += rarity;
            }
        }
        let length = vector.values().map(|value| value * value).sum::<f64>().sqrt();
        if length > 0.0 {
            for value in vector.values_mut() {
                *value /= length;
            }
        }
        vector
    }
}

/// Hashed words and character trigrams of a text, signed (Weinberger et al., 2009), of length 1; zero for a text
/// without letters or digits.
pub(crate) fn embed(text: &str) -> Vec<f64> {
    let mut vector = vec![0.0; DIMENSIONS];
    let mut add = |feature: &[u8], weight: f64| {
        let hashed = hash(feature);
        let place = usize::from(hashed.to_le_bytes().first().copied().unwrap_or_default());
        let sign = if hashed >> 63 == 0 { 1.0 } else { -1.0 };
        if let Some(value) = vector.get_mut(place) {
            *value += sign * weight;
        }
    };
    for word in words(text) {
        add(word.as_bytes(), 1.0);
        let padded: Vec<char> =
            std::iter::once('^').chain(word.chars()).chain(std::iter::once('$')).collect();
        for trigram in padded.windows(3) {
            add(trigram.iter().collect::<String>().as_bytes(), 0.5);
        }
    }
    normalise(&mut vector);
    vector
}

/// Scales to length 1; leaves a zero vector alone.
pub(crate) fn normalise(vector: &mut [f64]) {
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length > 0.0 {
        for value in vector {
            *value /= length;
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
