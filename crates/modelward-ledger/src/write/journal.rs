//! Group commit: one frame, one write, one flush.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use modelward_seal::Digest;
use modelward_seal::merkle::CompactTree;

use super::segments::{Pool, Segment};
use crate::frame::{self, FrameProblem, Header};

/// The end of the log, and how to make it longer.
#[derive(Debug)]
pub(crate) struct Journal {
    pool: Arc<Pool>,
    segment_bytes: u64,
    pub(crate) active: Option<Active>,
    tree: CompactTree,
    previous: Digest,
    epoch: u64,
    boot: [u8; 16],
    buffer: Vec<u8>,
    spans: Arc<Mutex<Vec<Span>>>,
}

/// The segment being written.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Segment,
    pub(crate) offset: u64,
}

/// Which entries a segment holds; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) number: u64,
    pub(crate) end: u64,
}

/// Why a batch is not durable.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was written; the ledger goes on.
    #[error("no prepared space is left for this entry")]
    NoSpace,
    #[error("failed to write to the active segment")]
    Write(#[source] io::Error),
    /// The kernel may have dropped the pages: what is on disk is unknown until read again after a restart.
    #[error("failed to flush the active segment")]
    Flush(#[source] io::Error),
    #[error("the active segment is not where it was")]
    Moved(#[source] io::Error),
    #[error("failed to begin a new segment")]
    Roll(#[source] io::Error),
    #[error("the batch cannot be framed")]
    Frame(#[from] FrameProblem),
}

/// Where a journal continues.
#[derive(Debug)]
pub(crate) struct Resume {
    pub(crate) tree: CompactTree,
    pub(crate) previous: Digest,
    pub(crate) epoch: u64,
    pub(crate) boot: [u8; 16],
    pub(crate) active: Option<Active>,
    pub(crate) spans: Vec<Span>,
}

impl Journal {
    pub(crate) fn new(pool: Arc<Pool>, segment_bytes: u64, resume: Resume) -> Self {
        let Resume { tree, previous, epoch, boot, active, spans } = resume;
        let spans = Arc::new(Mutex::new(spans));
        Self { pool, segment_bytes, active, tree, previous, epoch, boot, buffer: Vec::new(), spans }
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn root(&self) -> Digest {
        self.tree.root()
    }

    /// Which segments hold what; shared with the publisher, which retires them.
    pub(crate) fn spans(&self) -> Arc<Mutex<Vec<Span>>> {
        Arc::clone(&self.spans)
    }

    /// Writes the entries as one frame and returns once they are durable. After an error other than `NoSpace` the
    /// journal must not be used again: nobody knows what is on disk.
    pub(crate) fn commit(&mut self, entries: &[(&[u8], Digest)], narrowing: bool) -> Result<(), CommitError> {
        let payload =
            entries.iter().fold(0_usize, |sum, (bytes, _)| sum.saturating_add(bytes.len()).saturating_add(2));
        let needed = u64::try_from(frame::frame_bytes(payload)).unwrap_or(u64::MAX);
        self.make_room(needed, narrowing)?;
        let mut tree = self.tree.clone();
        entries.iter().for_each(|(_, leaf)| tree.push(*leaf));
        let header = Header {
            count: u32::try_from(entries.len()).map_err(|_| FrameProblem::Payload)?,
            epoch: self.epoch,
            boot: self.boot,
            first_index: self.tree.size(),
            previous: self.previous,
            root: tree.root(),
        };
        self.buffer.clear();
        let hash = frame::encode(&mut self.buffer, &header, entries.iter().map(|(bytes, _)| *bytes))?;
        let active = self.active.as_mut().ok_or(CommitError::NoSpace)?;
        active.segment.file.write_at(&self.buffer, active.offset).map_err(CommitError::Write)?;
        active.segment.file.sync().map_err(CommitError::Flush)?;
        // After the flush: a file that was removed before it took the bytes with it.
        active.segment.file.check_identity().map_err(CommitError::Moved)?;
        active.offset = active.offset.saturating_add(needed);
        self.tree = tree;
        self.previous = hash;
        self.note_span();
        Ok(())
    }

    fn make_room(&mut self, needed: u64, narrowing: bool) -> Result<(), CommitError> {
        if needed > self.segment_bytes {
            return Err(FrameProblem::BeyondSegment.into());
        }
        if let Some(active) = &mut self.active {
            // Once the disk has room again a reserve segment is an ordinary one: the pool made a new reserve.
            if active.segment.reserved && self.pool.is_full() {
                active.segment.reserved = false;
            }
            if active.segment.reserved && !narrowing {
                return Err(CommitError::NoSpace);
            }
            if active.offset.saturating_add(needed) <= self.segment_bytes {
                return Ok(());
            }
        }
        let Some(segment) = self.pool.take(narrowing).map_err(CommitError::Roll)? else {
            // What is left of this one joins the reserve, so that answers do not come and go with their size.
            if let Some(active) = &mut self.active {
                active.segment.reserved = true;
            }
            return Err(CommitError::NoSpace);
        };
        self.active = Some(Active { segment, offset: 0 });
        Ok(())
    }

    fn note_span(&self) {
        let Some(active) = &self.active else { return };
        let span = Span { number: active.segment.number, end: self.tree.size() };
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        match spans.last_mut() {
            Some(last) if last.number == span.number => *last = span,
            _ => spans.push(span),
        }
    }
}
