//! Figures operators look at, counted as enforcement tells of them: what was decided in the last hour, and why not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use modelward_decision::Outcome;
use modelward_decision::vocabulary::Action;
use modelward_enforcement::{End, Observer, Reason, Unavailable};
use modelward_ledger::LedgerReader;
use modelward_ledger::entry::{Entry, Kind, Verdict};
use modelward_seal::source::Clock;
use tokio::sync::watch;

use crate::control::ControlPlane;

const MINUTES: i64 = 60;
/// Entries read again after a start, so that the last hour is not empty then.
const LOOK_BACK: u64 = 5_000;
const ENTRIES_AT_ONCE: usize = 512;
const MEASURES_KEPT: usize = 1_024;
const REASONS_KEPT: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Figures {
    counted: Mutex<Counted>,
    /// The ledger's size, for those who follow it.
    size: Mutex<Option<watch::Receiver<u64>>>,
}

#[derive(Debug, Default)]
struct Counted {
    /// Oldest first; minutes without a decision are absent.
    minutes: VecDeque<Minute>,
    enforced: VecDeque<Duration>,
}

#[derive(Debug, Default)]
struct Minute {
    /// Since the Unix epoch.
    number: i64,
    allowed: u64,
    denied: u64,
    reasons: BTreeMap<String, u64>,
}

/// The last hour in numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hour {
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    /// Sixty values, oldest first.
    pub(crate) per_minute: Vec<u32>,
    /// Most frequent first.
    pub(crate) reasons: Vec<(String, u64)>,
    pub(crate) enforced_p99: Option<Duration>,
}

impl Figures {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a narrowing took from its commit to its publication.
    pub(crate) fn enforced(&self, took: Duration) {
        let mut counted = self.counted();
        counted.enforced.push_back(took);
        if counted.enforced.len() > MEASURES_KEPT {
            counted.enforced.pop_front();
        }
    }

    /// Resolves whenever the ledger grew.
    pub(crate) fn growth(&self) -> Option<watch::Receiver<u64>> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts what the ledger holds of before the start, so that the last hour is not empty then. To be called before
    /// anything is decided.
    pub(crate) fn look_back(&self, reader: &LedgerReader) {
        let size = reader.position().size;
        let mut next = size.saturating_sub(LOOK_BACK);
        while next < size {
            match reader.range(next, ENTRIES_AT_ONCE) {
                Ok(entries) if !entries.is_empty() => {
                    for (index, entry) in entries {
                        self.count_entry(&entry);
                        next = index + 1;
                    }
                }
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "the ledger could not be read for figures");
                    return;
                }
            }
        }
    }

    fn count_entry(&self, entry: &Entry) {
        let minute = entry.t.div_euclid(60_000_000);
        match (entry.kind, entry.decision) {
            (Kind::Decision, Some(Verdict::Allow)) => self.allowed(minute),
            (Kind::Decision, Some(Verdict::Deny | Verdict::Error)) => {
                self.denied(minute, 1, entry.outcome.as_deref().unwrap_or_default());
            }
            (Kind::DenialAggregate, _) => {
                let count = entry.details.get("count").and_then(serde_json::Value::as_u64).unwrap_or(1);
                self.denied(minute, count, "flood");
            }
            _ => {}
        }
    }

    fn allowed(&self, minute: i64) {
        if let Some(minute) = self.counted().minute(minute) {
            minute.allowed += 1;
        }
    }

    fn denied(&self, minute: i64, count: u64, reason: &str) {
        let mut counted = self.counted();
        let Some(minute) = counted.minute(minute) else { return };
        minute.denied += count;
        if let Some(known) = minute.reasons.get_mut(reason) {
            *known += count;
        } else if minute.reasons.len() < REASONS_KEPT {
            minute.reasons.insert(reason.to_owned(), count);
        }
    }

    pub(crate) fn hour(&self, now: Timestamp) -> Hour {
        let current = now.as_second().div_euclid(60);
        let first = current - MINUTES + 1;
        let counted = self.counted();
        let mut hour = Hour { per_minute: vec![0; 60], ..Hour::default() };
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for minute in counted.minutes.iter().filter(|minute| (first..=current).contains(&minute.number)) {
            hour.allowed += minute.allowed;
            hour.denied += minute.denied;
            let place = usize::try_from(minute.number - first).unwrap_or(0);
            if let Some(value) = hour.per_minute.get_mut(place) {
                *value = u32::try_from(minute.allowed + minute.denied).unwrap_or(u32::MAX);
            }
            for (reason, count) in &minute.reasons {
                *reasons.entry(reason).or_default() += count;
            }
        }
        hour.reasons = reasons.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect();
        hour.reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut measures: Vec<Duration> = counted.enforced.iter().copied().collect();
        measures.sort();
        hour.enforced_p99 = measures.get(measures.len().saturating_sub(1) * 99 / 100).copied();
        hour
    }
}

impl Counted {
    /// The minute with this number, or the newest where time went back.
    fn minute(&mut self, number: i64) -> Option<&mut Minute> {
        if self.minutes.back().is_none_or(|minute| minute.number < number) {
            self.minutes.push_back(Minute { number, ..Minute::default() });
            while self.minutes.front().is_some_and(|minute| minute.number <= number - MINUTES) {
                self.minutes.pop_front();
            }
        }
        self.minutes.back_mut()
    }
}

/// Counts what enforcement tells, and passes it on. Reading every entry back from the ledger would cost more than making
/// it did.
#[derive(Debug)]
pub(crate) struct Counting {
    pub(crate) figures: Arc<Figures>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inner: Arc<dyn Observer>,
}

impl Counting {
    fn minute(&self) -> i64 {
        self.clock.now().as_second().div_euclid(60)
    }
}

impl Observer for Counting {
    fn decided(&self, action: Action, outcome: Outcome, took: Duration) {
        self.inner.decided(action, outcome, took);
    }

    fn compared(&self, action: Action, agrees: bool) {
        self.inner.compared(action, agrees);
    }

    fn denied(&self, action: Action, outcome: Outcome, reason: Reason) {
        self.figures.denied(self.minute(), 1, outcome.as_str());
        self.inner.denied(action, outcome, reason);
    }

    fn rejected(&self, protocol: &str) {
        self.inner.rejected(protocol);
    }

    fn unavailable(&self, why: Unavailable) {
        self.inner.unavailable(why);
    }

    fn recorded(&self, took: Duration) {
        self.figures.allowed(self.minute());
        self.inner.recorded(took);
    }

    fn disclosed(&self, action: Action) {
        self.inner.disclosed(action);
    }

    fn unaudited_release(&self) {
        self.inner.unaudited_release();
    }

    fn unrecorded(&self, what: &'static str) {
        self.inner.unrecorded(what);
    }

    fn streams(&self, open: usize) {
        self.inner.streams(open);
    }

    fn cut(&self, end: End, published_at: Option<Timestamp>, cut_at: Timestamp) {
        self.inner.cut(end, published_at, cut_at);
    }
}

/// Keeps an eye on the ledger's size, for those who follow it.
pub(crate) fn follow(plane: &ControlPlane) {
    let reader = plane.reader();
    let (sender, grown) = watch::channel(reader.position().size);
    reader.watch(move |size| {
        // Nobody may be listening at this moment; the value is kept all the same.
        sender.send_replace(size);
    });
    *plane.figures.size.lock().unwrap_or_else(PoisonError::into_inner) = Some(grown);
}
