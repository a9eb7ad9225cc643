//! What the tests of the writing side share: the only place that knows how a ledger is put together.

use std::sync::Arc;
use std::time::Duration;

use super::super::core::Core;
use super::super::queue::Submission;
use super::super::{Config, Ledger, LedgerFailed, OpenError, Parts, Receipt, Recovered, Ticket};
use crate::LedgerReader;
use crate::entry::{EntryDraft, Kind, ReleaseClass, Resource, SubjectKind, Verdict};
use crate::storage::{SimDisk, Storage};

pub(crate) const ORIGIN: &str = "modelward.example/test";

pub(crate) fn parts(seed: u64) -> Parts {
    crate::sim::parts(ORIGIN, seed).unwrap()
}

/// Segments of 20 KiB, one ahead, one in reserve.
pub(crate) fn small() -> Config {
    Config {
        segment_bytes: 20 << 10,
        segments_kept: 100,
        checkpoint_interval: Duration::from_millis(5),
        checkpoint_pause: Duration::ZERO,
        queue_control: 8,
        queue_release: 8,
        queue_counters: 8,
        queue_reserve: 2,
        ..Config::small("node-1")
    }
}

/// Opens the ledger on this disk, making it if there is none.
pub(crate) fn open(disk: &SimDisk, seed: u64) -> Result<Ledger, OpenError> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    match Ledger::open_on(Arc::clone(&storage), small(), parts(seed)) {
        Err(OpenError::Missing) => Ledger::create_on(storage, small(), parts(seed)),
        other => other,
    }
}

pub(crate) fn decision(id: &str) -> EntryDraft {
    EntryDraft::new(Kind::Decision, id)
        .decision(Verdict::Allow)
        .outcome("permitted")
        .class(ReleaseClass::R1)
        .subject(SubjectKind::Human, "dana@example.org")
        .action("Inference::Predict")
        .resource(Resource::new("Model", "fraud"))
        .determining(["guard-1", "grant-base"])
        .grant("gr_1")
        .rationale("granted")
        .revision(7)
}

/// A ledger without threads, driven step by step.
pub(crate) struct Hand {
    core: Core,
}

impl Hand {
    pub(crate) fn open(disk: &SimDisk, seed: u64) -> Result<Self, OpenError> {
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        if let Err(error) = storage.read("heads")
            && error.kind() == std::io::ErrorKind::NotFound
        {
            Core::create(&storage, &small())?;
        }
        Ok(Self { core: Core::open(storage, small(), parts(seed))? })
    }

    /// Makes these drafts one batch and gives the receipts of those that became durable.
    pub(crate) fn append(&mut self, drafts: Vec<EntryDraft>) -> Vec<Result<Receipt, LedgerFailed>> {
        let seal = |draft: EntryDraft| {
            let narrowing = draft.narrowing;
            let sealed = self.core.shared.sealer.seal(draft).unwrap();
            let (ticket, promise) = Ticket::new(None);
            (ticket, Submission { sealed, narrowing, promise })
        };
        let (tickets, batch): (Vec<_>, Vec<_>) = drafts.into_iter().map(seal).unzip();
        self.core.writer.write(batch).unwrap_or_default();
        tickets.iter().map(|ticket| ticket.try_outcome().unwrap()).collect()
    }

    pub(crate) fn publish(&mut self) -> bool {
        self.core.publishing.publish().is_ok()
    }

    pub(crate) fn sync(&mut self) -> bool {
        self.core.publishing.sync().is_ok()
    }

    pub(crate) fn refill(&self) -> bool {
        self.core.publishing.pool.refill().is_ok()
    }

    pub(crate) fn stop(mut self) {
        self.core.writer.write_own(vec![EntryDraft::new(Kind::Stop, "run")]).unwrap();
        assert!(self.publish() && self.sync());
    }

    pub(crate) fn recovered(&self) -> Recovered {
        self.core.recovered
    }

    pub(crate) fn reader(&self) -> LedgerReader {
        LedgerReader::new(Arc::clone(&self.core.shared))
    }
}
