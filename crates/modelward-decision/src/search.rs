//! Who, or what, a request could be allowed for: candidates by index, to be confirmed by [`decide`](crate::decide).
//!
//! A candidate is somebody, or something, that a grant of the action's privilege reaches. No grant, no allow: so nobody
//! is missing. Whether a candidate is allowed is for the decision to say. Candidates come in the order of their ids, each
//! once, and nothing is collected first: a page costs what stands on it.

use std::collections::BTreeSet;

use crate::slice::{Holder, Thing};
use crate::snapshot::Snapshot;
use crate::snapshot::kin::{EVERYBODY, KinKind};
use crate::vocabulary::{
    Action, AliasId, DatasetId, EndpointId, GroupId, MachineId, ModelId, PersonId, PrincipalRef, Privilege,
    ProjectId, ResourceKind, ResourceRef, ScopeRef, VersionId,
};

/// Which principals are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    Person,
    Machine,
}

/// Streams of ids, each in order, read as one.
struct Merged<'s>(Vec<std::iter::Peekable<Stream<'s>>>);

type Stream<'s> = Box<dyn Iterator<Item = u128> + Send + 's>;

/// Principals that a grant could allow the action on the resource, whose id comes after `after`.
///
/// `via` is the endpoint the request would come through.
pub fn principals(
    snapshot: &Snapshot,
    action: Action,
    resource: ResourceRef,
    via: Option<EndpointId>,
    kind: PrincipalKind,
    after: Option<u128>,
) -> impl Iterator<Item = PrincipalRef> + Send {
    let Some(from) = start(after).filter(|_| action.resources().contains(&resource.kind())) else {
        return Merged(Vec::new()).principals(kind);
    };
    let privilege = action.privilege();
    let kin = snapshot.kin();
    if privilege == Privilege::SelfService {
        return Merged::of([stream(kin.below(EVERYBODY, kind.kin(), from))]).principals(kind);
    }
    let scopes = Thing::find(snapshot, resource, via).map(|thing| thing.scopes).unwrap_or_default();
    let holds = move |grantee: u128, scope: ScopeRef| between(snapshot, grantee, scope.bits(), privilege);
    let mut groups = BTreeSet::new();
    let mut streams = Vec::new();
    for scope in scopes {
        let grantees = kin.across(scope.bits(), 0).filter(|grantee| holds(*grantee, scope));
        groups.extend(grantees.filter(|grantee| snapshot.group(GroupId::from_bits(*grantee)).is_some()));
        let direct = kin.across(scope.bits(), from);
        streams.push(stream(
            direct.filter(move |grantee| kind.is_of(snapshot, *grantee) && holds(*grantee, scope)),
        ));
    }
    let groups = with_groups_below(snapshot, groups);
    streams.extend(groups.into_iter().map(|group| stream(kin.below(group, kind.kin(), from))));
    Merged::of(streams).principals(kind)
}

/// Resources of one kind that a grant could allow the principal the action on, whose id comes after `after`.
///
/// A grant on an endpoint reaches what it serves: the request that is decided has to name that endpoint.
pub fn resources(
    snapshot: &Snapshot,
    principal: PrincipalRef,
    action: Action,
    kind: ResourceKind,
    after: Option<u128>,
) -> impl Iterator<Item = ResourceRef> + Send {
    let holder = Holder::find(snapshot, principal);
    let (Some(from), Some(holder)) = (start(after), holder) else {
        return Merged(Vec::new()).resources(kind);
    };
    if !action.resources().contains(&kind) {
        return Merged(Vec::new()).resources(kind);
    }
    let privilege = action.privilege();
    if privilege == Privilege::SelfService {
        return Merged::of([within(snapshot, ScopeRef::Platform.bits(), kind, from)]).resources(kind);
    }
    let mut scopes = BTreeSet::new();
    for grantee in holder.grantees() {
        let across = snapshot.kin().across(grantee.bits(), 0);
        scopes.extend(across.filter(|scope| between(snapshot, grantee.bits(), *scope, privilege)));
    }
    Merged::of(scopes.into_iter().map(|scope| within(snapshot, scope, kind, from))).resources(kind)
}

/// The groups a principal is in, groups of groups included; none of somebody unknown.
pub fn groups_of(snapshot: &Snapshot, principal: PrincipalRef) -> BTreeSet<GroupId> {
    Holder::find(snapshot, principal).map(|holder| holder.groups).unwrap_or_default()
}

/// The first id that may follow; nothing follows the last.
fn start(after: Option<u128>) -> Option<u128> {
    after.map_or(Some(0), |last| last.checked_add(1))
}

fn between(snapshot: &Snapshot, grantee: u128, scope: u128, privilege: Privilege) -> bool {
    snapshot.grants_between(grantee, scope).iter().any(|grant| grant.privilege == privilege)
}

/// The groups, and every group that is a part of one of them.
fn with_groups_below(snapshot: &Snapshot, groups: BTreeSet<u128>) -> BTreeSet<u128> {
    let mut found = groups.clone();
    let mut to_follow: Vec<u128> = groups.into_iter().collect();
    while let Some(group) = to_follow.pop() {
        for below in snapshot.kin().below(group, KinKind::Group, 0) {
            if found.insert(below) {
                to_follow.push(below);
            }
        }
    }
    found
}

