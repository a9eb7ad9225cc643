//! A small house to try things in: one project, one model with two versions, three people.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use modelward_decision::grant::{Conditions, Origin};
use modelward_decision::inventory::{
    Alias, Column, Dataset, Endpoint, Environment, Group, Machine, Model, OnSensitiveAsk, Person, Project,
    Protocol, Served, Target, Version,
};
use modelward_decision::vocabulary::{
    Classification, EventId, GrantId, GranteeRef, Id, Name, PrincipalRef, Privilege, ScopeRef,
};
use modelward_decision::{Bundle, EpochScope, Grant, Snapshot};
use modelward_governance::inventory::Thing;
use modelward_store::{Commit, Committed, Ledgered, Moment, Options, StateChange, Store};
use tempfile::TempDir;

/// Where a store lives; opening it again finds what was written.
pub(crate) enum Place {
    Sqlite(TempDir),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// A schema of its own on the server named by `MODELWARD_TEST_POSTGRES`; `None`, and said so, without one.
    #[cfg(feature = "postgres")]
    #[expect(clippy::disallowed_methods, reason = "the server to test against is named in the environment")]
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub(crate) async fn postgres(test: &str) -> Option<Self> {
        let Ok(url) = std::env::var("MODELWARD_TEST_POSTGRES") else {
            eprintln!("{test}: skipped, MODELWARD_TEST_POSTGRES is not set");
            return None;
        };
        sqlx::any::install_default_drivers();
        let schema = format!("modelward_{test}");
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        let reset = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};");
        sqlx::raw_sql(sqlx::AssertSqlSafe(reset)).execute(&pool).await.unwrap();
        pool.close().await;
        let mark = if url.contains('?') { '&' } else { '?' };
        Some(Self::Postgres(format!("{url}{mark}options=-c%20search_path%3D{schema}")))
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        match self {
            Self::Sqlite(folder) => folder.path(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => panic!("a server has no folder"),
        }
    }

