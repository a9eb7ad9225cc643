//! The control plane itself: the state, the one who publishes it, and the way every change takes.
//!
//! A change goes: permit, rules of governance, commit, publish what narrows at once, ledger, publish what widens. It runs
//! in a task of its own, so that a caller who goes away half-way leaves nothing half done; and what a crash leaves in
//! the outbox is brought to its end at the next start.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{
    Action, Ask, DecisionId, DeviceFacts, EventId, Facts, Name, PersonId, PrincipalRef, ResourceRef,
};
use modelward_decision::{Bundle, Change, Decision, Request, Snapshot, decide};
use modelward_enforcement::snapshots::NotNewer;
use modelward_enforcement::{
    Answer, Durable, Ending, Enforcer, Observer, Opened, Operation, Publisher, Reservations, Snapshots,
    Status, Summary,
};
use modelward_governance::Bootstrap;
use modelward_governance::bootstrap::Holder;
use modelward_governance::policy::PolicyState;
use modelward_identity::passkey::RelyingParty;
use modelward_identity::password::Passwords;
use modelward_identity::softlock::Softlocks;
use modelward_identity::token::{Admission, Issuer, Proofs, Verifier};
use modelward_ledger::entry::{EntryDraft, Resource, SubjectKind};
use modelward_ledger::{Lane, Ledger, LedgerReader, LedgerSink as _};
use modelward_planes::Position;
use modelward_policy::BundleFile;
use modelward_seal::canonical;
use modelward_seal::source::{Clock, Ids};
use modelward_store::{Moment, StateChange, Store, StoreError};
use serde::Serialize;

use crate::authority::Authority;
use crate::caller::Caller;
use crate::federation::Federation;
use crate::figures::{Counting, Figures};
use crate::gateways::Gateways;
use crate::keeper::Keeper;
use crate::policies::Policies;
use crate::problem::Problem;
use crate::secrets::{FlowKey, TotpKey};
use crate::settings::Settings;
use crate::turn::Changed;
use crate::wire::{ErrorCode, GatewayState, Invited};

/// Everything a control plane is made of.
#[derive(Debug)]
pub struct Parts {
    pub store: Store,
    pub ledger: Arc<Ledger>,
    pub reservations: Arc<Reservations>,
    /// What governs a house that has no bundle in force yet; later ones follow what they were told.
    pub bundle: Arc<Bundle>,
    pub observer: Arc<dyn Observer>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub issuer: Arc<Issuer>,
    /// Of control tokens.
    pub verifier: Arc<Verifier>,
    /// Of access tokens, which can be offered in exchange and asked about.
    pub access: Arc<Verifier>,
    pub keeper: Arc<dyn Keeper>,
    /// Towards gateways in other processes, if there may be any.
    pub authority: Option<Arc<dyn Authority>>,
    /// Who is believed from elsewhere.
    pub federation: Federation,
    pub totp_key: TotpKey,
    pub settings: Settings,
}

/// Why the control plane does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the state cannot be loaded")]
    Load(#[source] StoreError),
    #[error("the policy bundle in force cannot be used: {0}")]
    Policy(String),
    #[error("the changes a former run left unfinished cannot be finished: {0}")]
    Outbox(String),
}

/// A control plane at work. Shared by API, console and jobs.
#[derive(Debug)]
pub struct ControlPlane {
    pub(crate) store: Store,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) reservations: Arc<Reservations>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) issuer: Arc<Issuer>,
    /// Of control tokens, and of proofs for addresses of this API.
    pub(crate) admission: Admission,
    /// Of access tokens offered in exchange; the proofs that go with them are for this API.
    pub(crate) access: Arc<Verifier>,
    pub(crate) keeper: Arc<dyn Keeper>,
    pub(crate) federation: Federation,
    /// Of sign-ins that are on their way through an issuer; a restart lets them begin again.
    pub(crate) flow_key: FlowKey,
    pub(crate) totp_key: TotpKey,
    pub(crate) settings: Settings,
    pub(crate) passwords: Arc<Passwords>,
    /// `None` where the console is reached by an address: browsers make passkeys for names only.
    pub(crate) passkeys: Option<RelyingParty>,
    /// Behind a plain lock: each use is a few map operations.
    pub(crate) softlocks: Mutex<Softlocks>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) policies: Policies,
    /// Taken while recorded decisions are replayed: that takes every core.
    pub(crate) replaying: Arc<tokio::sync::Semaphore>,
    pub(crate) gateways: Gateways,
    enforcer: Enforcer,
    publisher: Publisher,
}

