//! The ledger as its callers see it: creating, opening, submitting, closing.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use modelward_seal::note::Signer;
use modelward_seal::source::{Clock, Ids};

use super::core::{Core, Shared};
use super::publisher::PublishError;
use super::queue::{Capacity, Lane, Refused};
use super::ticket::{LedgerFailed, Ticket};
use super::{CommitError, Recovered, threads};
use crate::entry::{DraftError, ENTRY_BYTES_MAX, EntryDraft, Facts, Kind};
use crate::frame::{self, FrameProblem};
use crate::reader::LedgerReader;
use crate::storage::{FileStorage, Storage};
use crate::subject::{KeyError, Month, PseudonymKey, SubjectKeys};

/// Sizes and bounds. The defaults suit a gateway; tests make everything small.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of this node, written into every entry.
    pub node: String,
    pub segment_bytes: u64,
    /// Prepared segments beside the one in use.
    pub segments_ahead: usize,
    /// Segments kept back for narrowing entries.
    pub segments_reserve: usize,
    /// Segments left in place though bundles cover them.
    pub segments_kept: usize,
    pub batch_entries_max: usize,
    pub batch_bytes_max: usize,
    pub queue_control: usize,
    pub queue_release: usize,
    pub queue_counters: usize,
    /// Slots of the control lane that only narrowing entries may take.
    pub queue_reserve: usize,
    /// A checkpoint follows once this many entries wait for one …
    pub checkpoint_entries: u64,
    /// … or this much time has passed with any …
    pub checkpoint_interval: Duration,
    /// … but not sooner than this after the last.
    pub checkpoint_pause: Duration,
    /// Tiles are synced, and segments retired, after this many entries.
    pub tiles_sync_entries: u64,
    /// Entries that may wait for publication before the ledger refuses new ones.
    pub unpublished_max: u64,
}

impl Config {
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            segment_bytes: 64 << 20,
            segments_ahead: 2,
            segments_reserve: 4,
            segments_kept: 2,
            batch_entries_max: 1024,
            batch_bytes_max: 1 << 20,
            queue_control: 4096,
            queue_release: 16_384,
            queue_counters: 16_384,
            queue_reserve: 1024,
            checkpoint_entries: 256,
            checkpoint_interval: Duration::from_secs(1),
            checkpoint_pause: Duration::from_millis(250),
            tiles_sync_entries: 65_536,
            unpublished_max: 1 << 20,
        }
    }

    /// Small segments and queues, for tests and demonstrations.
    pub fn small(node: impl Into<String>) -> Self {
        Self {
            segment_bytes: 1 << 20,
            segments_reserve: 1,
            segments_ahead: 1,
            queue_control: 256,
            queue_release: 512,
            queue_counters: 512,
            queue_reserve: 64,
            ..Self::new(node)
        }
    }

    fn check(&self) -> Result<(), OpenError> {
        let smallest =
            u64::try_from(frame::frame_bytes(ENTRY_BYTES_MAX.saturating_add(2))).unwrap_or(u64::MAX);
        if self.segment_bytes < smallest
            || !self.segment_bytes.is_multiple_of(512)
            || self.segment_bytes > 1 << 30
        {
            return Err(OpenError::Config(
                "segment_bytes must be a multiple of 512 between 17 KiB and 1 GiB",
            ));
        }
        if self.node.is_empty() || self.node.len() > 128 {
            return Err(OpenError::Config("node must have 1 to 128 bytes"));
        }
        if self.batch_entries_max == 0 || self.checkpoint_entries == 0 || self.segments_ahead == 0 {
            return Err(OpenError::Config("batch, checkpoint and segment counts must not be zero"));
        }
        Ok(())
    }

    /// Payload bytes of one frame: what was asked for, within a segment and within what recovery probes.
    pub(crate) fn frame_payload_max(&self) -> usize {
        let segment = usize::try_from(self.segment_bytes).unwrap_or(usize::MAX);
        self.batch_bytes_max.min(1 << 20).min(segment.saturating_sub(frame::frame_bytes(0)))
    }

    pub(crate) const fn capacity(&self) -> Capacity {
        Capacity {
            control: self.queue_control,
            release: self.queue_release,
            counters: self.queue_counters,
            reserve: self.queue_reserve,
        }
    }
}

