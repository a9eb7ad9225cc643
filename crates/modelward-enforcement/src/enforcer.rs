//! The one door: every request of both planes comes in here, and leaves with a permit or without.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use jiff::Timestamp;
use modelward_decision::vocabulary::{
    Binding, DecisionId, Facts, GrantId, PrincipalRef, Privilege, SessionFacts,
};
use modelward_decision::{Decision, Obligation, Outcome, Request, Snapshot, compare, decide};
use modelward_identity::Authenticated;
use modelward_ledger::LedgerSink;
use modelward_seal::source::{Clock, Ids};
use tokio::time::Instant;

use crate::capability::{Capabilities, ObligationKind};
use crate::chain::{ByClass, Decided, Durable, Permit, Recording, Verdict};
use crate::core::{Core, NOT_FAILING};
use crate::denial::{Denial, NoPermit, Reason, Unavailable};
use crate::entry;
use crate::flood::{self, Flood};
use crate::freshness::Freshness;
use crate::observer::Observer;
use crate::operation::{Operation, ReleaseClass, Situation, Way};
use crate::rate::Rates;
use crate::rejection::Rejection;
use crate::reservations::Reservations;
use crate::snapshots::Snapshots;
use crate::standing::{Standing, credential_end};
use crate::streams::{StreamGuard, Streams};

/// An enforcement point. Cheap to clone; clones share everything but their capabilities.
#[derive(Debug, Clone)]
pub struct Enforcer {
    core: Arc<Core>,
    capabilities: Capabilities,
}

/// What an enforcement point is made of.
#[derive(Debug)]
pub struct Parts {
    pub snapshots: Snapshots,
    pub ledger: Arc<dyn LedgerSink>,
    pub reservations: Arc<Reservations>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub observer: Arc<dyn Observer>,
}

/// A permitted operation, with its record as far as its release class demands.
#[derive(Debug)]
pub struct Enforced<P> {
    pub permit: Permit<P>,
    pub record: Record,
}

/// The record of a permitted operation.
#[derive(Debug)]
#[must_use = "nothing can be disclosed without the record"]
pub enum Record {
    /// On disk already, because the operation had to wait for it.
    Durable(Durable),
    /// On its way there, because the operation changes nothing.
    Recording(Recording),
}

