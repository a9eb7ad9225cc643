//! Tiles: 256 hashes of one height, kept as one file.

use std::cell::RefCell;
use std::collections::HashMap;

use super::prove::{NodeId, NodeReader};
use super::{TILE_WIDTH, TilePath, empty_root, node_hash, subtree_root};
use crate::Digest;

/// A tile that will never change again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    pub level: u8,
    pub index: u64,
    pub hashes: Vec<Digest>,
}

/// The unfinished right-most tile of every level. Appending hands out the tiles that became full.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TileStack {
    size: u64,
    // INVARIANT: level l holds floor(size / 256^l) mod 256 hashes.
    levels: Vec<Vec<Digest>>,
}

impl TileStack {
    pub fn new() -> Self {
        Self::default()
    }

    /// The stack at a size that is a multiple of 256, rebuilt from full tiles alone.
    pub fn at<E>(size: u64, mut full_tile: impl FnMut(u8, u64) -> Result<Vec<Digest>, E>) -> Result<Self, E> {
        let mut levels = vec![Vec::new()];
        let mut level = 0_u8;
        let mut complete = size / u64::from(TILE_WIDTH);
        while complete > 0 {
            let first = complete.saturating_sub(complete % u64::from(TILE_WIDTH));
            let mut roots = Vec::with_capacity(usize::from(TILE_WIDTH));
            for index in first..complete {
                roots.push(subtree_root(&full_tile(level, index)?));
            }
            levels.push(roots);
            level = level.saturating_add(1);
            complete /= u64::from(TILE_WIDTH);
        }
        Ok(Self { size, levels })
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf hash and gives every tile that it completed, lowest level first.
    pub fn push(&mut self, leaf: Digest, mut complete: impl FnMut(FullTile)) {
        let mut carry = Some(leaf);
        let mut level = 0_u8;
        self.size = self.size.saturating_add(1);
        while let Some(hash) = carry.take() {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::with_capacity(usize::from(TILE_WIDTH)));
            }
            let Some(row) = self.levels.get_mut(usize::from(level)) else { return };
            row.push(hash);
            if row.len() == usize::from(TILE_WIDTH) {
                let hashes = std::mem::take(row);
                carry = Some(subtree_root(&hashes));
                let covered = self.size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
                complete(FullTile { level, index: covered.saturating_sub(1), hashes });
                level = level.saturating_add(1);
            }
        }
    }

    /// The unfinished tiles that a checkpoint of this size needs.
    pub fn partials(&self) -> impl Iterator<Item = (TilePath, &[Digest])> {
        let rows = (0_u8..).zip(&self.levels).filter(|(_, row)| !row.is_empty());
        rows.filter_map(|(level, row)| {
            let index = self.size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            let width = u16::try_from(row.len()).ok()?;
            Some((TilePath::Hashes { level, index, width }, row.as_slice()))
        })
    }

    /// The root, computed anew from the unfinished tiles.
    pub fn root(&self) -> Digest {
        self.root_with(None)
    }

    /// The root of a tree whose right edge goes on with a subtree lower than one leaf of this stack: for a stack
    /// over whole tiles, the unfinished tile.
    pub fn root_with(&self, lower: Option<Digest>) -> Digest {
        let mut right = lower;
        for row in &self.levels {
            // INVARIANT: everything below this level is shorter than one of its nodes, so the perfect
            // subtrees of the row come left of it, largest first.
            let mut end = row.len();
            while end > 0 {
                let width = 1_usize << end.trailing_zeros();
                let begin = end.saturating_sub(width);
                let peak = subtree_root(row.get(begin..end).unwrap_or_default());
                right = Some(right.map_or(peak, |right| node_hash(&peak, &right)));
                end = begin;
            }
        }
        right.unwrap_or_else(empty_root)
    }
}

/// How many hashes the tile holds in a tree of this size.
pub fn tile_width(size: u64, level: u8, index: u64) -> u16 {
    let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
    let before = index.saturating_mul(u64::from(TILE_WIDTH));
    let width = hashes.saturating_sub(before).min(u64::from(TILE_WIDTH));
    u16::try_from(width).unwrap_or(TILE_WIDTH)
}

/// Reads nodes from tiles, each tile once.
pub struct TileNodes<F> {
    size: u64,
    tile: F,
    read: RefCell<HashMap<(u8, u64), Vec<Digest>>>,
}

impl<F> std::fmt::Debug for TileNodes<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TileNodes").field("size", &self.size).finish_non_exhaustive()
    }
}

impl<F> TileNodes<F> {
    /// `tile` gives the hashes of a tile at the width it has in a tree of `size`, or fewer on damage: a
    /// missing hash then makes proofs that do not verify, never a panic.
    pub fn new(size: u64, tile: F) -> Self {
        Self { size, tile, read: RefCell::default() }
    }
}

impl<E, F: Fn(TilePath) -> Result<Vec<Digest>, E>> NodeReader for TileNodes<F> {
    type Error = E;

    fn node(&self, id: NodeId) -> Result<Digest, E> {
        let (level, within) = (id.level / 8, id.level % 8);
        let first = id.index << within;
        let index = first >> 8;
        let mut read = self.read.borrow_mut();
        let hashes = match read.entry((level, index)) {
            std::collections::hash_map::Entry::Occupied(slot) => slot.into_mut(),
            std::collections::hash_map::Entry::Vacant(slot) => {
                let width = tile_width(self.size, level, index);
                slot.insert((self.tile)(TilePath::Hashes { level, index, width })?)
            }
        };
        let offset = usize::try_from(first & 0xff).unwrap_or(0);
        let range = offset..offset.saturating_add(1 << within);
        Ok(subtree_root(hashes.get(range).unwrap_or_default()))
    }
}
