//! Everything a decision rests on, at one revision: immutable, shared, swapped whole.
//!
//! A snapshot is made from the one before by a list of changes. Maps share structure, so one changed grant among a
//! million costs microseconds and readers never wait.

pub(crate) mod kin;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::GenericHashMap;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::candidate::Candidate;
use crate::grant::Grant;
use crate::inventory::{
    Alias, Dataset, Endpoint, Environment, Group, Machine, Model, Person, Project, Target, Version,
};
use crate::signal::{About, Raised, SignalKey};
use crate::slice::Cache;
use crate::vocabulary::{
    AliasId, DatasetId, EndpointId, GrantId, GroupId, MachineId, ModelId, Name, PersonId, PrincipalRef,
    ProjectId, ResourceRef, SessionId, TokenId, VersionId,
};

/// One step from a snapshot to the next.
#[derive(Debug, Clone)]
pub enum Change {
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
    /// The grant no longer exists.
    Revoke(GrantId),
    /// Credentials minted before are worthless from now on.
    Bump(EpochScope),
    /// A security signal stands against somebody; in the place of one of the same name.
    Raise(Arc<Raised>),
    /// The signal no longer does.
    Lift(SignalKey),
    Bundle(Arc<Bundle>),
    /// The bundle on trial; none any more.
    Candidate(Option<Candidate>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removed {
    Project(ProjectId),
    Model(ModelId),
    Version(VersionId),
    Alias(AliasId),
    Endpoint(EndpointId),
    Dataset(DatasetId),
    Group(GroupId),
}

/// Whose credentials an epoch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum EpochScope {
    Principal(PrincipalRef),
    Session(SessionId),
    Grant(GrantId),
    /// One access token.
    Token(TokenId),
}

/// Principals and sessions with signals, before those whose signals have all run out are forgotten.
const RAISED_SWEPT_AT: usize = 10_000;

type Map<K, V> = GenericHashMap<K, V, FxBuildHasher, imbl::shared_ptr::DefaultSharedPtr>;

/// The state of the world at one revision.
#[derive(Clone)]
pub struct Snapshot {
    revision: u64,
    bundle: Arc<Bundle>,
    people: Table<PersonId, Person>,
    machines: Table<MachineId, Machine>,
    groups: Table<GroupId, Group>,
    projects: Table<ProjectId, Project>,
    models: Table<ModelId, Model>,
    versions: Map<VersionId, Arc<Version>>,
    versions_by_label: Map<(ModelId, Name), VersionId>,
    aliases: Map<AliasId, Arc<Alias>>,
    aliases_by_name: Map<(ModelId, Name), AliasId>,
    aliases_by_version: imbl::OrdSet<(VersionId, AliasId)>,
    environments: imbl::OrdMap<Name, Arc<Environment>>,
    endpoints: Table<EndpointId, Endpoint>,
    datasets: Table<DatasetId, Dataset>,
    grants: GrantIndex,
    kin: kin::Kin,
    epochs: Map<EpochScope, u64>,
    raised: imbl::OrdMap<About, BTreeMap<SignalKey, Arc<Raised>>>,
    /// Of signals, only those that end what is under way count.
    cuts_alone: bool,
    /// What was derived from all but grants, epochs and signals, kept until one of those changes.
    cache: Arc<Cache>,
    trial: Option<Trial>,
}

/// A candidate with what was derived under it.
#[derive(Clone)]
struct Trial {
    candidate: Candidate,
    cache: Arc<Cache>,
}

/// Things of one kind, by id and by name.
#[derive(Clone)]
struct Table<K, V> {
    by_id: Map<K, Arc<V>>,
    by_name: Map<Name, K>,
}

/// Grants by id, and by the pair of leaves a request can match: (grantee, scope).
#[derive(Clone, Default)]
struct GrantIndex {
    by_id: Map<GrantId, Arc<Grant>>,
    by_leaves: Map<(u128, u128), Few>,
}

/// The grants of one pair of leaves: nearly always one.
#[derive(Clone)]
enum Few {
    One(Arc<Grant>),
    Many(Arc<[Arc<Grant>]>),
}

impl Snapshot {
    /// Nothing exists yet; every request but those on oneself is denied.
    pub fn empty(bundle: Arc<Bundle>) -> Self {
        Self {
            revision: 0,
            bundle,
            people: Table::default(),
            machines: Table::default(),
            groups: Table::default(),
            projects: Table::default(),
            models: Table::default(),
            versions: Map::default(),
            versions_by_label: Map::default(),
            aliases: Map::default(),
            aliases_by_name: Map::default(),
            aliases_by_version: imbl::OrdSet::new(),
            environments: imbl::OrdMap::new(),
            endpoints: Table::default(),
            datasets: Table::default(),
            grants: GrantIndex::default(),
            kin: kin::Kin::default(),
            epochs: Map::default(),
            raised: imbl::OrdMap::new(),
            cuts_alone: false,
            cache: Arc::new(Cache::new()),
            trial: None,
        }
    }

