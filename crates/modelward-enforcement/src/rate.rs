//! At most so many requests a minute, for one principal and one resource.
//!
//! Counted in memory: a restart forgets the last minute. Limits that must survive one are budgets of a grant
//! ([`Reservations`](crate::Reservations)).

use std::collections::hash_map::Entry;
use std::sync::Mutex;

use jiff::Timestamp;
use rustc_hash::FxHashMap;

/// Who is counted, on what.
type Key = (u128, u128);

/// Counts the last minute in slices of five seconds. A slice counts until it is wholly past, so the limit holds for
/// any sixty seconds in a row; a caller at the limit waits up to five seconds more than an exact count would ask.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    counts: Mutex<FxHashMap<Key, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    /// Number of the newest slice since the epoch.
    newest: i64,
    /// Requests per slice, newest first.
    slices: [u32; SLICES],
}

/// Over the limit: how long until the oldest request counted is past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooFast {
    pub(crate) retry_after_seconds: u32,
}

const SLICE_SECONDS: i64 = 5;
/// Twelve make a minute; the thirteenth is the one just begun.
const SLICES: usize = 13;
/// Principals times resources under a limit at once. Beyond it, the quiet ones are forgotten first.
const KEYS_MAX: usize = 65_536;

impl Rates {
    /// Counts one request if the limit leaves room for it.
    pub(crate) fn take(&self, key: Key, per_minute: u32, now: Timestamp) -> Result<(), TooFast> {
        let slice = now.as_second().div_euclid(SLICE_SECONDS);
        let closed = TooFast { retry_after_seconds: 60 };
        let mut counts = self.counts.lock().map_err(|_| closed)?;
        if counts.len() >= KEYS_MAX && !counts.contains_key(&key) {
            counts.retain(|_, window| window.at(slice).total() > 0);
            if counts.len() >= KEYS_MAX {
                return Err(closed);
            }
        }
        let window = match counts.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Window { newest: slice, slices: [0; SLICES] }),
        };
        *window = window.at(slice);
        if window.total() >= u64::from(per_minute) {
            return Err(TooFast { retry_after_seconds: window.wait_seconds() });
        }
        if let Some(newest) = window.slices.first_mut() {
            *newest = newest.saturating_add(1);
        }
        Ok(())
    }
}

impl Window {
    /// The window as it looks in a later slice. Time that seems to go back stands still.
    fn at(mut self, slice: i64) -> Self {
        let passed = slice.saturating_sub(self.newest).max(0);
        let shift = usize::try_from(passed).unwrap_or(SLICES).min(SLICES);
        self.slices.rotate_right(shift % SLICES);
        self.slices.iter_mut().take(shift).for_each(|count| *count = 0);
        self.newest = self.newest.max(slice);
        self
    }

    fn total(&self) -> u64 {
        self.slices.iter().copied().map(u64::from).sum()
    }

    /// Until the oldest slice with a request in it no longer counts.
    fn wait_seconds(&self) -> u32 {
        let oldest = self.slices.iter().rposition(|count| *count > 0).unwrap_or_default();
        let slices_left = u32::try_from(SLICES.saturating_sub(oldest)).unwrap_or(1);
        slices_left.saturating_mul(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn any_sixty_seconds_hold_at_most_the_limit() {
        let rates = Rates::default();
        let passed: Vec<i64> =
            (0..600).filter(|second| rates.take((1, 1), 10, at(*second)).is_ok()).collect();
        for start in 0..540 {
            let count = passed.iter().filter(|second| (start..start + 60).contains(*second)).count();
            assert!(count <= 10, "{count} requests in the minute from {start}");
        }
        assert!(passed.len() >= 80, "{} in ten minutes", passed.len());
    }

    #[test]
    fn the_wait_named_is_long_enough() {
        let rates = Rates::default();
        for first in 0..30 {
            let key = (u128::try_from(first).unwrap(), 1);
            rates.take(key, 1, at(first)).unwrap();
            let refused = rates.take(key, 1, at(first + 20)).unwrap_err();
            let later = first + 20 + i64::from(refused.retry_after_seconds);
            rates.take(key, 1, at(later)).unwrap();
        }
    }

    #[test]
    fn one_principal_does_not_use_up_the_rate_of_another() {
        let rates = Rates::default();
        rates.take((1, 1), 1, at(0)).unwrap();
        rates.take((2, 1), 1, at(0)).unwrap();
        rates.take((1, 2), 1, at(0)).unwrap();
        assert!(rates.take((1, 1), 1, at(0)).is_err());
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_through() {
        assert!(Rates::default().take((1, 1), 0, at(0)).is_err());
    }
}
