//! Gateways in processes of their own: what they are told, what they have in force, and what was lent to them.

mod doors;
mod feed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::{Change, Snapshot};
use modelward_enforcement::Publisher;
use modelward_enforcement::reservations::Reservation;
use modelward_enforcement::snapshots::NotNewer;
use modelward_planes::message::Acknowledgement;
use modelward_planes::{Challenge, Log, Position};
use modelward_seal::Digest;
use modelward_seal::source::Clock;
use modelward_store::gateway::Gateway;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::authority::Authority;
use crate::wire::GatewayState;

pub use doors::{PeerCertificate, router};

/// Not heard of for this long, a gateway permits little; a change not acknowledged for this long fences it.
pub(crate) const STALE_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// Loans open at once, of all gateways.
const LOANS_MAX: usize = 100_000;
/// A loan nobody settled for this long stays spent.
const LOAN_LIFE: SignedDuration = SignedDuration::from_hours(2);

/// What a control plane knows of its gateways while it runs.
#[derive(Debug)]
pub(crate) struct Gateways {
    pub(crate) authority: Option<Arc<dyn Authority>>,
    /// Held while a state is published, so that the head of the log and the newest state are always the same.
    log: Mutex<Log>,
    head: watch::Sender<u64>,
    present: Mutex<Present>,
    loans: Mutex<BTreeMap<(String, u128), Loan>>,
    /// Told at each acknowledgement.
    acknowledged: Notify,
}

#[derive(Debug, Default)]
struct Present {
    /// Those that have, or had, a connection in this run.
    gateways: BTreeMap<String, Presence>,
    /// Certificates that were looked up already.
    known: BTreeMap<Digest, Gateway>,
    /// Those removed in this run: looked up just before, they must not be known again.
    gone: BTreeSet<String>,
    connections: u64,
}

#[derive(Debug)]
struct Presence {
    position: Option<Position>,
    trust: Option<Digest>,
    seen_at: Timestamp,
    said: watch::Sender<Said>,
}

/// What a feed is told from elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    /// What the next beat answers.
    pub(crate) challenge: Challenge,
    /// Another connection took its place, or the gateway was removed.
    pub(crate) over: bool,
}

#[derive(Debug)]
struct Loan {
    reservation: Reservation,
    bytes: Option<u64>,
    at: Timestamp,
}

/// How a gateway is doing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doing {
    pub(crate) state: GatewayState,
    pub(crate) revision: Option<u64>,
    /// Revisions published since.
    pub(crate) behind: u64,
    pub(crate) seen_at: Option<Timestamp>,
}

impl Gateways {
    pub(crate) fn new(authority: Option<Arc<dyn Authority>>, run: [u8; 16], revision: u64) -> Self {
        Self {
            authority,
            log: Mutex::new(Log::new(run, revision)),
            head: watch::Sender::new(revision),
            present: Mutex::default(),
            loans: Mutex::default(),
            acknowledged: Notify::new(),
        }
    }

    /// Publishes a state here and to every gateway.
    pub(crate) fn publish(
        &self,
        publisher: &Publisher,
        next: Arc<Snapshot>,
        changes: &[Change],
        now: Timestamp,
    ) -> Result<(), NotNewer> {
        let revision = next.revision();
        if self.authority.is_none() {
            return publisher.publish(next);
        }
        let mut log = locked(&self.log);
        publisher.publish(next)?;
        log.append(revision, now, changes);
        drop(log);
        self.head.send_replace(revision);
        Ok(())
    }

    /// The newest state with its place in the chain.
    pub(crate) fn newest(&self, publisher: &Publisher) -> (Position, Arc<Snapshot>) {
        let log = locked(&self.log);
        (log.head(), publisher.latest())
    }

    /// What leads from a position to the head, with the head.
    pub(crate) fn after(&self, position: Position) -> Option<(Vec<Arc<str>>, Position)> {
        let log = locked(&self.log);
        Some((log.after(position)?, log.head()))
    }

