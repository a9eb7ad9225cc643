//! What narrows and what widens: a pure function of a thing before and after.
//!
//! One order underlies it: *what both allow*. [`meet`] of two states of a thing is the state that lets through only
//! what both let through. A change narrows as far as the meet differs from before, and widens as far as it differs
//! from after. Where two values cannot be compared, such as two upstreams, the change counts as widening, and the
//! value before stays until the ledger has the change.
//!
//! What is in force of a thing at any time is the meet of its last version the ledger has and of every later one that
//! was committed. So a narrowing bites at once, a widening never overtakes a narrowing committed after it, and in
//! the end, whatever the order in which entries become durable, what was committed last is in force.
//!
//! No pattern here has a `..`: a new field does not compile until somebody says which way it goes.

use std::collections::BTreeSet;

use modelward_decision::inventory::{
    Alias, Column, Dataset, Endpoint, Environment, Group, Machine, Model, OnSensitiveAsk, Person, Project,
    Served, Version,
};
use modelward_decision::signal::Raised;
use modelward_governance::Bootstrap;
use modelward_governance::inventory::{Description, Thing};
use modelward_identity::federation::Standing;

use crate::change::{Item, StateChange};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Nothing changes.
    Neither,
    /// In force at commit.
    Narrows,
    /// In force once its ledger entry is durable.
    Widens,
    /// The narrowing part is in force at commit, the rest once its ledger entry is durable.
    Both,
}

/// Which way a change goes, given what is in force before it.
pub fn direction(before: Option<&Item>, change: &StateChange) -> Direction {
    let after = match change {
        StateChange::Put(thing) => Some(Item::Thing(Thing::clone(thing))),
        StateChange::Grant(grant) => Some(Item::Grant(grant.clone())),
        StateChange::Bootstrap(state) => Some(Item::Bootstrap(*state)),
        StateChange::Policy(state) => Some(Item::Policy(state.clone())),
        StateChange::Link(link) => Some(Item::Link(link.clone())),
        StateChange::Issuer(standing) => Some(Item::Issuer(standing.clone())),
        StateChange::Raise(raised) => Some(Item::Signal(raised.clone())),
        StateChange::Remove(_) | StateChange::Revoke(_) | StateChange::Unlink(_) | StateChange::Lift(_) => {
            None
        }
        StateChange::Bump(_) | StateChange::DropCredential(_) | StateChange::DropFactor(..) => {
            return Direction::Narrows;
        }
        StateChange::Credential(_) => return Direction::Widens,
        // What somebody says is in force nowhere.
        StateChange::Scim(_) => return Direction::Neither,
    };
    let now = meet(before, after.as_ref());
    match (now.as_ref() != before, now != after) {
        (false, false) => Direction::Neither,
        (true, false) => Direction::Narrows,
        (false, true) => Direction::Widens,
        (true, true) => Direction::Both,
    }
}

/// What both states let through. What does not exist lets nothing through.
pub fn meet(before: Option<&Item>, after: Option<&Item>) -> Option<Item> {
    // An issuer nobody ever spoke about is believed: what is said first can only take from that.
    if let (None, Some(Item::Issuer(_))) = (before, after) {
        return after.cloned();
    }
    // A signal only ever takes: it stands as soon as it is raised, and until the ledger knows that it was lifted.
    if let (None, Some(Item::Signal(_))) | (Some(Item::Signal(_)), None) = (before, after) {
        return before.or(after).cloned();
    }
    let (before, after) = (before?, after?);
    Some(match (before, after) {
        (Item::Thing(before), Item::Thing(after)) => Item::Thing(thing(before, after)),
        (Item::Bootstrap(before), Item::Bootstrap(after)) => Item::Bootstrap(bootstrap(*before, *after)),
        // An identity that becomes somebody else is nobody until the ledger knows who.
        (Item::Link(before), Item::Link(after)) => {
            return (before.person == after.person).then(|| Item::Link(before.clone()));
        }
        (Item::Signal(before), Item::Signal(after)) => Item::Signal(Box::new(raised(before, after))),
        (Item::Issuer(before), Item::Issuer(after)) => Item::Issuer(Box::new(standing(before, after))),
        // Grants never change, two bundles cannot be compared here, and items of two kinds never share a key.
        (
            Item::Thing(_)
            | Item::Grant(_)
            | Item::Bootstrap(_)
            | Item::Policy(_)
            | Item::Link(_)
            | Item::Issuer(_)
            | Item::Signal(_),
            _,
        ) => before.clone(),
    })
}

