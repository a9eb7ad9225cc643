//! Nobody widens what they can do themselves.

use modelward_decision::Snapshot;
use modelward_decision::inventory::{Group, Machine};
use modelward_decision::vocabulary::{Classification, PersonId, PrincipalRef};
use modelward_governance::inventory::{Edit, Thing};
use modelward_governance::own::{OwnWidening, nobody_widens_their_own};

use crate::world::{ADA, ADMINS, ANALYSTS, DANA, FIRM, KIM, SCORER, apply, groups, id, name, world};

/// What becomes of these edits when Ada, who answers for the scorer, makes them.
fn ada_makes(world: &Snapshot, edits: &[Edit]) -> Result<(), OwnWidening> {
    nobody_widens_their_own(PrincipalRef::Person(id(ADA)), world, edits)
}

fn put(thing: Thing) -> Edit {
    Edit::Put(Box::new(thing))
}

fn machine(number: u128, owner: u128, in_groups: &[u128]) -> Machine {
    Machine {
        id: id(number),
        name: name("scorer"),
        owner: id(owner),
        clearance: Classification::Public,
        active: true,
        groups: groups(in_groups),
    }
}

fn scorer(edit: impl FnOnce(&mut Machine)) -> Vec<Edit> {
    let mut machine = machine(SCORER, ADA, &[]);
    edit(&mut machine);
    vec![put(Thing::Machine(machine))]
}

fn in_group(world: &Snapshot, person: PersonId, group: u128) -> Vec<Edit> {
    let mut person = (**world.person(person).unwrap()).clone();
    person.groups.insert(id(group));
    vec![put(Thing::Person(person))]
}

fn group(number: u128, called: &str, parents: &[u128]) -> Edit {
    put(Thing::Group(Group { id: id(number), name: name(called), parents: groups(parents) }))
}

#[test]
fn one_joins_no_group_by_any_way_round() {
    let world = world();
    assert_eq!(ada_makes(&world, &in_group(&world, id(ADA), ANALYSTS)), Err(OwnWidening::Joins));
    assert_eq!(ada_makes(&world, &in_group(&world, id(KIM), ANALYSTS)), Ok(()));
    assert_eq!(ada_makes(&world, &scorer(|it| it.groups = groups(&[ANALYSTS]))), Err(OwnWidening::Joins));
    let two_up = [group(FIRM, "firm", &[ANALYSTS])];
    assert_eq!(ada_makes(&world, &two_up), Err(OwnWidening::Joins), "admins are a part of the firm");
    assert_eq!(ada_makes(&world, &[group(ANALYSTS, "analysts", &[FIRM])]), Ok(()), "she is in neither");
}

#[test]
fn a_group_that_holds_only_ones_own_machine_joins_nothing_either() {
    let robots = 23;
    let world = apply(&world(), vec![group(robots, "robots", &[])]);
    let world = apply(&world, scorer(|it| it.groups = groups(&[robots])));
    let nested = [group(robots, "robots", &[ANALYSTS])];
    assert_eq!(ada_makes(&world, &nested), Err(OwnWidening::Joins));
}

#[test]
fn nobody_takes_over_a_machine_for_themselves() {
    let other = 11;
    let world = apply(&world(), vec![put(Thing::Machine(machine(other, DANA, &[ANALYSTS])))]);
    let taken = [put(Thing::Machine(machine(other, ADA, &[ANALYSTS])))];
    assert_eq!(ada_makes(&world, &taken), Err(OwnWidening::TakesOver { machine: name("scorer") }));
    let handed_on = [put(Thing::Machine(machine(other, KIM, &[ANALYSTS])))];
    assert_eq!(ada_makes(&world, &handed_on), Ok(()));
    let made = [put(Thing::Machine(machine(12, ADA, &[])))];
    assert_eq!(ada_makes(&world, &made), Ok(()), "a new one holds nothing yet");
    let born_in = [put(Thing::Machine(machine(12, ADA, &[ADMINS])))];
    assert_eq!(ada_makes(&world, &born_in), Err(OwnWidening::Joins));
}

#[test]
fn ones_own_machine_gets_weaker_by_ones_own_hand_and_never_stronger() {
    let raised = OwnWidening::Raises { machine: name("scorer") };
    let clear = |it: &mut Machine| it.clearance = Classification::Restricted;
    assert_eq!(ada_makes(&world(), &scorer(clear)), Err(raised.clone()));
    let off = scorer(|it| it.active = false);
    assert_eq!(ada_makes(&world(), &off), Ok(()));
    assert_eq!(ada_makes(&apply(&world(), off), &scorer(|_| {})), Err(raised));
    assert_eq!(ada_makes(&world(), &scorer(|it| it.owner = id(KIM))), Ok(()), "one may give it away");
}
