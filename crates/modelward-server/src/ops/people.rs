//! People, groups and machines: who there is, and changing that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use modelward_decision::inventory::Person;
use modelward_decision::vocabulary::{Action, Classification, GroupId, PersonId, PrincipalRef, ResourceRef};
use modelward_decision::{EpochScope, Snapshot};
use modelward_enforcement::Summary;
use modelward_governance::inventory::Thing;
use modelward_store::StateChange;

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::ops::{enrol, scim};
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};
use crate::turn::{Changed, Turn};
use crate::wire::{
    ErrorCode, GroupView, InviteRequest, Invited, List, MachineView, PersonChange, PersonChanged, PersonView,
    Secret,
};
use crate::{names, ops};

/// In characters.
const DISPLAY_NAME_MAX: usize = 128;

fn group_names(snapshot: &Snapshot, groups: &BTreeSet<GroupId>) -> Vec<String> {
    groups.iter().filter_map(|id| snapshot.group(*id).map(|group| group.name.to_string())).collect()
}

fn person_view(snapshot: &Snapshot, person: &Person) -> PersonView {
    PersonView {
        id: person.id.to_string(),
        name: person.name.to_string(),
        display_name: person.display_name.clone(),
        clearance: person.clearance.to_string(),
        active: person.active,
        groups: group_names(snapshot, &person.groups),
    }
}

/// Reads the whole of something that whoever audits or governs may see.
async fn read<T>(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    what: &str,
    make: impl FnOnce(&Snapshot) -> Vec<T>,
) -> Result<Allowed<List<T>>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = Summary::default().with("what", what);
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    let snapshot = plane.snapshot();
    Ok(pass.answer(List { items: make(&snapshot), revision: snapshot.revision() }))
}

pub(crate) async fn people(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<PersonView>>, Problem> {
    read(plane, caller, "people", |snapshot| {
        let mut people: Vec<PersonView> =
            snapshot.people().map(|person| person_view(snapshot, person)).collect();
        people.sort_by(|one, other| one.name.cmp(&other.name));
        people
    })
    .await
}

pub(crate) async fn groups(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<GroupView>>, Problem> {
    read(plane, caller, "groups", |snapshot| {
        let mut members: BTreeMap<GroupId, Vec<PrincipalRef>> = BTreeMap::new();
        for person in snapshot.people() {
            for group in &person.groups {
                members.entry(*group).or_default().push(PrincipalRef::Person(person.id));
            }
        }
        for machine in snapshot.machines() {
            for group in &machine.groups {
                members.entry(*group).or_default().push(PrincipalRef::Machine(machine.id));
            }
        }
        let mut groups: Vec<GroupView> = snapshot
            .groups()
            .map(|group| {
                let of = members.get(&group.id).into_iter().flatten();
                let mut members: Vec<_> = of.map(|member| names::principal_view(snapshot, *member)).collect();
                members.sort();
                GroupView {
                    id: group.id.to_string(),
                    name: group.name.to_string(),
                    parents: group_names(snapshot, &group.parents),
                    members,
                }
            })
            .collect();
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        groups
    })
    .await
}

pub(crate) async fn machines(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<MachineView>>, Problem> {
    read(plane, caller, "machines", |snapshot| {
        let mut machines: Vec<MachineView> = snapshot
            .machines()
            .map(|machine| MachineView {
                id: machine.id.to_string(),
                name: machine.name.to_string(),
                owner: names::principal_view(snapshot, PrincipalRef::Person(machine.owner)).name,
                clearance: machine.clearance.to_string(),
                active: machine.active,
                groups: group_names(snapshot, &machine.groups),
            })
            .collect();
        machines.sort_by(|one, other| one.name.cmp(&other.name));
        machines
    })
    .await
}

fn display_name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > DISPLAY_NAME_MAX || text.chars().any(char::is_control) {
        return Err(Problem::malformed(format!(
            "a display name has 1 to {DISPLAY_NAME_MAX} printable characters"
        )));
    }
    Ok(text.to_owned())
}

/// How a person is called in the ledger.
pub(crate) fn known_as(plane: &ControlPlane, name: &str) -> String {
    match names::principal(&plane.snapshot(), name) {
        Ok(principal) => plane.pseudonym(principal),
        Err(_) => "nobody known".to_owned(),
    }
}

/// A person by name, for whoever may manage people.
pub(crate) fn person_named(snapshot: &Snapshot, text: &str) -> Result<PersonId, Problem> {
    match names::principal(snapshot, text)? {
        PrincipalRef::Person(id) => Ok(id),
        PrincipalRef::Machine(_) => Err(Problem::malformed("this is a machine, not a person")),
    }
}

/// Changes a person. Deactivating ends every session, token and stream of theirs in the same breath.
pub(crate) async fn change(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    change: PersonChange,
) -> Result<Allowed<PersonChanged>, Problem> {
    let summary = Summary::default().with("person", known_as(plane, name));
    let (change, pass) =
        plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, change).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let snapshot = Arc::clone(turn.state());
        let id = person_named(&snapshot, name)?;
        let Some(before) = snapshot.person(id) else { return Err(Problem::not_found("person", name)) };
        if PrincipalRef::Person(id) == caller.who.principal()
            && (change.active.is_some() || change.clearance.is_some())
        {
            return Err(Problem::new(ErrorCode::Refused, "nobody changes their own clearance or activity")
                .hint("ask another person who governs"));
        }
        let mut after = Person::clone(before);
        if let Some(text) = &change.display_name {
            after.display_name = display_name(text)?;
        }
        after.clearance = change.clearance.unwrap_or(after.clearance);
        after.active = change.active.unwrap_or(after.active);
        if after == **before {
            return Ok(PersonChanged {
                person: person_view(&snapshot, before),
                revision: snapshot.revision(),
            });
        }
        let deactivated = before.active && !after.active;
        if !before.active && after.active {
            scim::lets_back(plane, before).await?;
        }
        let actor = Some(caller.who.principal());
        let line = format!("{}: clearance {}, active {}", after.name, after.clearance, after.active);
        let put = StateChange::Put(Box::new(Thing::Person(after.clone())));
        let settled = if deactivated {
            let bump = Bump::new(actor, Cause::Deactivated)
                .of(EpochScope::Principal(PrincipalRef::Person(id)))
                .line(line)
                .line("every session and token of theirs ended".to_owned())
                .along(put);
            turn.bump(bump).await?.settled
        } else {
            let lines = vec![line];
            turn.make(Changed { actor, what: "change-person", lines, changes: vec![put] }).await?
        };
        Ok(PersonChanged { person: person_view(&plane.snapshot(), &after), revision: settled.revision })
    })
    .await
}