fn thing(before: &Thing, after: &Thing) -> Thing {
    match (before, after) {
        (Thing::Person(before), Thing::Person(after)) => Thing::Person(person(before, after)),
        (Thing::Machine(before), Thing::Machine(after)) => Thing::Machine(machine(before, after)),
        (Thing::Group(before), Thing::Group(after)) => Thing::Group(group(before, after)),
        (Thing::Project(before), Thing::Project(after)) => Thing::Project(project(before, after)),
        (Thing::Environment(before), Thing::Environment(after)) => {
            Thing::Environment(environment(before, after))
        }
        (Thing::Model(before), Thing::Model(after)) => Thing::Model(model(before, after)),
        (Thing::Description(before), Thing::Description(after)) => {
            Thing::Description(description(before, after))
        }
        (Thing::Version(before), Thing::Version(after)) => Thing::Version(version(before, after)),
        (Thing::Alias(before), Thing::Alias(after)) => Thing::Alias(alias(before, after)),
        (Thing::Dataset(before), Thing::Dataset(after)) => Thing::Dataset(dataset(before, after)),
        (Thing::Endpoint(before), Thing::Endpoint(after)) => Thing::Endpoint(endpoint(before, after)),
        // Things of two kinds never share a key.
        (
            Thing::Person(_)
            | Thing::Machine(_)
            | Thing::Group(_)
            | Thing::Project(_)
            | Thing::Environment(_)
            | Thing::Model(_)
            | Thing::Description(_)
            | Thing::Version(_)
            | Thing::Alias(_)
            | Thing::Dataset(_)
            | Thing::Endpoint(_),
            _,
        ) => before.clone(),
    }
}

fn person(before: &Person, after: &Person) -> Person {
    let Person { id, name, display_name, clearance, active, groups } = before;
    Person {
        id: *id,
        name: name.clone(),
        display_name: display_name.clone(),
        clearance: *clearance.min(&after.clearance),
        active: *active && after.active,
        groups: both(groups, &after.groups),
    }
}

fn machine(before: &Machine, after: &Machine) -> Machine {
    let Machine { id, name, owner, clearance, active, groups } = before;
    Machine {
        id: *id,
        name: name.clone(),
        owner: *owner,
        clearance: *clearance.min(&after.clearance),
        active: *active && after.active,
        groups: both(groups, &after.groups),
    }
}

fn group(before: &Group, after: &Group) -> Group {
    let Group { id, name, parents } = before;
    Group { id: *id, name: name.clone(), parents: both(parents, &after.parents) }
}

fn project(before: &Project, _after: &Project) -> Project {
    let Project { id, name } = before;
    Project { id: *id, name: name.clone() }
}

fn environment(before: &Environment, after: &Environment) -> Environment {
    let Environment { name, production } = before;
    // Production asks for more than any other environment.
    Environment { name: name.clone(), production: *production || after.production }
}

fn model(before: &Model, after: &Model) -> Model {
    let Model { id, project, name, classification, tags, quarantined, on_sensitive_ask, fail_static } =
        before;
    Model {
        id: *id,
        project: *project,
        name: name.clone(),
        classification: *classification.max(&after.classification),
        // Tags stand in guardrails and obligations: one more asks for more.
        tags: tags.union(&after.tags).cloned().collect(),
        quarantined: *quarantined || after.quarantined,
        on_sensitive_ask: match (on_sensitive_ask, after.on_sensitive_ask) {
            (OnSensitiveAsk::Strip, OnSensitiveAsk::Strip) => OnSensitiveAsk::Strip,
            (OnSensitiveAsk::Refuse, OnSensitiveAsk::Refuse | OnSensitiveAsk::Strip)
            | (OnSensitiveAsk::Strip, OnSensitiveAsk::Refuse) => OnSensitiveAsk::Refuse,
        },
        // Going on without news lets more through.
        fail_static: *fail_static && after.fail_static,
    }
}

