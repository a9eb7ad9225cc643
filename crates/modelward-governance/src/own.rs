//! Nobody widens what they can do themselves: not as a member of a group, and not through a machine they answer for.
//!
//! Whoever manages groups and machines could otherwise reach every right a group or a machine holds, which would be
//! granting to oneself. So the rule looks at where everybody stands after the edits, not at single edits: a group two
//! steps away counts as well.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::inventory::Machine;
use modelward_decision::vocabulary::{GroupId, MachineId, Name, PersonId, PrincipalRef};
use modelward_decision::{Change, Snapshot};

use crate::inventory::{Edit, Thing};

/// How somebody would widen what they can do themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnWidening {
    #[error("nobody adds themselves, a machine they answer for or a group they belong to to a group")]
    Joins,
    #[error("nobody takes over the machine `{machine}` for themselves")]
    TakesOver { machine: Name },
    #[error(
        "nobody raises the clearance of the machine `{machine}` they answer for, or switches it on again"
    )]
    Raises { machine: Name },
}

impl OwnWidening {
    pub const HINT: &'static str = "ask the other person who governs";
}

/// Refuses edits through which their author would come by more than before.
pub fn nobody_widens_their_own<'a>(
    actor: PrincipalRef,
    before: &Snapshot,
    edits: impl IntoIterator<Item = &'a Edit>,
) -> Result<(), OwnWidening> {
    let after = before.with(edits.into_iter().filter_map(change));
    joins_nothing(actor, before, &after)?;
    let PrincipalRef::Person(person) = actor else { return Ok(()) };
    for machine in after.machines().filter(|machine| machine.owner == person) {
        if let Some(known) = before.machine(machine.id) {
            stays(person, known, machine)?;
        }
        joins_nothing(PrincipalRef::Machine(machine.id), before, &after)?;
    }
    Ok(())
}

/// A machine that is the author's afterwards was theirs before, and can do no more. One that is new holds nothing yet.
fn stays(person: PersonId, before: &Machine, after: &Machine) -> Result<(), OwnWidening> {
    let machine = || after.name.clone();
    if before.owner != person {
        return Err(OwnWidening::TakesOver { machine: machine() });
    }
    let switched_on = after.active && !before.active;
    if switched_on || after.clearance > before.clearance {
        return Err(OwnWidening::Raises { machine: machine() });
    }
    Ok(())
}

fn joins_nothing(who: PrincipalRef, before: &Snapshot, after: &Snapshot) -> Result<(), OwnWidening> {
    if groups_of(after, who).is_subset(&groups_of(before, who)) { Ok(()) } else { Err(OwnWidening::Joins) }
}

/// The groups somebody belongs to, followed upwards.
pub(crate) fn groups_of(snapshot: &Snapshot, who: PrincipalRef) -> BTreeSet<GroupId> {
    let direct = match who {
        PrincipalRef::Person(id) => snapshot.person(id).map(|found| &found.groups),
        PrincipalRef::Machine(id) => snapshot.machine(id).map(|found| &found.groups),
    };
    let mut open: Vec<GroupId> = direct.into_iter().flatten().copied().collect();
    let mut groups = BTreeSet::new();
    while let Some(id) = open.pop() {
        if groups.insert(id) {
            open.extend(snapshot.group(id).into_iter().flat_map(|group| group.parents.iter().copied()));
        }
    }
    groups
}

/// The machines a person answers for.
pub(crate) fn machines_of(snapshot: &Snapshot, person: PersonId) -> BTreeSet<MachineId> {
    snapshot.machines().filter(|machine| machine.owner == person).map(|machine| machine.id).collect()
}

/// An edit as far as it is about who belongs where.
fn change(edit: &Edit) -> Option<Change> {
    let thing = match edit {
        Edit::Remove(removed) => return Some(Change::Remove(*removed)),
        Edit::Put(thing) => thing,
    };
    match &**thing {
        Thing::Person(it) => Some(Change::Person(Arc::new(it.clone()))),
        Thing::Machine(it) => Some(Change::Machine(Arc::new(it.clone()))),
        Thing::Group(it) => Some(Change::Group(Arc::new(it.clone()))),
        Thing::Project(_)
        | Thing::Environment(_)
        | Thing::Model(_)
        | Thing::Description(_)
        | Thing::Version(_)
        | Thing::Alias(_)
        | Thing::Dataset(_)
        | Thing::Endpoint(_) => None,
    }
}
