//! Opening a log: what was acknowledged is found again, what was torn is cut, what is damaged is refused.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use modelward_seal::Digest;
use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::merkle::{
    CompactTree, TILE_WIDTH, TileNodes, TilePath, TileStack, leaf_hash, subtree_root,
};
use modelward_seal::note::{SignedNote, Signer};

use super::index::Index;
use super::journal::{Active, Resume, Span};
use super::ledger::OpenError;
use super::publisher::Published;
use super::recent::Record;
use super::segments::Segment;
use crate::frame::{self, FrameProblem};
use crate::heads::{self, Head};
use crate::layout;
use crate::storage::{Storage, StorageFile};

/// What a start found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Frames read again because no synced bundle covered them.
    pub frames_replayed: u64,
    /// Bytes of a torn write that were cut off.
    pub bytes_cut: u64,
    /// Intents whose outcome nobody recorded.
    pub indeterminate: u64,
    /// The last run did not end with a stop entry.
    pub unclean: bool,
}

/// Everything a log needs to go on.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) resume: Resume,
    pub(crate) published: Published,
    /// Entries from the publisher's size on, which it has to publish again.
    pub(crate) records: Vec<Record>,
    pub(crate) index: Index,
    pub(crate) ready: VecDeque<Segment>,
    pub(crate) next_segment: u64,
    pub(crate) recovered: Recovered,
}

/// Reads the whole state of the log, and mends its torn end.
pub(crate) fn recover(
    storage: &Arc<dyn Storage>,
    signer: &dyn Signer,
    segment_bytes: u64,
    boot: [u8; 16],
) -> Result<State, OpenError> {
    let read =
        |path: &str| storage.read(path).map_err(|source| OpenError::Read { path: path.to_owned(), source });
    let head = heads::newest(heads::decode(&read(heads::PATH)?)).ok_or(OpenError::HeadsDamaged)?;
    let anchor = anchor(storage, signer, head)?;
    let full = head.synced.saturating_sub(head.synced % u64::from(TILE_WIDTH));
    let mut replay = Replay::new(storage, segment_bytes, head, full)?;
    replay.run()?;
    replay.check(&anchor)?;
    replay.finish(storage, full, boot)
}

/// The sizes that the segments must reach, with their roots: the heads file, and the published checkpoint if it
/// is ahead of it (then the heads file was rolled back).
fn anchor(
    storage: &Arc<dyn Storage>,
    signer: &dyn Signer,
    head: Head,
) -> Result<Vec<(u64, Digest)>, OpenError> {
    let mut anchors = vec![(head.size, head.root)];
    // A checkpoint file that a crash tore is made anew; only what verifies says anything.
    let verified = storage.read(layout::CHECKPOINT).ok().and_then(|bytes| {
        let note = SignedNote::from_bytes(&bytes).ok()?;
        Checkpoint::verify(&note, &signer.verifier().ok()?).ok()
    });
    if let Some(checkpoint) = verified {
        anchors.push((checkpoint.size, checkpoint.root));
    }
    Ok(anchors)
}

struct Replay<'s> {
    storage: &'s Arc<dyn Storage>,
    segment_bytes: u64,
    head: Head,
    full: u64,
    numbers: Vec<u64>,
    tree: CompactTree,
    previous: Option<Digest>,
    epoch: u64,
    records: Vec<Record>,
    index: Index,
    /// Roots after each frame, to compare with what was signed.
    spans: Vec<Span>,
    active: Option<Active>,
    ready: VecDeque<Segment>,
    recovered: Recovered,
    last_entry: Option<Vec<u8>>,
    roots: Vec<(u64, Digest)>,
}

