//! What changed lately, on the control side. A gateway that is not too far behind gets the steps it misses.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::Change;

use crate::LINE_BYTES_MAX;
use crate::delta::{Delta, Position};

/// The last deltas and the head they lead to.
#[derive(Debug)]
pub struct Log {
    run: [u8; 16],
    head: Position,
    /// INVARIANT: each entry begins where the one before it ends, and the last ends at the head.
    entries: VecDeque<Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    from: Position,
    to: u64,
    at: Timestamp,
    text: Arc<str>,
}

/// Deltas kept at most, and their bytes together. A gateway further behind takes an image.
pub const ENTRIES_MAX: usize = 4096;
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

impl Log {
    /// Begins at this revision; `run` is random for each start of the process.
    pub fn new(run: [u8; 16], revision: u64) -> Self {
        Self { run, head: Position::first(&run, revision), entries: VecDeque::new(), bytes: 0 }
    }

    pub const fn head(&self) -> Position {
        self.head
    }

    /// Adds what led to a later revision. What is too long to travel as one line begins the chain anew: everybody takes
    /// an image then.
    pub fn append(&mut self, to: u64, at: Timestamp, changes: &[Change]) {
        let delta = Delta::of(self.head, to, at, changes);
        match serde_json::to_string(&delta) {
            Ok(text) if text.len() <= LINE_BYTES_MAX - 64 => {
                let from = self.head;
                self.head = from.after(&text, to);
                self.bytes = self.bytes.saturating_add(text.len());
                self.entries.push_back(Entry { from, to, at, text: text.into() });
                self.forget();
            }
            Ok(_) | Err(_) => {
                self.entries.clear();
                self.bytes = 0;
                self.head = Position::first(&self.run, to);
            }
        }
    }

    /// What leads from a position to the head, oldest first; `None` if the log does not know the position.
    pub fn after(&self, position: Position) -> Option<Vec<Arc<str>>> {
        if position == self.head {
            return Some(Vec::new());
        }
        let first = self.entries.iter().position(|entry| entry.from == position)?;
        Some(self.entries.iter().skip(first).map(|entry| Arc::clone(&entry.text)).collect())
    }

    /// When the first revision after this one was published; `None` when there is none, or it is forgotten.
    pub fn published_after(&self, revision: u64) -> Option<Timestamp> {
        self.entries.iter().find(|entry| entry.to > revision).map(|entry| entry.at)
    }

    fn forget(&mut self) {
        while self.entries.len() > ENTRIES_MAX || self.bytes > BYTES_MAX {
            let Some(gone) = self.entries.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(gone.text.len());
        }
    }
}
