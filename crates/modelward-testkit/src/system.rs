//! A running enforcement point over a small world: what most tests begin with.

use std::error::Error;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use modelward_decision::vocabulary::{
    Action, Binding, Confidence, CredentialScope, DeviceFacts, EndpointId, Fact, Id, PersonId, PrincipalRef,
    ResourceRef, Source,
};
use modelward_decision::{Change, Snapshot};
use modelward_enforcement::{
    Capabilities, Enforcer, ObligationKind, Operation, Parts, Peer, Publisher, ReleaseClass, RequestMark,
    Reservations, Situation,
};
use modelward_identity::session::{SessionRecord, SessionToken};
use modelward_identity::{Authenticated, EpochMark, Strength};
use modelward_ledger::entry::Entry;
use modelward_ledger::{Config, Ledger, sim};
use modelward_seal::source::{Clock, Ids};
use tempfile::TempDir;

use crate::disk::Disk;
use crate::ids::SeededIds;
use crate::observer::Counts;
use crate::time::VirtualClock;
use crate::world::{Deployed, World, name};

/// Why a test could not begin, or a step of it failed: shown and given up on.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Name of the test ledger.
pub const ORIGIN: &str = "modelward.test/log";

/// Clock, ids, state, ledger and enforcement in one process. Dropping it takes everything away.
#[derive(Debug)]
pub struct System {
    pub clock: Arc<VirtualClock>,
    pub ids: Arc<SeededIds>,
    pub disk: Disk,
    pub ledger: Ledger,
    pub reservations: Arc<Reservations>,
    pub publisher: Publisher,
    pub observer: Arc<Counts>,
    pub enforcer: Enforcer,
    /// Where the counters of grants are.
    pub folder: Arc<TempDir>,
}

/// Everything a plain data-plane enforcement point can do to an answer.
pub const DATA_PLANE: Capabilities = Capabilities::NONE
    .with(ObligationKind::StripFields)
    .with(ObligationKind::Round)
    .with(ObligationKind::TopK)
    .with(ObligationKind::LabelOnly)
    .with(ObligationKind::AnswerBytes);

impl System {
    /// A world of `build`'s making, enforced. Time stands still unless the test moves it.
    pub fn start<T>(build: impl FnOnce(&mut World) -> T) -> Result<(Self, T), Failure> {
        Self::start_at(VirtualClock::new(), Config::small("test"), build)
    }

    /// The same, with the clock and the bounds of the ledger given.
    pub fn start_at<T>(
        clock: VirtualClock,
        config: Config,
        build: impl FnOnce(&mut World) -> T,
    ) -> Result<(Self, T), Failure> {
        let clock = Arc::new(clock);
        let ids = Arc::new(SeededIds::new(1));
        let mut world = World::new(Arc::<VirtualClock>::clone(&clock), Arc::<SeededIds>::clone(&ids));
        let built = build(&mut world);
        let disk = Disk::new();
        let parts = ledger_parts(&clock, &ids)?;
        let ledger = Ledger::create_on(Arc::new(disk.clone()), config, parts)?;
        let folder = Arc::new(tempfile::tempdir()?);
        let reservations = Reservations::create(folder.path())?;
        let snapshot = Arc::new(world.snapshot());
        Ok((Self::of(clock, ids, disk, ledger, reservations, folder, snapshot), built))
    }

    fn of(
        clock: Arc<VirtualClock>,
        ids: Arc<SeededIds>,
        disk: Disk,
        ledger: Ledger,
        reservations: Reservations,
        folder: Arc<TempDir>,
        snapshot: Arc<Snapshot>,
    ) -> Self {
        let reservations = Arc::new(reservations);
        let observer = Arc::new(Counts::default());
        let publisher = Publisher::new(snapshot, Arc::<VirtualClock>::clone(&clock));
        let enforcer = Enforcer::start(Parts {
            snapshots: publisher.subscribe(),
            ledger: ledger.sink(),
            reservations: Arc::clone(&reservations),
            clock: Arc::<VirtualClock>::clone(&clock),
            ids: Arc::<SeededIds>::clone(&ids),
            observer: Arc::<Counts>::clone(&observer),
        })
        .able_to(DATA_PLANE);
        Self { clock, ids, disk, ledger, reservations, publisher, observer, enforcer, folder }
    }

    /// Stops everything, as a process that ends in order, and starts it again on the same disk and counters.
    pub fn restart(self) -> Result<Self, Failure> {
        let Self { clock, ids, disk, ledger, reservations, publisher, observer: _, enforcer, folder } = self;
        let snapshot = publisher.latest();
        drop(publisher);
        drop(enforcer);
        ledger.close();
        drop(ledger);
        // The tasks of the old life hold on to it until they notice; the counters' lock tells.
        let held =
            Arc::try_unwrap(reservations).map_err(|_| "somebody still holds the counters of grants")?;
        drop(held);
        let reopened =
            Ledger::open_on(Arc::new(disk.clone()), Config::small("test"), ledger_parts(&clock, &ids)?)?;
        let reservations = Reservations::open(folder.path())?;
        Ok(Self::of(clock, ids, disk, reopened, reservations, folder, snapshot))
    }

