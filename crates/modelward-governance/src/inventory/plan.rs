//! From what is declared and what is to the differences between them, in an order in which they can be made.
//!
//! Applying a plan and planning again gives no difference. Nothing is removed unless asked.

use std::collections::{BTreeMap, BTreeSet};

use modelward_decision::inventory::{
    Alias, Column, Dataset, Endpoint, Environment, Group, Machine, Model, Person, Project, Served, Target,
    Version,
};
use modelward_decision::vocabulary::{
    AliasId, DatasetId, EndpointId, GroupId, Id, MachineId, ModelId, Name, PersonId, ProjectId, VersionId,
};
use modelward_decision::{Removed, Snapshot};
use serde::{Deserialize, Serialize};

use super::declaration::{
    DatasetDeclaration, EndpointDeclaration, MachineDeclaration, ModelDeclaration, ServedDeclaration,
};
use super::merge::{Merged, Section};
use super::thing::{Description, Edit, Thing};

/// What there is now.
#[derive(Debug, Clone, Copy)]
pub struct Current<'a> {
    pub snapshot: &'a Snapshot,
    /// Of the models that are declared; a model without one has none.
    pub descriptions: &'a BTreeMap<ModelId, Description>,
}

/// Whether what is not declared goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    Keep,
    /// Undeclared projects, groups, models, versions, aliases, datasets and endpoints are removed, undeclared
    /// machines deactivated. People and environments stay.
    Remove,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub differences: Vec<Difference>,
}

/// One thing that has to change, field by field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub operation: Operation,
    /// `model`, `version`, and so on.
    pub kind: &'static str,
    /// As people call it: `fraud`, `fraud/3`.
    pub name: String,
    pub fields: Vec<FieldChange>,
    #[serde(skip)]
    pub edits: Vec<Edit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Create,
    Update,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    pub field: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("`{key}` in `{file}` names the {kind} `{name}`, which is neither declared nor known")]
    Dangling { file: String, key: String, kind: &'static str, name: Name },
    #[error("`{key}` in `{file}` names {count} of `version` and `alias`, and needs exactly one")]
    Target { file: String, key: String, count: u8 },
    #[error("`{key}` in `{file}` has `{value}` twice")]
    Twice { file: String, key: String, value: String },
    #[error("`{key}` in `{file}` is longer than {max} bytes")]
    TooLong { file: String, key: String, max: usize },
    #[error("`{key}` in `{file}` is not a name of a served model: 1 to 256 printable characters")]
    ServedName { file: String, key: String },
    #[error("`{key}` in `{file}` makes the group `{name}` a part of itself")]
    Cycle { file: String, key: String, name: Name },
}

impl PlanError {
    /// What to do about it, where there is something.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Dangling { kind, .. } => match kind.as_bytes() {
                b"person" => Some("people are not declared; enrol the person first"),
                _ => Some("declare it in one of the files; with pruning, what is not declared goes away"),
            },
            Self::Target { .. }
            | Self::Twice { .. }
            | Self::TooLong { .. }
            | Self::ServedName { .. }
            | Self::Cycle { .. } => None,
        }
    }
}

/// What has to change for the declaration to be true. `mint` gives the bits of new identifiers.
pub fn plan(
    merged: &Merged,
    current: Current<'_>,
    prune: Prune,
    mint: &mut dyn FnMut() -> u128,
) -> Result<Plan, PlanError> {
    let ids = Ids::assign(merged, current.snapshot, prune, mint);
    let planner = Planner { merged, current, prune, ids };
    let mut differences = Vec::new();
    planner.projects(&mut differences);
    planner.environments(&mut differences);
    planner.groups(&mut differences)?;
    planner.machines(&mut differences)?;
    planner.people(&mut differences)?;
    planner.models(&mut differences)?;
    planner.datasets(&mut differences)?;
    planner.endpoints(&mut differences)?;
    if prune == Prune::Remove {
        planner.removals(&mut differences);
    }
    Ok(Plan { differences })
}

