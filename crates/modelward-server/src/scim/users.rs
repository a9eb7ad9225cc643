//! Users: what the source says of a person, and the person that comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use modelward_decision::Snapshot;
use modelward_decision::inventory::Person;
use modelward_decision::vocabulary::{Classification, PersonId};
use modelward_governance::inventory::Thing;
use modelward_identity::federation::{Identity, Link};
use modelward_scim::query::Query;
use modelward_scim::{ErrorKind, Kind, Object};
use modelward_store::StateChange;
use modelward_store::scim::{RESOURCES_MAX, Resource, ResourceKind, Write};
use serde_json::{Value, json};

use super::answer::{Matching, Refusal};
use super::door::Source;
use super::{Edit, breaker, effect};
use crate::control::ControlPlane;
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};
use crate::turn::{Changed, Turn};

const KIND: ResourceKind = ResourceKind::User;

/// Group id and name.
type Groups = Vec<(String, String)>;

pub(super) async fn all(
    plane: &ControlPlane,
    source: &Source,
    query: &Query,
) -> Result<Vec<Object>, Refusal> {
    let client = &source.client.id;
    let snapshot = plane.snapshot();
    // What clients ask before every change.
    if let Some(name) = query.filter().and_then(|filter| filter.looks_up("userName")) {
        let found = plane.store.scim_resource_named(client, KIND, &key(name)).await?;
        return match found {
            Some(resource) => Ok(vec![seen(plane, source, &snapshot, &resource).await?]),
            None => Ok(Vec::new()),
        };
    }
    let labels: BTreeMap<String, String> = plane
        .store
        .scim_resources(client, ResourceKind::Group)
        .await?
        .into_iter()
        .map(|group| (group.id, group.label))
        .collect();
    let mut groups: BTreeMap<String, Groups> = BTreeMap::new();
    for (group, person) in plane.store.scim_memberships(client).await? {
        let label = labels.get(&group).cloned().unwrap_or_default();
        groups.entry(person.to_string()).or_default().push((group, label));
    }
    let resources = plane.store.scim_resources(client, KIND).await?;
    let of = |resource: &Resource| {
        let groups = groups.get(&resource.id).map(Vec::as_slice).unwrap_or_default();
        shown(source, &snapshot, resource, groups)
    };
    Ok(resources.iter().map(of).collect::<Result<_, Problem>>()?)
}

pub(super) async fn one(plane: &ControlPlane, source: &Source, id: &str) -> Result<Object, Refusal> {
    let resource = plane.store.scim_resource(&source.client.id, KIND, id).await?;
    let resource = resource.ok_or_else(Refusal::not_found)?;
    seen(plane, source, &plane.snapshot(), &resource).await
}

async fn seen(
    plane: &ControlPlane,
    source: &Source,
    snapshot: &Snapshot,
    resource: &Resource,
) -> Result<Object, Refusal> {
    let groups = match resource.id.parse() {
        Ok(person) => plane.store.scim_groups_of(&source.client.id, person).await?,
        Err(_) => Vec::new(),
    };
    Ok(shown(source, snapshot, resource, &groups)?)
}

/// The whole resource.
fn shown(
    source: &Source,
    snapshot: &Snapshot,
    resource: &Resource,
    groups: &[(String, String)],
) -> Result<Object, Problem> {
    let mut object = said(resource)?;
    let person = resource.id.parse::<PersonId>().ok().and_then(|id| snapshot.person(id));
    // Whom somebody here deactivated is not active, whatever the source says.
    let active = effect::active(&object).map(|said| said && person.is_some_and(|person| person.active));
    object.insert("schemas".to_owned(), json!([Kind::User.schema()]));
    object.insert("id".to_owned(), resource.id.as_str().into());
    object.extend(active.map(|active| ("active".to_owned(), active.into())));
    if !groups.is_empty() {
        let group = |(id, label): &(String, String)| json!({ "value": id, "$ref": source.location(Kind::Group, id), "display": label });
        object.insert("groups".to_owned(), groups.iter().map(group).collect());
    }
    object.insert("meta".to_owned(), meta(source, Kind::User, resource));
    Ok(object)
}

