//! How far a caller reaches.

use modelward_decision::Snapshot;
use modelward_decision::search::groups_of;
use modelward_decision::vocabulary::{PrincipalRef, ProjectId, ResourceRef};
use modelward_seal::Digest;

use super::Door;
use super::config::{Caller, CallerPrincipal, Reach};

impl<'a> Door<'a> {
    /// The caller this principal is.
    pub(super) fn caller_of(&self, snapshot: &Snapshot, who: PrincipalRef) -> Option<&'a Caller> {
        self.config.callers.iter().find(|caller| caller.principal(snapshot) == Some(who))
    }

    /// The proxy that shows this secret. Digests are compared, so that time tells nothing of the secret.
    pub(super) fn proxy_of(&self, snapshot: &Snapshot, secret: &[u8]) -> Option<&'a Caller> {
        let shown = Digest::of(secret);
        let proxy = self.config.callers.iter().find(|caller| caller.secret == Some(shown))?;
        proxy.principal(snapshot).map(|_| proxy)
    }
}

impl Caller {
    /// Who it is now; nobody while it, or the person who answers for it, is not active.
    pub(super) fn principal(&self, snapshot: &Snapshot) -> Option<PrincipalRef> {
        match &self.principal {
            CallerPrincipal::User(name) => snapshot
                .person_named(name.as_str())
                .filter(|person| person.active)
                .map(|person| PrincipalRef::Person(person.id)),
            CallerPrincipal::Machine(name) => snapshot
                .machine_named(name.as_str())
                .filter(|machine| {
                    machine.active && snapshot.person(machine.owner).is_some_and(|owner| owner.active)
                })
                .map(|machine| PrincipalRef::Machine(machine.id)),
        }
    }

    /// Whether it may ask about this principal.
    pub(super) fn reaches_subject(&self, snapshot: &Snapshot, subject: PrincipalRef) -> bool {
        match &self.subjects {
            Reach::All => true,
            Reach::Named(groups) => groups_of(snapshot, subject)
                .into_iter()
                .filter_map(|group| snapshot.group(group))
                .any(|group| groups.contains(&group.name)),
        }
    }

    /// Whether it may ask about this resource.
    pub(super) fn reaches_resource(&self, snapshot: &Snapshot, resource: ResourceRef) -> bool {
        let Reach::Named(projects) = &self.projects else { return true };
        let of_model = |id| snapshot.model(id).map(|model| model.project);
        let project: Option<ProjectId> = match resource {
            ResourceRef::Platform => None,
            ResourceRef::Endpoint(id) => {
                let own = self.endpoint.as_ref().and_then(|name| snapshot.endpoint_named(name.as_str()));
                return own.is_some_and(|own| own.id == id);
            }
            ResourceRef::Project(id) => Some(id),
            ResourceRef::Dataset(id) => snapshot.dataset(id).map(|dataset| dataset.project),
            ResourceRef::Model(id) => of_model(id),
            ResourceRef::Version(id) => snapshot.version(id).and_then(|version| of_model(version.model)),
        };
        project.and_then(|id| snapshot.project(id)).is_some_and(|project| projects.contains(&project.name))
    }
}