impl Plan {
    pub const fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }

    /// The edits, in order.
    pub fn into_edits(self) -> Vec<Edit> {
        self.differences.into_iter().flat_map(|difference| difference.edits).collect()
    }
}

struct Planner<'a> {
    merged: &'a Merged,
    current: Current<'a>,
    prune: Prune,
    ids: Ids,
}

/// The identifiers a reference can resolve to: of all that is declared and, unless pruned, of all that is known.
struct Ids {
    projects: BTreeMap<Name, ProjectId>,
    groups: BTreeMap<Name, GroupId>,
    machines: BTreeMap<Name, MachineId>,
    models: BTreeMap<Name, ModelId>,
    versions: BTreeMap<(ModelId, Name), VersionId>,
    aliases: BTreeMap<(ModelId, Name), AliasId>,
    datasets: BTreeMap<Name, DatasetId>,
    endpoints: BTreeMap<Name, EndpointId>,
    /// How each of them is called.
    labels: BTreeMap<u128, String>,
}

impl Ids {
    fn assign(merged: &Merged, snapshot: &Snapshot, prune: Prune, mint: &mut dyn FnMut() -> u128) -> Self {
        let declared = merged.declaration();
        let keep = prune == Prune::Keep;
        let mut labels = BTreeMap::new();

        macro_rules! table {
            ($section:ident, $named:ident) => {{
                let mut table = BTreeMap::new();
                for thing in snapshot.$section() {
                    labels.insert(thing.id.bits(), thing.name.to_string());
                    if keep {
                        table.insert(thing.name.clone(), thing.id);
                    }
                }
                for name in declared.$section.keys() {
                    let id = known_or_new(snapshot.$named(name.as_str()).map(|known| known.id), mint);
                    labels.insert(id.bits(), name.to_string());
                    table.insert(name.clone(), id);
                }
                table
            }};
        }

        let projects = table!(projects, project_named);
        let groups = table!(groups, group_named);
        let machines = table!(machines, machine_named);
        let models = table!(models, model_named);
        let datasets = table!(datasets, dataset_named);
        let endpoints = table!(endpoints, endpoint_named);

        let (mut versions, mut aliases) = (BTreeMap::new(), BTreeMap::new());
        let label = |labels: &BTreeMap<u128, String>, model: ModelId, name: &Name| {
            format!("{}/{name}", labels.get(&model.bits()).map_or("?", String::as_str))
        };
        for version in snapshot.versions() {
            labels.insert(version.id.bits(), label(&labels, version.model, &version.label));
            if keep {
                versions.insert((version.model, version.label.clone()), version.id);
            }
        }
        for alias in snapshot.aliases() {
            labels.insert(alias.id.bits(), label(&labels, alias.model, &alias.name));
            if keep {
                aliases.insert((alias.model, alias.name.clone()), alias.id);
            }
        }
        for (name, declaration) in &declared.models {
            let Some(model) = models.get(name).copied() else { continue };
            for version in declaration.versions.keys() {
                let known = snapshot.version_labelled(model, version).map(|known| known.id);
                let id = known_or_new(known, mint);
                labels.insert(id.bits(), label(&labels, model, version));
                versions.insert((model, version.clone()), id);
            }
            for alias in declaration.aliases.keys() {
                let id = known_or_new(snapshot.alias_named(model, alias).map(|known| known.id), mint);
                labels.insert(id.bits(), label(&labels, model, alias));
                aliases.insert((model, alias.clone()), id);
            }
        }
        Self { projects, groups, machines, models, versions, aliases, datasets, endpoints, labels }
    }

    fn label<K>(&self, id: Id<K>) -> String
    where
        K: modelward_decision::vocabulary::Kind,
    {
        self.labels.get(&id.bits()).cloned().unwrap_or_else(|| id.to_string())
    }
}

fn known_or_new<K: modelward_decision::vocabulary::Kind>(
    known: Option<Id<K>>,
    mint: &mut dyn FnMut() -> u128,
) -> Id<K> {
    known.unwrap_or_else(|| Id::from_bits(mint()))
}

