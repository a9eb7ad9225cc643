//! Domain-separated hashes of RFC 6962 section 2.1.

use crate::Digest;

/// `SHA-256(0x00 ‖ entry)`.
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0x00], entry])
}

/// `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut block = [0x01; 65];
    let (_, children) = block.split_at_mut(1);
    let (to_left, to_right) = children.split_at_mut(Digest::LEN);
    to_left.copy_from_slice(left.as_bytes());
    to_right.copy_from_slice(right.as_bytes());
    Digest::of(&block)
}

/// The root of a tree without entries: `SHA-256("")`.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// The Merkle tree hash over neighbouring subtree roots of one height, in place of a tree of its own.
pub fn subtree_root(hashes: &[Digest]) -> Digest {
    match hashes {
        [] => empty_root(),
        [only] => *only,
        many => {
            // INVARIANT: an odd last hash moves up unchanged, which gives RFC 6962's split at the largest
            // power of two for every length.
            let mut row: Vec<Digest> = pair_up(many);
            while row.len() > 1 {
                row = pair_up(&row);
            }
            row.first().copied().unwrap_or_else(empty_root)
        }
    }
}

fn pair_up(row: &[Digest]) -> Vec<Digest> {
    let parent = |pair: &[Digest]| match pair {
        [left, right] => node_hash(left, right),
        [odd, ..] => *odd,
        [] => empty_root(),
    };
    row.chunks(2).map(parent).collect()
}
