//! Denials on their way to the ledger: one by one at first, counted when they come in floods.
//!
//! They wait in the counters lane, which delays no other. A source that goes on after a few in one second gets one
//! entry a second with counts by reason; so a flood costs the ledger a handful of entries, and a revocation never
//! waits behind it. Entries nobody waits for, counts and outcomes, are kept back while the ledger's queue is full.

use std::sync::{Mutex, Weak};
use std::time::Duration;

use jiff::Timestamp;
use modelward_ledger::entry::EntryDraft;
use modelward_ledger::{AggregationConfig, DenialAggregator, Lane, Observed};

use crate::core::Core;
use crate::denial::Unavailable;

/// How often finished windows are written.
const FLUSH_EVERY: Duration = Duration::from_millis(250);
/// Entries that wait for room in the ledger's queue.
const WAITING_MAX: usize = 16_384;

#[derive(Debug)]
pub(crate) struct Flood(Mutex<State>);

#[derive(Debug)]
struct State {
    aggregator: DenialAggregator,
    waiting: Vec<(Lane, EntryDraft)>,
}

impl Flood {
    pub(crate) fn new() -> Self {
        let aggregator = DenialAggregator::new(AggregationConfig::default());
        Self(Mutex::new(State { aggregator, waiting: Vec::new() }))
    }

    /// Records the denial by itself or as one more of its source. `draft` is only made when it is needed.
    pub(crate) fn denied(
        &self,
        core: &Core,
        source: &str,
        reason: &str,
        draft: impl Fn() -> Result<EntryDraft, Unavailable>,
    ) -> Result<(), Unavailable> {
        let now = micros(core.clock.now());
        let observed = {
            let mut state = self.0.lock().map_err(|_| Unavailable::LedgerFailed)?;
            state.aggregator.observe(now, source, reason)
        };
        match observed {
            // A ledger that failed is asked again each time: a denial that can never be recorded explains nothing.
            Observed::Counted if !core.is_failing() => Ok(()),
            Observed::Counted | Observed::Single => self.submit(core, Lane::Counters, draft, "denial"),
        }
    }

    /// Records an outcome nobody waits for.
    pub(crate) fn concluded(&self, core: &Core, lane: Lane, draft: impl Fn() -> EntryDraft) {
        if self.submit(core, lane, || Ok(draft()), "outcome").is_err() {
            // The intent stays open; the ledger's next start calls it indeterminate.
            core.observer.unrecorded("outcome");
        }
    }

    /// Submits an entry now, or as soon as there is room; in that case the draft is made a second time. The ticket is of
    /// no use here: dropped, the entry is written all the same.
    fn submit(
        &self,
        core: &Core,
        lane: Lane,
        draft: impl Fn() -> Result<EntryDraft, Unavailable>,
        what: &'static str,
    ) -> Result<(), Unavailable> {
        match core.submit(lane, draft()?) {
            Err(Unavailable::LedgerFull) => {
                let draft = draft()?;
                match self.0.lock() {
                    Ok(mut state) if state.waiting.len() < WAITING_MAX => state.waiting.push((lane, draft)),
                    Ok(_) | Err(_) => core.observer.unrecorded(what),
                }
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Writes what waits, and what is counted: windows that are over, or all of them at the end.
    pub(crate) fn flush(&self, core: &Core, all: bool) {
        let now = micros(core.clock.now());
        let drafts = {
            let Ok(mut state) = self.0.lock() else { return };
            let id = || core.next_id().to_string();
            let counted = if all { state.aggregator.flush_all(id) } else { state.aggregator.flush(now, id) };
            state.waiting.extend(counted.into_iter().map(|draft| (Lane::Counters, draft)));
            std::mem::take(&mut state.waiting)
        };
        for (lane, draft) in drafts {
            if self.submit(core, lane, || Ok(draft.clone()), "kept").is_err() {
                core.observer.unrecorded("kept");
            }
        }
    }
}

/// The task that writes counts. It ends when everybody who could deny is gone.
pub(crate) async fn flushing(core: Weak<Core>) {
    let mut again = tokio::time::interval(FLUSH_EVERY);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        again.tick().await;
        let Some(core) = core.upgrade() else { return };
        core.flood.flush(&core, false);
    }
}

/// Before 1970 nothing of ours happened.
fn micros(now: Timestamp) -> u64 {
    u64::try_from(now.as_microsecond()).unwrap_or(0)
}