/// Where a reference stands, for errors.
#[derive(Clone, Copy)]
struct Place<'a> {
    section: Section,
    name: &'a Name,
}

impl Planner<'_> {
    fn projects(&self, differences: &mut Vec<Difference>) {
        for name in self.merged.declaration().projects.keys() {
            let Some(id) = self.ids.projects.get(name).copied() else { continue };
            if self.current.snapshot.project(id).is_none() {
                let edit = put(Thing::Project(Project { id, name: name.clone() }));
                differences.push(create("project", name.to_string(), Vec::new(), vec![edit]));
            }
        }
    }

    fn environments(&self, differences: &mut Vec<Difference>) {
        for (name, declared) in &self.merged.declaration().environments {
            let wanted = Environment { name: name.clone(), production: declared.production };
            let known = self.current.snapshot.environment(name).map(AsRef::as_ref);
            let fields = |thing: &Environment| vec![("production", thing.production.to_string())];
            let edit = |thing: Environment| Thing::Environment(thing);
            difference(differences, "environment", name.to_string(), known, wanted, fields, edit);
        }
    }

    fn groups(&self, differences: &mut Vec<Difference>) -> Result<(), PlanError> {
        for (name, declared) in &self.merged.declaration().groups {
            let Some(id) = self.ids.groups.get(name).copied() else { continue };
            let place = Place { section: Section::Groups, name };
            let mut parents = BTreeSet::new();
            for parent in &declared.parents {
                parents.insert(self.find(&self.ids.groups, parent, "group", place, "parents")?);
            }
            if self.reaches(&parents, id) {
                return Err(PlanError::Cycle {
                    file: self.file(place),
                    key: key(place, "parents"),
                    name: name.clone(),
                });
            }
            let wanted = Group { id, name: name.clone(), parents };
            let known = self.current.snapshot.group(id).map(AsRef::as_ref);
            let fields = |thing: &Group| vec![("parents", self.join(&thing.parents))];
            difference(differences, "group", name.to_string(), known, wanted, fields, Thing::Group);
        }
        Ok(())
    }

    /// Whether following parents from these groups leads to this one, as declared and otherwise as known.
    fn reaches(&self, from: &BTreeSet<GroupId>, target: GroupId) -> bool {
        let names: BTreeMap<GroupId, &Name> = self.ids.groups.iter().map(|(name, id)| (*id, name)).collect();
        let mut open: Vec<GroupId> = from.iter().copied().collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if id == target {
                return true;
            }
            if !seen.insert(id) {
                continue;
            }
            let declared = names.get(&id).and_then(|name| self.merged.declaration().groups.get(*name));
            match declared {
                Some(group) => {
                    open.extend(group.parents.iter().filter_map(|parent| self.ids.groups.get(parent)));
                }
                None => open.extend(
                    self.current.snapshot.group(id).into_iter().flat_map(|group| group.parents.iter()),
                ),
            }
        }
        false
    }

    fn machines(&self, differences: &mut Vec<Difference>) -> Result<(), PlanError> {
        let snapshot = self.current.snapshot;
        let lists = self.member_lists(
            |group| group.machines.as_ref(),
            |name| self.ids.machines.get(name).map(|id| id.bits()),
            "machine",
            "machines",
        )?;
        let declared = &self.merged.declaration().machines;
        let mut wanted = BTreeMap::new();
        for machine in snapshot.machines() {
            let mut thing = Machine::clone(machine);
            thing.active &= self.prune == Prune::Keep || declared.contains_key(&machine.name);
            wanted.insert(machine.name.clone(), thing);
        }
        for (name, machine) in declared {
            let Some(id) = self.ids.machines.get(name).copied() else { continue };
            let thing = self.machine(id, name, machine)?;
            wanted.insert(name.clone(), thing);
        }
        for (name, mut thing) in wanted {
            thing.groups = self.membership(&thing.groups, thing.id.bits(), &lists);
            let known = snapshot.machine(thing.id).map(AsRef::as_ref);
            let fields = |thing: &Machine| {
                vec![
                    ("owner", self.person_label(thing.owner)),
                    ("clearance", thing.clearance.to_string()),
                    ("active", thing.active.to_string()),
                    ("groups", self.join(&thing.groups)),
                ]
            };
            difference(differences, "machine", name.to_string(), known, thing, fields, Thing::Machine);
        }
        Ok(())
    }

    fn machine(
        &self,
        id: MachineId,
        name: &Name,
        declared: &MachineDeclaration,
    ) -> Result<Machine, PlanError> {
        let place = Place { section: Section::Machines, name };
        let owner = self.person(&declared.owner, place, "owner")?;
        let groups = self.current.snapshot.machine(id).map(|known| known.groups.clone()).unwrap_or_default();
        let MachineDeclaration { owner: _, clearance, active } = declared;
        Ok(Machine { id, name: name.clone(), owner, clearance: *clearance, active: *active, groups })
    }

    fn people(&self, differences: &mut Vec<Difference>) -> Result<(), PlanError> {
        let snapshot = self.current.snapshot;
        let lists = self.member_lists(
            |group| group.people.as_ref(),
            |name| snapshot.person_named(name.as_str()).map(|person| person.id.bits()),
            "person",
            "people",
        )?;
        let mut people: Vec<_> = snapshot.people().collect();
        people.sort_by(|left, right| left.name.cmp(&right.name));
        for person in people {
            let groups = self.membership(&person.groups, person.id.bits(), &lists);
            if groups == person.groups {
                continue;
            }
            let wanted = Person { groups, ..Person::clone(person) };
            let fields = |thing: &Person| vec![("groups", self.join(&thing.groups))];
            let name = person.name.to_string();
            difference(differences, "person", name, Some(person.as_ref()), wanted, fields, Thing::Person);
        }
        Ok(())
    }

    /// For every group that says who its members are: who they are.
    fn member_lists(
        &self,
        list: impl Fn(&super::GroupDeclaration) -> Option<&BTreeSet<Name>>,
        resolve: impl Fn(&Name) -> Option<u128>,
        kind: &'static str,
        field: &str,
    ) -> Result<BTreeMap<GroupId, BTreeSet<u128>>, PlanError> {
        let mut lists = BTreeMap::new();
        for (name, group) in &self.merged.declaration().groups {
            let (Some(id), Some(members)) = (self.ids.groups.get(name), list(group)) else { continue };
            let place = Place { section: Section::Groups, name };
            let mut bits = BTreeSet::new();
            for member in members {
                bits.insert(resolve(member).ok_or_else(|| self.dangling(place, field, kind, member))?);
            }
            lists.insert(*id, bits);
        }
        Ok(lists)
    }

    /// The groups somebody is in once the lists hold and what is pruned is gone.
    fn membership(
        &self,
        before: &BTreeSet<GroupId>,
        member: u128,
        lists: &BTreeMap<GroupId, BTreeSet<u128>>,
    ) -> BTreeSet<GroupId> {
        let stays = |id: &GroupId| match self.prune {
            Prune::Keep => true,
            Prune::Remove => self.ids.groups.values().any(|known| known == id),
        };
        let unlisted = before.iter().filter(|id| !lists.contains_key(id) && stays(id));
        let listed = lists.iter().filter(|(_, members)| members.contains(&member)).map(|(id, _)| id);
        unlisted.chain(listed).copied().collect()
    }

    fn models(&self, differences: &mut Vec<Difference>) -> Result<(), PlanError> {
        for (name, declared) in &self.merged.declaration().models {
            let Some(id) = self.ids.models.get(name).copied() else { continue };
            let place = Place { section: Section::Models, name };
            self.model(id, declared, place, differences)?;
            self.versions(id, declared, place, differences)?;
            self.aliases(id, declared, place, differences)?;
        }
        Ok(())
    }

    fn model(
        &self,
        id: ModelId,
        declared: &ModelDeclaration,
        place: Place<'_>,
        differences: &mut Vec<Difference>,
    ) -> Result<(), PlanError> {
        let known = self.current.snapshot.model(id).map(AsRef::as_ref);
        let project = self.find(&self.ids.projects, &declared.project, "project", place, "project")?;
        let wanted = Model {
            id,
            project,
            name: place.name.clone(),
            classification: declared.classification,
            tags: declared.tags.clone(),
            // A quarantine is an incident, not a declaration.
            quarantined: known.is_some_and(|known| known.quarantined),
            on_sensitive_ask: declared.on_sensitive_ask,
            fail_static: declared.fail_static,
        };
        let told = self.current.descriptions.get(&id).cloned().unwrap_or_else(|| Description::empty(id));
        let telling = Description {
            model: id,
            card: declared.card.clone().unwrap_or_else(|| told.card.clone()),
            metrics: declared.metrics.clone().unwrap_or_else(|| told.metrics.clone()),
        };
        if telling.card.len() > Description::CARD_BYTES_MAX {
            return Err(self.too_long(place, "card", Description::CARD_BYTES_MAX));
        }
        if !telling.fits() {
            return Err(self.too_long(place, "metrics", Description::METRICS_BYTES_MAX));
        }
        let described = telling != told;
        let fields = |(model, description): &(Model, Description)| {
            vec![
                ("project", self.ids.label(model.project)),
                ("classification", model.classification.to_string()),
                ("tags", join_names(&model.tags)),
                ("on_sensitive_ask", kebab(&model.on_sensitive_ask)),
                ("fail_static", model.fail_static.to_string()),
                ("card", brief(&description.card)),
                ("metrics", metrics(description)),
            ]
        };
        let known = known.map(|known| (known.clone(), told));
        let changed = known.as_ref().is_none_or(|(known, _)| *known != wanted);
        let found = compare(known.as_ref(), &(wanted.clone(), telling.clone()), fields);
        if changed || described {
            let mut edits = Vec::new();
            if changed {
                edits.push(put(Thing::Model(wanted)));
            }
            if described {
                edits.push(put(Thing::Description(telling)));
            }
            let operation = if known.is_some() { Operation::Update } else { Operation::Create };
            let name = place.name.to_string();
            differences.push(Difference { operation, kind: "model", name, fields: found, edits });
        }
        Ok(())
    }

    fn versions(
        &self,
        model: ModelId,
        declared: &ModelDeclaration,
        place: Place<'_>,
        differences: &mut Vec<Difference>,
    ) -> Result<(), PlanError> {
        for (label, version) in &declared.versions {
            let Some(id) = self.ids.versions.get(&(model, label.clone())).copied() else { continue };
            if let Some(long) = version.label_outputs.iter().find(|output| !is_served_name(output)) {
                let field = format!("versions.{label}.label_outputs.{}", brief(long));
                return Err(PlanError::ServedName { file: self.file(place), key: key(place, &field) });
            }
            let known = self.current.snapshot.version(id).map(AsRef::as_ref);
            let wanted = Version {
                id,
                model,
                label: label.clone(),
                digest: version.digest.map(|digest| digest.to_string()),
                label_outputs: version.label_outputs.clone(),
                proven: version.proven,
                quarantined: known.is_some_and(|known| known.quarantined),
            };
            let fields = |thing: &Version| {
                vec![
                    ("digest", thing.digest.clone().unwrap_or_default()),
                    (
                        "label_outputs",
                        thing.label_outputs.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
                    ),
                    ("proven", thing.proven.to_string()),
                ]
            };
            let name = self.ids.label(id);
            difference(differences, "version", name, known, wanted, fields, Thing::Version);
        }
        Ok(())
    }

    fn aliases(
        &self,
        model: ModelId,
        declared: &ModelDeclaration,
        place: Place<'_>,
        differences: &mut Vec<Difference>,
    ) -> Result<(), PlanError> {
        for (name, alias) in &declared.aliases {
            let Some(id) = self.ids.aliases.get(&(model, name.clone())).copied() else { continue };
            let field = format!("aliases.{name}.version");
            let version = self.version(model, &alias.version, place, &field)?;
            let wanted = Alias { id, model, name: name.clone(), version, protected: alias.protected };
            let known = self.current.snapshot.alias(id).map(AsRef::as_ref);
            let fields = |thing: &Alias| {
                vec![("version", self.ids.label(thing.version)), ("protected", thing.protected.to_string())]
            };
            let name = self.ids.label(id);
            difference(differences, "alias", name, known, wanted, fields, Thing::Alias);
        }
        Ok(())
    }

    fn datasets(&self, differences: &mut Vec<Difference>) -> Result<(), PlanError> {
        for (name, declared) in &self.merged.declaration().datasets {
            let Some(id) = self.ids.datasets.get(name).copied() else { continue };
            let wanted = self.dataset(id, name, declared)?;
            let known = self.current.snapshot.dataset(id).map(AsRef::as_ref);
            let fields = |thing: &Dataset| {
                vec![
                    ("project", self.ids.label(thing.project)),
                    ("classification", thing.classification.to_string()),
                    ("tags", join_names(&thing.tags)),
                    ("columns", columns(&thing.columns)),
                ]
            };
            difference(differences, "dataset", name.to_string(), known, wanted, fields, Thing::Dataset);
        }
        Ok(())
    }

    fn dataset(
        &self,
        id: DatasetId,
        name: &Name,
        declared: &DatasetDeclaration,
    ) -> Result<Dataset, PlanError> {
        let place = Place { section: Section::Datasets, name };
        let project = self.find(&self.ids.projects, &declared.project, "project", place, "project")?;
        let mut seen = BTreeSet::new();
        let mut columns = Vec::new();
        for column in &declared.columns {
            if !seen.insert(&column.name) {
                return Err(self.twice(place, "columns", column.name.as_str()));
            }
            columns.push(Column { name: column.name.clone(), classification: column.classification });
        }
        Ok(Dataset {
            id,
            project,
            name: name.clone(),
            classification: declared.classification,
            tags: declared.tags.clone(),
            columns,
        })
    }

    fn endpoints(&self, differences: &mut Vec<Difference>) -> Result<(), PlanError> {
        for (name, declared) in &self.merged.declaration().endpoints {
            let Some(id) = self.ids.endpoints.get(name).copied() else { continue };
            let wanted = self.endpoint(id, name, declared)?;
            let known = self.current.snapshot.endpoint(id).map(AsRef::as_ref);
            let fields = |thing: &Endpoint| {
                vec![
                    ("protocol", kebab(&thing.protocol)),
                    ("environment", thing.environment.to_string()),
                    ("upstream", thing.upstream.to_string()),
                    ("approved", thing.approved.to_string()),
                    ("serves", self.serves(&thing.serves)),
                ]
            };
            difference(differences, "endpoint", name.to_string(), known, wanted, fields, Thing::Endpoint);
        }
        Ok(())
    }

    fn endpoint(
        &self,
        id: EndpointId,
        name: &Name,
        declared: &EndpointDeclaration,
    ) -> Result<Endpoint, PlanError> {
        let place = Place { section: Section::Endpoints, name };
        let environment = &declared.environment;
        let known = self.merged.declaration().environments.contains_key(environment)
            || self.current.snapshot.environment(environment).is_some();
        if !known {
            return Err(self.dangling(place, "environment", "environment", environment));
        }
        let mut public = BTreeSet::new();
        let mut serves = Vec::new();
        for served in &declared.serves {
            let served = self.served(served, place)?;
            if !public.insert(served.public_name.clone()) {
                return Err(self.twice(place, "serves", &served.public_name));
            }
            serves.push(served);
        }
        Ok(Endpoint {
            id,
            name: name.clone(),
            environment: environment.clone(),
            protocol: declared.protocol,
            upstream: declared.upstream.clone(),
            approved: declared.approved,
            serves,
        })
    }

    fn served(&self, declared: &ServedDeclaration, place: Place<'_>) -> Result<Served, PlanError> {
        let model = self.find(&self.ids.models, &declared.model, "model", place, "serves.model")?;
        let target = match (&declared.version, &declared.alias) {
            (Some(label), None) => Target::Version(self.version(model, label, place, "serves.version")?),
            (None, Some(alias)) => {
                let id = self.ids.aliases.get(&(model, alias.clone())).copied();
                Target::Alias(id.ok_or_else(|| self.dangling(place, "serves.alias", "alias", alias))?)
            }
            (None, None) => {
                return Err(PlanError::Target {
                    file: self.file(place),
                    key: key(place, "serves"),
                    count: 0,
                });
            }
            (Some(_), Some(_)) => {
                return Err(PlanError::Target {
                    file: self.file(place),
                    key: key(place, "serves"),
                    count: 2,
                });
            }
        };
        let or_model = |name: &Option<String>, field: &str| {
            let name = name.clone().unwrap_or_else(|| declared.model.to_string());
            if is_served_name(&name) {
                return Ok(name);
            }
            Err(PlanError::ServedName { file: self.file(place), key: key(place, field) })
        };
        let public_name = or_model(&declared.public_name, "serves.public_name")?;
        let upstream_name = or_model(&declared.upstream_name, "serves.upstream_name")?;
        Ok(Served { public_name, model, target, upstream_name })
    }

    /// What is known and not declared, last what others stand on.
    fn removals(&self, differences: &mut Vec<Difference>) {
        let snapshot = self.current.snapshot;
        let ids = &self.ids;
        let mut gone: Vec<(&'static str, String, Removed)> = Vec::new();
        let mut batch = |kind: &'static str, mut found: Vec<(String, Removed)>| {
            found.sort_by(|left, right| left.0.cmp(&right.0));
            gone.extend(found.into_iter().map(|(name, removed)| (kind, name, removed)));
        };

        macro_rules! undeclared {
            ($section:ident, $variant:ident) => {
                snapshot
                    .$section()
                    .filter(|thing| !ids.$section.contains_key(&thing.name))
                    .map(|thing| (thing.name.to_string(), Removed::$variant(thing.id)))
                    .collect()
            };
        }

        batch("endpoint", undeclared!(endpoints, Endpoint));
        batch(
            "alias",
            snapshot
                .aliases()
                .filter(|alias| !ids.aliases.contains_key(&(alias.model, alias.name.clone())))
                .map(|alias| (ids.label(alias.id), Removed::Alias(alias.id)))
                .collect(),
        );
        batch(
            "version",
            snapshot
                .versions()
                .filter(|version| !ids.versions.contains_key(&(version.model, version.label.clone())))
                .map(|version| (ids.label(version.id), Removed::Version(version.id)))
                .collect(),
        );
        batch("model", undeclared!(models, Model));
        batch("dataset", undeclared!(datasets, Dataset));
        batch("group", undeclared!(groups, Group));
        batch("project", undeclared!(projects, Project));
        differences.extend(gone.into_iter().map(|(kind, name, removed)| Difference {
            operation: Operation::Delete,
            kind,
            name,
            fields: Vec::new(),
            edits: vec![Edit::Remove(removed)],
        }));
    }

    fn find<T: Copy>(
        &self,
        table: &BTreeMap<Name, T>,
        name: &Name,
        kind: &'static str,
        place: Place<'_>,
        field: &str,
    ) -> Result<T, PlanError> {
        table.get(name).copied().ok_or_else(|| self.dangling(place, field, kind, name))
    }

    fn version(
        &self,
        model: ModelId,
        label: &Name,
        place: Place<'_>,
        field: &str,
    ) -> Result<VersionId, PlanError> {
        let found = self.ids.versions.get(&(model, label.clone())).copied();
        found.ok_or_else(|| self.dangling(place, field, "version", label))
    }

    fn person(&self, name: &Name, place: Place<'_>, field: &str) -> Result<PersonId, PlanError> {
        let found = self.current.snapshot.person_named(name.as_str()).map(|person| person.id);
        found.ok_or_else(|| self.dangling(place, field, "person", name))
    }

    fn person_label(&self, id: PersonId) -> String {
        self.current.snapshot.person(id).map_or_else(|| id.to_string(), |person| person.name.to_string())
    }

    fn join(&self, groups: &BTreeSet<GroupId>) -> String {
        let names: BTreeSet<String> = groups.iter().map(|id| self.ids.label(*id)).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }

    fn serves(&self, serves: &[Served]) -> String {
        let one = |served: &Served| {
            let target = match served.target {
                Target::Version(id) => self.ids.label(id),
                Target::Alias(id) => self.ids.label(id),
            };
            let Served { public_name, upstream_name, .. } = served;
            format!("{public_name} = {target} (upstream {upstream_name})")
        };
        serves.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn file(&self, place: Place<'_>) -> String {
        self.merged.file(place.section, place.name).unwrap_or_default().to_owned()
    }

    fn dangling(&self, place: Place<'_>, field: &str, kind: &'static str, name: &Name) -> PlanError {
        PlanError::Dangling { file: self.file(place), key: key(place, field), kind, name: name.clone() }
    }

    fn twice(&self, place: Place<'_>, field: &str, value: &str) -> PlanError {
        PlanError::Twice { file: self.file(place), key: key(place, field), value: brief(value) }
    }

    fn too_long(&self, place: Place<'_>, field: &str, max: usize) -> PlanError {
        PlanError::TooLong { file: self.file(place), key: key(place, field), max }
    }
}

