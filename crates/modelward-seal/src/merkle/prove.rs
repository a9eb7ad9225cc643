//! Making proofs from stored nodes.

use super::{empty_root, node_hash};
use crate::Digest;

/// A perfect subtree: the leaves `index << level` up to `(index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId {
    pub level: u8,
    pub index: u64,
}

/// Gives the hash of a perfect subtree. Tiles give them; see [`super::TileNodes`].
pub trait NodeReader {
    type Error;

    fn node(&self, id: NodeId) -> Result<Digest, Self::Error>;
}

/// The proof that the leaf `index` is in the tree of `size` leaves, from the leaf upwards. Empty when the
/// index is outside the tree (a verifier refuses that).
pub fn inclusion_proof<R: NodeReader>(reader: &R, index: u64, size: u64) -> Result<Vec<Digest>, R::Error> {
    let mut proof = Vec::new();
    let (mut begin, mut end) = (0, size);
    while index < size && end.saturating_sub(begin) > 1 {
        let middle = split(begin, end);
        if index < middle {
            proof.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(reader, begin, middle)?);
            begin = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `new` leaves extends the tree of `old` leaves (RFC 6962 section 2.1.2).
pub fn consistency_proof<R: NodeReader>(reader: &R, old: u64, new: u64) -> Result<Vec<Digest>, R::Error> {
    let mut proof = Vec::new();
    if old == 0 || old >= new {
        return Ok(proof);
    }
    let (mut begin, mut end) = (0, new);
    // Once the walk went right, the old tree is no longer known to the verifier as a whole.
    let mut old_is_known = true;
    while old != end {
        let middle = split(begin, end);
        if old <= middle {
            proof.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(reader, begin, middle)?);
            begin = middle;
            old_is_known = false;
        }
    }
    if !old_is_known {
        proof.push(range_root(reader, begin, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root over the leaves `begin..end`, where `begin` lies on a boundary that RFC 6962's splitting makes.
pub fn range_root<R: NodeReader>(reader: &R, begin: u64, end: u64) -> Result<Digest, R::Error> {
    let mut peaks = Vec::new();
    let mut at = begin;
    while at < end {
        let room = end.saturating_sub(at);
        let level = room.ilog2().min(at.trailing_zeros());
        let level_id = u8::try_from(level).unwrap_or(63);
        peaks.push(reader.node(NodeId { level: level_id, index: at >> level })?);
        at = at.saturating_add(1 << level);
    }
    let mut peaks = peaks.into_iter().rev();
    let last = peaks.next().unwrap_or_else(empty_root);
    Ok(peaks.fold(last, |right, left| node_hash(&left, &right)))
}

/// The largest power of two smaller than the width, counted from `begin`; the width is at least two.
fn split(begin: u64, end: u64) -> u64 {
    let below = end.saturating_sub(begin).saturating_sub(1).max(1);
    begin.saturating_add(1 << below.ilog2())
}