/// Everything of a kind within a scope, in order. A grant on a model reaches its versions, one on a project its models
/// with theirs, one on an alias the version it names now, one on an endpoint what it serves.
fn within(snapshot: &Snapshot, scope: u128, kind: ResourceKind, from: u128) -> Stream<'_> {
    let kin = snapshot.kin();
    let itself = resource(snapshot, scope, kind).map(ResourceRef::bits);
    let own = stream(itself.into_iter().filter(move |id| *id >= from));
    let wanted = match kind {
        ResourceKind::Platform => return own,
        ResourceKind::Project => KinKind::Project,
        ResourceKind::Model => KinKind::Model,
        ResourceKind::Version => KinKind::Version,
        ResourceKind::Endpoint => KinKind::Endpoint,
        ResourceKind::Dataset => KinKind::Dataset,
    };
    let mut streams = vec![own, stream(kin.below(scope, wanted, from))];
    if wanted == KinKind::Version {
        let alias = snapshot.alias(AliasId::from_bits(scope)).map(|alias| alias.version.bits());
        streams.push(stream(alias.into_iter().filter(move |id| *id >= from)));
        if snapshot.project(ProjectId::from_bits(scope)).is_some() {
            let models = kin.below(scope, KinKind::Model, 0);
            streams.extend(models.map(|model| stream(kin.below(model, KinKind::Version, from))));
        }
    }
    let door = snapshot.endpoint(EndpointId::from_bits(scope));
    for served in door.into_iter().flat_map(|door| &door.serves) {
        let model = served.model.bits();
        match wanted {
            KinKind::Model => streams.push(stream(Some(model).into_iter().filter(move |id| *id >= from))),
            KinKind::Version => streams.push(stream(kin.below(model, KinKind::Version, from))),
            KinKind::Person
            | KinKind::Machine
            | KinKind::Group
            | KinKind::Project
            | KinKind::Endpoint
            | KinKind::Dataset => {}
        }
    }
    stream(Merged::of(streams))
}

/// The thing of this kind under this id, if there is one.
fn resource(snapshot: &Snapshot, bits: u128, kind: ResourceKind) -> Option<ResourceRef> {
    Some(match kind {
        ResourceKind::Platform if bits == ScopeRef::Platform.bits() => ResourceRef::Platform,
        ResourceKind::Platform => return None,
        ResourceKind::Project => ResourceRef::Project(snapshot.project(ProjectId::from_bits(bits))?.id),
        ResourceKind::Model => ResourceRef::Model(snapshot.model(ModelId::from_bits(bits))?.id),
        ResourceKind::Version => ResourceRef::Version(snapshot.version(VersionId::from_bits(bits))?.id),
        ResourceKind::Endpoint => ResourceRef::Endpoint(snapshot.endpoint(EndpointId::from_bits(bits))?.id),
        ResourceKind::Dataset => ResourceRef::Dataset(snapshot.dataset(DatasetId::from_bits(bits))?.id),
    })
}

fn stream<'s>(ids: impl Iterator<Item = u128> + Send + 's) -> Stream<'s> {
    Box::new(ids)
}

impl PrincipalKind {
    const fn kin(self) -> KinKind {
        match self {
            Self::Person => KinKind::Person,
            Self::Machine => KinKind::Machine,
        }
    }

    fn is_of(self, snapshot: &Snapshot, bits: u128) -> bool {
        match self {
            Self::Person => snapshot.person(PersonId::from_bits(bits)).is_some(),
            Self::Machine => snapshot.machine(MachineId::from_bits(bits)).is_some(),
        }
    }
}

impl<'s> Merged<'s> {
    fn of(streams: impl IntoIterator<Item = Stream<'s>>) -> Self {
        Self(streams.into_iter().map(Iterator::peekable).collect())
    }

    fn principals(self, kind: PrincipalKind) -> Box<dyn Iterator<Item = PrincipalRef> + Send + 's> {
        Box::new(self.map(move |bits| match kind {
            PrincipalKind::Person => PrincipalRef::Person(PersonId::from_bits(bits)),
            PrincipalKind::Machine => PrincipalRef::Machine(MachineId::from_bits(bits)),
        }))
    }

    fn resources(self, kind: ResourceKind) -> Box<dyn Iterator<Item = ResourceRef> + Send + 's> {
        Box::new(self.map(move |bits| match kind {
            ResourceKind::Platform => ResourceRef::Platform,
            ResourceKind::Project => ResourceRef::Project(ProjectId::from_bits(bits)),
            ResourceKind::Model => ResourceRef::Model(ModelId::from_bits(bits)),
            ResourceKind::Version => ResourceRef::Version(VersionId::from_bits(bits)),
            ResourceKind::Endpoint => ResourceRef::Endpoint(EndpointId::from_bits(bits)),
            ResourceKind::Dataset => ResourceRef::Dataset(DatasetId::from_bits(bits)),
        }))
    }
}

impl Iterator for Merged<'_> {
    type Item = u128;

    fn next(&mut self) -> Option<u128> {
        let least = self.0.iter_mut().filter_map(|stream| stream.peek().copied()).min()?;
        for stream in &mut self.0 {
            // What several grants reach comes once.
            stream.next_if_eq(&least);
        }
        Some(least)
    }
}
