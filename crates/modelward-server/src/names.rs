//! Names people write for things, and things as people call them.
//!
//! `dana`, `machine:scorer`, `group:analysts`; `platform`, `project:risk`, `fraud`, `fraud/3`, `fraud@champion`,
//! `endpoint:scoring`, `dataset:claims`. An identifier does wherever a name does.

use modelward_decision::Snapshot;
use modelward_decision::inventory::Model;
use modelward_decision::vocabulary::{GranteeRef, Name, PrincipalRef, ResourceRef, ScopeRef};

use crate::problem::Problem;
use crate::wire::{PrincipalView, ResourceView};

/// The longest name of a thing with what it belongs to.
const TEXT_MAX: usize = 300;

fn bounded(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    if text.is_empty() || text.len() > TEXT_MAX {
        return Err(Problem::malformed(format!("a name has 1 to {TEXT_MAX} characters")));
    }
    Ok(text)
}

/// Somebody a grant can be given to.
pub(crate) fn grantee(snapshot: &Snapshot, text: &str) -> Result<GranteeRef, Problem> {
    let text = bounded(text)?;
    if let Ok(id) = text.parse() {
        return snapshot
            .person(id)
            .map(|it| GranteeRef::Person(it.id))
            .ok_or_else(|| Problem::not_found("person", text));
    }
    if let Ok(id) = text.parse() {
        return snapshot
            .machine(id)
            .map(|it| GranteeRef::Machine(it.id))
            .ok_or_else(|| Problem::not_found("machine", text));
    }
    if let Ok(id) = text.parse() {
        return snapshot
            .group(id)
            .map(|it| GranteeRef::Group(it.id))
            .ok_or_else(|| Problem::not_found("group", text));
    }
    let (kind, name) = text.split_once(':').unwrap_or(("person", text));
    let found = match kind {
        "person" => snapshot.person_named(name).map(|it| GranteeRef::Person(it.id)),
        "machine" => snapshot.machine_named(name).map(|it| GranteeRef::Machine(it.id)),
        "group" => snapshot.group_named(name).map(|it| GranteeRef::Group(it.id)),
        _ => return Err(Problem::malformed(format!("`{text}` is not `person`, `machine:…` or `group:…`"))),
    };
    found.ok_or_else(|| Problem::not_found(kind, name))
}

/// Somebody who can ask.
pub(crate) fn principal(snapshot: &Snapshot, text: &str) -> Result<PrincipalRef, Problem> {
    match grantee(snapshot, text)? {
        GranteeRef::Person(id) => Ok(PrincipalRef::Person(id)),
        GranteeRef::Machine(id) => Ok(PrincipalRef::Machine(id)),
        GranteeRef::Group(_) => Err(Problem::malformed("a group does not ask; name a person or machine")),
    }
}

/// What a grant can cover.
pub(crate) fn scope(snapshot: &Snapshot, text: &str) -> Result<ScopeRef, Problem> {
    let text = bounded(text)?;
    if text == "platform" {
        return Ok(ScopeRef::Platform);
    }
    if let Some(found) = scope_by_id(snapshot, text) {
        return found.ok_or_else(|| Problem::not_found("thing", text));
    }
    if let Some((kind, name)) = text.split_once(':') {
        let found = match kind {
            "project" => snapshot.project_named(name).map(|it| ScopeRef::Project(it.id)),
            "endpoint" => snapshot.endpoint_named(name).map(|it| ScopeRef::Endpoint(it.id)),
            "dataset" => snapshot.dataset_named(name).map(|it| ScopeRef::Dataset(it.id)),
            "model" => return model_part(snapshot, name),
            _ => return Err(Problem::malformed(format!("`{kind}` is not a kind of thing"))),
        };
        return found.ok_or_else(|| Problem::not_found(kind, name));
    }
    model_part(snapshot, text)
}

fn scope_by_id(snapshot: &Snapshot, text: &str) -> Option<Option<ScopeRef>> {
    if let Ok(id) = text.parse() {
        return Some(snapshot.project(id).map(|it| ScopeRef::Project(it.id)));
    }
    if let Ok(id) = text.parse() {
        return Some(snapshot.model(id).map(|it| ScopeRef::Model(it.id)));
    }
    if let Ok(id) = text.parse() {
        return Some(snapshot.version(id).map(|it| ScopeRef::Version(it.id)));
    }
    if let Ok(id) = text.parse() {
        return Some(snapshot.alias(id).map(|it| ScopeRef::Alias(it.id)));
    }
    if let Ok(id) = text.parse() {
        return Some(snapshot.endpoint(id).map(|it| ScopeRef::Endpoint(it.id)));
    }
    if let Ok(id) = text.parse() {
        return Some(snapshot.dataset(id).map(|it| ScopeRef::Dataset(it.id)));
    }
    None
}

fn model_part(snapshot: &Snapshot, text: &str) -> Result<ScopeRef, Problem> {
    let unknown = || Problem::not_found("model", text);
    if let Some((model, label)) = text.split_once('/') {
        let model = snapshot.model_named(model).ok_or_else(unknown)?;
        let label = Name::new(label).map_err(|_| unknown())?;
        return snapshot
            .version_labelled(model.id, &label)
            .map(|it| ScopeRef::Version(it.id))
            .ok_or_else(unknown);
    }
    if let Some((model, alias)) = text.split_once('@') {
        let model = snapshot.model_named(model).ok_or_else(unknown)?;
        let alias = Name::new(alias).map_err(|_| unknown())?;
        return snapshot.alias_named(model.id, &alias).map(|it| ScopeRef::Alias(it.id)).ok_or_else(unknown);
    }
    snapshot.model_named(text).map(|it| ScopeRef::Model(it.id)).ok_or_else(unknown)
}

