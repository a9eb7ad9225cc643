//! The order nobody can skip: decided, queued, durable; then a permit to forward, and a disclosure to answer.
//!
//! ```text
//!  Operation ─▶ Decided ─▶ Queued<R0> ─▶ Durable<Held> ─▶ Permit ─▶ Answer ─▶ Disclosure
//!                     │                          └──────▶ Durable ───────────────▲
//!                     └──▶ Queued<R1> ─▶ Permit ─▶ Answer ───────────────────────┤
//!                                   └──▶ Recording ─▶ Durable ───────────────────┘
//! ```
//!
//! Each step consumes the one before, and none can be made anywhere else. What joins an answer with a record is the
//! id of the decision: the durable record of one request discloses no answer to another.

mod intent;

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use modelward_decision::vocabulary::{DecisionId, Field};
use modelward_decision::{Decision, Obligation, Request};
use modelward_seal::Digest;
use sha2::{Digest as _, Sha256};

use crate::core::{Core, Stopped};
use crate::denial::{Denial, NoPermit, Reason, Unavailable};
use crate::ending::{Ending, Status};
use crate::operation::{Peer, ReleaseClass, Trace};
use crate::reservations::Reservation;
use crate::standing::{End, Standing};
use intent::Intent;

/// An operation with its decision. Forwarding it takes more: [`queue`](Self::queue) first.
#[must_use = "a decision that is not queued is not recorded"]
pub struct Decided<P> {
    pub(crate) core: Arc<Core>,
    pub(crate) class: ReleaseClass,
    pub(crate) verdict: Verdict,
    pub(crate) peer: Peer,
    pub(crate) trace: Trace,
    pub(crate) payload: P,
}

/// What the checks before recording say.
pub(crate) enum Verdict {
    Allowed(Standing),
    Denied(Box<(Denial, Request)>),
    Unavailable(Unavailable),
}

/// Marks what must be durable before it is forwarded.
#[derive(Debug)]
pub enum R0 {}

/// Marks what may be forwarded once it is queued.
#[derive(Debug)]
pub enum R1 {}

/// An allowed operation whose decision stands in the ledger's queue. `C` is its release class.
#[must_use = "a queued operation that is dropped is recorded as abandoned"]
pub struct Queued<P, C> {
    intent: Intent,
    held: Held<P>,
    class: PhantomData<C>,
}

/// A queued operation, for callers that learn its class at run time.
#[derive(Debug)]
pub enum ByClass<P> {
    R0(Queued<P, R0>),
    R1(Queued<P, R1>),
}

/// The record of an operation that may be under way already. It is not durable yet.
#[derive(Debug)]
#[must_use = "nothing can be disclosed before this is durable"]
pub struct Recording(Intent);

/// A decision that is on disk. It discloses the answer, and carries the outcome to the ledger.
///
/// With a [`Held`] operation it can still become a permit, once.
#[must_use = "a durable decision that is dropped is recorded as abandoned"]
pub struct Durable<H = ()> {
    intent: Intent,
    index: u64,
    held: H,
}

/// An operation not permitted yet, with what is set aside for it.
pub struct Held<P> {
    payload: P,
    grip: Grip,
}

/// Proof that the operation was allowed, and recorded as its class demands. Opening it is forwarding it.
#[must_use = "a permit that is dropped gives back what was set aside for it"]
pub struct Permit<P>(Held<P>);

/// A permit that was opened: the operation is on its way.
#[derive(Debug)]
#[must_use = "what was set aside is settled through this"]
pub struct Opened(Grip);

/// The answer to one permitted operation. It cannot leave yet.
#[must_use = "an answer leaves only by a disclosure"]
pub struct Answer<A> {
    answer: A,
    grip: Grip,
}

/// An answer whose decision is durable: the only thing a client gets.
#[must_use = "a disclosure that is dropped answers nobody"]
pub struct Disclosure<A> {
    answer: A,
    gate: Gate,
}

/// Stands between an answer and the client: counts what passes, holds it to the bound, keeps its digest.
///
/// It exists only after the record is durable, so no byte of a stream can pass before; from then on chunks pass as
/// they come.
#[must_use = "bytes that do not pass the gate are not counted"]
pub struct Gate {
    grip: Grip,
    limit: Option<u64>,
    passed: u64,
    digest: Sha256,
}

/// What left in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    pub bytes: u64,
    pub digest: Digest,
}

/// The chunk would exceed what may leave; nothing of it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no more than {limit} bytes may leave in this answer")]
pub struct OverLimit {
    pub limit: u64,
}

/// An answer met the record of another request. It was withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer to {answer} was held against the record of {record}")]
pub struct Mismatch {
    pub answer: DecisionId,
    pub record: DecisionId,
}

/// What a permit rests on, and what is set aside for it.
struct Grip {
    core: Arc<Core>,
    standing: Standing,
    reservation: Option<Reservation>,
}

impl<P> Decided<P> {
    /// The decision; none when there was no ground to make one on.
    pub fn decision(&self) -> Option<&Decision> {
        match &self.verdict {
            Verdict::Allowed(standing) => Some(standing.decision()),
            Verdict::Denied(denied) => Some(denied.0.decision()),
            Verdict::Unavailable(_) => None,
        }
    }