impl Enforcer {
    /// Starts enforcing, with the task that cuts streams and the one that counts denials.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(parts: Parts) -> Self {
        let Parts { snapshots, ledger, reservations, clock, ids, observer } = parts;
        let streams = Streams::new(Arc::clone(&clock), Arc::clone(&observer));
        drop(tokio::spawn(streams.watch(snapshots.clone())));
        let core = Arc::new(Core {
            snapshots,
            ledger,
            reservations,
            clock,
            ids,
            observer,
            rates: Rates::default(),
            streams,
            flood: Flood::new(),
            failing_until: AtomicI64::new(NOT_FAILING),
        });
        drop(tokio::spawn(flood::flushing(Arc::downgrade(&core))));
        Self { core, capabilities: Capabilities::NONE }
    }

    /// The same enforcement point for callers that can do these obligations.
    #[must_use]
    pub fn able_to(&self, capabilities: Capabilities) -> Self {
        Self { core: Arc::clone(&self.core), capabilities }
    }

    /// The newest state of the world.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.core.snapshots.latest().snapshot
    }

    pub fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// Whether a permit could be given now, for readiness probes.
    pub fn ready(&self) -> Result<(), Unavailable> {
        if !self.core.snapshots.is_open() {
            return Err(Unavailable::Snapshot);
        }
        if !self.is_of_use() {
            return Err(Unavailable::Stale);
        }
        if self.core.is_failing() {
            return Err(Unavailable::LedgerFailed);
        }
        if !self.core.reservations.is_healthy() {
            return Err(Unavailable::Counters);
        }
        Ok(())
    }

    /// How well the state in force is known to be the newest.
    pub fn freshness(&self) -> Freshness {
        self.core.snapshots.freshness(&*self.core.clock)
    }

    /// Whether the state in force is fresh enough to permit anything at all.
    fn is_of_use(&self) -> bool {
        match self.freshness() {
            Freshness::Current | Freshness::Stale => true,
            Freshness::Lost => self.snapshot().models().any(|model| model.fail_static),
            Freshness::Gone => false,
        }
    }

    /// Decides one operation. Nothing is recorded or reserved yet; see [`Decided::queue`].
    pub fn decide<P>(
        &self,
        who: &Authenticated,
        operation: Operation<P>,
        situation: &Situation,
    ) -> Decided<P> {
        let now = self.core.clock.now();
        let request = request(who, &operation, situation, now);
        let Operation { release, way, trace, payload, .. } = operation;
        Decided {
            core: Arc::clone(&self.core),
            class: release,
            verdict: self.verdict(who, &request, way, now),
            peer: situation.peer.clone(),
            trace,
            payload,
        }
    }

    /// The decision on an operation, if it would be allowed on this state. Neither recorded nor reserved: it only shapes
    /// lists.
    pub fn weigh<P>(
        &self,
        snapshot: &Snapshot,
        who: &Authenticated,
        operation: &Operation<P>,
        situation: &Situation,
    ) -> Option<Decision> {
        let now = self.core.clock.now();
        let request = request(who, operation, situation, now);
        let decision = decide(snapshot, &request, DecisionId::from_bits(0));
        let objection = self.objection(&decision, &request, operation.way, snapshot, now);
        objection.is_none().then_some(decision)
    }

    fn verdict(&self, who: &Authenticated, request: &Request, way: Way, now: Timestamp) -> Verdict {
        if !self.core.snapshots.is_open() {
            return Verdict::Unavailable(Unavailable::Snapshot);
        }
        // Before the state itself: an old one must not pass for fresh because a newer one came between the two looks.
        let freshness = self.freshness();
        let snapshot = self.core.snapshots.latest().snapshot;
        if !freshness.permits(request.action.privilege(), request.resource, &snapshot) {
            return Verdict::Unavailable(Unavailable::Stale);
        }
        // What stands against the caller is recorded with the facts of the request.
        let request = snapshot.situated(request).into_owned();
        let id = self.core.next_id();
        let decision = match credential_end(who, &snapshot, now) {
            Some(end) => {
                let denial = Denial::new(undecided(&snapshot, &request, id), Reason::Credential(end));
                return Verdict::Denied(Box::new((denial, request)));
            }
            None => self.ask(&snapshot, &request, id),
        };
        match self.objection(&decision, &request, way, &snapshot, now) {
            Some(reason) => Verdict::Denied(Box::new((Denial::new(decision, reason), request))),
            None => Verdict::Allowed(Standing::new(who, request, decision, &snapshot)),
        }
    }

    fn ask(&self, snapshot: &Snapshot, request: &Request, id: DecisionId) -> Decision {
        let since = Instant::now();
        let mut decision = decide(snapshot, request, id);
        self.core.observer.decided(decision.action, decision.outcome, since.elapsed());
        decision.comparison = compare(snapshot, request, &decision);
        if let Some(comparison) = &decision.comparison {
            self.core.observer.compared(decision.action, comparison.agrees);
        }
        decision
    }

    /// Why a decision is no ground for a permit, if it is not.
    fn objection(
        &self,
        decision: &Decision,
        request: &Request,
        way: Way,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Option<Reason> {
        if !decision.is_allow() {
            return Some(Reason::Policy);
        }
        if !rests_on_a_grant(decision, snapshot, now) {
            tracing::error!(id = %decision.id, "a decision allowed without a live grant of its privilege");
            return Some(Reason::Unsound);
        }
        if let Some(kind) = self.capabilities.missing(&decision.obligations) {
            return Some(Reason::Capability(kind));
        }
        if way != Way::Here
            && let Some(kind) = self.beyond_reach(decision, request, snapshot)
        {
            return Some(Reason::Capability(kind));
        }
        decision.obligations.iter().find_map(|obligation| step_up_missing(obligation, request, now))
    }

    /// What would have to be done to an answer we never see: bytes counted against a grant, and parts left out that
    /// were asked for and are not held.
    fn beyond_reach(
        &self,
        decision: &Decision,
        request: &Request,
        snapshot: &Snapshot,
    ) -> Option<ObligationKind> {
        let grant = decision.grant.and_then(|id| snapshot.grant(id));
        if grant.is_some_and(|grant| grant.conditions.max_bytes.is_some()) {
            return Some(ObligationKind::AnswerBytes);
        }
        let is_held = request.facts.ask.fields.is_subset(&decision.held_fields);
        (!is_held && !self.capabilities.can_do(ObligationKind::StripFields))
            .then_some(ObligationKind::StripFields)
    }

    /// The whole way to a permit. What must be durable first is waited for.
    ///
    /// Cancel-safe: dropped half-way, nothing is forwarded, what was set aside goes back, and an entry that was queued
    /// gets an outcome that says so.
    pub async fn enforce<P>(
        &self,
        who: &Authenticated,
        operation: Operation<P>,
        situation: &Situation,
    ) -> Result<Enforced<P>, NoPermit> {
        match self.decide(who, operation, situation).queue().await? {
            ByClass::R0(queued) => {
                let (permit, durable) = queued.durable().await?.permit()?;
                Ok(Enforced { permit, record: Record::Durable(durable) })
            }
            ByClass::R1(queued) => {
                let (permit, recording) = queued.permit()?;
                Ok(Enforced { permit, record: Record::Recording(recording) })
            }
        }
    }

    /// The way of every command to the control plane: durable before it is carried out, whatever it is.
    pub async fn command<T>(
        &self,
        who: &Authenticated,
        operation: Operation<T>,
        situation: &Situation,
    ) -> Result<(Permit<T>, Durable), NoPermit> {
        let operation = Operation { release: ReleaseClass::R0, ..operation };
        let queued = self.decide(who, operation, situation).queue().await?;
        let durable = match queued {
            ByClass::R0(queued) => queued.durable().await?,
            ByClass::R1(queued) => queued.durable().await?,
        };
        durable.permit()
    }

    /// Records a request that was turned away before it could be decided, and names its id for the answer.
    pub fn reject(&self, rejection: &Rejection) -> DecisionId {
        let id = self.core.next_id();
        self.core.observer.rejected(rejection.protocol);
        let (source, reason) = (rejection.peer.as_str(), rejection.kind.as_str());
        let draft = || Ok(entry::rejection(id, rejection));
        if self.core.flood.denied(&self.core, source, reason, draft).is_err() {
            self.core.observer.unrecorded("rejection");
        }
        id
    }

    /// How many streams run on this grant: what ending it would cut.
    pub fn streams_under(&self, grant: GrantId) -> u64 {
        self.core.streams.under(grant)
    }

    /// Registers a running stream, to be cut when what it rests on ends.
    pub fn register(&self, standing: &Standing) -> StreamGuard {
        self.core.streams.register(standing.clone(), &self.core.snapshots)
    }
}

