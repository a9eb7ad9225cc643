//! What all handles of one enforcement point share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{Action, DecisionId, PrincipalRef};
use modelward_decision::{Obligation, Request};
use modelward_ledger::entry::EntryDraft;
use modelward_ledger::{Lane, LedgerFailed, LedgerSink, Receipt, Ticket};
use modelward_seal::source::{Clock, Ids};

use crate::denial::{Denial, NoPermit, Reason, Unavailable};
use crate::entry;
use crate::flood::Flood;
use crate::observer::Observer;
use crate::operation::{Peer, Trace};
use crate::rate::Rates;
use crate::reservations::{Reservation, Reservations, ReserveError, Wanted};
use crate::snapshots::Snapshots;
use crate::standing::{End, Standing};
use crate::streams::Streams;

/// How many bytes of a budget a request sets aside when nobody says how many it needs.
const BYTES_SET_ASIDE: u64 = 16 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) snapshots: Snapshots,
    pub(crate) ledger: Arc<dyn LedgerSink>,
    pub(crate) reservations: Arc<Reservations>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) rates: Rates,
    pub(crate) streams: Streams,
    pub(crate) flood: Flood,
    /// The ledger lost the last entry whose fate is known: until when that counts, in microseconds.
    pub(crate) failing_until: AtomicI64,
}

/// How long the ledger counts as short of space after it lost an entry for that; then it is tried again.
const SHORT_FOR: SignedDuration = SignedDuration::from_secs(10);
/// Until when a ledger fails that takes no entries any more, and one that is well.
const FOR_GOOD: i64 = i64::MAX;
pub(crate) const NOT_FAILING: i64 = i64::MIN;

/// How often somebody may give up something of their own.
const OWN_PER_MINUTE: u32 = 60;
/// Stands for no resource, so that this count is apart from those of obligations.
const OWN: u128 = u128::MAX;

impl Drop for Core {
    fn drop(&mut self) {
        self.flood.flush(self, true);
    }
}

/// Why something allowed goes no further.
#[derive(Debug)]
pub(crate) enum Stopped {
    Denied(Reason),
    Unavailable(Unavailable),
}

impl Core {
    pub(crate) fn next_id(&self) -> DecisionId {
        DecisionId::from_uuid(self.ids.uuid())
    }

    pub(crate) fn submit(&self, lane: Lane, draft: EntryDraft) -> Result<Ticket, Unavailable> {
        self.ledger.submit(lane, draft).map_err(|error| {
            let why = entry::not_taken(&error);
            if why == Unavailable::LedgerFailed {
                self.failing_until.store(FOR_GOOD, Ordering::Relaxed);
            }
            why
        })
    }

    /// What became of an entry that was waited for. An entry of the control lane that went in proves nothing: a full
    /// disk keeps room for those.
    pub(crate) fn settled(
        &self,
        lane: Lane,
        fate: Result<Receipt, LedgerFailed>,
    ) -> Result<Receipt, Unavailable> {
        let until = match &fate {
            // Space can come back, and whoever is told that we are not ready sends nothing that would find out.
            Err(LedgerFailed::NoSpace) => {
                let again = self.clock.now().checked_add(SHORT_FOR).unwrap_or(Timestamp::MAX);
                Some(again.as_microsecond())
            }
            Err(LedgerFailed::Poisoned { .. } | LedgerFailed::Closed) => Some(FOR_GOOD),
            Ok(_) if lane == Lane::Release => Some(NOT_FAILING),
            Ok(_) => None,
        };
        if let Some(until) = until {
            self.failing_until.store(until, Ordering::Relaxed);
        }
        fate.map_err(|error| entry::lost(&error))
    }

    /// Whether what is allowed now could not be recorded, as far as anybody knows.
    pub(crate) fn is_failing(&self) -> bool {
        self.clock.now().as_microsecond() < self.failing_until.load(Ordering::Relaxed)
    }

