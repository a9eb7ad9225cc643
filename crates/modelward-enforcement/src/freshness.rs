//! How long ago the state in force was known to be the newest, and what may still be done on it.
//!
//! Where the publisher is in this process, the state is always the newest. Behind a connection it is the newest as of
//! the last heartbeat, measured on a clock that nobody can set and that goes on while the machine sleeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use modelward_decision::Snapshot;
use modelward_decision::vocabulary::{Privilege, ResourceRef};

/// From then on only what changes nothing is permitted.
pub const STALE_AFTER: Duration = Duration::from_secs(5);
/// From then on nothing is, but predictions of models that are marked to go on.
pub const LOST_AFTER: Duration = Duration::from_secs(30);
/// From then on nothing is at all.
pub const GONE_AFTER: Duration = Duration::from_secs(12 * 60 * 60);

/// Shared by whoever hears heartbeats and the enforcement point that goes by them.
#[derive(Debug)]
pub struct Pulse {
    /// Microseconds on the clock nobody can set; [`NEVER`] before the first heartbeat.
    fresh_at: AtomicU64,
}

/// What the age of the state means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freshness {
    Current,
    Stale,
    Lost,
    /// Too long ago, or never: also after the control plane said that it knows us no more.
    Gone,
}

const NEVER: u64 = u64::MAX;

impl Pulse {
    pub const fn new() -> Self {
        Self { fresh_at: AtomicU64::new(NEVER) }
    }

    /// The state was the newest at this moment.
    pub fn fresh(&self, at_micros: u64) {
        let later = |known| (known == NEVER || known < at_micros).then_some(at_micros.min(NEVER - 1));
        // Refused only where a later moment is known already.
        let _earlier = self.fresh_at.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    /// Whatever was known is worth nothing.
    pub fn forget(&self) {
        self.fresh_at.store(NEVER, Ordering::SeqCst);
    }

    /// How old the state is; `None` where nobody can tell.
    pub fn age(&self, now_micros: Option<u64>) -> Option<Duration> {
        let fresh_at = self.fresh_at.load(Ordering::SeqCst);
        (fresh_at != NEVER).then_some(())?;
        Some(Duration::from_micros(now_micros?.saturating_sub(fresh_at)))
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

impl Freshness {
    pub const ALL: [Self; 4] = [Self::Current, Self::Stale, Self::Lost, Self::Gone];

    pub fn of(age: Option<Duration>) -> Self {
        match age {
            Some(age) if age < STALE_AFTER => Self::Current,
            Some(age) if age < LOST_AFTER => Self::Stale,
            Some(age) if age < GONE_AFTER => Self::Lost,
            Some(_) | None => Self::Gone,
        }
    }

    /// Whether anything may be done under a privilege on a thing.
    pub fn permits(self, privilege: Privilege, resource: ResourceRef, snapshot: &Snapshot) -> bool {
        match self {
            Self::Current => true,
            Self::Stale => changes_nothing(privilege),
            Self::Lost => privilege == Privilege::Inference && is_fail_static(resource, snapshot),
            Self::Gone => false,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Lost => "lost",
            Self::Gone => "gone",
        }
    }
}

const fn changes_nothing(privilege: Privilege) -> bool {
    match privilege {
        Privilege::ReadOnly | Privilege::Inference => true,
        Privilege::SelfService
        | Privilege::InferenceSensitive
        | Privilege::Experiment
        | Privilege::Registry
        | Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy
        | Privilege::Govern
        | Privilege::Audit => false,
    }
}

fn is_fail_static(resource: ResourceRef, snapshot: &Snapshot) -> bool {
    let model = snapshot.model_of(resource).and_then(|id| snapshot.model(id));
    model.is_some_and(|model| model.fail_static)
}
