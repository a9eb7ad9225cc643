//! The right edge of a tree: enough to append and to know the root.

use super::prove::{NodeId, NodeReader};
use super::{empty_root, node_hash};
use crate::Digest;

/// A growing tree that remembers only the roots of its perfect subtrees, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactTree {
    size: u64,
    // INVARIANT: one peak per set bit of `size`, from the highest bit down.
    peaks: Vec<Digest>,
}

impl CompactTree {
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree as it was at `size`, from stored nodes.
    pub fn at<R: NodeReader>(size: u64, reader: &R) -> Result<Self, R::Error> {
        let mut peaks = Vec::new();
        let mut begin = 0_u64;
        for level in (0..64_u8).rev().filter(|level| size >> level & 1 == 1) {
            peaks.push(reader.node(NodeId { level, index: begin >> level })?);
            begin |= 1 << level;
        }
        Ok(Self { size, peaks })
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        let mut above = self.size;
        while above & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            above >>= 1;
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}