/// How often changes that wait for the ledger are tried again, and after how many such rounds sessions are swept.
const RETRY_EVERY: Duration = Duration::from_secs(5);
const SWEEP_EVERY_ROUNDS: u64 = 720;
/// How long an ended session stays for its owner to look up.
const SESSIONS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Events finished in one go at start.
const OUTBOX_PAGE: u32 = 256;

impl ControlPlane {
    /// Loads the state, publishes it, starts enforcing, and finishes what a former run left in the outbox.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let Parts {
            store,
            ledger,
            reservations,
            bundle,
            observer,
            clock,
            ids,
            issuer,
            verifier,
            access,
            keeper,
            authority,
            federation,
            totp_key,
            settings,
        } = parts;
        let flow_key = FlowKey::random(&*ids);
        let now = clock.now();
        let policies = Policies::new(store.clone());
        let first = policies.keep(bundle);
        let in_force = store.policy(Moment::Now).await.map_err(StartError::Load)?;
        let (bundle, candidate) = match &in_force {
            Some(state) => policies.of(state).await.map_err(|problem| StartError::Policy(problem.message))?,
            None => (Arc::clone(&first), None),
        };
        let snapshot =
            store.restore(Snapshot::empty(bundle), Moment::Now, now).await.map_err(StartError::Load)?;
        // A candidate is no step of its own: the revision that was read has it.
        let revision = snapshot.revision();
        let snapshot = snapshot.with([Change::Candidate(candidate)]).at_revision(revision);
        let mut softlocks = Softlocks::new();
        for (key, lock) in store.softlocks(now).await.map_err(StartError::Load)? {
            softlocks.restore(key, lock);
        }
        let passkeys = RelyingParty::new(&settings.external_url, settings.issuer_name.as_str())
            .map_err(|why| tracing::info!(%why, "there are no passkeys here"))
            .ok();
        let publisher = Publisher::new(Arc::new(snapshot), Arc::clone(&clock));
        let mut run = [0; 16];
        ids.fill(&mut run);
        let figures = Arc::new(Figures::default());
        let (reader, looking) = (ledger.reader(), Arc::clone(&figures));
        if let Err(error) = tokio::task::spawn_blocking(move || looking.look_back(&reader)).await {
            tracing::warn!(%error, "the figures of the last hour begin anew");
        }
        let observer: Arc<dyn Observer> =
            Arc::new(Counting { figures: Arc::clone(&figures), clock: Arc::clone(&clock), inner: observer });
        let enforcer = Enforcer::start(modelward_enforcement::Parts {
            snapshots: publisher.subscribe(),
            ledger: ledger.sink(),
            reservations: Arc::clone(&reservations),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            observer,
        });
        let plane = Arc::new(Self {
            store,
            ledger,
            reservations,
            clock,
            ids: Arc::clone(&ids),
            issuer,
            admission: Admission::new(verifier, Proofs::new(ids, now)),
            access,
            keeper,
            federation,
            flow_key,
            totp_key,
            settings,
            passwords: Arc::new(Passwords::new()),
            passkeys,
            softlocks: Mutex::new(softlocks),
            figures,
            policies,
            replaying: Arc::new(tokio::sync::Semaphore::new(1)),
            gateways: Gateways::new(authority, run, revision),
            enforcer,
            publisher,
        });
        plane.finish_outbox().await.map_err(|problem| StartError::Outbox(problem.message))?;
        plane.first_policy(&first).await.map_err(|problem| StartError::Policy(problem.message))?;
        crate::figures::follow(&plane);
        crate::ops::signals::follow(&plane);
        drop(tokio::spawn(keep_house(Arc::downgrade(&plane))));
        Ok(plane)
    }

    /// Lets the first person in: makes them, their grants, and the code they enrol with. Works once.
    pub async fn initialise(self: &Arc<Self>, name: Name, display_name: String) -> Result<Invited, Problem> {
        crate::ops::enrol::initialise(self, name, display_name).await
    }

    /// Another code for the first person, whose first one ran out before they enrolled with it.
    pub async fn initialise_again(self: &Arc<Self>) -> Result<Invited, Problem> {
        crate::ops::enrol::initialise_again(self).await
    }

    /// The enforcement point; the gateway takes the same one, with its own capabilities.
    pub const fn enforcer(&self) -> &Enforcer {
        &self.enforcer
    }

    /// The channel on which every change of state arrives.
    pub fn snapshots(&self) -> Snapshots {
        self.publisher.subscribe()
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.publisher.latest()
    }

    /// The newest state, with its place in the chain that gateways follow.
    pub(crate) fn newest(&self) -> (Position, Arc<Snapshot>) {
        self.gateways.newest(&self.publisher)
    }

    /// How many gateways there are in each state, in the order of [`GatewayState::ALL`].
    pub async fn gateways_by_state(&self) -> Result<[u64; 4], Problem> {
        let views = crate::ops::gateways::views(self).await?;
        Ok(GatewayState::ALL.map(|state| views.iter().filter(|view| view.state == state).count() as u64))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// How somebody is called in the ledger, where names and ids of people never stand in clear.
    pub(crate) fn pseudonym(&self, who: impl std::fmt::Display) -> String {
        self.ledger.pseudonym(&who.to_string())
    }

    pub(crate) fn reader(&self) -> LedgerReader {
        self.ledger.reader()
    }

    pub(crate) fn with_softlocks<T>(&self, with: impl FnOnce(&mut Softlocks) -> T) -> T {
        with(&mut self.softlocks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the decision point would say, without asking for anything: to leave out of a page what would be denied, and
    /// to answer "can I?". Nothing is recorded.
    pub(crate) fn would(&self, snapshot: &Snapshot, request: &Request) -> Decision {
        decide(snapshot, request, DecisionId::from_uuid(self.ids.uuid()))
    }

    /// Whether this caller would be allowed this, now and here.
    pub(crate) fn may(&self, caller: &Caller, action: Action, resource: ResourceRef) -> bool {
        let snapshot = self.snapshot();
        let facts = Facts {
            now: self.now(),
            environment: caller.situation.environment.clone(),
            endpoint: None,
            session: Arc::clone(caller.who.session()),
            device: DeviceFacts::UNKNOWN,
            network: caller.situation.network.clone(),
            place: caller.situation.place.clone(),
            risk: caller.situation.risk.clone(),
            ask: Ask::default(),
        };
        let request = Request { principal: caller.who.principal(), action, resource, facts };
        self.would(&snapshot, &request).is_allow()
    }

    /// The one way in for every operation: decided, durable in the ledger, and only then carried out.
    pub(crate) async fn permit<P>(
        &self,
        caller: &Caller,
        action: Action,
        resource: ResourceRef,
        summary: Summary,
        payload: P,
    ) -> Result<(P, Pass), Problem> {
        let operation = Operation::new(action, resource, caller.mark, payload).summarised(summary);
        let (permit, record) = self.enforcer.command(&caller.who, operation, &caller.situation).await?;
        let (payload, opened) = permit.open();
        Ok((payload, Pass { opened, record }))
    }

    /// Puts a committed event into the ledger, and into force what waited for that.
    pub(crate) async fn ledgered(
        &self,
        event: EventId,
        actor: Option<PrincipalRef>,
        detail: &serde_json::Value,
    ) -> Result<u64, Problem> {
        let receipt = self.ledger.submit(Lane::Control, draft(event, actor, detail))?.await?;
        let mut writer = self.store.writer().await;
        let ledgered = writer.ledgered(event, receipt.index, self.now()).await?;
        let mut changes = ledgered.widening;
        if let Some(state) = &ledgered.policy {
            let (active, candidate) = self.policies.of(state).await?;
            changes.extend([Change::Bundle(active), Change::Candidate(candidate)]);
        }
        self.publish(ledgered.revision, &changes);
        Ok(ledgered.revision)
    }

    /// Publishes the next state. The caller is the only writer as long as this runs.
    pub(crate) fn publish(&self, revision: u64, changes: &[Change]) {
        let latest = self.publisher.latest();
        if changes.is_empty() || revision <= latest.revision() {
            return;
        }
        let next = latest.with(changes.iter().cloned()).at_revision(revision);
        let published = self.gateways.publish(&self.publisher, Arc::new(next), changes, self.now());
        if let Err(NotNewer { offered, current }) = published {
            tracing::error!(offered, current, "a state was not published because a newer one is");
        }
    }

    /// Brings to an end what a former run committed but did not see into the ledger.
    async fn finish_outbox(&self) -> Result<(), Problem> {
        loop {
            let pending = self.store.pending_outbox(OUTBOX_PAGE).await?;
            if pending.is_empty() {
                return Ok(());
            }
            for event in pending {
                tracing::info!(event = %event.event, "finishing a change of a former run");
                self.ledgered(event.event, event.actor, &event.detail).await?;
            }
        }
    }

    /// A house without a bundle in force begins with the one it was given.
    async fn first_policy(self: &Arc<Self>, bundle: &Bundle) -> Result<(), Problem> {
        if self.store.policy(Moment::Now).await?.is_some() {
            return Ok(());
        }
        let file = BundleFile::pack(bundle.sources().clone())
            .map_err(|error| Problem::internal("packing a bundle", &error))?;
        let head = self.policies.put(file, None, self.now()).await?.head;
        let first = PolicyState::first(head.digest);
        let lines = vec![format!("the first bundle: {} {}", head.name, head.version)];
        let changes = vec![StateChange::Policy(first)];
        self.turn().await?.make(Changed { actor: None, what: "first-bundle", lines, changes }).await?;
        Ok(())
    }

    /// The state of a past moment, under the bundles that were in force then: one on trial decides for its share, as it did.
    pub(crate) async fn state_at(&self, moment: Moment, at: Timestamp) -> Result<Snapshot, Problem> {
        let (bundle, candidate) = match self.store.policy(moment).await? {
            Some(state) => self.policies.of(&state).await?,
            None => (Arc::clone(self.snapshot().bundle()), None),
        };
        let state = self.store.restore(Snapshot::empty(bundle), moment, at).await?;
        let revision = state.revision();
        Ok(state.with([Change::Candidate(candidate)]).at_revision(revision))
    }

    /// Lets the bootstrap state follow the facts: once two people in two groups hold second factors, it closes for good.
    pub(crate) async fn observe_bootstrap(self: &Arc<Self>) -> Result<(), Problem> {
        let turn = self.turn().await?;
        let next = self.bootstrap_seen(turn.state()).await?;
        if next == self.bootstrap().await? {
            return Ok(());
        }
        let lines = vec![
            "two people in two groups hold second factors: every grant needs a request from now on"
                .to_owned(),
        ];
        let changes = vec![StateChange::Bootstrap(next)];
        turn.make(Changed { actor: None, what: "bootstrap-closed", lines, changes }).await?;
        Ok(())
    }

    /// The bootstrap state as the facts have it, which may be further along than what was noted.
    pub(crate) async fn bootstrap_seen(&self, snapshot: &Snapshot) -> Result<Bootstrap, Problem> {
        let state = self.bootstrap().await?;
        if !state.is_open() {
            return Ok(state);
        }
        let mut after = None;
        let mut people: Vec<Arc<modelward_decision::inventory::Person>> = Vec::new();
        loop {
            let page: Vec<PersonId> =
                self.store.second_factor_holders(after, modelward_store::PAGE_MAX).await?;
            let Some(last) = page.last().copied() else { break };
            people.extend(page.iter().filter_map(|id| snapshot.person(*id).cloned()));
            after = Some(last);
        }
        let holders = people
            .iter()
            .filter(|person| person.active)
            .map(|person| Holder { person: person.id, groups: &person.groups });
        Ok(state.observe(holders, self.now()))
    }

    pub(crate) async fn bootstrap(&self) -> Result<Bootstrap, Problem> {
        Ok(self.store.bootstrap().await?)
    }
}

/// Tries again what the ledger could not take at its time, and forgets sessions that ended long ago.
async fn keep_house(plane: Weak<ControlPlane>) {
    let mut again = tokio::time::interval(RETRY_EVERY);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut rounds: u64 = 0;
    loop {
        again.tick().await;
        let Some(plane) = plane.upgrade() else { return };
        let waiting = plane.store.pending_outbox_len().await.unwrap_or(0);
        // A change on its way looks the same; finishing it twice is finishing it once.
        if waiting > 0
            && let Err(problem) = plane.finish_outbox().await
        {
            tracing::warn!(waiting, %problem, "changes wait for the ledger");
        }
        if rounds.is_multiple_of(SWEEP_EVERY_ROUNDS) {
            let before = plane.now().checked_sub(SESSIONS_KEPT).unwrap_or(Timestamp::MIN);
            if let Err(error) = plane.store.forget_sessions(before).await {
                tracing::warn!(%error, "old sessions were not forgotten");
            }
            if let Err(error) = plane.store.forget_refresh(plane.now()).await {
                tracing::warn!(%error, "old refresh handles were not forgotten");
            }
        }
        rounds = rounds.wrapping_add(1);
    }
}

fn draft(event: EventId, actor: Option<PrincipalRef>, detail: &serde_json::Value) -> EntryDraft {
    let (kind, subject) = match actor {
        Some(PrincipalRef::Person(id)) => (SubjectKind::Human, id.to_string()),
        Some(PrincipalRef::Machine(id)) => (SubjectKind::Service, id.to_string()),
        None => (SubjectKind::System, "modelward".to_owned()),
    };
    let what = detail.get("what").and_then(serde_json::Value::as_str).unwrap_or("change");
    let mut draft = EntryDraft::state_change(event.to_string())
        .subject(kind, subject)
        .action(what)
        .resource(Resource::new("platform", "platform"));
    for key in ["count", "digest"] {
        if let Some(value) = detail.get(key) {
            draft = draft.detail(key, value.clone());
        }
    }
    // The lines name people: they are sealed, so that they can be forgotten while the log stays whole.
    if let Some(lines) = detail.get("lines").and_then(|lines| canonical::to_vec(lines).ok()) {
        draft = draft.facts(lines);
    }
    // What only takes away may use the reserve of the ledger; see `Lane::Control`.
    if matches!(
        what,
        "revoke"
            | "drop-grant"
            | "end-session"
            | "end-sessions"
            | "deactivate"
            | "sign-out-elsewhere"
            | "distrust-issuer"
            | "unlink-identity"
            | "refresh-reused"
            | "revoke-token"
            | "revoke-refresh"
            | "scim-end"
            | "scim-pause"
            | "scim-withdraw"
    ) {
        draft.narrowing()
    } else {
        draft
    }
}

/// A permit in use: whatever comes of it is recorded as its outcome.
#[derive(Debug)]
pub(crate) struct Pass {
    opened: Opened,
    record: Durable,
}

/// An answer that may leave, once it is written.
#[derive(Debug)]
#[must_use = "an answer is let go by `release`"]
pub(crate) struct Allowed<T> {
    answer: Answer<T>,
    record: Durable,
}

impl Pass {
    pub(crate) const fn id(&self) -> DecisionId {
        self.record.id()
    }

    /// Carries out what was permitted, and joins the result to the permit.
    pub(crate) async fn carry_out<T>(
        self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<Allowed<T>, Problem> {
        match work.await {
            Ok(value) => Ok(Allowed { answer: self.opened.answer(value), record: self.record }),
            Err(problem) => {
                let code = Summary::default().with("code", problem.code.as_str());
                self.record.conclude(&Ending::new(Status::Failed).summarised(code));
                Err(problem)
            }
        }
    }

    pub(crate) fn answer<T>(self, value: T) -> Allowed<T> {
        Allowed { answer: self.opened.answer(value), record: self.record }
    }

    /// For a stream: the standing to watch, with the record kept until it ends.
    pub(crate) fn into_parts(self) -> (Opened, Durable) {
        (self.opened, self.record)
    }
}

impl<T> Allowed<T> {
    pub(crate) const fn id(&self) -> DecisionId {
        self.record.id()
    }

    pub(crate) fn map<U>(self, with: impl FnOnce(T) -> U) -> Allowed<U> {
        Allowed { answer: self.answer.map(with), record: self.record }
    }

    /// Writes the answer and lets the bytes go, counted and digested in the outcome.
    pub(crate) fn release(
        self,
        write: impl FnOnce(T) -> Result<Vec<u8>, Problem>,
    ) -> Result<Vec<u8>, Problem> {
        let disclosure = self
            .answer
            .disclose(&self.record)
            .map_err(|error| Problem::internal("disclosing an answer", &error))?;
        let (value, mut gate) = disclosure.into_parts();
        let written = write(value).and_then(|bytes| match gate.pass(&bytes) {
            Ok(()) => Ok(bytes),
            Err(over) => Err(Problem::new(ErrorCode::Denied, over.to_string())),
        });
        let status = if written.is_ok() { Status::Done } else { Status::Failed };
        let delivered = gate.delivered();
        drop(gate);
        self.record.conclude(&Ending::new(status).delivering(delivered));
        written
    }
}

impl<T: Serialize> Allowed<T> {
    /// The answer as JSON.
    pub(crate) fn into_json(self) -> Result<Vec<u8>, Problem> {
        self.release(|value| json(&value))
    }

    /// The value, as one part of a page; its outcome counts it as JSON.
    pub(crate) fn into_part(self) -> Result<T, Problem> {
        let mut kept = None;
        self.release(|value| {
            let bytes = json(&value);
            kept = Some(value);
            bytes
        })?;
        kept.ok_or_else(|| Problem::new(ErrorCode::Internal, "an answer was not kept"))
    }
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| Problem::internal("writing an answer", &error))
}