    pub(crate) async fn open(&self) -> Store {
        match self {
            Self::Sqlite(folder) => {
                Store::open(&folder.path().join("modelward.db"), Options::new(noon())).await.unwrap()
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Store::open_postgres(url, Options::new(noon())).await.unwrap(),
        }
    }
}

pub(crate) fn noon() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

pub(crate) fn after(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

pub(crate) fn id<K>(number: u128) -> Id<K>
where
    K: modelward_decision::vocabulary::Kind,
{
    // As large as a UUIDv7, so that no leaf collides with the platform's.
    Id::from_bits((0x0195_0000_0000_7000_8000_u128 << 48) + number)
}

pub(crate) fn event(number: u128) -> EventId {
    id(number)
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn names(texts: &[&str]) -> BTreeSet<Name> {
    texts.iter().map(|text| name(text)).collect()
}

pub(crate) fn person(number: u128, called: &str) -> Person {
    Person {
        id: id(number),
        name: name(called),
        display_name: called.to_owned(),
        clearance: Classification::Confidential,
        active: true,
        groups: BTreeSet::new(),
    }
}

pub(crate) fn machine() -> Machine {
    Machine {
        id: id(10),
        name: name("scorer"),
        owner: id(1),
        clearance: Classification::Internal,
        active: true,
        groups: BTreeSet::new(),
    }
}

pub(crate) fn group(number: u128, called: &str) -> Group {
    Group { id: id(number), name: name(called), parents: BTreeSet::new() }
}

pub(crate) fn project() -> Project {
    Project { id: id(30), name: name("risk") }
}

pub(crate) fn environment() -> Environment {
    Environment { name: name("production"), production: true }
}

pub(crate) fn model() -> Model {
    Model {
        id: id(40),
        project: id(30),
        name: name("fraud"),
        classification: Classification::Internal,
        tags: names(&["cards"]),
        quarantined: false,
        on_sensitive_ask: OnSensitiveAsk::Strip,
        fail_static: false,
    }
}

pub(crate) fn version(number: u128, label: &str) -> Version {
    Version {
        id: id(number),
        model: id(40),
        label: name(label),
        digest: None,
        label_outputs: ["label".to_owned()].into(),
        proven: true,
        quarantined: false,
    }
}

pub(crate) fn alias() -> Alias {
    Alias { id: id(60), model: id(40), name: name("champion"), version: id(50), protected: false }
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint {
        id: id(70),
        name: name("scoring"),
        environment: name("production"),
        protocol: Protocol::OpenInference,
        upstream: name("triton"),
        approved: true,
        serves: vec![Served {
            public_name: "fraud".to_owned(),
            model: id(40),
            target: Target::Alias(id(60)),
            upstream_name: "fraud".to_owned(),
        }],
    }
}

pub(crate) fn dataset() -> Dataset {
    Dataset {
        id: id(80),
        project: id(30),
        name: name("payments"),
        classification: Classification::Confidential,
        tags: BTreeSet::new(),
        columns: vec![
            Column { name: name("amount"), classification: Classification::Internal },
            Column { name: name("card"), classification: Classification::Confidential },
        ],
    }
}

pub(crate) fn grant(number: u128) -> Grant {
    Grant {
        id: id(number),
        grantee: GranteeRef::Person(id(2)),
        privilege: Privilege::Inference,
        scope: ScopeRef::Model(id(40)),
        conditions: Conditions::default(),
        not_before: noon(),
        not_after: after(30 * 86_400),
        origin: Origin::Bootstrap { by: id(1) },
    }
}

pub(crate) fn put(thing: Thing) -> StateChange {
    StateChange::Put(Box::new(thing))
}

pub(crate) fn give(grant: Grant) -> StateChange {
    StateChange::Grant(Box::new(grant))
}

/// Everything above, but grants.
pub(crate) fn furniture() -> Vec<StateChange> {
    let mut dana = person(2, "dana");
    dana.groups.insert(id(20));
    [
        Thing::Group(group(20, "analysts")),
        Thing::Group(group(21, "reviewers")),
        Thing::Person(person(1, "ada")),
        Thing::Person(dana),
        Thing::Person(person(3, "kim")),
        Thing::Machine(machine()),
        Thing::Project(project()),
        Thing::Environment(environment()),
        Thing::Model(model()),
        Thing::Version(version(50, "1")),
        Thing::Version(version(51, "2")),
        Thing::Alias(alias()),
        Thing::Endpoint(endpoint()),
        Thing::Dataset(dataset()),
    ]
    .map(put)
    .into()
}

pub(crate) fn commit(number: u128, changes: impl Into<Vec<StateChange>>) -> Commit {
    Commit {
        event: event(number),
        actor: Some(PrincipalRef::Person(id(1))),
        at: noon(),
        detail: serde_json::json!({ "why": "a test" }),
        changes: changes.into(),
    }
}

/// The first free event number after [`furnished`].
pub(crate) const NEXT: u128 = 1001;

/// A store with the furniture in force since noon.
pub(crate) async fn furnished(place: &Place) -> Store {
    let store = place.open().await;
    store.commit(commit(1000, furniture())).await.unwrap();
    store.ledgered(event(1000), 0, noon()).await.unwrap();
    store
}

pub(crate) fn empty() -> Snapshot {
    static BUNDLE: LazyLock<Arc<Bundle>> = LazyLock::new(|| Arc::new(Bundle::default_bundle().unwrap()));
    Snapshot::empty(Arc::clone(&BUNDLE))
}

pub(crate) async fn snapshot(store: &Store, moment: Moment) -> Snapshot {
    store.restore(empty(), moment, after(3600)).await.unwrap()
}

pub(crate) async fn now(store: &Store) -> Snapshot {
    snapshot(store, Moment::Now).await
}

/// What a snapshot says, in an order of its own.
pub(crate) fn dump(snapshot: &Snapshot) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(snapshot.people().map(|it| format!("{it:?}")));
    lines.extend(snapshot.machines().map(|it| format!("{it:?}")));
    lines.extend(snapshot.groups().map(|it| format!("{it:?}")));
    lines.extend(snapshot.projects().map(|it| format!("{it:?}")));
    lines.extend(snapshot.models().map(|it| format!("{it:?}")));
    lines.extend(snapshot.versions().map(|it| format!("{it:?}")));
    lines.extend(snapshot.aliases().map(|it| format!("{it:?}")));
    lines.extend(snapshot.environments().map(|it| format!("{it:?}")));
    lines.extend(snapshot.endpoints().map(|it| format!("{it:?}")));
    lines.extend(snapshot.datasets().map(|it| format!("{it:?}")));
    lines.extend(snapshot.grants().map(|it| format!("{it:?}")));
    for number in 1..=3 {
        let scope = EpochScope::Principal(PrincipalRef::Person(id(number)));
        lines.push(format!("{scope:?} {}", snapshot.epoch(scope)));
    }
    lines.sort();
    lines
}

/// A process: it publishes what the store tells it to, as a server does.
pub(crate) struct Process {
    pub(crate) store: Store,
    pub(crate) published: Snapshot,
}

impl Process {
    pub(crate) async fn start(place: &Place) -> Self {
        let store = place.open().await;
        let published = now(&store).await;
        Self { store, published }
    }

    pub(crate) async fn commit(&mut self, commit: Commit) -> Committed {
        let committed = self.store.commit(commit).await.unwrap();
        self.published = self.published.with(committed.narrowing.clone()).at_revision(committed.revision);
        committed
    }

    pub(crate) async fn ledgered(&mut self, event: EventId, index: u64) -> Ledgered {
        let ledgered = self.store.ledgered(event, index, noon()).await.unwrap();
        self.published = self.published.with(ledgered.widening.clone()).at_revision(ledgered.revision);
        ledgered
    }
}

pub(crate) fn grant_id(number: u128) -> GrantId {
    id(number)
}