    /// The next snapshot: this one with the changes made, one revision later.
    pub fn with(&self, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut next = self.clone();
        next.revision = self.revision.saturating_add(1);
        let mut derived_stands = true;
        for change in changes {
            derived_stands &= matches!(
                change,
                Change::Grant(_)
                    | Change::Revoke(_)
                    | Change::Bump(_)
                    | Change::Raise(_)
                    | Change::Lift(..)
                    | Change::Candidate(_)
            );
            next.make(change);
        }
        if !derived_stands {
            next.cache = Arc::new(Cache::new());
            if let Some(trial) = &mut next.trial {
                trial.cache = Arc::new(Cache::new());
            }
        }
        next
    }

    fn make(&mut self, change: Change) {
        let mut kin = std::mem::take(&mut self.kin);
        kin.note(self, &change);
        self.kin = kin;
        match change {
            Change::Person(person) => self.people.insert(person.id, person.name.clone(), person),
            Change::Machine(machine) => self.machines.insert(machine.id, machine.name.clone(), machine),
            Change::Group(group) => self.groups.insert(group.id, group.name.clone(), group),
            Change::Project(project) => self.projects.insert(project.id, project.name.clone(), project),
            Change::Model(model) => self.models.insert(model.id, model.name.clone(), model),
            Change::Version(version) => {
                if let Some(before) = self.versions.get(&version.id) {
                    self.versions_by_label.remove(&(before.model, before.label.clone()));
                }
                self.versions_by_label.insert((version.model, version.label.clone()), version.id);
                self.versions.insert(version.id, version);
            }
            Change::Alias(alias) => {
                if let Some(before) = self.aliases.get(&alias.id) {
                    self.aliases_by_name.remove(&(before.model, before.name.clone()));
                    self.aliases_by_version.remove(&(before.version, before.id));
                }
                self.aliases_by_name.insert((alias.model, alias.name.clone()), alias.id);
                self.aliases_by_version.insert((alias.version, alias.id));
                self.aliases.insert(alias.id, alias);
            }
            Change::Environment(environment) => {
                self.environments.insert(environment.name.clone(), environment);
            }
            Change::Endpoint(endpoint) => self.endpoints.insert(endpoint.id, endpoint.name.clone(), endpoint),
            Change::Dataset(dataset) => self.datasets.insert(dataset.id, dataset.name.clone(), dataset),
            Change::Remove(removed) => self.remove(removed),
            Change::Grant(grant) => {
                // The same grant can come back between other leaves.
                self.revoke(grant.id);
                self.kin.join(&grant);
                self.grants.insert(grant);
            }
            Change::Revoke(id) => self.revoke(id),
            Change::Bump(scope) => {
                let epoch = self.epoch(scope).saturating_add(1);
                self.epochs.insert(scope, epoch);
            }
            Change::Raise(raised) => self.raise(raised),
            Change::Lift(what) => self.lift(&what),
            Change::Bundle(bundle) => self.bundle = bundle,
            Change::Candidate(candidate) => {
                self.trial = candidate.map(|candidate| Trial { candidate, cache: Arc::new(Cache::new()) });
            }
        }
    }