pub(super) fn meta(source: &Source, kind: Kind, resource: &Resource) -> Value {
    json!({
        "resourceType": kind.as_str(),
        "created": resource.created_at.to_string(),
        "lastModified": resource.changed_at.to_string(),
        "location": source.location(kind, &resource.id),
        "version": version(resource),
    })
}

pub(super) fn version(resource: &Resource) -> String {
    format!("W/\"{}\"", resource.version)
}

/// What is kept of what a source said.
pub(super) fn said(resource: &Resource) -> Result<Object, Problem> {
    serde_json::from_str(&resource.body)
        .map_err(|error| Problem::internal("reading a provisioned resource", &error))
}

pub(super) fn body(said: &Object) -> Result<String, Problem> {
    serde_json::to_string(said).map_err(|error| Problem::internal("writing a provisioned resource", &error))
}

/// Under what a name is unique: `userName` and `displayName` have no case.
pub(super) fn key(name: &str) -> String {
    name.to_lowercase()
}

pub(super) fn taken(what: &str) -> Refusal {
    Refusal::new(ErrorKind::Uniqueness, format!("there is another one with this `{what}`"))
}

pub(super) async fn has_room(
    plane: &ControlPlane,
    source: &Source,
    kind: ResourceKind,
) -> Result<(), Refusal> {
    let count = plane.store.scim_resource_count(&source.client.id, kind).await?;
    if count < RESOURCES_MAX as u64 {
        return Ok(());
    }
    Err(Refusal::forbidden(format!("a client has at most {RESOURCES_MAX} users and as many groups")))
}

/// Somebody who comes. One whose identity was linked to a person here before is that person.
pub(super) async fn create(
    plane: &Arc<ControlPlane>,
    source: &Source,
    mut said: Object,
) -> Result<Object, Refusal> {
    said.entry("active").or_insert(Value::Bool(true));
    let turn = plane.turn().await?;
    has_room(plane, source, KIND).await?;
    let identity = identity(source, &said)?;
    let link = match &identity {
        Some(identity) => plane.store.link(identity).await?,
        None => None,
    };
    let known = link.and_then(|link| turn.state().person(link.person).cloned());
    if let Some(person) = &known
        && let Some((client, _)) = plane.store.scim_user(person.id).await?
        && client.revoked_at.is_none()
    {
        return Err(Refusal::new(ErrorKind::Uniqueness, "this identity is provisioned already"));
    }
    let id = known.as_ref().map_or_else(|| PersonId::from_uuid(plane.ids.uuid()), |person| person.id);
    let settled =
        settle(plane, source, turn, Before { id, person: known, resource: None, said: None }, said).await?;
    seen(plane, source, &plane.snapshot(), &settled).await
}

/// Changes or withdraws a user; nothing is left of one that is withdrawn.
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
    let person_id: PersonId = resource.id.parse().map_err(|_| Refusal::not_found())?;
    let person = turn.state().person(person_id).cloned();
    let before = said(&resource)?;
    let after = match edit {
        Edit::Withdraw => {
            withdraw(plane, source, turn, &resource, person).await?;
            return Ok(None);
        }
        Edit::Replace(mut said) => {
            // Nobody comes back because it was not said that they are gone.
            said.extend(before.get_key_value("active").filter(|_| !said.contains_key("active")).map(own));
            said
        }
        Edit::Patch(patch) => patch.apply(Kind::User, &before)?,
    };
    let settled = if after == before {
        drop(turn);
        resource
    } else {
        let before = Before { id: person_id, person, resource: Some(resource), said: Some(before) };
        settle(plane, source, turn, before, after).await?
    };
    Ok(Some(seen(plane, source, &plane.snapshot(), &settled).await?))
}

