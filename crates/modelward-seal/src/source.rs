//! Where time and randomness come from: traits only. The binary implements them; tests bring virtual ones.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

/// The one source of the current time.
///
/// An implementation never goes back: it answers the highest of the wall clock and what it answered before, so
/// that a clock set back brings no expired right to life again.
pub trait Clock: Send + Sync + fmt::Debug {
    fn now(&self) -> Timestamp;

    /// Microseconds on a clock that nobody can set, since an arbitrary start (the machine's boot), where there is
    /// one: two records of one run can then be ordered and measured even if the wall clock was changed between.
    fn monotonic_micros(&self) -> Option<u64> {
        None
    }
}

/// The one source of identifiers and secret bytes.
pub trait Ids: Send + Sync + fmt::Debug {
    /// A new UUIDv7: sorted by time, never given out twice.
    fn uuid(&self) -> Uuid;

    /// Fills the buffer with bytes nobody can foresee.
    fn fill(&self, bytes: &mut [u8]);
}