    /// Counts against rates and sets aside what the grant limits.
    pub(crate) async fn reserve(&self, standing: &Standing) -> Result<Reservation, Stopped> {
        let decision = standing.decision();
        let now = self.clock.now();
        if is_on_oneself(decision.action) {
            self.admit(decision.principal, now)?;
        }
        for obligation in &decision.obligations {
            if let Obligation::Rate { per_minute } = obligation {
                let key = (decision.principal.bits(), decision.resource.bits());
                self.rates.take(key, *per_minute, now).map_err(|too_fast| {
                    let retry_after_seconds = too_fast.retry_after_seconds;
                    Stopped::Denied(Reason::Rate { per_minute: *per_minute, retry_after_seconds })
                })?;
            }
        }
        let Some(id) = decision.grant else { return Ok(Reservation::unlimited()) };
        let snapshot = self.snapshots.latest().snapshot;
        let Some(grant) = snapshot.grant(id) else {
            return Err(Stopped::Denied(Reason::Ended(End::GrantRevoked)));
        };
        let wanted = match standing.request().facts.ask.bytes {
            Some(bytes) => Wanted::AtMost(bytes),
            None => Wanted::Unknown { up_to: BYTES_SET_ASIDE },
        };
        self.reservations.reserve(grant, wanted, now).await.map_err(|error| match error {
            ReserveError::Exhausted { grant, budget } => Stopped::Denied(Reason::Budget { grant, budget }),
            ReserveError::Unavailable => Stopped::Unavailable(Unavailable::Counters),
        })
    }

    /// Whoever gives up what is theirs needs nobody's leave, and so could use up what the ledger keeps back for taking
    /// rights away.
    fn admit(&self, principal: PrincipalRef, now: Timestamp) -> Result<(), Stopped> {
        let key = (principal.bits(), OWN);
        self.rates.take(key, OWN_PER_MINUTE, now).map_err(|too_fast| {
            let retry_after_seconds = too_fast.retry_after_seconds;
            Stopped::Denied(Reason::Rate { per_minute: OWN_PER_MINUTE, retry_after_seconds })
        })
    }

    /// Whether the right ended by the newest state of the world.
    pub(crate) fn end_of(&self, standing: &Standing) -> Option<End> {
        if !self.snapshots.is_open() {
            return Some(End::Unavailable);
        }
        let freshness = self.snapshots.freshness(&*self.clock);
        let snapshot = self.snapshots.latest().snapshot;
        if standing.is_too_old(&snapshot, freshness) {
            return Some(End::Unavailable);
        }
        standing.end(&snapshot, self.clock.now())
    }

    /// Records a denial and gives it back.
    pub(crate) fn deny(&self, denial: Denial, request: &Request, peer: &Peer, trace: &Trace) -> NoPermit {
        self.observe_denial(&denial);
        // The session, not the principal: counts name nobody.
        let source = format!("{} {}", peer.as_str(), request.facts.session.id);
        let reason = format!("{} {}", request.action.as_str(), denial.decision().outcome.as_str());
        match self.flood.denied(self, &source, &reason, || entry::denial(&denial, request, trace)) {
            Ok(()) => NoPermit::Denied(Box::new(denial)),
            Err(why) => self.unavailable(why),
        }
    }

    pub(crate) fn observe_denial(&self, denial: &Denial) {
        let decision = denial.decision();
        self.observer.denied(decision.action, decision.outcome, denial.reason());
    }

    pub(crate) fn unavailable(&self, why: Unavailable) -> NoPermit {
        self.observer.unavailable(why);
        NoPermit::Unavailable(why)
    }
}

/// The actions of `Self` among those that [`narrows`] prefers.
const fn is_on_oneself(action: Action) -> bool {
    matches!(action, Action::DropGrant | Action::EndSession)
}

/// Whether an action only ever takes rights away. Such a command may use what the ledger keeps back from all others,
/// so an action not named here is merely not preferred.
pub(crate) const fn narrows(action: Action) -> bool {
    matches!(
        action,
        Action::RevokeAccess
            | Action::DropGrant
            | Action::EndSession
            | Action::EndSessions
            | Action::SetLock
            | Action::QuarantineVersion
            | Action::UndeployEndpoint
            | Action::UnloadModel
            | Action::CancelTraining
            | Action::Classify
    )
}
