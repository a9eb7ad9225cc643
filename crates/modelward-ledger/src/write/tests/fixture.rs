//! What the tests of the writing side share: the only place that knows how a ledger is put together.

use std::sync::Arc;
use std::time::Duration;

use super::super::{Config, Ledger, OpenError, Parts};
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
