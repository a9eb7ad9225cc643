//! What enforcement tells those who measure it. The binary turns it into metrics; tests count.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use modelward_decision::Outcome;
use modelward_decision::vocabulary::Action;

use crate::denial::{Reason, Unavailable};
use crate::standing::End;

/// Hears of everything enforcement does. Every method must return at once.
pub trait Observer: Send + Sync + fmt::Debug {
    /// The decision point answered, after this long.
    fn decided(&self, _action: Action, _outcome: Outcome, _took: Duration) {}

    /// A bundle on trial was asked too, and would have answered the same or not.
    fn compared(&self, _action: Action, _agrees: bool) {}

    /// A request got no permit; `outcome` counts checks after the decision too.
    fn denied(&self, _action: Action, _outcome: Outcome, _reason: Reason) {}

    /// A malformed request was rejected.
    fn rejected(&self, _protocol: &str) {}

    /// Enforcement could not make it safe to go on.
    fn unavailable(&self, _why: Unavailable) {}

    /// A decision became durable, this long after it was queued.
    fn recorded(&self, _took: Duration) {}

    /// An answer is about to leave.
    fn disclosed(&self, _action: Action) {}

    /// An answer was about to leave without its own durable record. It did not; but the caller has a fault. This
    /// count must stay 0.
    fn unaudited_release(&self) {}

    /// An outcome, a denial or a rejection could not be recorded.
    fn unrecorded(&self, _what: &'static str) {}

    /// Open streams, after one came or went.
    fn streams(&self, _open: usize) {}

    /// A stream was told to end. `published_at` is when the change that ended it was published; absent for ends by
    /// time.
    fn cut(&self, _end: End, _published_at: Option<Timestamp>, _cut_at: Timestamp) {}
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
