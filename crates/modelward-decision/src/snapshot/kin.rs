//! What stands below what, in order: the index behind searches.
//!
//! Decisions never look at it. It answers "who is in this group", "what is in this project" and "which grants touch
//! this leaf" without a walk over everything, and in the order of ids, so that an answer can be given in pages.

use imbl::OrdSet;

use super::{Change, Removed, Snapshot};
use crate::grant::Grant;
use crate::vocabulary::{ModelId, ScopeRef, VersionId};

/// What something below another is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KinKind {
    Person,
    Machine,
    Group,
    Project,
    Model,
    Version,
    Endpoint,
    Dataset,
}

/// The leaf every principal stands below; no id is this small.
pub(crate) const EVERYBODY: u128 = 0;
const PLATFORM: u128 = ScopeRef::Platform.bits();

#[derive(Clone, Default)]
pub(crate) struct Kin {
    below: OrdSet<(u128, KinKind, u128)>,
    /// The two leaves of each grant, both ways round: ids are unique across kinds.
    sides: OrdSet<(u128, u128)>,
}

/// Something with its kind and everything it stands directly below.
type Links = (u128, KinKind, Vec<u128>);

impl Kin {
    /// Ids of one kind directly below `parent`, in order, from `from` on.
    pub(crate) fn below(&self, parent: u128, kind: KinKind, from: u128) -> impl Iterator<Item = u128> {
        self.below.range((parent, kind, from)..=(parent, kind, u128::MAX)).map(|(_, _, child)| *child)
    }

    /// The other leaves of grants that have `leaf` on one side, in order, from `from` on.
    pub(crate) fn across(&self, leaf: u128, from: u128) -> impl Iterator<Item = u128> {
        self.sides.range((leaf, from)..=(leaf, u128::MAX)).map(|(_, other)| *other)
    }

    pub(super) fn join(&mut self, grant: &Grant) {
        let (grantee, scope) = (grant.grantee.bits(), grant.scope.bits());
        self.sides.insert((grantee, scope));
        self.sides.insert((scope, grantee));
    }

    /// No grant is left between these leaves.
    pub(super) fn part(&mut self, (grantee, scope): (u128, u128)) {
        self.sides.remove(&(grantee, scope));
        self.sides.remove(&(scope, grantee));
    }

    /// Takes note of a change, before it is made.
    pub(super) fn note(&mut self, before: &Snapshot, change: &Change) {
        if let Some((child, kind, parents)) = replaced(before, change) {
            for parent in parents {
                self.below.remove(&(parent, kind, child));
            }
        }
        if let Some((child, kind, parents)) = made(change) {
            for parent in parents {
                self.below.insert((parent, kind, child));
            }
        }
    }
}

/// Where the thing stood that the change replaces or removes.
fn replaced(before: &Snapshot, change: &Change) -> Option<Links> {
    let change = match change {
        Change::Person(next) => Change::Person(before.person(next.id)?.clone()),
        Change::Machine(next) => Change::Machine(before.machine(next.id)?.clone()),
        Change::Group(next) => Change::Group(before.group(next.id)?.clone()),
        Change::Project(next) => Change::Project(before.project(next.id)?.clone()),
        Change::Model(next) => return model_before(before, next.id),
        Change::Version(next) => return version_before(before, next.id),
        Change::Endpoint(next) => Change::Endpoint(before.endpoint(next.id)?.clone()),
        Change::Dataset(next) => Change::Dataset(before.dataset(next.id)?.clone()),
        Change::Remove(removed) => match removed {
            Removed::Project(id) => Change::Project(before.project(*id)?.clone()),
            Removed::Model(id) => return model_before(before, *id),
            Removed::Version(id) => return version_before(before, *id),
            Removed::Endpoint(id) => Change::Endpoint(before.endpoint(*id)?.clone()),
            Removed::Dataset(id) => Change::Dataset(before.dataset(*id)?.clone()),
            Removed::Group(id) => Change::Group(before.group(*id)?.clone()),
            Removed::Alias(_) => return None,
        },
        Change::Alias(_)
        | Change::Environment(_)
        | Change::Grant(_)
        | Change::Revoke(_)
        | Change::Bump(_)
        | Change::Raise(_)
        | Change::Lift(..)
        | Change::Bundle(_)
        | Change::Candidate(_) => return None,
    };
    made(&change)
}

fn model_before(before: &Snapshot, id: ModelId) -> Option<Links> {
    made(&Change::Model(before.model(id)?.clone()))
}

fn version_before(before: &Snapshot, id: VersionId) -> Option<Links> {
    made(&Change::Version(before.version(id)?.clone()))
}

/// Where the thing stands that the change puts in.
fn made(change: &Change) -> Option<Links> {
    use KinKind as K;
    Some(match change {
        Change::Person(person) => {
            let groups = person.groups.iter().map(|group| group.bits());
            (person.id.bits(), K::Person, groups.chain([EVERYBODY]).collect())
        }
        Change::Machine(machine) => {
            let groups = machine.groups.iter().map(|group| group.bits());
            (machine.id.bits(), K::Machine, groups.chain([EVERYBODY]).collect())
        }
        Change::Group(group) => {
            (group.id.bits(), K::Group, group.parents.iter().map(|parent| parent.bits()).collect())
        }
        Change::Project(project) => (project.id.bits(), K::Project, vec![PLATFORM]),
        Change::Model(model) => (model.id.bits(), K::Model, vec![model.project.bits(), PLATFORM]),
        Change::Version(version) => (version.id.bits(), K::Version, vec![version.model.bits(), PLATFORM]),
        Change::Endpoint(endpoint) => (endpoint.id.bits(), K::Endpoint, vec![PLATFORM]),
        Change::Dataset(dataset) => (dataset.id.bits(), K::Dataset, vec![dataset.project.bits(), PLATFORM]),
        Change::Alias(_)
        | Change::Environment(_)
        | Change::Remove(_)
        | Change::Grant(_)
        | Change::Revoke(_)
        | Change::Bump(_)
        | Change::Raise(_)
        | Change::Lift(..)
        | Change::Bundle(_)
        | Change::Candidate(_) => return None,
    })
}
