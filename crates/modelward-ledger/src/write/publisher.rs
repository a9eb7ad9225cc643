//! Publishing: bundles, tiles, and then a signed checkpoint over them. Off the critical path; everything here can
//! be made again from the segments.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use modelward_seal::Digest;
use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::merkle::{FullTile, TILE_WIDTH, TilePath, TileStack};
use modelward_seal::note::{NoteError, SignedNote, Signer};

use super::index::Index;
use super::journal::Span;
use super::recent::Record;
use crate::heads::{self, Head};
use crate::layout;
use crate::storage::{Storage, StorageFile};

/// Writes the public log. Owned by one thread.
#[derive(Debug)]
pub(crate) struct Publisher {
    storage: Arc<dyn Storage>,
    signer: Arc<dyn Signer>,
    heads: Box<dyn StorageFile>,
    head: Head,
    stack: TileStack,
    /// Entries since the last full bundle.
    bundle: Vec<Record>,
    /// Full tiles and bundles to write: kept until written, so that a failed attempt can be continued.
    pending: VecDeque<(TilePath, Vec<u8>)>,
    /// Full tiles and bundles whose contents are not synced yet.
    unsynced: Vec<String>,
    /// Folders of partial tiles, to remove when the tile is full.
    partials: BTreeSet<String>,
    spans: Arc<Mutex<Vec<Span>>>,
    segments_kept: usize,
}