/// No policy reads a description: it changes when the ledger has the change.
fn description(before: &Description, _after: &Description) -> Description {
    let Description { model, card, metrics } = before;
    Description { model: *model, card: card.clone(), metrics: metrics.clone() }
}

fn version(before: &Version, after: &Version) -> Version {
    let Version { id, model, label, digest, label_outputs, proven, quarantined } = before;
    Version {
        id: *id,
        model: *model,
        label: label.clone(),
        digest: digest.clone(),
        // An output that is not a label is a raw score, which needs a right of its own.
        label_outputs: both(label_outputs, &after.label_outputs),
        proven: *proven && after.proven,
        quarantined: *quarantined || after.quarantined,
    }
}

fn alias(before: &Alias, after: &Alias) -> Alias {
    let Alias { id, model, name, version, protected } = before;
    Alias {
        id: *id,
        model: *model,
        name: name.clone(),
        version: *version,
        protected: *protected || after.protected,
    }
}

fn dataset(before: &Dataset, after: &Dataset) -> Dataset {
    let Dataset { id, project, name, classification, tags, columns } = before;
    let columns = columns
        .iter()
        .filter_map(|Column { name, classification }| {
            let later = after.columns.iter().find(|column| column.name == *name)?;
            Some(Column { name: name.clone(), classification: *classification.max(&later.classification) })
        })
        .collect();
    Dataset {
        id: *id,
        project: *project,
        name: name.clone(),
        classification: *classification.max(&after.classification),
        tags: tags.union(&after.tags).cloned().collect(),
        columns,
    }
}

fn endpoint(before: &Endpoint, after: &Endpoint) -> Endpoint {
    let Endpoint { id, name, environment, protocol, upstream, approved, serves } = before;
    // A served model whose target changes stays what it was; one that is gone is gone.
    let still_served = |served: &&Served| {
        let Served { public_name, model: _, target: _, upstream_name: _ } = served;
        after.serves.iter().any(|later| later.public_name == *public_name)
    };
    Endpoint {
        id: *id,
        name: name.clone(),
        environment: environment.clone(),
        protocol: *protocol,
        upstream: upstream.clone(),
        approved: *approved && after.approved,
        serves: serves.iter().filter(still_served).cloned().collect(),
    }
}

/// Open lets one person give rights; closed and uninitialised let nobody.
const fn bootstrap(before: Bootstrap, after: Bootstrap) -> Bootstrap {
    match (before, after) {
        (Bootstrap::Closed { .. }, _) | (_, Bootstrap::Open { .. }) => before,
        (Bootstrap::Uninitialised | Bootstrap::Open { .. }, _) => after,
    }
}

/// Distrust is in force at once, trust once the ledger has it.
fn standing(before: &Standing, after: &Standing) -> Standing {
    let Standing { issuer, distrusted_at } = before;
    Standing { issuer: issuer.clone(), distrusted_at: distrusted_at.or(after.distrusted_at) }
}

/// The later of two signals asks for a later sign-in, and the longer one lasts.
fn raised(before: &Raised, after: &Raised) -> Raised {
    let Raised { what, raised_at, until, by, confidence } = after;
    Raised {
        what: what.clone(),
        raised_at: *raised_at.max(&before.raised_at),
        until: *until.max(&before.until),
        by: by.clone(),
        confidence: *confidence,
    }
}

fn both<T: Ord + Clone>(left: &BTreeSet<T>, right: &BTreeSet<T>) -> BTreeSet<T> {
    left.intersection(right).cloned().collect()
}