    fn remove(&mut self, removed: Removed) {
        match removed {
            Removed::Project(id) => self.projects.remove(id, |project| &project.name),
            Removed::Model(id) => self.models.remove(id, |model| &model.name),
            Removed::Version(id) => {
                if let Some(version) = self.versions.remove(&id) {
                    self.versions_by_label.remove(&(version.model, version.label.clone()));
                }
            }
            Removed::Alias(id) => {
                if let Some(alias) = self.aliases.remove(&id) {
                    self.aliases_by_version.remove(&(alias.version, id));
                    self.aliases_by_name.remove(&(alias.model, alias.name.clone()));
                }
            }
            Removed::Endpoint(id) => self.endpoints.remove(id, |endpoint| &endpoint.name),
            Removed::Dataset(id) => self.datasets.remove(id, |dataset| &dataset.name),
            Removed::Group(id) => self.groups.remove(id, |group| &group.name),
        }
    }

    fn revoke(&mut self, id: GrantId) {
        let Some(grant) = self.grants.by_id.get(&id) else { return };
        let leaves = (grant.grantee.bits(), grant.scope.bits());
        self.grants.remove(id);
        if !self.grants.by_leaves.contains_key(&leaves) {
            self.kin.part(leaves);
        }
    }

    /// Those that have run out make room, once there are many.
    fn raise(&mut self, raised: Arc<Raised>) {
        if self.raised.len() >= RAISED_SWEPT_AT {
            let counts =
                |known: &BTreeMap<_, Arc<Raised>>| known.values().any(|one| one.counts(raised.raised_at));
            let kept = std::mem::take(&mut self.raised).into_iter().filter(|(_, known)| counts(known));
            self.raised = kept.collect();
        }
        self.raised.entry(raised.what.about).or_default().insert(raised.what.clone(), raised);
    }

    fn lift(&mut self, what: &SignalKey) {
        let Some(mut known) = self.raised.remove(&what.about) else { return };
        known.remove(what);
        if !known.is_empty() {
            self.raised.insert(what.about, known);
        }
    }

    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The same state under a later revision number, as read back from storage.
    #[must_use]
    pub const fn at_revision(mut self, revision: u64) -> Self {
        self.revision = revision;
        self
    }

    pub const fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The bundle this principal's requests are decided by: the one in force, or the one on trial.
    pub fn bundle_for(&self, principal: PrincipalRef) -> &Arc<Bundle> {
        let trial = self.trial.as_ref().filter(|trial| trial.candidate.governs(principal));
        trial.map_or(&self.bundle, |trial| &trial.candidate.bundle)
    }

    /// The bundle on trial, if there is one.
    pub fn candidate(&self) -> Option<&Candidate> {
        self.trial.as_ref().map(|trial| &trial.candidate)
    }

    /// The same state under the candidate, where that is what governs this principal.
    pub(crate) fn governed(&self, principal: PrincipalRef) -> Option<Self> {
        let trial = self.trial.as_ref().filter(|trial| trial.candidate.governs(principal))?;
        Some(self.under(trial))
    }

    /// The same state under the bundle that does not govern this principal, where two are there to compare.
    pub(crate) fn ungoverned(&self, principal: PrincipalRef) -> Option<Self> {
        let trial = self.trial.as_ref()?;
        Some(if trial.candidate.governs(principal) {
            Self { trial: None, ..self.clone() }
        } else {
            self.under(trial)
        })
    }

    fn under(&self, trial: &Trial) -> Self {
        let Trial { candidate, cache } = trial;
        Self { bundle: Arc::clone(&candidate.bundle), cache: Arc::clone(cache), trial: None, ..self.clone() }
    }

    pub fn epoch(&self, scope: EpochScope) -> u64 {
        self.epochs.get(&scope).copied().unwrap_or(0)
    }

    /// Every epoch that was ever bumped.
    pub fn epochs(&self) -> impl Iterator<Item = (EpochScope, u64)> + '_ {
        self.epochs.iter().map(|(scope, epoch)| (*scope, *epoch))
    }

    /// Every signal that stands against somebody, also those that have run out.
    pub fn raised(&self) -> impl Iterator<Item = &Arc<Raised>> {
        self.raised.values().flat_map(BTreeMap::values)
    }

