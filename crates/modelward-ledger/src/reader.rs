//! Reading an open ledger: entries, proofs, public files, search.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use modelward_seal::Digest;
use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::merkle::{
    TILE_WIDTH, TileNodes, TilePath, TilePathError, consistency_proof, inclusion_proof, tile_width,
};
use modelward_seal::note::SignedNote;
use modelward_seal::proof::TlogProof;

use crate::entry::{Entry, EntryError};
use crate::frame::split_entries;
use crate::layout;
use crate::write::Shared;

/// A view of the log. Cheap to clone; never in the way of writers.
#[derive(Debug, Clone)]
pub struct LedgerReader {
    shared: Arc<Shared>,
}

/// How far the log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Durable entries.
    pub size: u64,
    /// Entries under the published checkpoint: those that can be proved.
    pub published: u64,
}

/// One of the files that C2SP tlog-tiles serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    pub bytes: Vec<u8>,
    pub content_type: &'static str,
    /// May be cached for ever; otherwise for a few seconds at most.
    pub immutable: bool,
}

/// One page of a search, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub found: Vec<(u64, Entry)>,
    /// Where the next page begins; nothing when the log is searched through.
    pub next_before: Option<u64>,
    /// The page is complete for the indexes from `next_before` (or zero) up to this one, exclusive.
    pub complete_below: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the log has {size} entries, so none has index {index}")]
    OutsideLog { index: u64, size: u64 },
    #[error("entry {index} is durable but not yet under a published checkpoint of {published} entries")]
    NotPublished { index: u64, published: u64 },
    #[error(transparent)]
    Path(#[from] TilePathError),
    #[error("`{path}` is not part of the log's current tree")]
    NoSuchTile { path: TilePath },
    #[error("failed to read `{path}`")]
    Io {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is damaged: verify the log")]
    Damaged { path: String },
    #[error("entry {index} is not in a format known here")]
    Entry {
        index: u64,
        #[source]
        source: EntryError,
    },
}

impl LedgerReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The log's name: what its checkpoints begin with.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    pub fn position(&self) -> Position {
        Position { size: self.shared.recent.size(), published: self.shared.recent.published() }
    }

    /// The last published checkpoint, with its signatures.
    pub fn checkpoint(&self) -> Result<SignedNote, ReadError> {
        let bytes = self.read(layout::CHECKPOINT)?;
        SignedNote::from_bytes(&bytes).map_err(|_| ReadError::Damaged { path: layout::CHECKPOINT.to_owned() })
    }

    /// The bytes of one durable entry.
    pub fn entry_bytes(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        if let Some(record) = self.shared.recent.entry(index) {
            return Ok(record.bytes.to_vec());
        }
        let size = self.shared.recent.size();
        if index >= size {
            return Err(ReadError::OutsideLog { index, size });
        }
        let offset = usize::try_from(index % u64::from(TILE_WIDTH)).unwrap_or(0);
        let bundle = index / u64::from(TILE_WIDTH);
        let bytes = self.bundle(bundle)?;
        let entries = split_entries(&bytes).ok_or_else(|| damaged(bundle))?;
        entries.get(offset).map(|entry| entry.to_vec()).ok_or_else(|| damaged(bundle))
    }

    pub fn entry(&self, index: u64) -> Result<Entry, ReadError> {
        parse(index, &self.entry_bytes(index)?)
    }

    /// Up to `count_max` entries from `first` on, in order, with their indexes.
    pub fn range(&self, first: u64, count_max: usize) -> Result<Vec<(u64, Entry)>, ReadError> {
        let size = self.shared.recent.size();
        let mut found = Vec::new();
        let mut cache = BundleCache::default();
        for index in (first..size).take(count_max) {
            found.push((index, parse(index, &cache.entry(self, index)?)?));
        }
        Ok(found)
    }

    /// The newest entries below `before` that match, newest first. Stops after `found_max` matches or after
    /// looking at `looked_max` entries, and says from where to go on.
    pub fn search(
        &self,
        before: Option<u64>,
        found_max: usize,
        looked_max: u64,
        matches: impl Fn(u64, &Entry) -> bool,
    ) -> Result<Page, ReadError> {
        let size = self.shared.recent.size();
        let top = before.map_or(size, |before| before.min(size));
        let mut page = Page { found: Vec::new(), next_before: None, complete_below: top };
        let mut cache = BundleCache::default();
        let bottom = top.saturating_sub(looked_max);
        for index in (bottom..top).rev() {
            let entry = parse(index, &cache.entry(self, index)?)?;
            if matches(index, &entry) {
                page.found.push((index, entry));
            }
            if page.found.len() >= found_max.max(1) {
                page.next_before = (index > 0).then_some(index);
                return Ok(page);
            }
        }
        page.next_before = (bottom > 0).then_some(bottom);
        Ok(page)
    }

    /// The receipt of an entry: a proof against the last published checkpoint, as C2SP tlog-proof prints it.
    pub fn proof(&self, index: u64) -> Result<TlogProof, ReadError> {
        let checkpoint = self.checkpoint()?;
        let head = head(&checkpoint)?;
        if index >= head.size {
            let size = self.shared.recent.size();
            return Err(if index < size {
                ReadError::NotPublished { index, published: head.size }
            } else {
                ReadError::OutsideLog { index, size }
            });
        }
        let nodes = TileNodes::new(head.size, |path| self.hashes(path));
        let path = inclusion_proof(&nodes, index, head.size)?;
        Ok(TlogProof { index, path, checkpoint })
    }

    /// The proof that the published tree of `new` entries extends the one of `old`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Digest>, ReadError> {
        let published = self.shared.recent.published();
        if new > published || old > new {
            return Err(ReadError::NotPublished { index: new, published });
        }
        let nodes = TileNodes::new(published, |path| self.hashes(path));
        consistency_proof(&nodes, old, new)
    }

    /// One public file by its path (`checkpoint`, `tile/0/000.p/17`, …), for an HTTP handler. Only files of the
    /// published tree are given: a path that is well-formed but beyond it does not exist.
    pub fn tile_file(&self, path: &str) -> Result<TileFile, ReadError> {
        let tile: TilePath = path.parse()?;
        let (bytes, content_type) = match tile {
            TilePath::Checkpoint => (self.read(layout::CHECKPOINT)?, "text/plain; charset=utf-8"),
            TilePath::Hashes { level, index, width } => {
                self.require(tile, level, index, width)?;
                (self.read_tile(tile)?, "application/octet-stream")
            }
            TilePath::Entries { index, width } => {
                self.require(tile, 0, index, width)?;
                (self.read_tile(tile)?, "application/octet-stream")
            }
        };
        Ok(TileFile { bytes, content_type, immutable: tile != TilePath::Checkpoint })
    }

    /// Waits until the log has more than `size` entries, for at most `patience`; gives its size. With
    /// [`Self::range`] this follows the log from any thread that may block.
    pub fn wait_beyond(&self, size: u64, patience: Duration) -> u64 {
        self.shared.recent.wait_beyond(size, patience)
    }

    /// Calls `watcher` with the log's size whenever it grew or a checkpoint was published. It runs on the
    /// ledger's own threads: hand the number on (to a channel or a watch) and return.
    pub fn watch(&self, watcher: impl Fn(u64) + Send + Sync + 'static) {
        self.shared.recent.watch(Box::new(watcher));
    }

    fn require(&self, path: TilePath, level: u8, index: u64, width: u16) -> Result<(), ReadError> {
        let present = tile_width(self.shared.recent.published(), level, index);
        if width <= present { Ok(()) } else { Err(ReadError::NoSuchTile { path }) }
    }

    /// A partial tile may be gone, or never have been published; a wider one begins with it.
    fn read_tile(&self, tile: TilePath) -> Result<Vec<u8>, ReadError> {
        let (level, index) = match tile {
            TilePath::Checkpoint => return self.read(layout::CHECKPOINT),
            TilePath::Hashes { level, index, .. } => (level, index),
            TilePath::Entries { index, .. } => (0, index),
        };
        let present = tile.at_width(tile_width(self.shared.recent.published(), level, index));
        for wider in [tile, present, tile.full()] {
            match self.read(&layout::in_log(wider)) {
                Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Ok(bytes) if wider != tile => return beginning(bytes, tile),
                other => return other,
            }
        }
        Err(ReadError::NoSuchTile { path: tile })
    }

    fn bundle(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let width = tile_width(self.shared.recent.published(), 0, index);
        self.read_tile(TilePath::Entries { index, width })
    }

    fn hashes(&self, path: TilePath) -> Result<Vec<Digest>, ReadError> {
        let bytes = self.read_tile(path)?;
        let hashes: Result<Vec<Digest>, _> = bytes.chunks(Digest::LEN).map(Digest::try_from).collect();
        hashes.map_err(|_| ReadError::Damaged { path: layout::in_log(path) })
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.shared.storage.read(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })
    }
}

