//! The part of the world one request can touch: three entities, their ancestors, and the policies whose scope holds.
//!
//! A slice depends on people, inventory and bundle, not on grants or time, so it is kept and shared between requests.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, RwLock};

use cedar_policy_core::ast::{Entity, EntityUID, EntityUIDEntry, PartialValue, Value};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::cedar::{self, Types};
use crate::grant::Grant;
use crate::index::{Side, Sides};
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::vocabulary::{
    Action, Classification, EndpointId, Field, GrantId, GranteeRef, GroupId, ModelId, Name, PrincipalRef,
    ResourceRef, ScopeRef,
};

#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) principal: EntityUIDEntry,
    pub(crate) action: EntityUIDEntry,
    pub(crate) resource: EntityUIDEntry,
    pub(crate) entities: Entities,
    /// Leaves a covering grant can point at, on either side.
    pub(crate) grantees: Vec<u128>,
    pub(crate) scopes: Vec<u128>,
    pub(crate) model: Option<ModelId>,
    /// The field the action itself asks for, whatever the caller says.
    pub(crate) own_field: Option<Field>,
    pub(crate) production: bool,
    pub(crate) endpoint: Option<Value>,
    /// Policies that do not look at the grant, and those that do.
    pub(crate) once: Vec<Arc<Policy>>,
    pub(crate) per_grant: Vec<Arc<Policy>>,
    pub(crate) obligations_once: Vec<Arc<Policy>>,
    pub(crate) obligations_per_grant: Vec<Arc<Policy>>,
}

/// What a slice is made for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) principal: PrincipalRef,
    pub(crate) action: Action,
    pub(crate) resource: ResourceRef,
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) environment: Name,
}

impl Slice {
    /// Nothing when principal, resource or endpoint is unknown, or the action does not apply to such a resource.
    pub(crate) fn new(snapshot: &Snapshot, key: &Key) -> Option<Self> {
        if !key.action.resources().contains(&key.resource.kind()) {
            return None;
        }
        let bundle = snapshot.bundle();
        let types = bundle.types();
        let holder = Holder::find(snapshot, key.principal)?;
        let thing = Thing::find(snapshot, key.resource, key.endpoint)?;

        let principal = types.principal(key.principal);
        let mut above: HashSet<EntityUID> = holder.groups.iter().map(|group| types.group(*group)).collect();
        above.extend(holder.grantees().map(|grantee| types.grantee_leaf(grantee)));
        let principal_entity = entity(&principal, holder.attributes(), above);

        let resource = types.resource(key.resource);
        let above = thing.scopes.iter().map(|scope| types.scope_leaf(*scope)).collect();
        let resource_entity = entity(&resource, thing.attributes, above);

        let action = types.action(key.action);
        let action_entity = entity(&action, Vec::new(), HashSet::from([types.action_group(key.action)]));

        let sides = Sides {
            principal: Side::new(&principal, principal_entity.ancestors()),
            action: Side::new(&action, action_entity.ancestors()),
            resource: Side::new(&resource, resource_entity.ancestors()),
        };
        #[cfg(test)]
        let sides = crate::decide::tests::without_dropped_key(sides);
        let (per_grant, once) =
            bundle.index().policies(&sides).into_iter().partition(|policy| policy.looks_at_grant);
        let (obligations_per_grant, obligations_once) =
            bundle.index().obligations(&sides).into_iter().partition(|policy| policy.looks_at_grant);
        let entities = Entities::from_entities(
            [principal_entity, action_entity, resource_entity],
            None::<&NoEntitiesSchema>,
            // Ancestors are complete: groups of groups were followed above.
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        )
        .ok()?;
        Some(Self {
            grantees: holder.grantees().map(GranteeRef::bits).collect(),
            scopes: thing.scopes.iter().map(|scope| scope.bits()).collect(),
            model: thing.model,
            own_field: Field::of(key.action),
            production: snapshot
                .environment(&key.environment)
                .is_some_and(|environment| environment.production),
            endpoint: thing.endpoint,
            principal: entry(principal),
            action: entry(action),
            resource: entry(resource),
            entities,
            once,
            per_grant,
            obligations_once,
            obligations_per_grant,
        })
    }
}