impl Record {
    /// Waits until the decision is on disk.
    pub async fn durable(self) -> Result<Durable, NoPermit> {
        match self {
            Self::Durable(durable) => Ok(durable),
            Self::Recording(recording) => recording.durable().await,
        }
    }
}

/// The question to the decision point.
fn request<P>(
    who: &Authenticated,
    operation: &Operation<P>,
    situation: &Situation,
    now: Timestamp,
) -> Request {
    let (principal, session) = match operation.way {
        Way::Here | Way::Elsewhere => (who.principal(), Arc::clone(who.session())),
        Way::About(subject) => (subject, Arc::new(unproven(who.session()))),
    };
    let facts = Facts {
        now,
        environment: situation.environment.clone(),
        endpoint: situation.endpoint,
        session,
        device: situation.device.clone(),
        network: situation.network.clone(),
        place: situation.place.clone(),
        risk: situation.risk.clone(),
        ask: operation.ask.clone(),
    };
    Request { principal, action: operation.action, resource: operation.resource, facts }
}

/// The session of somebody who is only spoken of. The caller's own credential bounds what can be asked with it.
fn unproven(of_caller: &SessionFacts) -> SessionFacts {
    SessionFacts {
        id: of_caller.id,
        strength: 0,
        methods: Vec::new(),
        authenticated_at: Timestamp::UNIX_EPOCH,
        binding: Binding::None,
        scope: of_caller.scope.clone(),
    }
}

/// Invariants 1 and 2 once more, on this side of the wall: no allow without a live grant of the action's own privilege,
/// `Self` excepted by name.
fn rests_on_a_grant(decision: &Decision, snapshot: &Snapshot, now: Timestamp) -> bool {
    let privilege = decision.action.privilege();
    match decision.grant {
        None => privilege == Privilege::SelfService,
        Some(id) => {
            snapshot.grant(id).is_some_and(|grant| grant.privilege == privilege && grant.is_live(now))
        }
    }
}

/// Whether the caller must prove itself again before this obligation is met.
fn step_up_missing(obligation: &Obligation, request: &Request, now: Timestamp) -> Option<Reason> {
    let Obligation::StepUp { strength, max_age_seconds } = obligation else { return None };
    let session = &request.facts.session;
    let age_seconds = now.duration_since(session.authenticated_at).as_secs();
    let is_met = session.strength >= *strength && age_seconds <= i64::from(*max_age_seconds);
    (!is_met).then_some(Reason::StepUp { strength: *strength, max_age_seconds: *max_age_seconds })
}

/// A decision nobody made, for a credential that proves nothing any more.
fn undecided(snapshot: &Snapshot, request: &Request, id: DecisionId) -> Decision {
    let principal: PrincipalRef = request.principal;
    Decision {
        id,
        principal,
        action: request.action,
        resource: request.resource,
        at: request.facts.now,
        outcome: Outcome::NotPermitted,
        determining: Vec::new(),
        grant: None,
        covering: Vec::new(),
        obligations: Vec::new(),
        held_fields: std::collections::BTreeSet::new(),
        sentence: String::new(),
        remedies: Vec::new(),
        revision: snapshot.revision(),
        bundle: snapshot.bundle().digest(),
        schema: snapshot.bundle().schema_digest(),
        comparison: None,
    }
}