/// Why no checkpoint was published. The next attempt continues where this one stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("failed to write `{path}`")]
    Write {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("failed to write the heads file")]
    Heads(#[source] io::Error),
    #[error("failed to sync tiles and bundles")]
    Sync(#[source] io::Error),
    #[error("failed to retire segment {number}")]
    Retire {
        number: u64,
        #[source]
        source: io::Error,
    },
    #[error("the checkpoint could not be signed")]
    Sign(#[from] NoteError),
    /// Two computations of one root differ: memory or logic is broken, so nothing is signed, ever again.
    #[error("the tiles have root {tiles} where the segments have {segments}, at size {size}")]
    Inconsistent { size: u64, tiles: Digest, segments: Digest },
    #[error("failed to prepare the next segment")]
    Prepare(#[source] io::Error),
    #[error("the index could not be encoded")]
    Index(#[from] serde_json::Error),
}

/// Where a publisher continues: all tiles below `head.synced` are on disk.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) head: Head,
    /// The stack at `head.synced` rounded down to full bundles.
    pub(crate) stack: TileStack,
}

impl PublishError {
    /// Whether nothing is wrong but that the disk has no room.
    pub(crate) fn is_full(&self) -> bool {
        let source = match self {
            Self::Write { source, .. }
            | Self::Retire { source, .. }
            | Self::Heads(source)
            | Self::Sync(source)
            | Self::Prepare(source) => source,
            Self::Sign(_) | Self::Inconsistent { .. } | Self::Index(_) => return false,
        };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

impl Publisher {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        signer: Arc<dyn Signer>,
        published: Published,
        spans: Arc<Mutex<Vec<Span>>>,
        segments_kept: usize,
    ) -> io::Result<Self> {
        let heads = storage.open(heads::PATH)?;
        Ok(Self {
            storage,
            signer,
            heads,
            head: published.head,
            stack: published.stack,
            bundle: Vec::new(),
            pending: VecDeque::new(),
            unsynced: Vec::new(),
            partials: BTreeSet::new(),
            spans,
            segments_kept,
        })
    }

    /// Size of the tree that the tiles in memory describe: where the next record goes.
    pub(crate) fn size(&self) -> u64 {
        self.stack.size()
    }

    pub(crate) fn synced(&self) -> u64 {
        self.head.synced
    }

    /// Adds records, writes every file that a checkpoint of the new size needs, and publishes that checkpoint.
    pub(crate) fn publish(
        &mut self,
        records: Vec<Record>,
        size: u64,
        root: Digest,
    ) -> Result<SignedNote, PublishError> {
        for record in records {
            self.add(record);
        }
        self.write_pending()?;
        let tiles = self.stack.root();
        if self.stack.size() != size || tiles != root {
            return Err(PublishError::Inconsistent { size, tiles, segments: root });
        }
        self.write_partials()?;
        self.write_head(Head { size, root, ..self.head })?;
        let origin = self.signer.name().clone();
        let note = Checkpoint { origin, size, root }.sign(&*self.signer)?;
        let making = format!("{}.new", layout::CHECKPOINT);
        self.write(&making, note.to_string().as_bytes())?;
        let renamed = self.storage.rename(&making, layout::CHECKPOINT);
        renamed.map_err(|source| PublishError::Write { path: layout::CHECKPOINT.to_owned(), source })?;
        Ok(note)
    }

    /// Makes everything published durable, then lets go of segments that nothing needs any more.
    pub(crate) fn sync(&mut self, index: &Index) -> Result<(), PublishError> {
        let mut paths = std::mem::take(&mut self.unsynced);
        let outcome = self.sync_all(&mut paths, index);
        if outcome.is_err() {
            self.unsynced = paths;
        }
        outcome
    }

    fn sync_all(&mut self, paths: &mut Vec<String>, index: &Index) -> Result<(), PublishError> {
        let mut all = paths.clone();
        all.extend(self.current_partials().map(layout::in_log));
        all.push(layout::CHECKPOINT.to_owned());
        let making = format!("{}.new", layout::INDEX);
        self.write(&making, &index.encode()?)?;
        self.storage.sync_files(std::slice::from_ref(&making)).map_err(PublishError::Sync)?;
        self.storage.rename(&making, layout::INDEX).map_err(PublishError::Sync)?;
        self.storage.sync_dir("").map_err(PublishError::Sync)?;
        self.storage.sync_files(&all).map_err(PublishError::Sync)?;
        paths.clear();
        self.write_head(Head { synced: self.head.size, ..self.head })?;
        self.retire()
    }

    fn add(&mut self, record: Record) {
        let Self { stack, bundle, pending, .. } = self;
        let before = pending.len();
        stack.push(record.leaf, |FullTile { level, index, hashes }| {
            pending.push_back((TilePath::Hashes { level, index, width: TILE_WIDTH }, tile_bytes(&hashes)));
        });
        bundle.push(record);
        if bundle.len() == usize::from(TILE_WIDTH) {
            let index = (stack.size() / u64::from(TILE_WIDTH)).saturating_sub(1);
            pending.insert(before, (TilePath::Entries { index, width: TILE_WIDTH }, bundle_bytes(bundle)));
            bundle.clear();
        }
    }

    fn write_pending(&mut self) -> Result<(), PublishError> {
        while let Some((tile, bytes)) = self.pending.front() {
            let path = layout::in_log(tile);
            self.write(&path, bytes)?;
            let partials = format!("{path}.p");
            if self.partials.contains(&partials) {
                let removed = self.storage.remove_dir(&partials);
                removed.map_err(|source| PublishError::Write { path: partials.clone(), source })?;
                self.partials.remove(&partials);
            }
            self.unsynced.push(path);
            self.pending.pop_front();
        }
        Ok(())
    }

    fn write_partials(&mut self) -> Result<(), PublishError> {
        let mut files: Vec<(TilePath, Vec<u8>)> =
            self.stack.partials().map(|(path, hashes)| (path, tile_bytes(hashes))).collect();
        if let Some(path) = self.bundle_path() {
            files.push((path, bundle_bytes(&self.bundle)));
        }
        for (tile, bytes) in files {
            self.write(&layout::in_log(tile), &bytes)?;
            self.partials.insert(format!("{}.p", layout::in_log(tile.full())));
        }
        Ok(())
    }

    fn current_partials(&self) -> impl Iterator<Item = TilePath> {
        self.stack.partials().map(|(path, _)| path).chain(self.bundle_path())
    }

    fn bundle_path(&self) -> Option<TilePath> {
        let width = u16::try_from(self.bundle.len()).ok().filter(|width| *width > 0)?;
        Some(TilePath::Entries { index: self.stack.size() / u64::from(TILE_WIDTH), width })
    }

    /// INVARIANT: durable before anything over this size is signed, so that a restart cannot sign another root
    /// for a size that was signed already.
    fn write_head(&mut self, head: Head) -> Result<(), PublishError> {
        let next = Head { sequence: self.head.sequence.saturating_add(1), ..head };
        self.heads.write_at(&next.encode(), next.offset()).map_err(PublishError::Heads)?;
        self.heads.sync().map_err(PublishError::Heads)?;
        self.head = next;
        Ok(())
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let written = self.storage.write(path, bytes);
        written.map_err(|source| PublishError::Write { path: path.to_owned(), source })
    }

    /// Removes segments whose entries all stand in synced full bundles, except the last few.
    fn retire(&self) -> Result<(), PublishError> {
        let covered = self.head.synced.saturating_sub(self.head.synced % u64::from(TILE_WIDTH));
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        while spans.len() > self.segments_kept.max(1) {
            let Some(oldest) = spans.first().copied().filter(|span| span.end <= covered) else { break };
            let removed = self.storage.remove(&layout::segment(oldest.number));
            removed.map_err(|source| PublishError::Retire { number: oldest.number, source })?;
            spans.remove(0);
        }
        Ok(())
    }
}

fn tile_bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn bundle_bytes(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        // INVARIANT: entries are at most `ENTRY_BYTES_MAX` long, so the length fits; the frame checked it.
        let length = u16::try_from(record.bytes.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&record.bytes);
    }
    bytes
}
