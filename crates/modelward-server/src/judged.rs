//! The gate's reports, each kept by what it was made of: the texts, what was proved of them, and the bundle in force.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use modelward_decision::Bundle;
use modelward_policy::gate::{self, Candidate, Report};
use modelward_policy::{BundleFile, Finding};
use modelward_seal::Digest;
use tokio::sync::OnceCell;

use crate::problem::Problem;
use crate::wire::ErrorCode;

/// Reports kept; past it the one that was asked for longest ago goes.
const REPORTS_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    bundle: Digest,
    verdicts: Option<Digest>,
    active: Digest,
}

/// A place for a report: whoever comes first makes it, and everybody else waits for that one.
type Slot = Arc<OnceCell<Arc<Report>>>;

#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// Asked for last stands last.
    slots: Mutex<VecDeque<(Key, Slot)>>,
}

impl Reports {
    /// What the gate says of a bundle, compared with the one in force.
    pub(crate) async fn of(&self, active: &Arc<Bundle>, file: &BundleFile) -> Result<Arc<Report>, Problem> {
        let verdicts =
            file.verdicts_digest().map_err(|error| Problem::internal("reading a bundle", &error))?;
        let slot = self.slot(Key { bundle: file.digest(), verdicts, active: active.digest() });
        slot.get_or_try_init(|| check(Arc::clone(active), file.clone())).await.cloned()
    }

    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.iter().position(|(other, _)| *other == key);
        let slot = known.and_then(|at| slots.remove(at)).map_or_else(Slot::default, |(_, slot)| slot);
        if slots.len() >= REPORTS_MAX {
            slots.pop_front();
        }
        slots.push_back((key, Arc::clone(&slot)));
        slot
    }
}

/// Runs the gate where it may take its time. What a solver said is believed from the file only as far as signatures
/// cover it.
async fn check(active: Arc<Bundle>, file: BundleFile) -> Result<Arc<Report>, Problem> {
    let work = move || {
        Arc::new(gate::check(Candidate {
            sources: file.files(),
            active: Some(&active),
            verdicts: file.verdicts(),
        }))
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal("checking a bundle", &error))
}

/// Refuses what does not pass the gate.
pub(crate) fn passed(report: &Report) -> Result<(), Problem> {
    if report.passed() {
        return Ok(());
    }
    let first = report.findings().find(|finding| finding.is_error());
    let first = first.map_or("", |finding: &Finding| finding.message.as_str());
    Err(Problem::new(ErrorCode::Refused, format!("the bundle does not pass the gate: {first}"))
        .hint("run `modelward policy check` on its folder for the whole report"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key { bundle: Digest::of(&[byte]), verdicts: None, active: Digest::ZERO }
    }

    #[test]
    fn a_report_is_made_once_and_the_one_asked_for_longest_ago_goes() {
        let reports = Reports::default();
        let first = reports.slot(key(0));
        for byte in 1..u8::try_from(REPORTS_MAX).unwrap() {
            reports.slot(key(byte));
        }
        assert!(Arc::ptr_eq(&first, &reports.slot(key(0))), "there is room for all of them");
        let second = reports.slot(key(1));
        reports.slot(key(200));
        assert!(Arc::ptr_eq(&second, &reports.slot(key(1))));
        assert!(Arc::ptr_eq(&first, &reports.slot(key(0))), "it was asked for since");
        assert_eq!(reports.slots.lock().unwrap().len(), REPORTS_MAX);
        let other = Key { verdicts: Some(Digest::ZERO), ..key(0) };
        assert!(!Arc::ptr_eq(&first, &reports.slot(other)), "other verdicts, another report");
    }
}
