//! What can change, and how a change is remembered until the ledger has it.

use modelward_decision::inventory::Target;
use modelward_decision::signal::{Raised, SignalKey};
use modelward_decision::vocabulary::{GrantId, ModelId, PersonId};
use modelward_decision::{EpochScope, Grant, Removed};
use modelward_governance::Bootstrap;
use modelward_governance::inventory::{Description, Edit, Thing};
use modelward_governance::policy::PolicyState;
use modelward_identity::federation::{Identity, Link, Standing};
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::credential::{CredentialChange, Factor};
use crate::scim::{self, ResourceKind};

/// One change of state, before it is known what of it narrows and what widens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateChange {
    /// The thing exists and is so.
    Put(Box<Thing>),
    Remove(Removed),
    /// A new grant. A grant never changes afterwards.
    Grant(Box<Grant>),
    Revoke(GrantId),
    /// Credentials minted before are worthless from now on.
    Bump(EpochScope),
    Bootstrap(Bootstrap),
    /// Which bundle is in force and which one is on trial.
    Policy(PolicyState),
    /// What a person signs in with.
    Credential(Box<CredentialChange>),
    /// The person can no longer sign in.
    DropCredential(PersonId),
    /// The person signs in without this one from now on.
    DropFactor(PersonId, Factor),
    /// An identity of elsewhere is this person.
    Link(Box<Link>),
    /// The identity is nobody here any more.
    Unlink(Box<Identity>),
    /// Whether an issuer is believed.
    Issuer(Box<Standing>),
    /// A security signal stands against somebody.
    Raise(Box<Raised>),
    /// The signal no longer does.
    Lift(Box<SignalKey>),
    /// What a provisioning client says of somebody. It is kept with the change that follows from it, and is in force
    /// nowhere.
    Scim(Box<scim::Write>),
}

/// A change as the outbox keeps it: everything the ledger entry needs, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change", content = "of")]
pub enum Recorded {
    Put(Box<Thing>),
    Remove(Removed),
    /// The description of a model that is removed.
    RemoveDescription(ModelId),
    Grant(Box<Grant>),
    Revoke(GrantId),
    Bump(EpochScope),
    Bootstrap(Bootstrap),
    Policy(PolicyState),
    /// Which parts of a person's credential are new.
    Credential {
        person: PersonId,
        password: bool,
        totp: bool,
        recovery_codes: u32,
        /// The passkey that comes beside those there are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passkey: Option<Digest>,
    },
    DropCredential(PersonId),
    DropFactor {
        person: PersonId,
        #[serde(flatten)]
        factor: Factor,
    },
    Link(Box<Link>),
    Unlink(Box<Identity>),
    Issuer(Box<Standing>),
    Raise(Box<Raised>),
    Lift(Box<SignalKey>),
    /// Of whom a provisioning client said something, and nothing of what it said.
    Scim {
        client: String,
        kind: ResourceKind,
        id: String,
        withdrawn: bool,
        joins: usize,
        leaves: usize,
    },
}

/// Something that is in force or not, as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Thing(Thing),
    Grant(Box<Grant>),
    Bootstrap(Bootstrap),
    Policy(PolicyState),
    Link(Box<Link>),
    Issuer(Box<Standing>),
    Signal(Box<Raised>),
}

/// What an item is called in tables: its kind and its identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
}

