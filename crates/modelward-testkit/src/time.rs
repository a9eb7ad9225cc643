//! Time that passes only when a test says so.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use modelward_seal::source::Clock;
use tokio::time::Instant;

/// A clock that stands still between [`advance`](Self::advance)s, or follows Tokio's paused time.
#[derive(Debug)]
pub struct VirtualClock {
    now: Mutex<Timestamp>,
    follows: Option<Instant>,
}

impl VirtualClock {
    /// Friday 2026-11-20, 09:00 UTC.
    pub const START: i64 = 1_795_165_200;

    pub fn new() -> Self {
        Self { now: Mutex::new(start()), follows: None }
    }

    /// Adds the time Tokio's clock has passed since now: with `start_paused`, `tokio::time::advance` and idle waits
    /// move both alike.
    pub fn following_tokio() -> Self {
        Self { now: Mutex::new(start()), follows: Some(Instant::now()) }
    }

    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
    }
}

fn start() -> Timestamp {
    Timestamp::from_second(VirtualClock::START).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let now = *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let passed = self.follows.map(|since| since.elapsed()).unwrap_or_default();
        now.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Passes with the wall clock, which nobody sets back here.
    fn monotonic_micros(&self) -> Option<u64> {
        u64::try_from(self.now().duration_since(start()).as_micros()).ok()
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}
