//! Who could reach a thing and what somebody could reach, going by grants and memberships alone.
//!
//! It evaluates no policy: what comes out is every candidate and no proof. Whoever asks decides for each candidate, a page
//! at a time; whether a thing may be known to exist can be asked about every row of a long list.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::slice::{Holder, Thing, grantees_of, scopes_of};
use crate::snapshot::Snapshot;
use crate::vocabulary::{
    Action, EndpointId, GranteeRef, GroupId, PrincipalRef, Privilege, ResourceKind, ResourceRef, ScopeRef,
};

impl Snapshot {
    /// Whether a live grant of one of these privileges, to the principal or to a group it is in, has the resource in
    /// its scope. That is no permission: a guardrail or a condition of the grant may still deny.
    ///
    /// `via` is the endpoint the resource is asked for through, if it is.
    pub fn is_reached_by(
        &self,
        principal: PrincipalRef,
        privileges: &[Privilege],
        resource: ResourceRef,
        via: Option<EndpointId>,
        now: Timestamp,
    ) -> bool {
        let Some(holder) = Holder::find(self, principal) else { return false };
        let Some(thing) = Thing::find(self, resource, via) else { return false };
        holder.grantees().any(|grantee| {
            thing.scopes.iter().any(|scope| {
                self.grants_between(grantee.bits(), scope.bits())
                    .iter()
                    .any(|grant| privileges.contains(&grant.privilege) && grant.is_live(now))
            })
        })
    }
}

/// Everybody whom a live grant lets near this, directly or through groups; in order of their references.
pub fn candidates(
    snapshot: &Snapshot,
    action: Action,
    resource: ResourceRef,
    via: Option<EndpointId>,
    at: Timestamp,
) -> Vec<PrincipalRef> {
    let people = snapshot.people().map(|person| (PrincipalRef::Person(person.id), &person.groups));
    let machines = snapshot.machines().map(|machine| (PrincipalRef::Machine(machine.id), &machine.groups));
    let everybody = people.chain(machines);
    let mut found: Vec<PrincipalRef> = if action.privilege() == Privilege::SelfService {
        everybody.map(|(principal, _)| principal).collect()
    } else {
        let scopes: BTreeSet<ScopeRef> = scopes_of(snapshot, resource, via).into_iter().flatten().collect();
        let covering = snapshot.grants().filter(|grant| {
            grant.privilege == action.privilege() && grant.is_live(at) && scopes.contains(&grant.scope)
        });
        let holders: BTreeSet<GranteeRef> = covering.map(|grant| grant.grantee).collect();
        let groups = parts_of(snapshot, &holders);
        let holds = |principal: PrincipalRef, of: &BTreeSet<GroupId>| {
            holders.contains(&principal.as_grantee()) || !of.is_disjoint(&groups)
        };
        everybody.filter(|(principal, of)| holds(*principal, of)).map(|(principal, _)| principal).collect()
    };
    found.sort_unstable();
    found
}

/// The groups among the holders, and every group that is a part of one of them.
fn parts_of(snapshot: &Snapshot, holders: &BTreeSet<GranteeRef>) -> BTreeSet<GroupId> {
    let group = |holder: &GranteeRef| match holder {
        GranteeRef::Group(id) => Some(*id),
        GranteeRef::Person(_) | GranteeRef::Machine(_) => None,
    };
    let mut found: BTreeSet<GroupId> = holders.iter().filter_map(group).collect();
    loop {
        let more: Vec<GroupId> = snapshot
            .groups()
            .filter(|group| !found.contains(&group.id) && !group.parents.is_disjoint(&found))
            .map(|group| group.id)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// Every thing that a live grant of the action's privilege brings this principal near, in order of references.
pub fn resources(
    snapshot: &Snapshot,
    principal: PrincipalRef,
    action: Action,
    at: Timestamp,
) -> Vec<ResourceRef> {
    if action.privilege() == Privilege::SelfService {
        return vec![ResourceRef::Platform];
    }
    let holders: BTreeSet<GranteeRef> = grantees_of(snapshot, principal).into_iter().flatten().collect();
    let held = snapshot.grants().filter(|grant| {
        grant.privilege == action.privilege() && grant.is_live(at) && holders.contains(&grant.grantee)
    });
    let scopes: BTreeSet<ScopeRef> = held.map(|grant| grant.scope).collect();
    let kinds = action.resources();
    let is_near = |resource: &ResourceRef| {
        let stands_in = scopes_of(snapshot, *resource, None).unwrap_or_default();
        stands_in.iter().any(|scope| scopes.contains(scope)) || through_a_door(snapshot, *resource, &scopes)
    };
    let mut found: Vec<ResourceRef> =
        kinds.iter().flat_map(|kind| of_kind(snapshot, *kind)).filter(is_near).collect();
    found.sort_unstable();
    found
}

/// Whether an endpoint among the scopes serves it.
fn through_a_door(snapshot: &Snapshot, resource: ResourceRef, scopes: &BTreeSet<ScopeRef>) -> bool {
    let Some(model) = snapshot.model_of(resource) else { return false };
    scopes.iter().any(|scope| match scope {
        ScopeRef::Endpoint(id) => snapshot
            .endpoint(*id)
            .is_some_and(|endpoint| endpoint.serves.iter().any(|served| served.model == model)),
        _ => false,
    })
}

fn of_kind(snapshot: &Snapshot, kind: ResourceKind) -> Vec<ResourceRef> {
    match kind {
        ResourceKind::Platform => vec![ResourceRef::Platform],
        ResourceKind::Project => snapshot.projects().map(|it| ResourceRef::Project(it.id)).collect(),
        ResourceKind::Model => snapshot.models().map(|it| ResourceRef::Model(it.id)).collect(),
        ResourceKind::Version => snapshot.versions().map(|it| ResourceRef::Version(it.id)).collect(),
        ResourceKind::Endpoint => snapshot.endpoints().map(|it| ResourceRef::Endpoint(it.id)).collect(),
        ResourceKind::Dataset => snapshot.datasets().map(|it| ResourceRef::Dataset(it.id)).collect(),
    }
}