    pub(crate) fn heads(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    pub(crate) fn known(&self, certificate: &Digest) -> Option<Gateway> {
        locked(&self.present).known.get(certificate).cloned()
    }

    /// Takes note of a gateway that was looked up. False where it was removed meanwhile.
    pub(crate) fn recognise(&self, certificate: Digest, gateway: &Gateway) -> bool {
        let mut present = locked(&self.present);
        if present.gone.contains(&gateway.id) {
            return false;
        }
        // One that shows another certificate has given up the one before.
        present.known.retain(|_, known| known.id != gateway.id);
        present.known.insert(certificate, gateway.clone());
        true
    }

    /// A connection begins, and ends the one the gateway had before. That of a removed one is over at once.
    pub(crate) fn connected(
        &self,
        gateway: &str,
        position: Option<Position>,
        challenge: Challenge,
        now: Timestamp,
    ) -> (u64, watch::Receiver<Said>) {
        let mut present = locked(&self.present);
        present.connections = present.connections.wrapping_add(1);
        let connection = present.connections;
        let over = present.gone.contains(gateway);
        let (said, hears) = watch::channel(Said { challenge, over });
        let presence = Presence { position, trust: None, seen_at: now, said };
        if let Some(before) = present.gateways.insert(gateway.to_owned(), presence) {
            before.said.send_modify(|said| said.over = true);
        }
        (connection, hears)
    }

    /// What a gateway says it has in force. While it is fenced its challenges go unanswered, so that it grows stale.
    pub(crate) fn heard(&self, gateway: &str, acknowledged: &Acknowledgement, now: Timestamp) {
        let log = locked(&self.log);
        let mut present = locked(&self.present);
        let Some(presence) = present.gateways.get_mut(gateway) else { return };
        presence.position = acknowledged.position.or(presence.position);
        presence.trust = Some(acknowledged.trust);
        presence.seen_at = now;
        if !is_fenced(&log, presence.position, now) {
            presence.said.send_modify(|said| said.challenge = acknowledged.challenge);
        }
        drop((log, present));
        self.acknowledged.notify_waiters();
    }

    /// Waits until every gateway that is heard of believes the newest keys, or for `at_most`.
    pub(crate) async fn believed(&self, clock: &dyn Clock, at_most: Duration) {
        let Some(authority) = &self.authority else { return };
        let newest = authority.trust().borrow().digest();
        let waiting = async {
            loop {
                let told = self.acknowledged.notified();
                if self.all_believe(newest, clock.now()) {
                    return;
                }
                told.await;
            }
        };
        if timeout(at_most, waiting).await.is_err() {
            tracing::warn!("not every gateway has the new keys yet");
        }
    }

    fn all_believe(&self, newest: Digest, now: Timestamp) -> bool {
        let present = locked(&self.present);
        let heard_of = present.gateways.values().filter(|it| now.duration_since(it.seen_at) < STALE_AFTER);
        heard_of.into_iter().all(|presence| presence.trust == Some(newest))
    }

    pub(crate) fn removed(&self, gateway: &str) {
        let mut present = locked(&self.present);
        present.known.retain(|_, known| known.id != gateway);
        present.gone.insert(gateway.to_owned());
        if let Some(presence) = present.gateways.remove(gateway) {
            presence.said.send_modify(|said| said.over = true);
        }
    }

    pub(crate) fn doing(&self, gateway: &Gateway, now: Timestamp) -> Doing {
        let log = locked(&self.log);
        let present = locked(&self.present);
        let presence = present.gateways.get(&gateway.id);
        let position = presence.and_then(|presence| presence.position);
        let seen_at = presence.map(|presence| presence.seen_at);
        let silent = seen_at.is_none_or(|seen_at| now.duration_since(seen_at) >= STALE_AFTER);
        let state = match (gateway.enrolled_at, silent) {
            (None, _) => GatewayState::Invited,
            (Some(_), _) if presence.is_none() => GatewayState::Stale,
            (Some(_), _) if is_fenced(&log, position, now) => GatewayState::Fenced,
            (Some(_), true) => GatewayState::Stale,
            (Some(_), false) => GatewayState::Current,
        };
        let revision = position.map(|position| position.revision);
        let head = log.head().revision;
        Doing { state, revision, behind: head.saturating_sub(revision.unwrap_or(0)), seen_at }
    }

    pub(crate) fn is_fenced(&self, gateway: &str, now: Timestamp) -> bool {
        let log = locked(&self.log);
        let present = locked(&self.present);
        let position = present.gateways.get(gateway).and_then(|presence| presence.position);
        is_fenced(&log, position, now)
    }

    /// Keeps what was set aside for a gateway. It is spent already: what is not settled does not come back.
    pub(crate) fn lend(
        &self,
        gateway: &str,
        loan: u128,
        mut reservation: Reservation,
        now: Timestamp,
    ) -> bool {
        let mut loans = locked(&self.loans);
        if loans.len() >= LOANS_MAX {
            loans.retain(|_, loan| now.duration_since(loan.at) < LOAN_LIFE);
        }
        let key = (gateway.to_owned(), loan);
        if loans.len() >= LOANS_MAX || loans.contains_key(&key) {
            return false;
        }
        reservation.begin();
        let bytes = reservation.bytes();
        loans.insert(key, Loan { reservation, bytes, at: now });
        true
    }

    /// Takes back what was not used. A second time, or of another gateway, it is no loan.
    pub(crate) fn settle(&self, gateway: &str, loan: u128, whole: bool, bytes: u64) {
        let Some(Loan { reservation, bytes: lent, .. }) =
            locked(&self.loans).remove(&(gateway.to_owned(), loan))
        else {
            return;
        };
        if whole {
            reservation.cancel();
        } else {
            reservation.settle(lent.unwrap_or_default().saturating_sub(bytes));
        }
    }
}

/// Whether a change was published so long ago that it must have been acknowledged.
fn is_fenced(log: &Log, position: Option<Position>, now: Timestamp) -> bool {
    let Some(position) = position else { return false };
    if position.revision >= log.head().revision {
        return false;
    }
    let published = log.published_after(position.revision);
    published.is_none_or(|at| now.duration_since(at) >= STALE_AFTER)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each critical section leaves its state whole at every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
