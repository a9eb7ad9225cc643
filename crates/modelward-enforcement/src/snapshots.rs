//! The channel on which the state of the world reaches enforcement: one publisher, newest wins, never backwards.

use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::Snapshot;
use modelward_seal::source::Clock;
use tokio::sync::watch;

/// The sending end. Dropping it closes enforcement: without news of revocations nothing is allowed.
#[derive(Debug)]
pub struct Publisher {
    sender: watch::Sender<Published>,
    clock: Arc<dyn Clock>,
}

/// A snapshot with the moment it was published: where the time to enforce begins.
#[derive(Debug, Clone)]
pub struct Published {
    pub snapshot: Arc<Snapshot>,
    pub at: Timestamp,
}

/// The receiving end.
#[derive(Debug, Clone)]
pub struct Snapshots(watch::Receiver<Published>);

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
        Self { sender: watch::Sender::new(Published { snapshot: first, at }), clock }
    }

    /// Replaces the state for everybody who holds the receiving end.
    pub fn publish(&self, next: Arc<Snapshot>) -> Result<(), NotNewer> {
        let offered = next.revision();
        let published = Published { snapshot: next, at: self.clock.now() };
        let mut result = Ok(());
        self.sender.send_if_modified(|current| {
            let revision = current.snapshot.revision();
            if offered <= revision {
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
        Snapshots(self.sender.subscribe())
    }
}

impl Snapshots {
    /// The newest state.
    pub fn latest(&self) -> Published {
        self.0.borrow().clone()
    }

    /// Whether somebody still tells us of changes.
    pub fn is_open(&self) -> bool {
        self.0.has_changed().is_ok()
    }

    /// Waits for the next state; `None` once the publisher is gone.
    pub(crate) async fn changed(&mut self) -> Option<Published> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    pub(crate) fn has_news(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }
}