/// What the ledger is given instead of reaching for it.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Signs checkpoints; its name is the log's origin.
    pub signer: Arc<dyn Signer>,
    pub pseudonyms: PseudonymKey,
    pub subject_keys: Arc<dyn SubjectKeys>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

/// Why a ledger does not open. None of these is mended by itself: what is damaged stays as evidence.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the ledger's configuration is wrong: {0}")]
    Config(&'static str),
    #[error("there is a ledger in this folder already")]
    Exists,
    #[error("there is no ledger in this folder; make one first")]
    Missing,
    #[error("another process is writing this ledger")]
    Locked,
    #[error("failed to lock the ledger's folder")]
    Lock(#[source] io::Error),
    #[error("failed to make the ledger's files")]
    Create(#[source] io::Error),
    #[error("failed to read `{path}`")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("neither slot of the heads file is valid")]
    HeadsDamaged,
    #[error("segment {number} is missing between others")]
    MissingSegment { number: u64 },
    #[error("segment {number} has {found} bytes instead of {expected}")]
    SegmentLength { number: u64, found: u64, expected: u64 },
    #[error("damage inside segment {segment} at byte {offset}, where entry {index} should begin: {problem}")]
    DamagedInside { segment: u64, offset: u64, index: u64, problem: FrameProblem },
    #[error(
        "a tree of {signed} entries was signed, but only {found} are here: entries were lost or rolled back"
    )]
    RolledBack { signed: u64, found: u64 },
    #[error("the tree of {size} entries is not the one that was signed")]
    Forked { size: u64 },
    #[error("failed to mend the torn end of segment {segment}")]
    Mend {
        segment: u64,
        #[source]
        source: io::Error,
    },
    #[error("failed to write the first entries of this run")]
    FirstEntries(#[source] CommitError),
    #[error("the first entries of this run have no form")]
    Draft(#[from] DraftError),
    #[error("failed to publish after recovery")]
    Publish(#[from] PublishError),
    #[error("failed to start a thread")]
    Thread(#[source] io::Error),
}

/// Why an entry was not accepted. The caller fails closed: whatever the entry was for does not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    #[error("the ledger's queue for this kind of entry is full")]
    QueueFull,
    #[error("too many entries wait for publication")]
    Backlog,
    #[error(transparent)]
    Failed(#[from] LedgerFailed),
    #[error(transparent)]
    Draft(#[from] DraftError),
}

/// Where entries go. The one thing writers need to know of a ledger.
pub trait LedgerSink: Send + Sync + fmt::Debug {
    /// Accepts an entry or refuses it, at once. Accepted does not mean durable: the ticket tells.
    fn submit(&self, lane: Lane, draft: EntryDraft) -> Result<Ticket, SubmitError>;
}

/// An open ledger. Cloning shares it; the last clone closes it.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    recovered: Recovered,
    subject_keys: Arc<dyn SubjectKeys>,
    pseudonyms: PseudonymKey,
    ids: Arc<dyn Ids>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How the ledger is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Durable entries.
    pub size: u64,
    /// Entries under the last published checkpoint.
    pub published: u64,
    pub waiting: usize,
    /// Why nothing is accepted any more.
    pub failed: Option<Arc<str>>,
    /// Why the last checkpoint or segment could not be made; retried.
    pub trouble: Option<Arc<str>>,
}

impl Ledger {
    /// Makes a new, empty ledger in a folder that has none.
    pub fn create(dir: &Path, config: Config, parts: Parts) -> Result<Self, OpenError> {
        std::fs::create_dir_all(dir).map_err(OpenError::Create)?;
        Self::create_on(Arc::new(FileStorage::new(dir)), config, parts)
    }

    /// Opens the ledger in this folder, recovering what a crash left.
    pub fn open(dir: &Path, config: Config, parts: Parts) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(FileStorage::new(dir)), config, parts)
    }

    /// [`Self::create`] on any storage.
    pub fn create_on(storage: Arc<dyn Storage>, config: Config, parts: Parts) -> Result<Self, OpenError> {
        config.check()?;
        Core::create(&storage, &config)?;
        Self::open_on(storage, config, parts)
    }

    /// [`Self::open`] on any storage.
    pub fn open_on(storage: Arc<dyn Storage>, config: Config, parts: Parts) -> Result<Self, OpenError> {
        config.check()?;
        let (subject_keys, pseudonyms) = (Arc::clone(&parts.subject_keys), parts.pseudonyms.clone());
        let ids = Arc::clone(&parts.ids);
        let core = Core::open(storage, config, parts)?;
        let (shared, recovered) = (Arc::clone(&core.shared), core.recovered);
        let threads = threads::start(core).map_err(OpenError::Thread)?;
        let threads = Mutex::new(threads);
        Ok(Self { inner: Arc::new(Inner { shared, recovered, subject_keys, pseudonyms, ids, threads }) })
    }

    pub fn sink(&self) -> Arc<dyn LedgerSink> {
        Arc::new(self.clone())
    }

    pub fn reader(&self) -> LedgerReader {
        LedgerReader::new(Arc::clone(&self.inner.shared))
    }

    /// What opening found.
    pub fn recovered(&self) -> Recovered {
        self.inner.recovered
    }

    pub fn status(&self) -> Status {
        self.inner.shared.status()
    }

    /// The pseudonym under which a subject stands in this log.
    pub fn pseudonym(&self, subject: &str) -> String {
        self.inner.pseudonyms.of(subject)
    }

    /// The facts of an entry in clear, or nothing once their key is erased.
    pub fn open_facts(&self, facts: &Facts) -> Result<Option<Vec<u8>>, DraftError> {
        self.inner.shared.sealer.open_facts(facts)
    }

    /// Erases what the log knows about a subject, of one month or all, and records that it did. Entries and
    /// proofs stay; their facts cannot be read again.
    pub fn erase_subject(&self, subject: &str, month: Option<Month>) -> Result<Ticket, EraseError> {
        let erased = self.inner.subject_keys.erase(&self.inner.pseudonyms.of(subject), month)?;
        let keys: Vec<String> = erased.iter().map(ToString::to_string).collect();
        let draft = EntryDraft::new(Kind::KeyEvent, self.inner.ids.uuid().to_string())
            .subject(crate::entry::SubjectKind::System, subject)
            .action("erase-subject-keys")
            .detail("erased", keys)
            .narrowing();
        Ok(self.submit(Lane::Control, draft)?)
    }

    /// Writes what is queued, a stop entry and a last checkpoint, and lets go of the folder. Further submissions
    /// fail. Calling it again does nothing.
    pub fn close(&self) {
        self.inner.close();
    }
}

/// Why a subject's keys were not erased, or the erasure not recorded.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error("failed to erase the keys")]
    Keys(#[from] KeyError),
    #[error("the keys are erased, but the ledger did not take the record of it")]
    Record(#[from] SubmitError),
}

impl LedgerSink for Ledger {
    fn submit(&self, lane: Lane, draft: EntryDraft) -> Result<Ticket, SubmitError> {
        let shared = &self.inner.shared;
        let narrowing = draft.narrowing && lane == Lane::Control;
        if let Some(reason) = shared.failure() {
            return Err(reason.into());
        }
        if !narrowing && shared.recent.unpublished() > shared.config.unpublished_max {
            return Err(SubmitError::Backlog);
        }
        let sealed = shared.sealer.seal(draft)?;
        shared.queue.push(lane, sealed, narrowing).map_err(|refused| match refused {
            Refused::Full => SubmitError::QueueFull,
            Refused::Closed => shared.failure().unwrap_or(LedgerFailed::Closed).into(),
        })
    }
}

impl Inner {
    fn close(&self) {
        self.shared.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has poisoned the ledger on its way out; there is nobody left to tell.
            drop(thread.join());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("status", &self.status()).finish_non_exhaustive()
    }
}