/// A reference of one item to another: relation, kind and identifier.
pub(crate) type Reference = (&'static str, Key);

impl From<Edit> for StateChange {
    fn from(edit: Edit) -> Self {
        match edit {
            Edit::Put(thing) => Self::Put(thing),
            Edit::Remove(removed) => Self::Remove(removed),
        }
    }
}

impl StateChange {
    /// What the outbox keeps of it. Removing a model takes its description along.
    pub(crate) fn records(&self) -> Vec<Recorded> {
        match self {
            Self::Put(thing) => vec![Recorded::Put(thing.clone())],
            Self::Remove(Removed::Model(id)) => {
                vec![Recorded::Remove(Removed::Model(*id)), Recorded::RemoveDescription(*id)]
            }
            Self::Remove(removed) => vec![Recorded::Remove(*removed)],
            Self::Grant(grant) => vec![Recorded::Grant(grant.clone())],
            Self::Revoke(id) => vec![Recorded::Revoke(*id)],
            Self::Bump(scope) => vec![Recorded::Bump(*scope)],
            Self::Bootstrap(state) => vec![Recorded::Bootstrap(*state)],
            Self::Policy(state) => vec![Recorded::Policy(state.clone())],
            Self::Credential(change) => vec![change.record()],
            Self::DropCredential(person) => vec![Recorded::DropCredential(*person)],
            Self::DropFactor(person, factor) => {
                vec![Recorded::DropFactor { person: *person, factor: *factor }]
            }
            Self::Link(link) => vec![Recorded::Link(link.clone())],
            Self::Unlink(identity) => vec![Recorded::Unlink(identity.clone())],
            Self::Issuer(standing) => vec![Recorded::Issuer(standing.clone())],
            Self::Raise(raised) => vec![Recorded::Raise(raised.clone())],
            Self::Lift(what) => vec![Recorded::Lift(what.clone())],
            Self::Scim(write) => vec![write.record()],
        }
    }
}

impl Recorded {
    /// The item it is about and what becomes of it; `None` for what is no item: epochs and credentials.
    pub(crate) fn into_item(self) -> Option<(Key, Option<Item>)> {
        match self {
            Self::Put(thing) => Some((Key::of_thing(&thing), Some(Item::Thing(*thing)))),
            Self::Remove(removed) => Some((Key::of_removed(removed), None)),
            Self::RemoveDescription(model) => Some((Key::new("description", model), None)),
            Self::Grant(grant) => Some((Key::new("grant", grant.id), Some(Item::Grant(grant)))),
            Self::Revoke(id) => Some((Key::new("grant", id), None)),
            Self::Bootstrap(state) => Some((Key::bootstrap(), Some(Item::Bootstrap(state)))),
            Self::Policy(state) => Some((Key::policy(), Some(Item::Policy(state)))),
            Self::Link(link) => Some((Key::identity(&link.identity), Some(Item::Link(link)))),
            Self::Unlink(identity) => Some((Key::identity(&identity), None)),
            Self::Issuer(standing) => Some((Key::issuer(&standing.issuer), Some(Item::Issuer(standing)))),
            Self::Raise(raised) => Some((Key::signal(&raised.what), Some(Item::Signal(raised)))),
            Self::Lift(what) => Some((Key::signal(&what), None)),
            Self::Bump(_)
            | Self::Credential { .. }
            | Self::DropCredential(_)
            | Self::DropFactor { .. }
            | Self::Scim { .. } => None,
        }
    }
}

impl Item {
    /// What must be unique among the things of its kind.
    pub(crate) fn unique_name(&self) -> String {
        match self {
            Self::Thing(thing) => match thing {
                Thing::Person(it) => it.name.to_string(),
                Thing::Machine(it) => it.name.to_string(),
                Thing::Group(it) => it.name.to_string(),
                Thing::Project(it) => it.name.to_string(),
                Thing::Environment(it) => it.name.to_string(),
                Thing::Model(it) => it.name.to_string(),
                Thing::Description(it) => it.model.to_string(),
                Thing::Version(it) => format!("{}/{}", it.model, it.label),
                Thing::Alias(it) => format!("{}/{}", it.model, it.name),
                Thing::Dataset(it) => it.name.to_string(),
                Thing::Endpoint(it) => it.name.to_string(),
            },
            Self::Grant(grant) => grant.id.to_string(),
            Self::Bootstrap(_) => Key::bootstrap().id,
            Self::Policy(_) => Key::policy().id,
            Self::Link(link) => Key::identity(&link.identity).id,
            Self::Issuer(standing) => Key::issuer(&standing.issuer).id,
            Self::Signal(raised) => Key::signal(&raised.what).id,
        }
    }

    /// What it needs to exist. No reference stands here twice.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let mut references = match self {
            Self::Thing(thing) => thing_references(thing),
            Self::Grant(grant) => grant_references(grant),
            Self::Link(link) => vec![("identity", Key::new("person", link.person))],
            // Whoever a signal is about may go before it does.
            Self::Bootstrap(_) | Self::Policy(_) | Self::Issuer(_) | Self::Signal(_) => Vec::new(),
        };
        references.sort();
        references.dedup();
        references
    }
}