    pub const fn is_allow(&self) -> bool {
        match self.verdict {
            Verdict::Allowed(_) => true,
            Verdict::Denied(_) | Verdict::Unavailable(_) => false,
        }
    }

    /// Sets aside what the grant limits, then hands the decision to the ledger. A denial is recorded, and returned.
    pub async fn queue(self) -> Result<ByClass<P>, NoPermit> {
        let Self { core, class, verdict, peer, trace, payload } = self;
        let standing = match verdict {
            Verdict::Allowed(standing) => standing,
            Verdict::Denied(denied) => {
                let (denial, request) = *denied;
                return Err(core.deny(denial, &request, &peer, &trace));
            }
            Verdict::Unavailable(why) => return Err(core.unavailable(why)),
        };
        let reservation = match core.reserve(&standing).await {
            Ok(reservation) => reservation,
            Err(Stopped::Denied(reason)) => {
                let denial = Denial::new(standing.decision().clone(), reason);
                return Err(core.deny(denial, standing.request(), &peer, &trace));
            }
            Err(Stopped::Unavailable(why)) => return Err(core.unavailable(why)),
        };
        let intent = Intent::submit(&core, class, &standing, &trace)?;
        let held = Held { payload, grip: Grip { core, standing, reservation: Some(reservation) } };
        Ok(match class {
            ReleaseClass::R0 => ByClass::R0(Queued { intent, held, class: PhantomData }),
            ReleaseClass::R1 => ByClass::R1(Queued { intent, held, class: PhantomData }),
        })
    }
}

impl<P, C> Queued<P, C> {
    /// Waits until the decision is on disk.
    pub async fn durable(self) -> Result<Durable<Held<P>>, NoPermit> {
        let Self { intent, held, class: _ } = self;
        let (intent, index) = intent.recorded().await?;
        Ok(Durable { intent, index, held })
    }
}

impl<P> Queued<P, R1> {
    /// The permit at once, because the operation changes nothing. Its answer waits for the record.
    pub fn permit(self) -> Result<(Permit<P>, Recording), NoPermit> {
        let Self { intent, held, class: _ } = self;
        if let Some(end) = held.grip.end() {
            intent.conclude(&Ending::new(Status::Ended(end)));
            return Err(held.grip.denied(end));
        }
        Ok((Permit(held), Recording(intent)))
    }
}

impl Recording {
    /// Waits until the decision is on disk.
    pub async fn durable(self) -> Result<Durable, NoPermit> {
        let (intent, index) = self.0.recorded().await?;
        Ok(Durable { intent, index, held: () })
    }
}

impl<P> Durable<Held<P>> {
    /// The permit, unless the right ended while the record was written.
    pub fn permit(self) -> Result<(Permit<P>, Durable), NoPermit> {
        let Self { intent, index, held } = self;
        if let Some(end) = held.grip.end() {
            intent.conclude(&Ending::new(Status::Ended(end)));
            return Err(held.grip.denied(end));
        }
        Ok((Permit(held), Durable { intent, index, held: () }))
    }
}

impl<H> Durable<H> {
    /// Where the decision stands in the ledger.
    pub const fn index(&self) -> u64 {
        self.index
    }

    pub const fn id(&self) -> DecisionId {
        self.intent.id()
    }
}

impl Durable {
    /// Records how the operation ended, without waiting for it.
    pub fn conclude(self, ending: &Ending) {
        self.intent.conclude(ending);
    }

    /// Records how the operation ended, and returns the position once that is on disk: what a change of state that
    /// widens rights waits for.
    pub async fn conclude_durably(self, ending: &Ending) -> Result<u64, Unavailable> {
        self.intent.conclude_durably(ending).await
    }
}

impl<P> Permit<P> {
    pub fn decision(&self) -> &Decision {
        self.0.grip.standing.decision()
    }

    pub fn id(&self) -> DecisionId {
        self.decision().id
    }

    /// What must be done to request and answer.
    pub fn obligations(&self) -> &[Obligation] {
        &self.decision().obligations
    }

    /// The sensitive fields the caller may see.
    pub fn held_fields(&self) -> &BTreeSet<Field> {
        &self.decision().held_fields
    }

    /// What the permit rests on, to register a stream with.
    pub const fn standing(&self) -> &Standing {
        &self.0.grip.standing
    }

    /// How many bytes may leave in answer; `None` for no bound.
    pub fn byte_limit(&self) -> Option<u64> {
        self.0.grip.byte_limit()
    }

    /// Takes the payload out, to forward it now. From here on what was set aside is spent.
    pub fn open(self) -> (P, Opened) {
        let Held { payload, mut grip } = self.0;
        if let Some(reservation) = &mut grip.reservation {
            reservation.begin();
        }
        (payload, Opened(grip))
    }
}

impl Opened {
    /// What it rests on, to register a stream with.
    pub const fn standing(&self) -> &Standing {
        &self.0.standing
    }

