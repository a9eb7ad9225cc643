//! Text to tokens and back: known words whole, everything else byte by byte, nothing lost.

use std::collections::HashMap;

/// The place of a token in the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TokenId(u32);

impl TokenId {
    pub(crate) const fn new(id: u32) -> Self {
        Self(id)
    }

    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Begins and ends every text; has no bytes of its own.
pub(crate) const END: TokenId = TokenId(0);

/// Tokens 1 to 256 are the bytes 0 to 255, so that any prompt can be read.
const FIRST_WORD: u32 = 257;

#[derive(Debug)]
pub(crate) struct Tokenizer {
    tokens: Vec<Vec<u8>>,
    words: HashMap<String, TokenId>,
}

impl Tokenizer {
    /// The vocabulary of a text, in order of first appearance.
    pub(crate) fn learn(paragraphs: &[String]) -> Self {
        let mut tokens = vec![Vec::new()];
        tokens.extend((0..=u8::MAX).map(|byte| vec![byte]));
        let mut words: HashMap<String, TokenId> = HashMap::new();
        let mut next = FIRST_WORD;
        for piece in paragraphs.iter().flat_map(|paragraph| pieces(paragraph)) {
            if !words.contains_key(piece) {
                words.insert(piece.to_owned(), TokenId(next));
                tokens.push(piece.as_bytes().to_vec());
                next += 1;
            }
        }
        Self { tokens, words }
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn bytes(&self, token: TokenId) -> Option<&[u8]> {
        self.tokens.get(token.index()).map(Vec::as_slice)
    }

    pub(crate) fn encode(&self, text: &str) -> Vec<TokenId> {
        let mut tokens = Vec::new();
        for piece in pieces(text) {
            match self.words.get(piece) {
                Some(token) => tokens.push(*token),
                None => tokens.extend(piece.bytes().map(|byte| TokenId(u32::from(byte) + 1))),
            }
        }
        tokens
    }

    /// Whether the sampler may choose it: a whole word or the end, never a lone byte.
    pub(crate) fn speakable(token: TokenId) -> bool {
        token == END || token.0 >= FIRST_WORD
    }
}

/// Splits a text into words that keep the space before them, and single other characters. Concatenated they are
/// the text again.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_space = rest.strip_prefix(' ').unwrap_or(rest);
        let word: usize =
            after_space.chars().take_while(|character| character.is_alphanumeric()).map(char::len_utf8).sum();
        let length = if word > 0 { rest.len() - after_space.len() + word } else { first.len_utf8() };
        let Some((piece, remainder)) = rest.split_at_checked(length) else { break };
        found.push(piece);
        rest = remainder;
    }
    found
}

#[cfg(test)]
mod tests;
