//! Groups of a source. They are no groups of ours and give no right; where the policy bundle maps one of them, who comes
//! into it or leaves it comes into ours or leaves it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use modelward_decision::Snapshot;
use modelward_decision::inventory::Person;
use modelward_decision::vocabulary::PersonId;
use modelward_governance::inventory::Thing;
use modelward_scim::query::Query;
use modelward_scim::{ErrorKind, Kind, Object};
use modelward_store::StateChange;
use modelward_store::scim::{Resource, ResourceKind, Write};
use serde_json::{Value, json};

use super::answer::{Matching, Refusal};
use super::door::Source;
use super::users::{body, has_room, key, meta, said, taken, version};
use super::{Edit, effect};
use crate::control::ControlPlane;
use crate::problem::Problem;
use crate::turn::{Changed, Turn};

const KIND: ResourceKind = ResourceKind::Group;

pub(super) async fn all(
    plane: &ControlPlane,
    source: &Source,
    query: &Query,
) -> Result<Vec<Object>, Refusal> {
    let client = &source.client.id;
    if let Some(name) = query.filter().and_then(|filter| filter.looks_up("displayName")) {
        let found = plane.store.scim_resource_named(client, KIND, &key(name)).await?;
        return match found {
            Some(resource) => Ok(vec![seen(plane, source, &resource).await?]),
            None => Ok(Vec::new()),
        };
    }
    let mut members: BTreeMap<String, BTreeSet<PersonId>> = BTreeMap::new();
    for (group, person) in plane.store.scim_memberships(client).await? {
        members.entry(group).or_default().insert(person);
    }
    let nobody = BTreeSet::new();
    let resources = plane.store.scim_resources(client, KIND).await?;
    let of = |resource: &Resource| shown(source, resource, members.get(&resource.id).unwrap_or(&nobody));
    Ok(resources.iter().map(of).collect::<Result<_, Problem>>()?)
}

pub(super) async fn one(plane: &ControlPlane, source: &Source, id: &str) -> Result<Object, Refusal> {
    let resource = plane.store.scim_resource(&source.client.id, KIND, id).await?;
    seen(plane, source, &resource.ok_or_else(Refusal::not_found)?).await
}

async fn seen(plane: &ControlPlane, source: &Source, resource: &Resource) -> Result<Object, Refusal> {
    let members = plane.store.scim_members(&resource.id).await?.into_iter().collect();
    Ok(shown(source, resource, &members)?)
}

fn shown(source: &Source, resource: &Resource, members: &BTreeSet<PersonId>) -> Result<Object, Problem> {
    let mut object = with_members(source, said(resource)?, members);
    object.insert("schemas".to_owned(), json!([Kind::Group.schema()]));
    object.insert("id".to_owned(), resource.id.as_str().into());
    object.insert("meta".to_owned(), meta(source, Kind::Group, resource));
    Ok(object)
}

/// The group as the source sees it.
fn with_members(source: &Source, mut object: Object, members: &BTreeSet<PersonId>) -> Object {
    let member = |person: &PersonId| {
        let id = person.to_string();
        json!({ "value": id, "$ref": source.location(Kind::User, &id), "type": "User" })
    };
    if !members.is_empty() {
        object.insert("members".to_owned(), members.iter().map(member).collect());
    }
    object
}

pub(super) async fn create(
    plane: &Arc<ControlPlane>,
    source: &Source,
    said: Object,
) -> Result<Object, Refusal> {
    let turn = plane.turn().await?;
    has_room(plane, source, KIND).await?;
    let id = plane.ids.uuid().to_string();
    let before = Before { id, resource: None, members: BTreeSet::new() };
    let settled = settle(plane, source, turn, before, said).await?;
    seen(plane, source, &settled).await
}

/// Changes or withdraws a group; nothing is left of one that is withdrawn.
pub(super) async fn change(
    plane: &Arc<ControlPlane>,
    source: &Source,
    id: &str,
    matching: &Matching,
    edit: Edit,
) -> Result<Option<Object>, Refusal> {
    let turn = plane.turn().await?;
    let resource = plane.store.scim_resource(&source.client.id, KIND, id).await?;
    let resource = resource.ok_or_else(Refusal::not_found)?;
    matching.check(&version(&resource))?;
    let members: BTreeSet<PersonId> = plane.store.scim_members(id).await?.into_iter().collect();
    let whole = with_members(source, said(&resource)?, &members);
    let after = match edit {
        Edit::Withdraw => {
            withdraw(plane, source, turn, &resource, members).await?;
            return Ok(None);
        }
        Edit::Replace(said) => said,
        Edit::Patch(patch) => patch.apply(Kind::Group, &whole)?,
    };
    let settled = if after == whole {
        drop(turn);
        resource
    } else {
        let before = Before { id: resource.id.clone(), resource: Some(resource), members };
        settle(plane, source, turn, before, after).await?
    };
    Ok(Some(seen(plane, source, &settled).await?))
}

struct Before {
    id: String,
    resource: Option<Resource>,
    members: BTreeSet<PersonId>,
}