    /// Those that stand against one.
    pub fn raised_against(&self, about: About) -> impl Iterator<Item = &Raised> {
        self.raised.get(&about).into_iter().flat_map(BTreeMap::values).map(|raised| &**raised)
    }

    pub(crate) fn nothing_raised(&self) -> bool {
        self.raised.is_empty()
    }

    pub(crate) const fn counts_cuts_alone(&self) -> bool {
        self.cuts_alone
    }

    /// The state as it counts for what is under way: signals that only keep new requests out do not end it.
    pub fn for_what_runs(&self) -> Cow<'_, Self> {
        match self.raised.is_empty() {
            true => Cow::Borrowed(self),
            false => Cow::Owned(Self { cuts_alone: true, ..self.clone() }),
        }
    }

    pub fn grant(&self, id: GrantId) -> Option<&Arc<Grant>> {
        self.grants.by_id.get(&id)
    }

    pub fn grants(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.grants.by_id.values()
    }

    /// Grants whose leaves are exactly this pair.
    pub(crate) fn grants_between(&self, grantee: u128, scope: u128) -> &[Arc<Grant>] {
        match self.grants.by_leaves.get(&(grantee, scope)) {
            None => &[],
            Some(Few::One(grant)) => std::slice::from_ref(grant),
            Some(Few::Many(grants)) => grants,
        }
    }

    pub(crate) const fn kin(&self) -> &kin::Kin {
        &self.kin
    }

    pub fn version(&self, id: VersionId) -> Option<&Arc<Version>> {
        self.versions.get(&id)
    }

    pub fn versions(&self) -> impl Iterator<Item = &Arc<Version>> {
        self.versions.values()
    }

    pub fn version_labelled(&self, model: ModelId, label: &Name) -> Option<&Arc<Version>> {
        self.versions.get(self.versions_by_label.get(&(model, label.clone()))?)
    }

    pub fn alias(&self, id: AliasId) -> Option<&Arc<Alias>> {
        self.aliases.get(&id)
    }

    pub fn aliases(&self) -> impl Iterator<Item = &Arc<Alias>> {
        self.aliases.values()
    }

    pub fn alias_named(&self, model: ModelId, name: &Name) -> Option<&Arc<Alias>> {
        self.aliases.get(self.aliases_by_name.get(&(model, name.clone()))?)
    }

    /// The aliases that name this version at this revision.
    pub fn aliases_of(&self, version: VersionId) -> impl Iterator<Item = &Arc<Alias>> {
        let all = (version, AliasId::from_bits(0))..=(version, AliasId::from_bits(u128::MAX));
        self.aliases_by_version.range(all).filter_map(|(_, alias)| self.aliases.get(alias))
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    pub fn environment(&self, name: &Name) -> Option<&Arc<Environment>> {
        self.environments.get(name)
    }

    pub fn environments(&self) -> impl Iterator<Item = &Arc<Environment>> {
        self.environments.values()
    }

    /// The version a served target means at this revision.
    pub fn resolve(&self, target: Target) -> Option<&Arc<Version>> {
        match target {
            Target::Version(id) => self.version(id),
            Target::Alias(id) => self.version(self.alias(id)?.version),
        }
    }

    /// The model a resource is or belongs to.
    pub fn model_of(&self, resource: ResourceRef) -> Option<ModelId> {
        match resource {
            ResourceRef::Model(id) => Some(id),
            ResourceRef::Version(id) => self.version(id).map(|version| version.model),
            ResourceRef::Platform
            | ResourceRef::Project(_)
            | ResourceRef::Endpoint(_)
            | ResourceRef::Dataset(_) => None,
        }
    }

    /// How a resource is called, for sentences: `fraud` or `fraud/3`.
    pub fn describe(&self, resource: ResourceRef) -> String {
        let named = match resource {
            ResourceRef::Platform => Some("the platform".to_owned()),
            ResourceRef::Project(id) => self.project(id).map(|project| format!("project {}", project.name)),
            ResourceRef::Model(id) => self.model(id).map(|model| model.name.to_string()),
            ResourceRef::Version(id) => self.version(id).and_then(|version| {
                self.model(version.model).map(|model| format!("{}/{}", model.name, version.label))
            }),
            ResourceRef::Endpoint(id) => {
                self.endpoint(id).map(|endpoint| format!("endpoint {}", endpoint.name))
            }
            ResourceRef::Dataset(id) => self.dataset(id).map(|dataset| format!("dataset {}", dataset.name)),
        };
        named.unwrap_or_else(|| resource.to_string())
    }
}

