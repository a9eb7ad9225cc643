//! How these tests put a ledger together.

use std::path::Path;
use std::time::Duration;

use modelward_ledger::entry::{EntryDraft, Kind, SubjectKind, Verdict};
use modelward_ledger::{Config, Ledger, OpenError};
use modelward_seal::note::Verifier;

pub(crate) const ORIGIN: &str = "modelward.example/it";

pub(crate) fn config() -> Config {
    Config {
        segment_bytes: 256 << 10,
        checkpoint_interval: Duration::from_millis(20),
        ..Config::small("node-1")
    }
}

/// Opens the ledger in this folder, making it if there is none. The seed sets one run's identifiers apart.
pub(crate) fn open(dir: &Path, seed: u64) -> Result<Ledger, OpenError> {
    let parts = || modelward_ledger::sim::parts(ORIGIN, seed).unwrap();
    match Ledger::open(dir, config(), parts()) {
        Err(OpenError::Missing) => Ledger::create(dir, config(), parts()),
        other => other,
    }
}

pub(crate) fn trusted() -> Verifier {
    modelward_ledger::sim::parts(ORIGIN, 0).unwrap().signer.verifier().unwrap()
}

pub(crate) fn decision(id: impl Into<String>) -> EntryDraft {
    EntryDraft::new(Kind::Decision, id)
        .decision(Verdict::Allow)
        .subject(SubjectKind::Human, "dana@example.org")
        .action("Inference::Predict")
}