/// Makes a person, if there is none of that name, and a code to enrol with.
pub(crate) async fn invite(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: InviteRequest,
) -> Result<Allowed<Invited>, Problem> {
    let summary = Summary::default().with("what", "invite");
    let (request, pass) =
        plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let known = turn.state().person_named(request.name.as_str()).cloned();
        let person = match known {
            Some(known) => {
                drop(turn);
                again(plane, &known, &request).await?
            }
            None => made(plane, caller, turn, &request).await?,
        };
        let (code, expires_at) = enrol::issue(plane, person, Some(caller.who.principal())).await?;
        Ok(Invited { code: Secret::new(code.expose().as_str()), name: request.name, expires_at })
    })
    .await
}

/// Somebody who was invited and did not enrol gets a new code. Whoever is enrolled does not: a second code would be a
/// way around their password and authenticator.
async fn again(plane: &ControlPlane, known: &Person, request: &InviteRequest) -> Result<PersonId, Problem> {
    if plane.store.credential(known.id).await?.is_some() {
        return Err(Problem::new(ErrorCode::Conflict, format!("`{}` is enrolled already", known.name)));
    }
    if let Some((client, _)) = scim::provisioned(plane, known.id).await? {
        return Err(Problem::new(
            ErrorCode::Conflict,
            format!("`{}` is provisioned by `{}` and signs in at its issuer", known.name, client.name),
        ));
    }
    if !request.groups.is_empty() || request.clearance.is_some() || request.display_name.is_some() {
        return Err(Problem::new(ErrorCode::Conflict, format!("`{}` was invited before", known.name))
            .hint("invite again by the name alone, and change groups and clearance on their own"));
    }
    Ok(known.id)
}

async fn made(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    turn: Turn,
    request: &InviteRequest,
) -> Result<PersonId, Problem> {
    let mut groups = BTreeSet::new();
    for name in &request.groups {
        let group = turn
            .state()
            .group_named(name.as_str())
            .ok_or_else(|| Problem::not_found("group", name.as_str()))?;
        groups.insert(group.id);
    }
    let id = PersonId::from_uuid(plane.ids.uuid());
    let person = Person {
        id,
        name: request.name.clone(),
        display_name: display_name(request.display_name.as_deref().unwrap_or(request.name.as_str()))?,
        clearance: request.clearance.unwrap_or(Classification::Internal),
        active: true,
        groups,
    };
    let lines = vec![format!("{} invited, cleared for {}", person.name, person.clearance)];
    let changes = vec![StateChange::Put(Box::new(Thing::Person(person)))];
    turn.make(Changed { actor: Some(caller.who.principal()), what: "invite", lines, changes }).await?;
    Ok(id)
}