/// The part of a wider tile that is this one.
fn beginning(mut bytes: Vec<u8>, tile: TilePath) -> Result<Vec<u8>, ReadError> {
    match tile {
        TilePath::Checkpoint => {}
        TilePath::Hashes { width, .. } => bytes.truncate(usize::from(width).saturating_mul(Digest::LEN)),
        TilePath::Entries { width, .. } => {
            let entries = split_entries(&bytes);
            let entries = entries.ok_or_else(|| ReadError::Damaged { path: layout::in_log(tile) })?;
            let kept =
                entries.iter().take(usize::from(width)).map(|entry| entry.len().saturating_add(2)).sum();
            bytes.truncate(kept);
        }
    }
    Ok(bytes)
}

/// The last bundle read, since neighbours are usually wanted next.
#[derive(Default)]
struct BundleCache {
    index: u64,
    entries: Vec<Vec<u8>>,
}

impl BundleCache {
    fn entry(&mut self, reader: &LedgerReader, index: u64) -> Result<Vec<u8>, ReadError> {
        if let Some(record) = reader.shared.recent.entry(index) {
            return Ok(record.bytes.to_vec());
        }
        let bundle = index / u64::from(TILE_WIDTH);
        if self.entries.is_empty() || self.index != bundle {
            let bytes = reader.bundle(bundle)?;
            let entries = split_entries(&bytes).ok_or_else(|| damaged(bundle))?;
            self.entries = entries.into_iter().map(<[u8]>::to_vec).collect();
            self.index = bundle;
        }
        let offset = usize::try_from(index % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
        self.entries.get(offset).cloned().ok_or_else(|| damaged(bundle))
    }
}

fn parse(index: u64, bytes: &[u8]) -> Result<Entry, ReadError> {
    Entry::from_bytes(bytes).map_err(|source| ReadError::Entry { index, source })
}

fn damaged(bundle: u64) -> ReadError {
    ReadError::Damaged { path: layout::in_log(TilePath::Entries { index: bundle, width: TILE_WIDTH }) }
}

fn head(note: &SignedNote) -> Result<Checkpoint, ReadError> {
    note.text().parse().map_err(|_| ReadError::Damaged { path: layout::CHECKPOINT.to_owned() })
}
