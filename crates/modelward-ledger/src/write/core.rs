//! The ledger without threads: every step as a plain call, so that tests can drive it and stop it anywhere.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use modelward_seal::Digest;
use modelward_seal::merkle::empty_root;

use super::index::Index;
use super::journal::{CommitError, Journal};
use super::ledger::{Config, OpenError, Parts, Status};
use super::publisher::{PublishError, Publisher};
use super::queue::{Queue, Submission};
use super::recent::{Recent, Record};
use super::recovery::{self, Recovered};
use super::segments::Pool;
use super::ticket::{LedgerFailed, Promise, Receipt};
use crate::entry::{EntryDraft, Kind, Sealer};
use crate::heads::{self, Head};
use crate::layout;
use crate::storage::Storage;

/// What threads, sinks and readers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) sealer: Sealer,
    pub(crate) queue: Queue,
    pub(crate) recent: Recent,
    pub(crate) origin: String,
    failure: Mutex<Option<LedgerFailed>>,
    trouble: Mutex<Option<Arc<str>>>,
}

/// The sequencer's half: makes entries durable.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) journal: Journal,
    pub(crate) index: Arc<Mutex<Index>>,
}

/// The publisher's half: makes durable entries provable.
#[derive(Debug)]
pub(crate) struct Publishing {
    pub(crate) shared: Arc<Shared>,
    pub(crate) publisher: Publisher,
    pub(crate) pool: Arc<Pool>,
    pub(crate) index: Arc<Mutex<Index>>,
}

/// An open ledger before its threads start.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Writer,
    pub(crate) publishing: Publishing,
    pub(crate) recovered: Recovered,
    /// Held as long as the ledger may be written.
    pub(crate) lock: Box<dyn Any + Send>,
}

impl Core {
    /// Makes the files of an empty log; the heads file comes last and makes it a ledger.
    pub(crate) fn create(storage: &Arc<dyn Storage>, config: &Config) -> Result<(), OpenError> {
        let lock = lock(storage)?;
        if storage.read(heads::PATH).is_ok() {
            return Err(OpenError::Exists);
        }
        create_files(storage, config).map_err(OpenError::Create)?;
        drop(lock);
        Ok(())
    }

    pub(crate) fn open(storage: Arc<dyn Storage>, config: Config, parts: Parts) -> Result<Self, OpenError> {
        if let Err(error) = storage.read(heads::PATH) {
            return Err(match error.kind() {
                io::ErrorKind::NotFound => OpenError::Missing,
                _ => OpenError::Read { path: heads::PATH.to_owned(), source: error },
            });
        }
        let lock = lock(&storage)?;
        let boot = *parts.ids.uuid().as_bytes();
        let mut state = recovery::recover(&storage, &*parts.signer, config.segment_bytes, boot)?;
        let pool = Pool::new(
            Arc::clone(&storage),
            config.segment_bytes,
            config.segments_ahead,
            config.segments_reserve,
            state.ready,
            state.next_segment,
        );
        let pool = Arc::new(pool.map_err(OpenError::Create)?);
        // A full disk must not keep a ledger from opening: it can still take narrowing entries.
        let short = pool.refill().err();
        // A segment that came out of the reserve stays for narrowing entries until there is a reserve again.
        if pool.lacks_reserve()
            && let Some(active) = &mut state.resume.active
        {
            active.segment.reserved = true;
        }
        let journal = Journal::new(Arc::clone(&pool), config.segment_bytes, state.resume);
        let publisher = Publisher::new(
            Arc::clone(&storage),
            Arc::clone(&parts.signer),
            state.published,
            journal.spans(),
            config.segments_kept,
        );
        let publisher =
            publisher.map_err(|source| OpenError::Read { path: heads::PATH.to_owned(), source })?;
        let recent = Recent::new(publisher.size(), journal.root());
        recent.extend(state.records, journal.root());
        let origin = parts.signer.name().to_string();
        let shared = Arc::new(Shared {
            queue: Queue::new(config.capacity()),
            sealer: Sealer {
                origin: origin.clone(),
                node: config.node.clone(),
                boot: hex::encode(boot),
                clock: parts.clock,
                ids: Arc::clone(&parts.ids),
                pseudonyms: parts.pseudonyms,
                keys: parts.subject_keys,
            },
            config,
            storage,
            recent,
            origin,
            failure: Mutex::default(),
            trouble: Mutex::new(short.map(|error| error.to_string().into())),
        });
        let index = Arc::new(Mutex::new(state.index));
        let writer = Writer { shared: Arc::clone(&shared), journal, index: Arc::clone(&index) };
        let publishing = Publishing { shared: Arc::clone(&shared), publisher, pool, index };
        let mut core = Self { shared, writer, publishing, recovered: state.recovered, lock };
        core.first_entries()?;
        match core.publishing.publish() {
            // Everything is durable; the checkpoint over it waits for room, as it does while the ledger runs.
            Err(error) if error.is_full() => core.shared.trouble(Some(error.to_string())),
            published => published?,
        }
        Ok(core)
    }

