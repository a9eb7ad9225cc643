//! Principals and resources as other enforcement points name them.
//!
//! | type | id |
//! |-|-|
//! | `user`, `machine` | name or id |
//! | `project`, `model`, `dataset`, `endpoint` | name or id |
//! | `version` | `model/label`, or id |
//! | `platform` | `platform` |
//!
//! An action is the name of one of our own.

use modelward_decision::Snapshot;
use modelward_decision::search::PrincipalKind;
use modelward_decision::vocabulary::{
    DatasetId, EndpointId, MachineId, ModelId, Name, PersonId, PrincipalRef, ProjectId, ResourceKind,
    ResourceRef, VersionId,
};

/// Stands for everybody and everything that is not known: it is decided about, and never allowed, like the rest.
const NOBODY: u128 = 0;

pub(super) const fn no_subject(kind: Option<PrincipalKind>) -> PrincipalRef {
    match kind {
        None | Some(PrincipalKind::Person) => PrincipalRef::Person(PersonId::from_bits(NOBODY)),
        Some(PrincipalKind::Machine) => PrincipalRef::Machine(MachineId::from_bits(NOBODY)),
    }
}

pub(super) const fn no_resource(kind: Option<ResourceKind>) -> ResourceRef {
    match kind {
        Some(ResourceKind::Project) => ResourceRef::Project(ProjectId::from_bits(NOBODY)),
        Some(ResourceKind::Version) => ResourceRef::Version(VersionId::from_bits(NOBODY)),
        Some(ResourceKind::Endpoint) => ResourceRef::Endpoint(EndpointId::from_bits(NOBODY)),
        Some(ResourceKind::Dataset) => ResourceRef::Dataset(DatasetId::from_bits(NOBODY)),
        // There is one platform, so no other to stand in for it.
        None | Some(ResourceKind::Model | ResourceKind::Platform) => {
            ResourceRef::Model(ModelId::from_bits(NOBODY))
        }
    }
}

pub(super) fn principal_kind(kind: &str) -> Option<PrincipalKind> {
    match kind {
        "user" => Some(PrincipalKind::Person),
        "machine" => Some(PrincipalKind::Machine),
        _ => None,
    }
}

pub(super) fn resource_kind(kind: &str) -> Option<ResourceKind> {
    Some(match kind {
        "platform" => ResourceKind::Platform,
        "project" => ResourceKind::Project,
        "model" => ResourceKind::Model,
        "version" => ResourceKind::Version,
        "endpoint" => ResourceKind::Endpoint,
        "dataset" => ResourceKind::Dataset,
        _ => return None,
    })
}

pub(super) fn subject(snapshot: &Snapshot, kind: PrincipalKind, id: &str) -> Option<PrincipalRef> {
    Some(match kind {
        PrincipalKind::Person => {
            let known = id.parse().ok().and_then(|id| snapshot.person(id));
            PrincipalRef::Person(known.or_else(|| snapshot.person_named(id))?.id)
        }
        PrincipalKind::Machine => {
            let known = id.parse().ok().and_then(|id| snapshot.machine(id));
            PrincipalRef::Machine(known.or_else(|| snapshot.machine_named(id))?.id)
        }
    })
}

pub(super) fn resource(snapshot: &Snapshot, kind: ResourceKind, id: &str) -> Option<ResourceRef> {
    Some(match kind {
        ResourceKind::Platform if id == "platform" => ResourceRef::Platform,
        ResourceKind::Platform => return None,
        ResourceKind::Project => {
            let known = id.parse().ok().and_then(|id| snapshot.project(id));
            ResourceRef::Project(known.or_else(|| snapshot.project_named(id))?.id)
        }
        ResourceKind::Model => {
            let known = id.parse().ok().and_then(|id| snapshot.model(id));
            ResourceRef::Model(known.or_else(|| snapshot.model_named(id))?.id)
        }
        ResourceKind::Endpoint => {
            let known = id.parse().ok().and_then(|id| snapshot.endpoint(id));
            ResourceRef::Endpoint(known.or_else(|| snapshot.endpoint_named(id))?.id)
        }
        ResourceKind::Dataset => {
            let known = id.parse().ok().and_then(|id| snapshot.dataset(id));
            ResourceRef::Dataset(known.or_else(|| snapshot.dataset_named(id))?.id)
        }
        ResourceKind::Version => {
            let known = id.parse().ok().and_then(|id| snapshot.version(id));
            ResourceRef::Version(known.or_else(|| version(snapshot, id))?.id)
        }
    })
}

fn version<'s>(
    snapshot: &'s Snapshot,
    id: &str,
) -> Option<&'s std::sync::Arc<modelward_decision::inventory::Version>> {
    let (model, label) = id.split_once('/')?;
    snapshot.version_labelled(snapshot.model_named(model)?.id, &Name::new(label).ok()?)
}

/// The type and id of a principal in an answer.
pub(super) fn named_subject(snapshot: &Snapshot, subject: PrincipalRef) -> Option<(&'static str, String)> {
    Some(match subject {
        PrincipalRef::Person(id) => ("user", snapshot.person(id)?.name.to_string()),
        PrincipalRef::Machine(id) => ("machine", snapshot.machine(id)?.name.to_string()),
    })
}

/// The type and id of a resource in an answer.
pub(super) fn named_resource(snapshot: &Snapshot, resource: ResourceRef) -> Option<(&'static str, String)> {
    Some(match resource {
        ResourceRef::Platform => ("platform", "platform".to_owned()),
        ResourceRef::Project(id) => ("project", snapshot.project(id)?.name.to_string()),
        ResourceRef::Model(id) => ("model", snapshot.model(id)?.name.to_string()),
        ResourceRef::Endpoint(id) => ("endpoint", snapshot.endpoint(id)?.name.to_string()),
        ResourceRef::Dataset(id) => ("dataset", snapshot.dataset(id)?.name.to_string()),
        ResourceRef::Version(id) => {
            let version = snapshot.version(id)?;
            ("version", format!("{}/{}", snapshot.model(version.model)?.name, version.label))
        }
    })
}
