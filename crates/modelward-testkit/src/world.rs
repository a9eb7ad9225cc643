//! A small world in a few words: people, models behind endpoints, grants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use modelward_decision::grant::{Conditions, Origin};
use modelward_decision::inventory::{
    Dataset, Endpoint, Environment, Group, Machine, Model, OnSensitiveAsk, Person, Project, Protocol, Served,
    Target, Version,
};
use modelward_decision::vocabulary::{
    Classification, DatasetId, EndpointId, GrantId, GranteeRef, GroupId, Id, Kind, MachineId, ModelId, Name,
    PersonId, PrincipalRef, Privilege, ProjectId, ResourceRef, ScopeRef, VersionId,
};
use modelward_decision::{Bundle, Change, Grant, Snapshot};
use modelward_seal::source::{Clock, Ids};

/// Collects changes; [`World::snapshot`] is the state they make on top of the default bundle.
///
/// Everything lives in project `claims` and environment `production`. People are cleared for everything and active.
#[derive(Debug)]
pub struct World {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    project: ProjectId,
    changes: Vec<Change>,
    people: BTreeMap<PersonId, Person>,
}

/// One model, its only version, and the approved endpoint both are reached through.
#[derive(Debug, Clone)]
pub struct Deployed {
    pub model: ModelId,
    pub version: VersionId,
    pub endpoint: EndpointId,
    pub name: String,
}

/// A grant being written down. It holds from a minute ago for an hour, by two approvals.
#[derive(Debug)]
#[must_use = "a grant counts once it is given: `.give()`"]
pub struct Granting<'a> {
    world: &'a mut World,
    grant: Grant,
}

/// A valid name out of a literal.
///
/// # Panics
/// When the text is no name: a test spelled it wrong.
pub fn name(text: &str) -> Name {
    match Name::new(text) {
        Ok(name) => name,
        #[expect(clippy::panic, reason = "only tests call this, with literals")]
        Err(error) => panic!("{error}"),
    }
}

impl World {
    pub const ENVIRONMENT: &str = "production";

    pub fn new(clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        let project = Id::from_uuid(ids.uuid());
        let changes = vec![
            Change::Project(Arc::new(Project { id: project, name: name("claims") })),
            Change::Environment(Arc::new(Environment { name: name(Self::ENVIRONMENT), production: true })),
        ];
        Self { clock, ids, project, changes, people: BTreeMap::new() }
    }

    pub const fn project(&self) -> ProjectId {
        self.project
    }

    pub fn id<K: Kind>(&self) -> Id<K> {
        Id::from_uuid(self.ids.uuid())
    }

    /// Any change, in place.
    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub fn person(&mut self, called: &str) -> PersonId {
        self.person_in(called, [])
    }

    pub fn person_in(&mut self, called: &str, groups: impl IntoIterator<Item = GroupId>) -> PersonId {
        let person = Person {
            id: self.id(),
            name: name(called),
            display_name: called.to_owned(),
            clearance: Classification::Restricted,
            active: true,
            groups: groups.into_iter().collect(),
        };
        let id = person.id;
        self.people.insert(id, person.clone());
        self.change(Change::Person(Arc::new(person)));
        id
    }

    /// A person as they were put in, to change and put in again.
    ///
    /// # Panics
    /// When nobody with this id was.
    pub fn person_as_put(&self, id: PersonId) -> Person {
        match self.people.get(&id) {
            Some(person) => person.clone(),
            #[expect(clippy::panic, reason = "only tests call this, with people they put in")]
            None => panic!("{id} was not put in"),
        }
    }

    pub fn machine(&mut self, called: &str, owner: PersonId) -> MachineId {
        let machine = Machine {
            id: self.id(),
            name: name(called),
            owner,
            clearance: Classification::Restricted,
            active: true,
            groups: BTreeSet::new(),
        };
        let id = machine.id;
        self.change(Change::Machine(Arc::new(machine)));
        id
    }

    pub fn group(&mut self, called: &str) -> GroupId {
        let id = self.id();
        self.change(Change::Group(Arc::new(Group { id, name: name(called), parents: BTreeSet::new() })));
        id
    }

    pub fn model(&mut self, called: &str) -> Deployed {
        self.model_speaking(called, Protocol::OpenInference)
    }