    /// What the log says about its own beginning: what recovery did, which intents stay open for ever, the start.
    fn first_entries(&mut self) -> Result<(), OpenError> {
        let run = self.shared.sealer.boot.clone();
        let Recovered { frames_replayed, bytes_cut, indeterminate, unclean } = self.recovered;
        let mut drafts = Vec::new();
        if unclean || bytes_cut > 0 {
            let draft = EntryDraft::new(Kind::Recovery, run.clone())
                .detail("frames_replayed", frames_replayed)
                .detail("bytes_cut", bytes_cut)
                .detail("indeterminate", indeterminate);
            drafts.push(draft);
        }
        let open: Vec<_> = lock_index(&self.writer.index).open_intents().collect();
        for intent in open {
            let draft = EntryDraft::new(Kind::Indeterminate, intent.id.clone());
            drafts.push(EntryDraft { intent: Some(intent), ..draft });
        }
        let start = EntryDraft::new(Kind::Start, run)
            .detail("origin", self.shared.origin.clone())
            .detail("version", env!("CARGO_PKG_VERSION"));
        drafts.push(start);
        self.writer.write_own(drafts)
    }
}

fn lock(storage: &Arc<dyn Storage>) -> Result<Box<dyn Any + Send>, OpenError> {
    storage.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked,
        _ => OpenError::Lock(error),
    })
}

fn create_files(storage: &Arc<dyn Storage>, config: &Config) -> io::Result<()> {
    storage.create_dir(layout::SEGMENTS)?;
    storage.create_dir(layout::LOG)?;
    let first = layout::segment(1);
    storage.create_zeroed(&first, config.segment_bytes)?;
    storage.sync_dir(layout::SEGMENTS)?;
    let making = format!("{}.new", heads::PATH);
    let file = storage.create_zeroed(&making, heads::FILE_BYTES)?;
    for sequence in [0, 1] {
        let head = Head { sequence, size: 0, root: empty_root(), synced: 0 };
        file.write_at(&head.encode(), head.offset())?;
    }
    file.sync()?;
    storage.rename(&making, heads::PATH)?;
    storage.sync_dir("")
}

/// One entry of a batch on its way.
struct Writing {
    submission: Submission,
    /// Others in the same batch with the same event id.
    twins: Vec<Promise>,
}

impl Writer {
    /// Makes a batch durable and resolves its tickets. On an error other than lack of space the ledger is failed.
    pub(crate) fn write(&mut self, batch: Vec<Submission>) -> Result<(), CommitError> {
        let batch = self.without_repeats(batch);
        if batch.is_empty() {
            return Ok(());
        }
        match self.commit(&batch) {
            Err(CommitError::NoSpace) => self.write_narrowing(batch),
            Err(error) => {
                let failed = self.shared.fail(&error);
                batch.iter().for_each(|writing| writing.resolve(&Err(failed.clone())));
                Err(error)
            }
            Ok(first) => {
                resolve(&batch, first);
                Ok(())
            }
        }
    }

    /// With the ordinary space used up, entries that take rights away still go in; the others fail.
    fn write_narrowing(&mut self, batch: Vec<Writing>) -> Result<(), CommitError> {
        let (narrowing, others): (Vec<_>, Vec<_>) = batch.into_iter().partition(|w| w.submission.narrowing);
        others.iter().for_each(|writing| writing.resolve(&Err(LedgerFailed::NoSpace)));
        if narrowing.is_empty() {
            return Ok(());
        }
        match self.commit(&narrowing) {
            Ok(first) => resolve(&narrowing, first),
            Err(CommitError::NoSpace) => {
                narrowing.iter().for_each(|writing| writing.resolve(&Err(LedgerFailed::NoSpace)));
            }
            Err(error) => {
                let failed = self.shared.fail(&error);
                narrowing.iter().for_each(|writing| writing.resolve(&Err(failed.clone())));
                return Err(error);
            }
        }
        Ok(())
    }