/// What a request can touch; an alias is the version it names now.
pub(crate) fn resource(snapshot: &Snapshot, text: &str) -> Result<ResourceRef, Problem> {
    resource_of(snapshot, scope(snapshot, text)?).ok_or_else(|| Problem::not_found("thing", text))
}

pub(crate) fn resource_of(snapshot: &Snapshot, scope: ScopeRef) -> Option<ResourceRef> {
    Some(match scope {
        ScopeRef::Platform => ResourceRef::Platform,
        ScopeRef::Project(id) => ResourceRef::Project(id),
        ScopeRef::Model(id) => ResourceRef::Model(id),
        ScopeRef::Version(id) => ResourceRef::Version(id),
        ScopeRef::Alias(id) => ResourceRef::Version(snapshot.alias(id)?.version),
        ScopeRef::Endpoint(id) => ResourceRef::Endpoint(id),
        ScopeRef::Dataset(id) => ResourceRef::Dataset(id),
    })
}

/// What govern-like actions on a scope are asked about: an alias belongs to its model.
pub(crate) fn governed(snapshot: &Snapshot, scope: ScopeRef) -> ResourceRef {
    match scope {
        ScopeRef::Alias(id) => {
            snapshot.alias(id).map_or(ResourceRef::Platform, |alias| ResourceRef::Model(alias.model))
        }
        ScopeRef::Platform => ResourceRef::Platform,
        ScopeRef::Project(id) => ResourceRef::Project(id),
        ScopeRef::Model(id) => ResourceRef::Model(id),
        ScopeRef::Version(id) => ResourceRef::Version(id),
        ScopeRef::Endpoint(id) => ResourceRef::Endpoint(id),
        ScopeRef::Dataset(id) => ResourceRef::Dataset(id),
    }
}

pub(crate) fn principal_view(snapshot: &Snapshot, principal: PrincipalRef) -> PrincipalView {
    grantee_view(snapshot, principal.as_grantee())
}

/// A thing that is gone keeps its identifier as its name.
pub(crate) fn grantee_view(snapshot: &Snapshot, grantee: GranteeRef) -> PrincipalView {
    let id = grantee.to_string();
    let (kind, name, display_name) = match grantee {
        GranteeRef::Person(person) => {
            let person = snapshot.person(person);
            ("person", person.map(|it| it.name.to_string()), person.map(|it| it.display_name.clone()))
        }
        GranteeRef::Machine(machine) => {
            ("machine", snapshot.machine(machine).map(|it| it.name.to_string()), None)
        }
        GranteeRef::Group(group) => ("group", snapshot.group(group).map(|it| it.name.to_string()), None),
    };
    PrincipalView { kind: kind.to_owned(), name: name.unwrap_or_else(|| id.clone()), id, display_name }
}

pub(crate) fn resource_view(snapshot: &Snapshot, resource: ResourceRef) -> ResourceView {
    scope_view(snapshot, resource.as_scope())
}

pub(crate) fn scope_view(snapshot: &Snapshot, scope: ScopeRef) -> ResourceView {
    let of_model = |model: Option<&std::sync::Arc<Model>>| {
        model.map_or_else(|| "?".to_owned(), |it| it.name.to_string())
    };
    let (kind, name) = match scope {
        ScopeRef::Platform => {
            return ResourceView { kind: "platform".to_owned(), id: None, name: "platform".to_owned() };
        }
        ScopeRef::Project(id) => ("project", snapshot.project(id).map(|it| format!("project:{}", it.name))),
        ScopeRef::Model(id) => ("model", snapshot.model(id).map(|it| it.name.to_string())),
        ScopeRef::Version(id) => (
            "version",
            snapshot.version(id).map(|it| format!("{}/{}", of_model(snapshot.model(it.model)), it.label)),
        ),
        ScopeRef::Alias(id) => (
            "alias",
            snapshot.alias(id).map(|it| format!("{}@{}", of_model(snapshot.model(it.model)), it.name)),
        ),
        ScopeRef::Endpoint(id) => {
            ("endpoint", snapshot.endpoint(id).map(|it| format!("endpoint:{}", it.name)))
        }
        ScopeRef::Dataset(id) => ("dataset", snapshot.dataset(id).map(|it| format!("dataset:{}", it.name))),
    };
    let id = scope.to_string();
    ResourceView { kind: kind.to_owned(), name: name.unwrap_or_else(|| id.clone()), id: Some(id) }
}

/// Groups of a principal, directly and through other groups.
pub(crate) fn groups_of(
    snapshot: &Snapshot,
    principal: PrincipalRef,
) -> std::collections::BTreeSet<modelward_decision::vocabulary::GroupId> {
    let mut open: Vec<_> = match principal {
        PrincipalRef::Person(id) => snapshot.person(id).map(|it| it.groups.iter().copied().collect()),
        PrincipalRef::Machine(id) => snapshot.machine(id).map(|it| it.groups.iter().copied().collect()),
    }
    .unwrap_or_default();
    let mut all = std::collections::BTreeSet::new();
    while let Some(id) = open.pop() {
        if all.insert(id) {
            open.extend(snapshot.group(id).into_iter().flat_map(|group| group.parents.iter().copied()));
        }
    }
    all
}