    /// Joins the answer to the permit it came by.
    pub fn answer<A>(self, answer: A) -> Answer<A> {
        Answer { answer, grip: self.0 }
    }

    /// Nothing was sent after all, such as when no upstream could be reached: the use goes back.
    pub fn nothing_sent(mut self) {
        if let Some(reservation) = self.0.reservation.take() {
            reservation.cancel();
        }
    }
}

impl<A> Answer<A> {
    /// Transforms the answer, such as by doing the obligations.
    pub fn map<B>(self, with: impl FnOnce(A) -> B) -> Answer<B> {
        Answer { answer: with(self.answer), grip: self.grip }
    }

    pub fn obligations(&self) -> &[Obligation] {
        &self.grip.standing.decision().obligations
    }

    pub fn held_fields(&self) -> &BTreeSet<Field> {
        &self.grip.standing.decision().held_fields
    }

    /// What it rests on, to register a stream with.
    pub const fn standing(&self) -> &Standing {
        &self.grip.standing
    }

    /// Lets the answer go to the client, because the record of this very request is durable.
    pub fn disclose(self, record: &Durable) -> Result<Disclosure<A>, Mismatch> {
        Disclosure::new(self, record)
    }
}

impl<A> Disclosure<A> {
    /// The same as [`Answer::disclose`].
    pub fn new(answer: Answer<A>, record: &Durable) -> Result<Self, Mismatch> {
        let Answer { answer, grip } = answer;
        let mismatch = Mismatch { answer: grip.standing.decision().id, record: record.id() };
        if mismatch.answer != mismatch.record || !record.intent.is_of(&grip.core) {
            grip.core.observer.unaudited_release();
            return Err(mismatch);
        }
        grip.core.observer.disclosed(grip.standing.decision().action);
        let limit = grip.byte_limit();
        Ok(Self { answer, gate: Gate { grip, limit, passed: 0, digest: Sha256::new() } })
    }

    /// The answer, and the gate its bytes pass.
    pub fn into_parts(self) -> (A, Gate) {
        (self.answer, self.gate)
    }
}

impl Gate {
    /// Lets one chunk through, or says that nothing of it may.
    pub fn pass(&mut self, chunk: &[u8]) -> Result<(), OverLimit> {
        let passed = self.passed.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if let Some(limit) = self.limit
            && passed > limit
        {
            return Err(OverLimit { limit });
        }
        self.passed = passed;
        self.digest.update(chunk);
        Ok(())
    }

    /// What passed so far.
    pub fn delivered(&self) -> Delivered {
        let digest: [u8; 32] = self.digest.clone().finalize().into();
        Delivered { bytes: self.passed, digest: Digest::from_bytes(digest) }
    }
}

impl Drop for Gate {
    /// However the answer ended: what passed is spent, the rest goes back.
    fn drop(&mut self) {
        if let Some(reservation) = self.grip.reservation.take() {
            reservation.settle(self.passed);
        }
    }
}

impl Grip {
    fn end(&self) -> Option<End> {
        self.core.end_of(&self.standing)
    }

    /// The caller's answer when a right ended just now. What was set aside goes back with the grip.
    fn denied(self, end: End) -> NoPermit {
        let denial = Denial::new(self.standing.decision().clone(), Reason::Ended(end));
        self.core.observe_denial(&denial);
        NoPermit::Denied(Box::new(denial))
    }

    fn byte_limit(&self) -> Option<u64> {
        let reserved = self.reservation.as_ref().and_then(Reservation::bytes);
        let obliged = self.standing.decision().obligations.iter().filter_map(|obligation| match obligation {
            Obligation::AnswerBytes { max } => Some(*max),
            Obligation::StripFields { .. }
            | Obligation::Round { .. }
            | Obligation::TopK { .. }
            | Obligation::LabelOnly
            | Obligation::MaskColumns { .. }
            | Obligation::RowFilter { .. }
            | Obligation::MinimumCohort { .. }
            | Obligation::Rate { .. }
            | Obligation::StepUp { .. }
            | Obligation::Watermark
            | Obligation::Notify { .. } => None,
        });
        reserved.into_iter().chain(obliged).min()
    }
}

// What a caller wants done, and what it is answered, is never shown.

impl<P> fmt::Debug for Decided<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.decision().map(|decision| decision.outcome);
        f.debug_struct("Decided").field("outcome", &outcome).finish_non_exhaustive()
    }
}

impl<P, C> fmt::Debug for Queued<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queued").field(&self.intent.id()).finish()
    }
}

impl<H> fmt::Debug for Durable<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").field("id", &self.id()).field("index", &self.index).finish_non_exhaustive()
    }
}

impl<P> fmt::Debug for Held<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.grip).finish()
    }
}

impl<P> fmt::Debug for Permit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.id()).finish()
    }
}

impl<A> fmt::Debug for Answer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answer").field(&self.grip).finish()
    }
}

impl<A> fmt::Debug for Disclosure<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Disclosure").field(&self.gate).finish()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("passed", &self.passed)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Grip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.standing.decision().id.fmt(f)
    }
}