impl<'s> Replay<'s> {
    fn new(
        storage: &'s Arc<dyn Storage>,
        segment_bytes: u64,
        head: Head,
        full: u64,
    ) -> Result<Self, OpenError> {
        let names = storage.list(layout::SEGMENTS);
        let names = names.map_err(|source| OpenError::Read { path: layout::SEGMENTS.to_owned(), source })?;
        let numbers: Vec<u64> = names.iter().filter_map(|name| layout::segment_number(name)).collect();
        for (before, after) in numbers.iter().zip(numbers.iter().skip(1)) {
            if before.saturating_add(1) != *after {
                return Err(OpenError::MissingSegment { number: before.saturating_add(1) });
            }
        }
        Ok(Self {
            storage,
            segment_bytes,
            head,
            full,
            numbers,
            tree: CompactTree::new(),
            previous: None,
            epoch: 0,
            records: Vec::new(),
            index: Index::default(),
            spans: Vec::new(),
            active: None,
            ready: VecDeque::new(),
            recovered: Recovered::default(),
            last_entry: None,
            roots: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<(), OpenError> {
        let snapshot = self.storage.read(layout::INDEX).ok().and_then(|bytes| Index::decode(&bytes));
        self.index = snapshot.unwrap_or_default();
        for position in 0..self.numbers.len() {
            let Some(number) = self.numbers.get(position).copied() else { break };
            let path = layout::segment(number);
            let open = |source| OpenError::Read { path: path.clone(), source };
            let file = self.storage.open(&path).map_err(open)?;
            let length = file.length().map_err(open)?;
            if length != self.segment_bytes {
                return Err(OpenError::SegmentLength { number, found: length, expected: self.segment_bytes });
            }
            if self.is_untouched(&*file).map_err(open)? && position > 0 {
                self.ready.push_back(Segment { number, file, reserved: false });
                continue;
            }
            if let Some(Segment { number: skipped, .. }) = self.ready.front() {
                // Something was written after a segment that is empty.
                let (segment, index) = (*skipped, self.tree.size());
                return Err(OpenError::DamagedInside {
                    segment,
                    offset: 0,
                    index,
                    problem: FrameProblem::NoMagic,
                });
            }
            let bytes = file.read_all().map_err(open)?;
            let later = self.numbers.get(position.saturating_add(1)..).unwrap_or_default().to_vec();
            self.segment(number, file, &bytes, &later)?;
        }
        Ok(())
    }

    /// Prepared segments are recognised by their beginning, as far as any batch could have torn it.
    fn is_untouched(&self, file: &dyn StorageFile) -> io::Result<bool> {
        let probe = 2 << 20;
        let length = usize::try_from(self.segment_bytes).unwrap_or(probe).min(probe);
        Ok(file.read_at(0, length)?.iter().all(|byte| *byte == 0))
    }

    fn segment(
        &mut self,
        number: u64,
        file: Box<dyn StorageFile>,
        bytes: &[u8],
        later: &[u64],
    ) -> Result<(), OpenError> {
        let mut offset = 0;
        let mut last_frame = None;
        loop {
            let damaged = |problem, index| OpenError::DamagedInside {
                segment: number,
                offset: offset_u64(offset),
                index,
                problem,
            };
            let index = self.tree.size();
            match frame::decode(bytes, offset) {
                Ok(None) => break,
                Ok(Some(found)) => {
                    self.frame(&found).map_err(|problem| damaged(problem, index))?;
                    last_frame = Some(offset);
                    offset = found.end;
                }
                Err(problem) => {
                    let goes_on =
                        frame::valid_frame_after(bytes, offset, index) || self.any_frame_in(later)?;
                    if goes_on || self.head.size > index {
                        return Err(damaged(problem, index));
                    }
                    self.cut(&*file, bytes, offset, number)?;
                    break;
                }
            }
        }
        if let Some(begin) = last_frame {
            self.rewrite(&*file, bytes, begin, offset, number)?;
        }
        self.spans.push(Span { number, end: self.tree.size() });
        self.active =
            Some(Active { segment: Segment { number, file, reserved: false }, offset: offset_u64(offset) });
        Ok(())
    }

    fn frame(&mut self, found: &frame::Frame<'_>) -> Result<(), FrameProblem> {
        let header = &found.header;
        match self.previous {
            None => self.begin(header.first_index, header.previous)?,
            Some(previous) if previous != header.previous => return Err(FrameProblem::Chain),
            Some(_) => {}
        }
        if header.first_index != self.tree.size() {
            return Err(FrameProblem::Index { found: header.first_index });
        }
        for bytes in &found.entries {
            let leaf = leaf_hash(bytes);
            let index = self.tree.size();
            self.tree.push(leaf);
            if index >= self.full {
                self.records.push(Record { bytes: Arc::from(*bytes), leaf });
            }
            if index == self.index.size() {
                self.index.add_bytes(leaf, bytes);
            }
        }
        if self.tree.root() != header.root {
            return Err(FrameProblem::Root);
        }
        self.last_entry = found.entries.last().map(|bytes| bytes.to_vec());
        self.roots.push((self.tree.size(), header.root));
        self.previous = Some(found.hash);
        self.epoch = header.epoch;
        if header.first_index >= self.full {
            self.recovered.frames_replayed = self.recovered.frames_replayed.saturating_add(1);
        }
        Ok(())
    }

    /// The first frame that is still there: the log before it stands in tiles.
    fn begin(&mut self, first_index: u64, previous: Digest) -> Result<(), FrameProblem> {
        if first_index == 0 && previous != Digest::ZERO {
            return Err(FrameProblem::Chain);
        }
        if first_index > self.full {
            return Err(FrameProblem::Index { found: first_index });
        }
        let storage = self.storage;
        let nodes = TileNodes::new(self.full, |path| read_settled(storage, path));
        self.tree = CompactTree::at(first_index, &nodes).map_err(|_| FrameProblem::Tiles)?;
        self.index_from_bundles(first_index)
    }

    /// Without a usable snapshot the index is rebuilt from the bundles.
    fn index_from_bundles(&mut self, until: u64) -> Result<(), FrameProblem> {
        if self.index.size() >= until {
            return Ok(());
        }
        self.index = Index::default();
        while self.index.size() < until {
            let path =
                TilePath::Entries { index: self.index.size() / u64::from(TILE_WIDTH), width: TILE_WIDTH };
            let bundle = self.storage.read(&layout::in_log(path)).map_err(|_| FrameProblem::Tiles)?;
            let entries = frame::split_entries(&bundle).ok_or(FrameProblem::Tiles)?;
            let before = self.index.size();
            for bytes in entries {
                if self.index.size() < until {
                    self.index.add_bytes(leaf_hash(bytes), bytes);
                }
            }
            if self.index.size() == before {
                return Err(FrameProblem::Tiles);
            }
        }
        Ok(())
    }

    fn any_frame_in(&self, later: &[u64]) -> Result<bool, OpenError> {
        for number in later {
            let path = layout::segment(*number);
            let bytes = self.storage.read(&path).map_err(|source| OpenError::Read { path, source })?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Zeroes a torn write, so that no later frame can ever stand before its remains.
    fn cut(
        &mut self,
        file: &dyn StorageFile,
        bytes: &[u8],
        offset: usize,
        number: u64,
    ) -> Result<(), OpenError> {
        let torn = bytes.get(offset..).unwrap_or_default();
        let end = torn.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        let end = end.next_multiple_of(frame::SECTOR).min(torn.len());
        let mend = |source| OpenError::Mend { segment: number, source };
        file.write_at(&vec![0; end], offset_u64(offset)).map_err(mend)?;
        file.sync().map_err(mend)?;
        self.recovered.bytes_cut = self.recovered.bytes_cut.saturating_add(offset_u64(end));
        Ok(())
    }

    /// Writes the last frame again and flushes it: after a failed flush the kernel may show pages that never
    /// reached the disk and would not be written by another flush.
    fn rewrite(
        &self,
        file: &dyn StorageFile,
        bytes: &[u8],
        begin: usize,
        end: usize,
        number: u64,
    ) -> Result<(), OpenError> {
        let mend = |source| OpenError::Mend { segment: number, source };
        file.write_at(bytes.get(begin..end).unwrap_or_default(), offset_u64(begin)).map_err(mend)?;
        file.sync().map_err(mend)
    }

    /// The segments must contain every tree that was signed.
    fn check(&mut self, anchors: &[(u64, Digest)]) -> Result<(), OpenError> {
        if self.previous.is_none() && self.head.size > 0 {
            return Err(OpenError::RolledBack { signed: self.head.size, found: 0 });
        }
        if self.index.size() > self.tree.size() {
            return Err(OpenError::RolledBack { signed: self.index.size(), found: self.tree.size() });
        }
        for (size, root) in anchors {
            if *size > self.tree.size() {
                return Err(OpenError::RolledBack { signed: *size, found: self.tree.size() });
            }
            let found = self.roots.iter().find(|(at, _)| at == size).map(|(_, root)| *root);
            let found = match found {
                Some(found) => Some(found),
                None if *size == self.tree.size() => Some(self.tree.root()),
                None => self.root_at(*size),
            };
            if found != Some(*root) {
                return Err(OpenError::Forked { size: *size });
            }
        }
        Ok(())
    }

    /// Checkpoints end where frames end, unless the frame is gone; then tiles tell.
    fn root_at(&self, size: u64) -> Option<Digest> {
        let storage = self.storage;
        let nodes = TileNodes::new(self.full, |path| read_settled(storage, path));
        let tree = (size <= self.full).then(|| CompactTree::at(size, &nodes).ok()).flatten();
        tree.map(|tree| tree.root())
    }

    fn finish(mut self, storage: &Arc<dyn Storage>, full: u64, boot: [u8; 16]) -> Result<State, OpenError> {
        let tiles = |path: String, source| OpenError::Read { path, source };
        let stack = TileStack::at(full, |level, index| {
            let path = TilePath::Hashes { level, index, width: TILE_WIDTH };
            read_tile(storage, path).map_err(|source| tiles(layout::in_log(path), source))
        })?;
        self.recovered.unclean = self.last_entry.as_deref().is_some_and(|bytes| !is_stop(bytes));
        self.recovered.indeterminate = u64::try_from(self.index.open_intents().count()).unwrap_or(u64::MAX);
        let next_segment = self.numbers.last().copied().unwrap_or(0).saturating_add(1);
        let resume = Resume {
            tree: self.tree,
            previous: self.previous.unwrap_or(Digest::ZERO),
            epoch: self.epoch.saturating_add(1),
            boot,
            active: self.active,
            spans: self.spans,
        };
        let published = Published { head: self.head, stack };
        Ok(State {
            resume,
            published,
            records: self.records,
            index: self.index,
            ready: self.ready,
            next_segment,
            recovered: self.recovered,
        })
    }
}

fn is_stop(bytes: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Glance {
        kind: crate::entry::Kind,
    }
    serde_json::from_slice::<Glance>(bytes).is_ok_and(|seen| seen.kind == crate::entry::Kind::Stop)
}

fn offset_u64(offset: usize) -> u64 {
    u64::try_from(offset).unwrap_or(u64::MAX)
}

pub(crate) fn read_tile(storage: &Arc<dyn Storage>, path: TilePath) -> io::Result<Vec<Digest>> {
    let bytes = match storage.read(&layout::in_log(path)) {
        // A partial tile may have been replaced by the full one.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_partial() => {
            storage.read(&layout::in_log(path.full()))?
        }
        other => other?,
    };
    let hashes: Result<Vec<Digest>, _> = bytes.chunks(Digest::LEN).map(Digest::try_from).collect();
    hashes.map_err(io::Error::other)
}

/// A tile of a tree whose size is a multiple of 256. Its unfinished tiles are rebuilt from full ones below, since
/// only full tiles are sure to be on disk.
fn read_settled(storage: &Arc<dyn Storage>, path: TilePath) -> io::Result<Vec<Digest>> {
    match path {
        TilePath::Hashes { level: above @ 1.., index, width } if width < TILE_WIDTH => {
            let level = above.saturating_sub(1);
            let first = index.saturating_mul(u64::from(TILE_WIDTH));
            let children = first..first.saturating_add(u64::from(width));
            let child = |index| TilePath::Hashes { level, index, width: TILE_WIDTH };
            children.map(|index| Ok(subtree_root(&read_settled(storage, child(index))?))).collect()
        }
        TilePath::Hashes { .. } | TilePath::Entries { .. } | TilePath::Checkpoint => read_tile(storage, path),
    }
}
