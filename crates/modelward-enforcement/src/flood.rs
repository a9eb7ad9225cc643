//! Denials on their way to the ledger: one by one at first, counted when they come in floods.
//!
//! They wait in the counters lane, which delays no other. A source that goes on after a few in one second gets one
//! entry a second with counts by reason; so a flood costs the ledger a handful of entries, and a revocation never
//! waits behind it.

use std::sync::{Mutex, Weak};
use std::time::Duration;

use jiff::Timestamp;
use modelward_ledger::entry::EntryDraft;
use modelward_ledger::{AggregationConfig, DenialAggregator, Lane, Observed};

use crate::core::Core;
use crate::denial::Unavailable;

/// How often finished windows are written.
const FLUSH_EVERY: Duration = Duration::from_millis(250);
/// Aggregates that wait for room in the ledger's queue. One stands for many denials, so few are enough.
const WAITING_MAX: usize = 4096;

#[derive(Debug)]
pub(crate) struct Flood(Mutex<State>);

#[derive(Debug)]
struct State {
    aggregator: DenialAggregator,
    waiting: Vec<EntryDraft>,
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
        draft: impl FnOnce() -> Result<EntryDraft, Unavailable>,
    ) -> Result<(), Unavailable> {
        let now = micros(core.clock.now());
        let observed = {
            let mut state = self.0.lock().map_err(|_| Unavailable::LedgerFailed)?;
            state.aggregator.observe(now, source, reason)
        };
        match observed {
            // Dropping the ticket changes nothing: the entry is written all the same.
            Observed::Single => core.submit(Lane::Counters, draft()?).map(drop),
            Observed::Counted if core.is_failing() => core.submit(Lane::Counters, draft()?).map(drop),
            Observed::Counted => Ok(()),
        }
    }

    /// Writes what is counted: windows that are over, or all of them at the end.
    pub(crate) fn flush(&self, core: &Core, all: bool) {
        let now = micros(core.clock.now());
        let Ok(mut state) = self.0.lock() else { return };
        let id = || core.next_id().to_string();
        let counted = if all { state.aggregator.flush_all(id) } else { state.aggregator.flush(now, id) };
        state.waiting.extend(counted);
        let drafts = std::mem::take(&mut state.waiting);
        for draft in drafts {
            if core.submit(Lane::Counters, draft.clone()).is_ok() {
                continue;
            }
            if state.waiting.len() < WAITING_MAX && !all {
                state.waiting.push(draft);
            } else {
                core.observer.unrecorded("denials");
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
