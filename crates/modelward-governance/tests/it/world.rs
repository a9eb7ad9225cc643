//! Ada let herself in first; Dana and Kim came later; a machine of Ada's scores.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use modelward_decision::grant::{Conditions, Grant, Origin};
use modelward_decision::inventory::{Group, Machine, Person, Project};
use modelward_decision::vocabulary::{
    Classification, GranteeRef, GroupId, Id, Kind, Name, PersonId, Privilege, ScopeRef,
};
use modelward_decision::{Bundle, Change, Snapshot};
use modelward_governance::inventory::{Edit, Thing};

pub(crate) const ADA: u128 = 1;
pub(crate) const DANA: u128 = 2;
pub(crate) const KIM: u128 = 3;
pub(crate) const SCORER: u128 = 10;
pub(crate) const ADMINS: u128 = 20;
pub(crate) const ANALYSTS: u128 = 21;
/// The whole firm; admins are a part of it.
pub(crate) const FIRM: u128 = 22;
pub(crate) const RISK: u128 = 30;

pub(crate) fn noon() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

pub(crate) fn days(number: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(24 * number)
}

pub(crate) fn id<K: Kind>(number: u128) -> Id<K> {
    Id::from_bits((0x0195_0000_0000_7000_8000_u128 << 48) + number)
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn person(number: u128, called: &str, groups: &[u128]) -> Change {
    Change::Person(Arc::new(Person {
        id: id(number),
        name: name(called),
        display_name: called.to_owned(),
        clearance: Classification::Confidential,
        active: true,
        groups: groups.iter().map(|group| id(*group)).collect(),
    }))
}

fn group(number: u128, called: &str, parents: &[u128]) -> Change {
    let parents = parents.iter().map(|group| id(*group)).collect();
    Change::Group(Arc::new(Group { id: id(number), name: name(called), parents }))
}

pub(crate) fn nothing() -> Snapshot {
    static BUNDLE: LazyLock<Arc<Bundle>> = LazyLock::new(|| Arc::new(Bundle::default_bundle().unwrap()));
    Snapshot::empty(Arc::clone(&BUNDLE))
}

pub(crate) fn world() -> Snapshot {
    nothing().with([
        group(ADMINS, "admins", &[FIRM]),
        group(ANALYSTS, "analysts", &[]),
        group(FIRM, "firm", &[]),
        person(ADA, "ada", &[ADMINS]),
        person(DANA, "dana", &[ANALYSTS]),
        person(KIM, "kim", &[]),
        Change::Machine(Arc::new(Machine {
            id: id(SCORER),
            name: name("scorer"),
            owner: id(ADA),
            clearance: Classification::Public,
            active: true,
            groups: BTreeSet::new(),
        })),
        Change::Project(Arc::new(Project { id: id(RISK), name: name("risk") })),
    ])
}

/// What Ada gives Dana unless a test says otherwise: inference on the project for a week.
pub(crate) fn grant() -> Grant {
    Grant {
        id: id(90),
        grantee: GranteeRef::Person(id(DANA)),
        privilege: Privilege::Inference,
        scope: ScopeRef::Project(id(RISK)),
        conditions: Conditions::default(),
        not_before: noon(),
        not_after: days(7),
        origin: Origin::Bootstrap { by: id(ADA) },
    }
}

pub(crate) fn groups(numbers: &[u128]) -> BTreeSet<GroupId> {
    numbers.iter().map(|number| id(*number)).collect()
}

pub(crate) fn ada() -> PersonId {
    id(ADA)
}

/// The snapshot after these edits, as a store and a server would bring it about.
pub(crate) fn apply(snapshot: &Snapshot, edits: Vec<Edit>) -> Snapshot {
    snapshot.with(edits.into_iter().filter_map(|edit| {
        Some(match edit {
            Edit::Remove(removed) => Change::Remove(removed),
            Edit::Put(thing) => match *thing {
                Thing::Person(it) => Change::Person(Arc::new(it)),
                Thing::Machine(it) => Change::Machine(Arc::new(it)),
                Thing::Group(it) => Change::Group(Arc::new(it)),
                Thing::Project(it) => Change::Project(Arc::new(it)),
                Thing::Environment(it) => Change::Environment(Arc::new(it)),
                Thing::Model(it) => Change::Model(Arc::new(it)),
                Thing::Description(_) => return None,
                Thing::Version(it) => Change::Version(Arc::new(it)),
                Thing::Alias(it) => Change::Alias(Arc::new(it)),
                Thing::Dataset(it) => Change::Dataset(Arc::new(it)),
                Thing::Endpoint(it) => Change::Endpoint(Arc::new(it)),
            },
        })
    }))
}
