//! Checking proofs: RFC 9162 sections 2.1.3.2 and 2.1.4.2, over RFC 6962 hashes.

use super::{empty_root, node_hash};
use crate::Digest;

/// Why a proof does not show what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    #[error("index {index} is outside a tree of {size} entries")]
    OutsideTree { index: u64, size: u64 },
    #[error("a tree of {new} entries cannot extend one of {old}")]
    Shrinks { old: u64, new: u64 },
    #[error("the proof has the wrong number of hashes")]
    WrongLength,
    #[error("the proof leads to another root")]
    WrongRoot,
}

/// Checks that `leaf` stands at `index` in the tree of `size` entries with this root.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), MerkleError> {
    if root_of_inclusion(leaf, index, size, proof)? == *root { Ok(()) } else { Err(MerkleError::WrongRoot) }
}

/// The root that an inclusion proof leads to.
pub fn root_of_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
) -> Result<Digest, MerkleError> {
    if index >= size {
        return Err(MerkleError::OutsideTree { index, size });
    }
    let mut at = index;
    let mut last = size.saturating_sub(1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(MerkleError::WrongLength);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            skip_missing_right(&mut at, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(hash) } else { Err(MerkleError::WrongLength) }
}

/// Checks that the tree of `new` entries is the tree of `old` entries with more appended.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Digest],
    old_root: &Digest,
    new_root: &Digest,
) -> Result<(), MerkleError> {
    if old > new {
        return Err(MerkleError::Shrinks { old, new });
    }
    if old == new || old == 0 {
        let same = if old == new { old_root == new_root } else { *old_root == empty_root() };
        return match (proof, same) {
            ([], true) => Ok(()),
            ([], false) => Err(MerkleError::WrongRoot),
            _ => Err(MerkleError::WrongLength),
        };
    }
    // When the old tree is one perfect subtree its root is left out of the proof.
    let (seed, rest) = match proof.split_first() {
        _ if old.is_power_of_two() => (*old_root, proof),
        Some((seed, rest)) => (*seed, rest),
        None => return Err(MerkleError::WrongLength),
    };
    let shift = old.saturating_sub(1).trailing_ones();
    let mut at = old.saturating_sub(1).checked_shr(shift).unwrap_or(0);
    let mut last = new.saturating_sub(1).checked_shr(shift).unwrap_or(0);
    let (mut from_old, mut from_new) = (seed, seed);
    for sibling in rest {
        if last == 0 {
            return Err(MerkleError::WrongLength);
        }
        if at & 1 == 1 || at == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            skip_missing_right(&mut at, &mut last);
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    match (last == 0, from_old == *old_root && from_new == *new_root) {
        (false, _) => Err(MerkleError::WrongLength),
        (true, false) => Err(MerkleError::WrongRoot),
        (true, true) => Ok(()),
    }
}

/// A node that was a left child with no right sibling has moved up unchanged: follow it.
fn skip_missing_right(at: &mut u64, last: &mut u64) {
    while *at & 1 == 0 && *at != 0 {
        *at >>= 1;
        *last >>= 1;
    }
}