fn entry(uid: EntityUID) -> EntityUIDEntry {
    EntityUIDEntry::known(uid, None)
}

fn entity(uid: &EntityUID, attributes: Vec<(&'static str, Value)>, above: HashSet<EntityUID>) -> Entity {
    let attributes =
        attributes.into_iter().map(|(name, value)| (SmolStr::new_static(name), PartialValue::Value(value)));
    Entity::new_with_attr_partial_value(uid.clone(), attributes, HashSet::new(), above, [])
}

/// A principal with the closure of its groups.
pub(crate) struct Holder {
    principal: PrincipalRef,
    pub(crate) groups: BTreeSet<GroupId>,
    active: bool,
    clearance: Classification,
    owner_active: Option<bool>,
}

/// How many groups a principal can be in, groups of groups included.
const GROUPS_MAX: usize = 1_024;

impl Holder {
    pub(crate) fn find(snapshot: &Snapshot, principal: PrincipalRef) -> Option<Self> {
        let (direct, active, clearance, owner_active) = match principal {
            PrincipalRef::Person(id) => {
                let person = snapshot.person(id)?;
                (&person.groups, person.active, person.clearance, None)
            }
            PrincipalRef::Machine(id) => {
                let machine = snapshot.machine(id)?;
                let owner = snapshot.person(machine.owner).is_some_and(|owner| owner.active);
                (&machine.groups, machine.active, machine.clearance, Some(owner))
            }
        };
        let mut groups = BTreeSet::new();
        let mut to_follow: Vec<GroupId> = direct.iter().copied().collect();
        while let Some(group) = to_follow.pop() {
            if groups.len() >= GROUPS_MAX {
                return None;
            }
            if let Some(found) = snapshot.group(group)
                && groups.insert(group)
            {
                to_follow.extend(found.parents.iter().copied());
            }
        }
        Some(Self { principal, groups, active, clearance, owner_active })
    }

    pub(crate) fn grantees(&self) -> impl Iterator<Item = GranteeRef> {
        std::iter::once(self.principal.as_grantee()).chain(self.groups.iter().copied().map(GranteeRef::Group))
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        let mut attributes =
            vec![("active", cedar::boolean(self.active)), ("clearance", cedar::long(self.clearance.rank()))];
        if let Some(owner_active) = self.owner_active {
            attributes.push(("ownerActive", cedar::boolean(owner_active)));
        }
        attributes
    }
}

/// A resource with every scope it stands in.
pub(crate) struct Thing {
    pub(crate) scopes: Vec<ScopeRef>,
    attributes: Vec<(&'static str, Value)>,
    model: Option<ModelId>,
    endpoint: Option<Value>,
}

impl Thing {
    pub(crate) fn find(snapshot: &Snapshot, resource: ResourceRef, via: Option<EndpointId>) -> Option<Self> {
        let mut scopes = vec![resource.as_scope()];
        let mut attributes = Vec::new();
        let mut model = None;
        match resource {
            ResourceRef::Platform => {}
            ResourceRef::Project(id) => {
                snapshot.project(id)?;
            }
            ResourceRef::Endpoint(id) => {
                attributes.push(("approved", cedar::boolean(snapshot.endpoint(id)?.approved)));
            }
            ResourceRef::Dataset(id) => {
                let dataset = snapshot.dataset(id)?;
                scopes.push(ScopeRef::Project(dataset.project));
                attributes.push(("sensitivity", cedar::long(dataset.classification.rank())));
                attributes.push(("tags", cedar::strings(dataset.tags.iter().map(Name::as_str))));
            }
            ResourceRef::Model(id) => {
                let (found, of_model) = (snapshot.model(id)?, id);
                scopes.push(ScopeRef::Project(found.project));
                attributes = model_attributes(found);
                attributes.push(("quarantined", cedar::boolean(found.quarantined)));
                model = Some(of_model);
            }
            ResourceRef::Version(id) => {
                let version = snapshot.version(id)?;
                let found = snapshot.model(version.model)?;
                scopes.extend(snapshot.aliases_of(id).map(|alias| ScopeRef::Alias(alias.id)));
                scopes.extend([ScopeRef::Model(version.model), ScopeRef::Project(found.project)]);
                attributes = model_attributes(found);
                attributes.push(("quarantined", cedar::boolean(found.quarantined || version.quarantined)));
                attributes.push(("proven", cedar::boolean(version.proven)));
                model = Some(version.model);
            }
        }
        let mut endpoint = None;
        if let Some(via) = via {
            let door = snapshot.endpoint(via)?;
            endpoint = Some(cedar::record([
                ("approved", cedar::boolean(door.approved)),
                ("name", cedar::string(door.name.as_str())),
            ]));
            // Only what the endpoint really serves stands in its scope.
            if door.serves.iter().any(|served| Some(served.model) == model) {
                scopes.push(ScopeRef::Endpoint(via));
            }
        }
        scopes.push(ScopeRef::Platform);
        scopes.dedup();
        Some(Self { scopes, attributes, model, endpoint })
    }
}

fn model_attributes(model: &crate::inventory::Model) -> Vec<(&'static str, Value)> {
    let strips = match model.on_sensitive_ask {
        crate::inventory::OnSensitiveAsk::Strip => true,
        crate::inventory::OnSensitiveAsk::Refuse => false,
    };
    vec![
        ("sensitivity", cedar::long(model.classification.rank())),
        ("stripsSensitive", cedar::boolean(strips)),
        ("tags", cedar::strings(model.tags.iter().map(Name::as_str))),
    ]
}

/// Slices and grant records made before, for as long as what they were made from stands.
pub(crate) struct Cache {
    slices: Shards<Key, Option<Arc<Slice>>>,
    grants: Shards<GrantId, (Arc<Grant>, Value)>,
}

struct Shards<K, V>([RwLock<FxHashMap<K, V>>; SHARDS]);

const SHARDS: usize = 16;
/// Entries of one shard; a full shard starts again, so memory stays bounded whatever is asked.
const SHARD_MAX: usize = 2_048;

impl Cache {
    pub(crate) fn new() -> Self {
        Self { slices: Shards::new(), grants: Shards::new() }
    }

    pub(crate) fn slice(&self, snapshot: &Snapshot, key: Key) -> Option<Arc<Slice>> {
        let shard = key.principal.bits() ^ key.resource.bits();
        if let Some(kept) = self.slices.read(shard, &key) {
            return kept;
        }
        let made = Slice::new(snapshot, &key).map(Arc::new);
        // An unknown principal or resource is not kept: strangers could fill the cache with nothing.
        if made.is_some() {
            self.slices.write(shard, key, made.clone());
        }
        made
    }

    /// The grant as policies see it; made again when the grant under this id was replaced.
    pub(crate) fn grant(&self, types: &Types, grant: &Arc<Grant>) -> Option<Value> {
        let shard = grant.id.bits();
        if let Some((kept, value)) = self.grants.read(shard, &grant.id)
            && Arc::ptr_eq(&kept, grant)
        {
            return Some(value);
        }
        let value = crate::circumstances::grant(types, grant)?;
        self.grants.write(shard, grant.id, (Arc::clone(grant), value.clone()));
        Some(value)
    }
}

impl<K: Eq + std::hash::Hash, V: Clone> Shards<K, V> {
    fn new() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }

    fn shard(&self, bits: u128) -> Option<&RwLock<FxHashMap<K, V>>> {
        // The low bits of a UUIDv7 are random.
        self.0.get(usize::try_from(bits % 16).ok()?)
    }

    fn read(&self, bits: u128, key: &K) -> Option<V> {
        self.shard(bits)?.read().ok()?.get(key).cloned()
    }

    fn write(&self, bits: u128, key: K, value: V) {
        let Some(Ok(mut shard)) = self.shard(bits).map(RwLock::write) else { return };
        if shard.len() >= SHARD_MAX {
            shard.clear();
        }
        shard.insert(key, value);
    }
}
