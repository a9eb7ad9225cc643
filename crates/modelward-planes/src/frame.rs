//! One line of the feed: a word, and what belongs to it.

use std::fmt;

use modelward_seal::note::{NoteError, SignedNote};

use crate::delta::Delta;
use crate::image::Part;
use crate::step::Step;
use modelward_seal::Digest;

/// A line that was read, with the text that is hashed.
#[derive(Debug, Clone)]
pub enum Frame {
    /// The whole state of this revision follows, in parts.
    Image(u64),
    Part {
        part: Part,
        text: String,
    },
    Delta {
        delta: Delta,
        text: String,
    },
    Trust(String),
    Beat(SignedNote),
}

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a line of the feed begins with no known word")]
    Word,
    #[error("a line of the feed cannot be read")]
    Form(#[from] serde_json::Error),
    #[error("a heartbeat cannot be read")]
    Note(#[from] NoteError),
    #[error("a line of the feed names no revision")]
    Revision,
}

impl Frame {
    /// Reads a line without its end.
    pub fn read(line: &str) -> Result<Self, FrameError> {
        let (word, text) = line.split_once(' ').ok_or(FrameError::Word)?;
        Ok(match word {
            "image" => Self::Image(text.parse().map_err(|_| FrameError::Revision)?),
            "part" => Self::Part { part: serde_json::from_str(text)?, text: text.to_owned() },
            "delta" => Self::Delta { delta: serde_json::from_str(text)?, text: text.to_owned() },
            "trust" => Self::Trust(text.to_owned()),
            "beat" => Self::Beat(serde_json::from_str::<String>(text)?.parse()?),
            _ => return Err(FrameError::Word),
        })
    }

    /// The bundles it names.
    pub fn bundles(&self) -> impl Iterator<Item = Digest> + '_ {
        let steps: &[Step] = match self {
            Self::Part { part, .. } => &part.steps,
            Self::Delta { delta, .. } => &delta.steps,
            Self::Image(_) | Self::Trust(_) | Self::Beat(_) => &[],
        };
        steps.iter().filter_map(Step::bundle)
    }
}

/// Lines as the control side writes them.
pub mod line {
    use super::{SignedNote, fmt};

    pub fn image(revision: u64) -> String {
        format!("image {revision}\n")
    }

    pub fn part(text: &str) -> String {
        worded("part", text)
    }

    pub fn delta(text: &str) -> String {
        worded("delta", text)
    }

    pub fn trust(text: &str) -> String {
        worded("trust", text)
    }

    pub fn beat(note: &SignedNote) -> String {
        worded("beat", serde_json::Value::String(note.to_string()))
    }

    fn worded(word: &str, text: impl fmt::Display) -> String {
        format!("{word} {text}\n")
    }
}
