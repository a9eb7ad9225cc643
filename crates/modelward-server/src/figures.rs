//! Figures operators look at, counted from the ledger as it grows: what was decided in the last hour, and why not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use modelward_ledger::entry::{Entry, Kind, Verdict};
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

    fn count(&self, entry: &Entry) {
        let (allowed, denied, reason) = match (entry.kind, entry.decision) {
            (Kind::Decision, Some(Verdict::Allow)) => (1, 0, None),
            (Kind::Decision, Some(Verdict::Deny | Verdict::Error)) => (0, 1, entry.outcome.clone()),
            (Kind::DenialAggregate, _) => {
                let count = entry.details.get("count").and_then(serde_json::Value::as_u64).unwrap_or(1);
                (0, count, Some("flood".to_owned()))
            }
            _ => return,
        };
        let number = entry.t.div_euclid(60_000_000);
        let mut counted = self.counted();
        let minutes = &mut counted.minutes;
        if minutes.back().is_none_or(|minute| minute.number < number) {
            minutes.push_back(Minute { number, ..Minute::default() });
            while minutes.front().is_some_and(|minute| minute.number <= number - MINUTES) {
                minutes.pop_front();
            }
        }
        // Entries stand in the order of the log, so a time that went back counts into the newest minute.
        if let Some(minute) = minutes.back_mut() {
            minute.allowed += allowed;
            minute.denied += denied;
            if let Some(reason) = reason
                && (minute.reasons.len() < REASONS_KEPT || minute.reasons.contains_key(&reason))
            {
                *minute.reasons.entry(reason).or_default() += denied;
            }
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

/// Starts the task that counts entries as they come. It ends with the control plane.
pub(crate) fn follow(plane: &Arc<ControlPlane>) {
    let reader = plane.reader();
    let size = reader.position().size;
    let (sender, mut grown) = watch::channel(size);
    reader.watch(move |size| {
        // Nobody may be listening at this moment; the value is kept all the same.
        sender.send_replace(size);
    });
    *plane.figures.size.lock().unwrap_or_else(PoisonError::into_inner) = Some(grown.clone());
    let figures: Weak<Figures> = Arc::downgrade(&plane.figures);
    drop(tokio::spawn(async move {
        let mut next = size.saturating_sub(LOOK_BACK);
        loop {
            let reader = reader.clone();
            let read = tokio::task::spawn_blocking(move || reader.range(next, ENTRIES_AT_ONCE)).await;
            let Some(figures) = figures.upgrade() else { return };
            match read {
                Ok(Ok(entries)) if !entries.is_empty() => {
                    for (index, entry) in entries {
                        figures.count(&entry);
                        next = index + 1;
                    }
                    continue;
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the ledger could not be read for figures"),
                Err(_) => return,
            }
            drop(figures);
            if grown.changed().await.is_err() {
                return;
            }
        }
    }));
}