fn own((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// What there was before.
struct Before {
    id: PersonId,
    person: Option<Arc<Person>>,
    resource: Option<Resource>,
    said: Option<Object>,
}

impl Before {
    fn was_said_inactive(&self) -> bool {
        self.said.as_ref().and_then(effect::active) == Some(false)
    }

    fn was_ended_by_source(&self) -> bool {
        self.resource.as_ref().is_some_and(|resource| resource.ended)
    }
}

/// What becomes of a person by what is said of them now.
enum Turning {
    Comes,
    Goes,
    Returns,
    Stays,
}

impl Turning {
    fn of(before: &Before, said: &Object) -> Self {
        match (&before.person, effect::active(said)) {
            (None, _) => Self::Comes,
            (Some(person), Some(false)) if person.active && !before.was_said_inactive() => Self::Goes,
            // Only whom the source ended can it let back in: not whom somebody here deactivated.
            (Some(person), Some(true)) if !person.active && before.was_ended_by_source() => Self::Returns,
            (Some(_), _) => Self::Stays,
        }
    }

    const fn what(&self) -> &'static str {
        match self {
            Self::Comes => "scim-create",
            Self::Goes => Cause::SourceEnded.as_str(),
            Self::Returns => "scim-return",
            Self::Stays => "scim-change",
        }
    }
}

async fn settle(
    plane: &Arc<ControlPlane>,
    source: &Source,
    turn: Turn,
    before: Before,
    said: Object,
) -> Result<Resource, Refusal> {
    let client = &source.client;
    let state = Arc::clone(turn.state());
    let label = effect::text(&said, "userName").unwrap_or_default().to_owned();
    let name_key = key(&label);
    let namesake = plane.store.scim_resource_named(&client.id, KIND, &name_key).await?;
    let id = before.id.to_string();
    if namesake.is_some_and(|namesake| namesake.id != id) {
        return Err(taken("userName"));
    }
    let turning = Turning::of(&before, &said);
    if matches!(turning, Turning::Goes) && !breaker::lets(plane, client, before.id).await? {
        drop(turn);
        return Err(breaker::trip(plane, source).await);
    }
    let link = link(plane, source, &before, &said).await?;
    let person = person(plane, source, &state, &before, &said, &turning).await?;
    let now = plane.now();
    let ended = match turning {
        Turning::Comes => !person.active,
        Turning::Goes => true,
        Turning::Returns => false,
        Turning::Stays => before.was_ended_by_source(),
    };
    let resource = Resource {
        id: id.clone(),
        client: client.id.clone(),
        kind: KIND,
        name_key,
        label,
        body: body(&said)?,
        version: before.resource.as_ref().map_or(1, |resource| resource.version.saturating_add(1)),
        ended,
        created_at: before.resource.as_ref().map_or(now, |resource| resource.created_at),
        changed_at: now,
    };
    let called = person.name.clone();
    let stranger = link.as_ref().map(|link| link.identity.clone());
    let mut along = Vec::new();
    let mut lines = Vec::new();
    if let Some(link) = link {
        lines.push(format!("{called} is {}", link.identity));
        along.push(StateChange::Link(Box::new(link)));
    }
    let write = Write {
        client: client.id.clone(),
        kind: KIND,
        id,
        resource: Some(resource.clone()),
        joins: Vec::new(),
        leaves: Vec::new(),
        ends: matches!(turning, Turning::Goes).then_some(before.id),
    };
    along.push(StateChange::Scim(Box::new(write)));
    if matches!(turning, Turning::Goes) {
        let (bump, grants) = effect::end(&state, person, Cause::SourceEnded);
        lines.insert(0, ended_line(client.name.as_str(), called.as_str(), grants));
        let bump = lines.into_iter().fold(bump, Bump::line);
        turn.bump(along.into_iter().fold(bump, Bump::along)).await?;
    } else {
        lines.insert(
            0,
            format!("{}: {called}, {}, active {}", client.name, person.display_name, person.active),
        );
        if before.person.as_deref() != Some(&person) {
            along.push(StateChange::Put(Box::new(Thing::Person(person))));
        }
        turn.make(Changed { actor: None, what: turning.what(), lines, changes: along }).await?;
    }
    if let Some(identity) = stranger {
        plane.store.forget_sighting(&identity).await?;
    }
    Ok(resource)
}

/// The person as they are from now on, but for what ends with them.
async fn person(
    plane: &ControlPlane,
    source: &Source,
    state: &Snapshot,
    before: &Before,
    said: &Object,
    turning: &Turning,
) -> Result<Person, Refusal> {
    let user_name = effect::text(said, "userName").unwrap_or_default();
    let display_name = effect::display_name(said);
    let Some(known) = &before.person else {
        return Ok(Person {
            id: before.id,
            name: effect::name(state, user_name, None)?,
            display_name,
            clearance: Classification::Internal,
            active: effect::active(said).unwrap_or(true),
            groups: std::collections::BTreeSet::new(),
        });
    };
    let mut person = Person::clone(known);
    person.display_name = display_name;
    let is_renamed = before.resource.as_ref().is_some_and(|resource| resource.label != user_name);
    if is_renamed {
        person.name = effect::name(state, user_name, Some(known))?;
    }
    if matches!(turning, Turning::Returns) {
        person.active = true;
        let groups = plane.store.scim_groups_of(&source.client.id, before.id).await?;
        let labels = groups.into_iter().map(|(_, label)| label).collect();
        person.groups = effect::stands_for(state, source, &labels)?;
    }
    Ok(person)
}

/// The identity to link: the first one that is said of somebody who has no way to sign in. Nothing moves a link later:
/// whoever could, could sign in as anybody.
async fn link(
    plane: &ControlPlane,
    source: &Source,
    before: &Before,
    said: &Object,
) -> Result<Option<Link>, Refusal> {
    let Some(identity) = identity(source, said)? else { return Ok(None) };
    match plane.store.link(&identity).await? {
        Some(known) if known.person == before.id => return Ok(None),
        Some(_) => return Err(Refusal::new(ErrorKind::Uniqueness, "this identity is somebody else here")),
        None => {}
    }
    let has_way = !plane.store.links_of(before.id).await?.is_empty()
        || plane.store.credential(before.id).await?.is_some();
    Ok((!has_way).then(|| Link { identity, person: before.id, linked_at: plane.now() }))
}

fn identity(source: &Source, said: &Object) -> Result<Option<Identity>, Refusal> {
    let Some(subject) = source.subject(said) else { return Ok(None) };
    Identity::new(&source.issuer.trusted.url, subject)
        .map(Some)
        .map_err(|error| Refusal::new(ErrorKind::InvalidValue, error.to_string()))
}

/// Somebody who is gone at the source: everything of theirs ends, nothing signs in as them, and their name is free.
async fn withdraw(
    plane: &Arc<ControlPlane>,
    source: &Source,
    turn: Turn,
    resource: &Resource,
    person: Option<Arc<Person>>,
) -> Result<(), Refusal> {
    let state = Arc::clone(turn.state());
    let client = &source.client;
    let ends = person.as_ref().filter(|person| person.active).map(|person| person.id);
    if let Some(id) = ends
        && !breaker::lets(plane, client, id).await?
    {
        drop(turn);
        return Err(breaker::trip(plane, source).await);
    }
    let write = Write {
        client: client.id.clone(),
        kind: KIND,
        id: resource.id.clone(),
        resource: None,
        joins: Vec::new(),
        leaves: Vec::new(),
        ends,
    };
    let write = StateChange::Scim(Box::new(write));
    let Some(person) = person else {
        let lines = vec![format!("{}: {} is gone", client.name, resource.label)];
        let what = Cause::SourceWithdrew.as_str();
        turn.make(Changed { actor: None, what, lines, changes: vec![write] }).await?;
        return Ok(());
    };
    let gone = Person { name: effect::left(&person)?, ..Person::clone(&person) };
    let (bump, grants) = effect::end(&state, gone, Cause::SourceWithdrew);
    let mut bump = bump.line(ended_line(client.name.as_str(), person.name.as_str(), grants)).along(write);
    for link in plane.store.links_of(person.id).await? {
        if link.identity.issuer == source.issuer.trusted.url.as_str() {
            bump = bump.along(StateChange::Unlink(Box::new(link.identity)));
        }
    }
    if plane.store.credential(person.id).await?.is_some() {
        bump = bump.along(StateChange::DropCredential(person.id));
    }
    turn.bump(bump).await?;
    Ok(())
}

fn ended_line(client: &str, person: &str, grants: usize) -> String {
    format!("{client}: {person} ends, with every session and token, {grants} grants and every membership")
}