/// Notes what differs between a known and a wanted thing, if anything does.
fn difference<T: PartialEq>(
    differences: &mut Vec<Difference>,
    kind: &'static str,
    name: String,
    known: Option<&T>,
    wanted: T,
    fields: impl Fn(&T) -> Vec<(&'static str, String)>,
    thing: impl Fn(T) -> Thing,
) {
    if known == Some(&wanted) {
        return;
    }
    let operation = if known.is_some() { Operation::Update } else { Operation::Create };
    let fields = compare(known, &wanted, fields);
    differences.push(Difference { operation, kind, name, fields, edits: vec![put(thing(wanted))] });
}

/// Of a new thing, every field that says something; of a known one, every field that differs.
fn compare<T>(
    known: Option<&T>,
    wanted: &T,
    fields: impl Fn(&T) -> Vec<(&'static str, String)>,
) -> Vec<FieldChange> {
    let before: BTreeMap<_, _> = known.map(&fields).unwrap_or_default().into_iter().collect();
    let some = |text: String| (!text.is_empty()).then_some(text);
    fields(wanted)
        .into_iter()
        .map(|(field, after)| FieldChange {
            field,
            before: before.get(field).cloned().and_then(some),
            after: some(after),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

fn create(kind: &'static str, name: String, fields: Vec<FieldChange>, edits: Vec<Edit>) -> Difference {
    Difference { operation: Operation::Create, kind, name, fields, edits }
}

fn put(thing: Thing) -> Edit {
    Edit::Put(Box::new(thing))
}

fn key(place: Place<'_>, field: &str) -> String {
    format!("{}.{}.{field}", place.section, place.name)
}

/// What a protocol can carry in a path segment or a JSON string: no control character, no surprise in a log line.
fn is_served_name(name: &str) -> bool {
    (1..=256).contains(&name.len()) && name.chars().all(|character| character.is_ascii_graphic())
}

fn join_names(names: &BTreeSet<Name>) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

fn columns(columns: &[Column]) -> String {
    let one = |column: &Column| format!("{} ({})", column.name, column.classification);
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn metrics(description: &Description) -> String {
    let one = |(name, value): (&String, &serde_json::Value)| format!("{name} = {value}");
    brief(&description.metrics.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// The beginning of a long text, with how long it is.
fn brief(text: &str) -> String {
    const SHOWN: usize = 80;
    let length = text.chars().count();
    if length <= SHOWN {
        return text.to_owned();
    }
    let shown: String = text.chars().take(SHOWN).collect();
    format!("{shown}… ({length} characters)")
}

/// The name of a unit variant, as in files.
fn kebab<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(_) | Err(_) => String::new(),
    }
}