    /// Publishes the state with these changes made.
    pub fn publish(&self, changes: impl IntoIterator<Item = Change>) -> Result<Arc<Snapshot>, Failure> {
        let next = Arc::new(self.publisher.latest().with(changes));
        self.publisher.publish(Arc::clone(&next))?;
        Ok(next)
    }

    /// Somebody who just signed in with two factors.
    pub fn sign_in(&self, person: PersonId) -> Result<Authenticated, Failure> {
        self.sign_in_as(PrincipalRef::Person(person), Strength::TwoFactors)
    }

    pub fn sign_in_as(&self, principal: PrincipalRef, strength: Strength) -> Result<Authenticated, Failure> {
        let snapshot = self.publisher.latest();
        let id = Id::from_uuid(self.ids.uuid());
        let mut secret = [0; 32];
        self.ids.fill(&mut secret);
        let token = SessionToken::parse(&format!("mws_{}", URL_SAFE_NO_PAD.encode(secret)))?;
        let now = self.clock.now();
        let record = SessionRecord {
            id,
            principal,
            token_hash: token.digest(),
            strength,
            methods: vec![name("pwd"), name("otp")],
            authenticated_at: now,
            created_at: now,
            last_seen_at: now,
            epoch: EpochMark::read(&*snapshot, principal, id),
            binding: Binding::Cookie,
            user_agent: None,
            scope: CredentialScope::Full,
            until: None,
            origin: None,
            source: None,
        };
        Ok(record.authenticate(&token, &*snapshot, now)?)
    }

    /// A request that came in through this endpoint, over a plain socket, with nothing known against it.
    pub fn situation(&self, endpoint: EndpointId) -> Situation {
        Situation { environment: name(World::ENVIRONMENT), endpoint: Some(endpoint), ..self.control() }
    }

    /// A command to the control plane.
    pub fn control(&self) -> Situation {
        let now = self.clock.now();
        let nobody_said = |value| Fact::new(value, Source::Default, now, Confidence::None);
        Situation {
            peer: Peer::own(),
            environment: name(Situation::CONTROL),
            endpoint: None,
            device: DeviceFacts::UNKNOWN,
            network: nobody_said(name("unknown")),
            place: nobody_said(name("unknown")),
            risk: Fact::new(0, Source::Default, now, Confidence::None),
        }
    }

    /// All durable entries, oldest first, once what is queued now has been written.
    pub fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let size = self.ledger.reader().position().size;
        let entries = self.ledger.reader().range(0, usize::try_from(size)?)?;
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Everything about one decision, once there are `count` entries of it.
    ///
    /// Waits for the disk, not for time to pass; gives up after five seconds.
    pub async fn entries_about(&self, id: &str, count: usize) -> Result<Vec<Entry>, Failure> {
        let deadline = std::time::Duration::from_secs(5);
        let about =
            |entries: Vec<Entry>| entries.into_iter().filter(|entry| entry.id == id).collect::<Vec<_>>();
        let mut size = self.ledger.reader().position().size;
        loop {
            let found = about(self.entries()?);
            if found.len() >= count {
                return Ok(found);
            }
            let reader = self.ledger.reader();
            let grown = tokio::task::spawn_blocking(move || reader.wait_beyond(size, deadline)).await?;
            if grown <= size {
                return Err(format!("{} of {count} entries about {id}: {found:?}", found.len()).into());
            }
            size = grown;
        }
    }
}

/// A plain prediction, as effect-free as its route would say.
pub fn predict(model: &Deployed) -> Operation<&'static str> {
    operation(Action::Predict, model.resource()).released_as(ReleaseClass::R1)
}

/// Any operation, with a payload to recognise it by.
pub fn operation(action: Action, resource: ResourceRef) -> Operation<&'static str> {
    Operation::new(action, resource, RequestMark::of(b"request"), "payload")
}

/// How long things wait that must not happen.
pub const A_MOMENT: std::time::Duration = std::time::Duration::from_millis(50);

/// A second of virtual time.
pub const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn ledger_parts(clock: &Arc<VirtualClock>, ids: &Arc<SeededIds>) -> Result<modelward_ledger::Parts, Failure> {
    let parts = sim::parts(ORIGIN, 1)?;
    let (clock, ids) = (Arc::<VirtualClock>::clone(clock), Arc::<SeededIds>::clone(ids));
    Ok(modelward_ledger::Parts { clock, ids, ..parts })
}