    pub fn model_speaking(&mut self, called: &str, protocol: Protocol) -> Deployed {
        let deployed =
            Deployed { model: self.id(), version: self.id(), endpoint: self.id(), name: called.to_owned() };
        self.change(Change::Model(Arc::new(Model {
            id: deployed.model,
            project: self.project,
            name: name(called),
            classification: Classification::Internal,
            tags: BTreeSet::new(),
            quarantined: false,
            on_sensitive_ask: OnSensitiveAsk::Refuse,
            fail_static: false,
        })));
        self.change(Change::Version(Arc::new(deployed.version())));
        self.change(Change::Endpoint(Arc::new(Endpoint {
            id: deployed.endpoint,
            name: name(&format!("{called}-endpoint")),
            environment: name(Self::ENVIRONMENT),
            protocol,
            upstream: name(&format!("{called}-upstream")),
            approved: true,
            serves: vec![Served {
                public_name: called.to_owned(),
                model: deployed.model,
                target: Target::Version(deployed.version),
                upstream_name: called.to_owned(),
            }],
        })));
        deployed
    }

    pub fn dataset(&mut self, called: &str) -> DatasetId {
        let id = self.id();
        self.change(Change::Dataset(Arc::new(Dataset {
            id,
            project: self.project,
            name: name(called),
            classification: Classification::Confidential,
            tags: BTreeSet::new(),
            columns: Vec::new(),
        })));
        id
    }

    pub fn grant(&mut self, privilege: Privilege, to: PersonId, on: ScopeRef) -> Granting<'_> {
        self.grant_to(privilege, GranteeRef::Person(to), on)
    }

    pub fn grant_to(&mut self, privilege: Privilege, grantee: GranteeRef, scope: ScopeRef) -> Granting<'_> {
        let now = self.clock.now();
        let grant = Grant {
            id: self.id(),
            grantee,
            privilege,
            scope,
            conditions: Conditions::default(),
            not_before: sooner(now, SignedDuration::from_mins(1)),
            not_after: later(now, SignedDuration::from_hours(1)),
            origin: Origin::Request {
                request: self.id::<modelward_decision::vocabulary::id::EventKind>(),
                approvals: 2,
            },
        };
        Granting { world: self, grant }
    }

    /// The state of all that was put in.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::empty(default_bundle()).with(self.changes.iter().cloned())
    }
}

/// The bundle of the repository, checked once per test binary.
///
/// # Panics
/// When it does not load.
pub fn default_bundle() -> Arc<Bundle> {
    static BUNDLE: OnceLock<Arc<Bundle>> = OnceLock::new();
    let bundle = BUNDLE.get_or_init(|| match Bundle::default_bundle() {
        Ok(bundle) => Arc::new(bundle),
        #[expect(clippy::panic, reason = "the bundle is part of the repository and tested there")]
        Err(error) => panic!("the default bundle does not load: {error}"),
    });
    Arc::clone(bundle)
}

impl Granting<'_> {
    pub fn uses(mut self, max: u64) -> Self {
        self.grant.conditions.max_uses = Some(max);
        self
    }

    pub fn bytes(mut self, max: u64) -> Self {
        self.grant.conditions.max_bytes = Some(max);
        self
    }

    pub fn lasting(mut self, span: SignedDuration) -> Self {
        self.grant.not_after = later(self.world.clock.now(), span);
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Grant)) -> Self {
        change(&mut self.grant);
        self
    }

    pub fn give(self) -> GrantId {
        let id = self.grant.id;
        self.world.change(Change::Grant(Arc::new(self.grant)));
        id
    }
}

impl Deployed {
    /// Its version as it was put in.
    pub fn version(&self) -> Version {
        Version {
            id: self.version,
            model: self.model,
            label: name("1"),
            digest: None,
            label_outputs: BTreeSet::from(["label".to_owned()]),
            proven: true,
            quarantined: false,
        }
    }

    /// What a prediction touches.
    pub const fn resource(&self) -> ResourceRef {
        ResourceRef::Version(self.version)
    }

    /// The scope of a grant on the model.
    pub const fn scope(&self) -> ScopeRef {
        ScopeRef::Model(self.model)
    }
}

/// A person as a principal.
pub const fn principal(person: PersonId) -> PrincipalRef {
    PrincipalRef::Person(person)
}

fn later(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

fn sooner(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_sub(span).unwrap_or(Timestamp::MIN)
}