fn thing_references(thing: &Thing) -> Vec<Reference> {
    match thing {
        Thing::Person(it) => it.groups.iter().map(|id| ("member", Key::new("group", id))).collect(),
        Thing::Machine(it) => {
            let groups = it.groups.iter().map(|id| ("member", Key::new("group", id)));
            groups.chain([("owner", Key::new("person", it.owner))]).collect()
        }
        Thing::Group(it) => it.parents.iter().map(|id| ("part", Key::new("group", id))).collect(),
        Thing::Project(_) | Thing::Environment(_) => Vec::new(),
        Thing::Model(it) => vec![("project", Key::new("project", it.project))],
        Thing::Description(it) => vec![("describes", Key::new("model", it.model))],
        Thing::Version(it) => vec![("model", Key::new("model", it.model))],
        Thing::Alias(it) => {
            vec![("model", Key::new("model", it.model)), ("version", Key::new("version", it.version))]
        }
        Thing::Dataset(it) => vec![("project", Key::new("project", it.project))],
        Thing::Endpoint(it) => {
            let mut references = vec![("environment", Key::new("environment", &it.environment))];
            for served in &it.serves {
                references.push(("serves", Key::new("model", served.model)));
                references.push(match served.target {
                    Target::Version(id) => ("serves", Key::new("version", id)),
                    Target::Alias(id) => ("serves", Key::new("alias", id)),
                });
            }
            references
        }
    }
}

fn grant_references(grant: &Grant) -> Vec<Reference> {
    use modelward_decision::vocabulary::{GranteeRef, ScopeRef};
    let grantee = match grant.grantee {
        GranteeRef::Person(id) => Key::new("person", id),
        GranteeRef::Machine(id) => Key::new("machine", id),
        GranteeRef::Group(id) => Key::new("group", id),
    };
    let scope = match grant.scope {
        ScopeRef::Platform => None,
        ScopeRef::Project(id) => Some(Key::new("project", id)),
        ScopeRef::Model(id) => Some(Key::new("model", id)),
        ScopeRef::Version(id) => Some(Key::new("version", id)),
        ScopeRef::Alias(id) => Some(Key::new("alias", id)),
        ScopeRef::Endpoint(id) => Some(Key::new("endpoint", id)),
        ScopeRef::Dataset(id) => Some(Key::new("dataset", id)),
    };
    let scope = scope.map(|key| ("scope", key));
    [("grantee", grantee)].into_iter().chain(scope).collect()
}

impl Key {
    pub(crate) fn new(kind: &'static str, id: impl std::fmt::Display) -> Self {
        Self { kind, id: id.to_string() }
    }

    pub(crate) fn bootstrap() -> Self {
        Self::new("bootstrap", "bootstrap")
    }

    pub(crate) fn policy() -> Self {
        Self::new("policy", "policy")
    }

    pub(crate) fn identity(identity: &Identity) -> Self {
        Self::new("identity", identity.digest())
    }

    pub(crate) fn issuer(url: &str) -> Self {
        Self::new("issuer", Digest::of(url.as_bytes()))
    }

    pub(crate) fn signal(what: &SignalKey) -> Self {
        Self::new("signal", what)
    }

    pub(crate) fn of_thing(thing: &Thing) -> Self {
        match thing {
            Thing::Person(it) => Self::new("person", it.id),
            Thing::Machine(it) => Self::new("machine", it.id),
            Thing::Group(it) => Self::new("group", it.id),
            Thing::Project(it) => Self::new("project", it.id),
            Thing::Environment(it) => Self::new("environment", &it.name),
            Thing::Model(it) => Self::new("model", it.id),
            Thing::Description(Description { model, card: _, metrics: _ }) => Self::new("description", model),
            Thing::Version(it) => Self::new("version", it.id),
            Thing::Alias(it) => Self::new("alias", it.id),
            Thing::Dataset(it) => Self::new("dataset", it.id),
            Thing::Endpoint(it) => Self::new("endpoint", it.id),
        }
    }

    pub(crate) fn of_removed(removed: Removed) -> Self {
        match removed {
            Removed::Project(id) => Self::new("project", id),
            Removed::Model(id) => Self::new("model", id),
            Removed::Version(id) => Self::new("version", id),
            Removed::Alias(id) => Self::new("alias", id),
            Removed::Endpoint(id) => Self::new("endpoint", id),
            Removed::Dataset(id) => Self::new("dataset", id),
            Removed::Group(id) => Self::new("group", id),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", self.kind, self.id)
    }
}
