//! RFC 6962 Merkle trees over SHA-256, and the C2SP tile layout of their nodes.
//!
//! A tree is only ever appended to. [`CompactTree`] keeps the right edge (at most 64 hashes) and gives the
//! root; [`TileStack`] also keeps the unfinished tiles and hands out finished ones; [`inclusion_proof`] and
//! [`consistency_proof`] read nodes through [`NodeReader`]; [`verify_inclusion`] and [`verify_consistency`]
//! need nothing but the proof.

mod compact;
mod hash;
mod path;
mod prove;
mod tiles;
mod verify;

pub use compact::CompactTree;
pub use hash::{empty_root, leaf_hash, node_hash, subtree_root};
pub use path::{TILE_WIDTH, TilePath, TilePathError};
pub use prove::{NodeId, NodeReader, consistency_proof, inclusion_proof, range_root};
pub use tiles::{FullTile, TileNodes, TileStack, tile_width};
pub use verify::{MerkleError, root_of_inclusion, verify_consistency, verify_inclusion};

#[cfg(test)]
mod tests;
