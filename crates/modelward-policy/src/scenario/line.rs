//! A line of words, read from left to right, that knows where each word stands.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use modelward_decision::bundle::Place;

use crate::Finding;

pub(super) struct Line<'a> {
    file: &'a str,
    text: &'a str,
    words: Vec<Word<'a>>,
    next: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    bytes: Range<usize>,
}

impl<'a> Line<'a> {
    /// Splits the bytes `from..` of `text` that `line` is; what follows a `#` is a comment.
    pub(super) fn new(file: &'a str, text: &'a str, from: usize, line: &'a str) -> Self {
        let mut words = Vec::new();
        let mut rest = line;
        let mut at = from;
        loop {
            let trimmed = rest.trim_start();
            at += rest.len() - trimmed.len();
            let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
            let (word, after) = trimmed.split_at_checked(end).unwrap_or((trimmed, ""));
            if word.is_empty() || word.starts_with('#') {
                break;
            }
            words.push(Word { text: word, bytes: at..at + word.len() });
            at += word.len();
            rest = after;
        }
        Self { file, text, words, next: 0 }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<Word<'a>> {
        let word = self.words.get(self.next)?.clone();
        self.next += 1;
        Some(word)
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).map(|word| word.text)
    }

    /// The line without its first word.
    pub(super) fn text_after_keyword(&self) -> String {
        let words: Vec<&str> = self.words.iter().skip(1).map(|word| word.text).collect();
        words.join(" ")
    }

    /// The words that are left, as they stand.
    pub(super) fn rest(&mut self) -> String {
        let rest: Vec<&str> = self.words.iter().skip(self.next).map(|word| word.text).collect();
        self.next = self.words.len();
        rest.join(" ")
    }

    pub(super) fn word(&mut self, what: &str) -> Result<Word<'a>, Finding> {
        self.next().ok_or_else(|| self.wrong_at(self.end(), format!("{what} is missing")))
    }

    /// One exact word.
    pub(super) fn keyword(&mut self, keyword: &str) -> Result<(), Finding> {
        let word = self.word(&format!("`{keyword}`"))?;
        if word.text == keyword {
            return Ok(());
        }
        Err(self.wrong(&word, format!("expected `{keyword}`, found `{}`", word.text)))
    }

    /// A word that has to mean something.
    pub(super) fn value<T>(&mut self, what: &str) -> Result<T, Finding>
    where
        T: FromStr<Err: Display>,
    {
        let word = self.word(what)?;
        word.text.parse().map_err(|error: T::Err| self.wrong(&word, format!("{what}: {error}")))
    }

    /// A word that is a list with commas.
    pub(super) fn list<T>(&mut self, what: &str) -> Result<BTreeSet<T>, Finding>
    where
        T: FromStr<Err: Display> + Ord,
    {
        let word = self.word(what)?;
        word.text
            .split(',')
            .map(|part| part.parse().map_err(|error: T::Err| self.wrong(&word, format!("{what}: {error}"))))
            .collect()
    }

    /// Nothing may follow.
    pub(super) fn end_here(&mut self) -> Result<(), Finding> {
        match self.next() {
            None => Ok(()),
            Some(word) => {
                Err(self.wrong(&word, format!("nothing more is expected here, found `{}`", word.text)))
            }
        }
    }

    pub(super) fn wrong(&self, word: &Word<'_>, message: impl Into<String>) -> Finding {
        self.wrong_at(word.bytes.clone(), message)
    }

    /// About the whole line.
    pub(super) fn wrong_line(&self, message: impl Into<String>) -> Finding {
        self.wrong_at(self.bytes(), message)
    }

    pub(super) fn place(&self) -> Place {
        Place::new(self.file, self.text, self.bytes())
    }

    fn wrong_at(&self, bytes: Range<usize>, message: impl Into<String>) -> Finding {
        Finding::error("scenario", message).at(Place::new(self.file, self.text, bytes))
    }

    fn bytes(&self) -> Range<usize> {
        let start = self.words.first().map_or(0, |word| word.bytes.start);
        start..self.words.last().map_or(start, |word| word.bytes.end)
    }

    fn end(&self) -> Range<usize> {
        let end = self.bytes().end;
        end..end
    }
}
