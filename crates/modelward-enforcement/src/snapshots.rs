//! The channel on which the state of the world reaches enforcement: one publisher, newest wins, never backwards.

use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::Snapshot;
use modelward_seal::source::Clock;
use tokio::sync::watch;

use crate::freshness::{Freshness, Pulse};

/// The sending end. Dropping it closes enforcement: without news of revocations nothing is allowed.
#[derive(Debug)]
pub struct Publisher {
    sender: watch::Sender<Published>,
    clock: Arc<dyn Clock>,
    pulse: Option<Arc<Pulse>>,
}

/// A snapshot with the moment it was published: where the time to enforce begins.
#[derive(Debug, Clone)]
pub struct Published {
    pub snapshot: Arc<Snapshot>,
    pub at: Timestamp,
}

/// The receiving end.
#[derive(Debug, Clone)]
pub struct Snapshots {
    receiver: watch::Receiver<Published>,
    pulse: Option<Arc<Pulse>>,
}

/// An older state must not take the place of a newer one: it could bring a revoked right back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("revision {offered} is not after revision {current}")]
pub struct NotNewer {
    pub offered: u64,
    pub current: u64,
}

impl Publisher {
    pub fn new(first: Arc<Snapshot>, clock: Arc<dyn Clock>) -> Self {
        let at = clock.now();
        Self { sender: watch::Sender::new(Published { snapshot: first, at }), clock, pulse: None }
    }

    /// One that hears of changes itself: what it publishes is the newest state only as long as this beats.
    pub fn beating(first: Arc<Snapshot>, clock: Arc<dyn Clock>, pulse: Arc<Pulse>) -> Self {
        Self { pulse: Some(pulse), ..Self::new(first, clock) }
    }

    /// Replaces the state for everybody who holds the receiving end.
    pub fn publish(&self, next: Arc<Snapshot>) -> Result<(), NotNewer> {
        self.replace(next, |offered, current| offered > current)
    }

    /// Replaces the state also by one of the same revision, as it comes from a control plane that started again.
    pub fn publish_again(&self, next: Arc<Snapshot>) -> Result<(), NotNewer> {
        self.replace(next, |offered, current| offered >= current)
    }

    fn replace(&self, next: Arc<Snapshot>, may_follow: fn(u64, u64) -> bool) -> Result<(), NotNewer> {
        let offered = next.revision();
        let published = Published { snapshot: next, at: self.clock.now() };
        let mut result = Ok(());
        self.sender.send_if_modified(|current| {
            let revision = current.snapshot.revision();
            if !may_follow(offered, revision) {
                result = Err(NotNewer { offered, current: revision });
                return false;
            }
            *current = published;
            true
        });
        result
    }

    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.sender.borrow().snapshot)
    }

    pub fn subscribe(&self) -> Snapshots {
        Snapshots { receiver: self.sender.subscribe(), pulse: self.pulse.clone() }
    }
}

impl Snapshots {
    /// The newest state.
    pub fn latest(&self) -> Published {
        self.receiver.borrow().clone()
    }

    /// How well the newest state that is known here is known to be the newest.
    pub fn freshness(&self, clock: &dyn Clock) -> Freshness {
        match &self.pulse {
            None => Freshness::Current,
            Some(pulse) => Freshness::of(pulse.age(clock.monotonic_micros())),
        }
    }

    /// Whether somebody still tells us of changes.
    pub fn is_open(&self) -> bool {
        self.receiver.has_changed().is_ok()
    }

    /// Waits for the next state; `None` once the publisher is gone.
    pub(crate) async fn changed(&mut self) -> Option<Published> {
        self.receiver.changed().await.ok()?;
        Some(self.receiver.borrow_and_update().clone())
    }

    pub(crate) fn has_news(&self) -> bool {
        self.receiver.has_changed().unwrap_or(true)
    }
}
