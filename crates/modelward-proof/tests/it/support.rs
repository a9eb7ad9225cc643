//! The solver of this machine, a clock, and bundles with edits.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use modelward_decision::Bundle;
use modelward_proof::{Invariant, Solver};
use modelward_seal::source::Clock;

/// A clock that goes on by a microsecond whenever it is asked.
#[derive(Debug, Default)]
pub(crate) struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic_micros(&self) -> Option<u64> {
        Some(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// The solver of this machine. Where there is none, the test says that it was skipped.
pub(crate) fn solver() -> Option<Solver> {
    let chosen = std::env::var_os("MODELWARD_CVC5");
    let found = Solver::find(chosen.as_deref(), std::env::var_os("PATH").as_deref());
    if found.is_none() {
        println!("SKIPPED: no solver found: install cvc5 or set MODELWARD_CVC5");
    }
    found
}

pub(crate) fn default_bundle() -> Bundle {
    Bundle::default_bundle().expect("the default bundle is a bundle")
}

pub(crate) fn invariants(bundle: &Bundle) -> Vec<Invariant> {
    Invariant::defaults(bundle.schema()).expect("the invariants are invariants")
}

/// A bundle with the text of one file changed.
pub(crate) fn edited(bundle: &Bundle, file: &str, edit: impl FnOnce(&str) -> String) -> Bundle {
    let mut sources = bundle.sources().clone();
    let text = sources.get_mut(file).expect("the file is part of the bundle");
    let edited = edit(text);
    assert_ne!(*text, edited, "the edit changes nothing");
    *text = edited;
    Bundle::from_sources(sources).expect("the edited bundle is a bundle")
}

/// A bundle with more policies at the end of one file.
pub(crate) fn appended(bundle: &Bundle, file: &str, policies: &str) -> Bundle {
    edited(bundle, file, |text| format!("{text}\n{policies}\n"))
}

/// A bundle without one of its policies.
pub(crate) fn without(bundle: &Bundle, file: &str, id: &str) -> Bundle {
    edited(bundle, file, |text| {
        let (before, rest) = text.split_once(&format!("@id(\"{id}\")")).expect("the policy is in the file");
        let (_, after) = rest.split_once(";\n").expect("the policy ends");
        format!("{before}{after}")
    })
}
