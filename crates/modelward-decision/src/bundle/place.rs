//! Where something stands in a file of a bundle.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A stretch of one line. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// How many characters of the line it covers; at least one.
    pub length: usize,
}

impl Place {
    /// The place of these bytes of `text`; of several lines, the part on the first.
    pub fn new(file: &str, text: &str, bytes: Range<usize>) -> Self {
        Lines::new(file, text).place(bytes)
    }

    /// The first character of a file.
    pub fn start(file: &str) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1, length: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A text with its line starts known, for many places in one file.
pub(crate) struct Lines<'a> {
    file: &'a str,
    text: &'a str,
    /// Byte offsets at which lines start.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { file, text, starts: std::iter::once(0).chain(after).collect() }
    }

    pub(crate) fn place(&self, bytes: Range<usize>) -> Place {
        let line = self.starts.partition_point(|start| *start <= bytes.start).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..bytes.start).unwrap_or_default();
        let within = self.text.get(bytes).unwrap_or_default();
        let length = within.lines().next().map_or(0, |first| first.chars().count());
        Place { file: self.file.to_owned(), line, column: before.chars().count() + 1, length: length.max(1) }
    }
}