macro_rules! lookups {
    ($($one:ident, $named:ident, $all:ident: $id:ty => $thing:ty;)+) => {
        impl Snapshot {$(
            pub fn $one(&self, id: $id) -> Option<&Arc<$thing>> {
                self.$all.by_id.get(&id)
            }

            pub fn $named(&self, name: &str) -> Option<&Arc<$thing>> {
                self.$all.by_id.get(self.$all.by_name.get(name)?)
            }

            pub fn $all(&self) -> impl Iterator<Item = &Arc<$thing>> {
                self.$all.by_id.values()
            }
        )+}
    };
}

lookups! {
    person, person_named, people: PersonId => Person;
    machine, machine_named, machines: MachineId => Machine;
    group, group_named, groups: GroupId => Group;
    project, project_named, projects: ProjectId => Project;
    model, model_named, models: ModelId => Model;
    endpoint, endpoint_named, endpoints: EndpointId => Endpoint;
    dataset, dataset_named, datasets: DatasetId => Dataset;
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { by_id: Map::default(), by_name: Map::default() }
    }
}

impl<K: Copy + Eq + std::hash::Hash, V: Named> Table<K, V> {
    fn insert(&mut self, id: K, name: Name, thing: Arc<V>) {
        if let Some(before) = self.by_id.get(&id) {
            self.by_name.remove(before.name());
        }
        self.by_name.insert(name, id);
        self.by_id.insert(id, thing);
    }

    fn remove(&mut self, id: K, name: impl Fn(&V) -> &Name) {
        if let Some(thing) = self.by_id.remove(&id) {
            self.by_name.remove(name(&thing));
        }
    }
}

/// A thing that has a name of its own among its kind.
trait Named {
    fn name(&self) -> &Name;
}

macro_rules! named {
    ($($thing:ty),+) => {$(
        impl Named for $thing {
            fn name(&self) -> &Name {
                &self.name
            }
        }
    )+};
}

named!(Person, Machine, Group, Project, Model, Endpoint, Dataset);

impl GrantIndex {
    /// The grant must not be in already.
    fn insert(&mut self, grant: Arc<Grant>) {
        let leaves = (grant.grantee.bits(), grant.scope.bits());
        let few = match self.by_leaves.get(&leaves) {
            None => Few::One(Arc::clone(&grant)),
            Some(Few::One(other)) => Few::Many(Arc::new([Arc::clone(other), Arc::clone(&grant)])),
            Some(Few::Many(others)) => {
                Few::Many(others.iter().cloned().chain([Arc::clone(&grant)]).collect())
            }
        };
        self.by_leaves.insert(leaves, few);
        self.by_id.insert(grant.id, grant);
    }

    fn remove(&mut self, id: GrantId) {
        let Some(grant) = self.by_id.remove(&id) else { return };
        let leaves = (grant.grantee.bits(), grant.scope.bits());
        let left = match self.by_leaves.get(&leaves) {
            None | Some(Few::One(_)) => None,
            Some(Few::Many(grants)) => {
                let left: Vec<_> = grants.iter().filter(|other| other.id != id).cloned().collect();
                match left.as_slice() {
                    [] => None,
                    [one] => Some(Few::One(Arc::clone(one))),
                    _ => Some(Few::Many(left.into())),
                }
            }
        };
        match left {
            Some(few) => self.by_leaves.insert(leaves, few),
            None => self.by_leaves.remove(&leaves),
        };
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("revision", &self.revision)
            .field("bundle", &self.bundle.digest())
            .field("grants", &self.grants.by_id.len())
            .finish_non_exhaustive()
    }
}