    fn commit(&mut self, batch: &[Writing]) -> Result<u64, CommitError> {
        let first = self.journal.size();
        let entries: Vec<(&[u8], Digest)> =
            batch.iter().map(|w| (&*w.submission.sealed.bytes, w.submission.sealed.leaf)).collect();
        let narrowing = batch.iter().all(|writing| writing.submission.narrowing);
        self.journal.commit(&entries, narrowing)?;
        {
            let mut index = lock_index(&self.index);
            for Writing { submission, .. } in batch {
                index.add(
                    submission.sealed.leaf,
                    submission.sealed.event.as_deref(),
                    &submission.sealed.mark,
                );
            }
        }
        let record = |w: &Writing| Record {
            bytes: Arc::clone(&w.submission.sealed.bytes),
            leaf: w.submission.sealed.leaf,
        };
        self.shared.recent.extend(batch.iter().map(record).collect(), self.journal.root());
        Ok(first)
    }

    /// Answers events that are in the log already, and joins repeats within the batch to the first of them.
    fn without_repeats(&self, batch: Vec<Submission>) -> Vec<Writing> {
        let index = lock_index(&self.index);
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut kept: Vec<Writing> = Vec::with_capacity(batch.len());
        for submission in batch {
            if let Some(event) = &submission.sealed.event {
                if let Some(receipt) = index.receipt_of(event) {
                    submission.promise.resolve(Ok(receipt));
                    continue;
                }
                if let Some(twin) = first.get(event).and_then(|position| kept.get_mut(*position)) {
                    twin.twins.push(submission.promise);
                    continue;
                }
                first.insert(event.clone(), kept.len());
            }
            kept.push(Writing { submission, twins: Vec::new() });
        }
        kept
    }

    /// Writes entries of the ledger's own, outside any queue, in as few flushes as any others.
    pub(crate) fn write_own(&mut self, drafts: Vec<EntryDraft>) -> Result<(), OpenError> {
        let (entries_max, bytes_max) =
            (self.shared.config.batch_entries_max, self.shared.config.frame_payload_max());
        let mut batch: Vec<Writing> = Vec::new();
        let mut bytes = 0_usize;
        for draft in drafts {
            let sealed = self.shared.sealer.seal(draft)?;
            let size = sealed.bytes.len().saturating_add(2);
            if !batch.is_empty() && (batch.len() >= entries_max || bytes.saturating_add(size) > bytes_max) {
                self.commit(&batch).map_err(OpenError::FirstEntries)?;
                batch.clear();
                bytes = 0;
            }
            bytes = bytes.saturating_add(size);
            let (_ticket, promise) = super::Ticket::new(None);
            // The log's own entries are part of stopping and of taking rights away: they may use the reserve.
            let submission = Submission { sealed, narrowing: true, promise };
            batch.push(Writing { submission, twins: Vec::new() });
        }
        self.commit(&batch).map(drop).map_err(OpenError::FirstEntries)
    }
}

fn resolve(batch: &[Writing], first: u64) {
    for (writing, index) in batch.iter().zip(first..) {
        writing.resolve(&Ok(Receipt { index, leaf_hash: writing.submission.sealed.leaf }));
    }
}

impl Writing {
    fn resolve(&self, outcome: &Result<Receipt, LedgerFailed>) {
        self.submission.promise.resolve(outcome.clone());
        self.twins.iter().for_each(|twin| twin.resolve(outcome.clone()));
    }
}

impl Publishing {
    /// Publishes everything that is durable.
    pub(crate) fn publish(&mut self) -> Result<(), PublishError> {
        let Some((size, root, records)) = self.shared.recent.since(self.publisher.size()) else {
            return Ok(());
        };
        self.publisher.publish(records, size, root)?;
        self.shared.recent.published_up_to(size);
        Ok(())
    }

    /// Syncs tiles when enough of them wait for it.
    pub(crate) fn sync_if_due(&mut self) -> Result<(), PublishError> {
        let waiting = self.publisher.size().saturating_sub(self.publisher.synced());
        if waiting >= self.shared.config.tiles_sync_entries { self.sync() } else { Ok(()) }
    }

    pub(crate) fn sync(&mut self) -> Result<(), PublishError> {
        let index = lock_index(&self.index).clone();
        self.publisher.sync(&index)
    }
}

pub(crate) fn lock_index(index: &Mutex<Index>) -> std::sync::MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Fails the ledger for good; the first reason holds.
    pub(crate) fn fail(&self, error: &dyn std::error::Error) -> LedgerFailed {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        let failed = {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(LedgerFailed::Poisoned { reason: reason.into() }).clone()
        };
        self.queue.fail(&failed);
        self.recent.close();
        failed
    }

    pub(crate) fn failure(&self) -> Option<LedgerFailed> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.map(Into::into);
    }

    pub(crate) fn status(&self) -> Status {
        let failed = self.failure().map(|failed| failed.to_string().into());
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Status {
            size: self.recent.size(),
            published: self.recent.published(),
            waiting: self.queue.waiting(),
            failed,
            trouble,
        }
    }
}
