//! A position in the chain, and the step from one to the next.

use jiff::Timestamp;
use modelward_decision::Change;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::step::Step;

/// A revision with the hash of everything that led there in this run of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    pub revision: u64,
    pub hash: Digest,
}

/// What changed from one revision to a later one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    pub from: Position,
    /// The revision it leads to. Revisions that changed nothing a gateway sees are passed over.
    pub to: u64,
    /// When it was published.
    pub at: Timestamp,
    pub steps: Vec<Step>,
}

impl Delta {
    pub fn of(from: Position, to: u64, at: Timestamp, changes: &[Change]) -> Self {
        Self { from, to, at, steps: changes.iter().map(Step::of).collect() }
    }
}

impl Position {
    /// Where a chain begins. `run` is random: chains of two runs have nothing in common.
    pub fn first(run: &[u8; 16], revision: u64) -> Self {
        let hash = Digest::of_parts(&[b"modelward/chain/v1\n", run, &revision.to_be_bytes()]);
        Self { revision, hash }
    }

    /// The position after a delta, from the very bytes it travels as.
    #[must_use]
    pub fn after(self, text: &str, to: u64) -> Self {
        Self { revision: to, hash: link(self.hash, text) }
    }
}

/// The next hash of a chain. The texts need no separator: the hash before has a fixed length.
pub(crate) fn link(before: Digest, text: &str) -> Digest {
    Digest::of_parts(&[b"modelward/link/v1\n", before.as_bytes(), text.as_bytes()])
}
