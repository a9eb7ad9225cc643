//! Counts what enforcement does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use modelward_decision::Outcome;
use modelward_decision::vocabulary::Action;
use modelward_enforcement::{End, Observer, Reason, Unavailable};

/// An observer that remembers.
#[derive(Debug, Default)]
pub struct Counts {
    pub decided: AtomicU64,
    pub denied: AtomicU64,
    pub rejected: AtomicU64,
    pub recorded: AtomicU64,
    pub disclosed: AtomicU64,
    pub unaudited: AtomicU64,
    pub unrecorded: AtomicU64,
    pub streams: AtomicU64,
    unavailable: Mutex<Vec<Unavailable>>,
    cuts: Mutex<Vec<CutSeen>>,
}

/// One stream told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutSeen {
    pub end: End,
    pub published_at: Option<Timestamp>,
    pub cut_at: Timestamp,
}

impl Counts {
    pub fn cuts(&self) -> Vec<CutSeen> {
        self.cuts.lock().map(|cuts| cuts.clone()).unwrap_or_default()
    }

    pub fn unavailable_seen(&self) -> Vec<Unavailable> {
        self.unavailable.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::SeqCst);
}

impl Observer for Counts {
    fn decided(&self, _action: Action, _outcome: Outcome, _took: Duration) {
        one_more(&self.decided);
    }

    fn denied(&self, _action: Action, _outcome: Outcome, _reason: Reason) {
        one_more(&self.denied);
    }

    fn rejected(&self, _protocol: &str) {
        one_more(&self.rejected);
    }

    fn unavailable(&self, why: Unavailable) {
        if let Ok(mut seen) = self.unavailable.lock() {
            seen.push(why);
        }
    }

    fn recorded(&self, _took: Duration) {
        one_more(&self.recorded);
    }

    fn disclosed(&self, _action: Action) {
        one_more(&self.disclosed);
    }

    fn unaudited_release(&self) {
        one_more(&self.unaudited);
    }

    fn unrecorded(&self, _what: &'static str) {
        one_more(&self.unrecorded);
    }

    fn streams(&self, open: usize) {
        self.streams.store(u64::try_from(open).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    fn cut(&self, end: End, published_at: Option<Timestamp>, cut_at: Timestamp) {
        if let Ok(mut cuts) = self.cuts.lock() {
            cuts.push(CutSeen { end, published_at, cut_at });
        }
    }
}