async fn settle(
    plane: &Arc<ControlPlane>,
    source: &Source,
    turn: Turn,
    before: Before,
    mut said: Object,
) -> Result<Resource, Refusal> {
    let client = &source.client;
    let label = effect::text(&said, "displayName").unwrap_or_default().to_owned();
    let name_key = key(&label);
    let namesake = plane.store.scim_resource_named(&client.id, KIND, &name_key).await?;
    if namesake.is_some_and(|namesake| namesake.id != before.id) {
        return Err(taken("displayName"));
    }
    let members = members(plane, source, &before.members, said.remove("members")).await?;
    let joins: Vec<PersonId> = members.difference(&before.members).copied().collect();
    let leaves: Vec<PersonId> = before.members.difference(&members).copied().collect();
    let now = plane.now();
    let resource = Resource {
        id: before.id.clone(),
        client: client.id.clone(),
        kind: KIND,
        name_key,
        label: label.clone(),
        body: body(&said)?,
        version: before.resource.as_ref().map_or(1, |resource| resource.version.saturating_add(1)),
        ended: false,
        created_at: before.resource.as_ref().map_or(now, |resource| resource.created_at),
        changed_at: now,
    };
    let was = before.resource.as_ref().map(|resource| resource.label.as_str());
    let moves = Moves { group: &before.id, was, is: Some(&label), before: &before.members, after: &members };
    let (mut changes, mut lines) = moves.follow(plane, source, turn.state()).await?;
    lines.insert(0, format!("{}: group {label}: {} join, {} leave", client.name, joins.len(), leaves.len()));
    let write = Write {
        client: client.id.clone(),
        kind: KIND,
        id: before.id,
        resource: Some(resource.clone()),
        joins,
        leaves,
        ends: None,
    };
    changes.push(StateChange::Scim(Box::new(write)));
    turn.make(Changed { actor: None, what: "scim-group", lines, changes }).await?;
    Ok(resource)
}

async fn withdraw(
    plane: &Arc<ControlPlane>,
    source: &Source,
    turn: Turn,
    resource: &Resource,
    members: BTreeSet<PersonId>,
) -> Result<(), Refusal> {
    let nobody = BTreeSet::new();
    let moves =
        Moves { group: &resource.id, was: Some(&resource.label), is: None, before: &members, after: &nobody };
    let (mut changes, mut lines) = moves.follow(plane, source, turn.state()).await?;
    lines.insert(0, format!("{}: group {} is gone", source.client.name, resource.label));
    let write = Write {
        client: source.client.id.clone(),
        kind: KIND,
        id: resource.id.clone(),
        resource: None,
        joins: Vec::new(),
        leaves: Vec::new(),
        ends: None,
    };
    changes.push(StateChange::Scim(Box::new(write)));
    turn.make(Changed { actor: None, what: "scim-group", lines, changes }).await?;
    Ok(())
}

/// Who is in the group from now on: users of the same client, and nobody else.
async fn members(
    plane: &ControlPlane,
    source: &Source,
    before: &BTreeSet<PersonId>,
    said: Option<Value>,
) -> Result<BTreeSet<PersonId>, Refusal> {
    let said = said.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut members = BTreeSet::new();
    let mut strange = BTreeSet::new();
    for member in said {
        let is_user =
            member.get("type").and_then(Value::as_str).is_none_or(|kind| kind.eq_ignore_ascii_case("User"));
        let id = member.get("value").and_then(Value::as_str).unwrap_or_default();
        let id = id.parse::<PersonId>().ok().filter(|_| is_user).ok_or_else(|| not_a_user(id))?;
        members.insert(id);
        if !before.contains(&id) {
            strange.insert(id);
        }
    }
    if !strange.is_empty() {
        let known = plane.store.scim_ids(&source.client.id, ResourceKind::User).await?;
        if let Some(unknown) = strange.iter().find(|id| !known.contains(&id.to_string())) {
            return Err(not_a_user(&unknown.to_string()));
        }
    }
    Ok(members)
}

fn not_a_user(id: &str) -> Refusal {
    let id: String = id.chars().filter(|char| !char.is_control()).take(80).collect();
    Refusal::new(ErrorKind::InvalidValue, format!("`members` names `{id}`, which is no user of this client"))
}

/// A group before and after: its name, and who is in it.
struct Moves<'a> {
    group: &'a str,
    was: Option<&'a str>,
    is: Option<&'a str>,
    before: &'a BTreeSet<PersonId>,
    after: &'a BTreeSet<PersonId>,
}

impl Moves<'_> {
    /// What becomes of memberships here: whoever is in no mapped group of the source any more leaves ours, whoever
    /// comes into one comes in. Memberships that no group of the source stands for stay as they are.
    async fn follow(
        &self,
        plane: &ControlPlane,
        source: &Source,
        state: &Snapshot,
    ) -> Result<(Vec<StateChange>, Vec<String>), Refusal> {
        let mut is_mapped = false;
        for label in [self.was, self.is].into_iter().flatten() {
            is_mapped |= effect::is_mapped(state, source, label)?;
        }
        if !is_mapped {
            return Ok((Vec::new(), Vec::new()));
        }
        let affected: Vec<PersonId> = if self.was == self.is {
            self.before.symmetric_difference(self.after).copied().collect()
        } else {
            self.before.union(self.after).copied().collect()
        };
        let (mut changes, mut lines) = (Vec::new(), Vec::new());
        for id in affected {
            let Some(known) = state.person(id).filter(|person| person.active) else { continue };
            let others: BTreeSet<String> = plane
                .store
                .scim_groups_of(&source.client.id, id)
                .await?
                .into_iter()
                .filter_map(|(group, label)| (group != self.group).then_some(label))
                .collect();
            let with = |label: Option<&str>, is_in: bool| {
                let mut labels = others.clone();
                labels.extend(label.filter(|_| is_in).map(str::to_owned));
                effect::stands_for(state, source, &labels)
            };
            let (had, has) =
                (with(self.was, self.before.contains(&id))?, with(self.is, self.after.contains(&id))?);
            let mut person = Person::clone(known);
            person.groups.retain(|group| !had.contains(group) || has.contains(group));
            person.groups.extend(has);
            if person.groups != known.groups {
                lines.push(format!("{} is in {} groups here", person.name, person.groups.len()));
                changes.push(StateChange::Put(Box::new(Thing::Person(person))));
            }
        }
        Ok((changes, lines))
    }
}
