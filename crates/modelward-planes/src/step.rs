//! One change as it travels. Bundles travel by digest: their files are fetched apart, and checked against it.

use std::collections::BTreeMap;
use std::sync::Arc;

use modelward_decision::inventory::{
    Alias, Dataset, Endpoint, Environment, Group, Machine, Model, Person, Project, Version,
};
use modelward_decision::signal::{Raised, SignalKey};
use modelward_decision::vocabulary::GrantId;
use modelward_decision::{Bundle, Candidate, Change, EpochScope, Grant, Reach, Removed};
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

/// One step from a state to the next, in the form of format [`FORMAT`](crate::FORMAT).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    Person(Arc<Person>),
    Machine(Arc<Machine>),
    Group(Arc<Group>),
    Project(Arc<Project>),
    Model(Arc<Model>),
    Version(Arc<Version>),
    Alias(Arc<Alias>),
    Environment(Arc<Environment>),
    Endpoint(Arc<Endpoint>),
    Dataset(Arc<Dataset>),
    Remove(Removed),
    Grant(Arc<Grant>),
    Revoke(GrantId),
    Bump(EpochScope),
    /// In an image: so many bumps at once.
    Epoch {
        scope: EpochScope,
        count: u64,
    },
    Raise(Arc<Raised>),
    Lift(SignalKey),
    Bundle(Digest),
    Candidate(Option<Trial>),
}

/// A candidate by the digest of its bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    pub bundle: Digest,
    pub reach: Reach,
}

/// Bundles at hand, by digest.
pub type Bundles = BTreeMap<Digest, Arc<Bundle>>;

/// A step names a bundle that is not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bundle {0} is not at hand")]
pub struct MissingBundle(pub Digest);

impl Step {
    pub fn of(change: &Change) -> Self {
        match change {
            Change::Person(it) => Self::Person(Arc::clone(it)),
            Change::Machine(it) => Self::Machine(Arc::clone(it)),
            Change::Group(it) => Self::Group(Arc::clone(it)),
            Change::Project(it) => Self::Project(Arc::clone(it)),
            Change::Model(it) => Self::Model(Arc::clone(it)),
            Change::Version(it) => Self::Version(Arc::clone(it)),
            Change::Alias(it) => Self::Alias(Arc::clone(it)),
            Change::Environment(it) => Self::Environment(Arc::clone(it)),
            Change::Endpoint(it) => Self::Endpoint(Arc::clone(it)),
            Change::Dataset(it) => Self::Dataset(Arc::clone(it)),
            Change::Remove(removed) => Self::Remove(*removed),
            Change::Grant(it) => Self::Grant(Arc::clone(it)),
            Change::Revoke(id) => Self::Revoke(*id),
            Change::Bump(scope) => Self::Bump(*scope),
            Change::Raise(raised) => Self::Raise(Arc::clone(raised)),
            Change::Lift(what) => Self::Lift(what.clone()),
            Change::Bundle(bundle) => Self::Bundle(bundle.digest()),
            Change::Candidate(candidate) => Self::Candidate(candidate.as_ref().map(Trial::of)),
        }
    }

    /// The bundle it names, if any.
    pub fn bundle(&self) -> Option<Digest> {
        match self {
            Self::Bundle(digest) => Some(*digest),
            Self::Candidate(trial) => trial.map(|trial| trial.bundle),
            Self::Person(_)
            | Self::Machine(_)
            | Self::Group(_)
            | Self::Project(_)
            | Self::Model(_)
            | Self::Version(_)
            | Self::Alias(_)
            | Self::Environment(_)
            | Self::Endpoint(_)
            | Self::Dataset(_)
            | Self::Remove(_)
            | Self::Grant(_)
            | Self::Revoke(_)
            | Self::Bump(_)
            | Self::Epoch { .. }
            | Self::Raise(_)
            | Self::Lift(_) => None,
        }
    }

    /// Adds the changes it stands for.
    pub(crate) fn make(self, bundles: &Bundles, changes: &mut Vec<Change>) -> Result<(), MissingBundle> {
        let at_hand = |digest: Digest| bundles.get(&digest).cloned().ok_or(MissingBundle(digest));
        changes.push(match self {
            Self::Person(it) => Change::Person(it),
            Self::Machine(it) => Change::Machine(it),
            Self::Group(it) => Change::Group(it),
            Self::Project(it) => Change::Project(it),
            Self::Model(it) => Change::Model(it),
            Self::Version(it) => Change::Version(it),
            Self::Alias(it) => Change::Alias(it),
            Self::Environment(it) => Change::Environment(it),
            Self::Endpoint(it) => Change::Endpoint(it),
            Self::Dataset(it) => Change::Dataset(it),
            Self::Remove(removed) => Change::Remove(removed),
            Self::Grant(it) => Change::Grant(it),
            Self::Revoke(id) => Change::Revoke(id),
            Self::Bump(scope) => Change::Bump(scope),
            Self::Epoch { scope, count } => {
                changes.extend((0..count).map(|_| Change::Bump(scope)));
                return Ok(());
            }
            Self::Raise(raised) => Change::Raise(raised),
            Self::Lift(what) => Change::Lift(what),
            Self::Bundle(digest) => Change::Bundle(at_hand(digest)?),
            Self::Candidate(None) => Change::Candidate(None),
            Self::Candidate(Some(Trial { bundle, reach })) => {
                Change::Candidate(Some(Candidate { bundle: at_hand(bundle)?, reach }))
            }
        });
        Ok(())
    }
}

impl Trial {
    pub(crate) fn of(candidate: &Candidate) -> Self {
        Self { bundle: candidate.bundle.digest(), reach: candidate.reach }
    }
}
