//! A search by index finds exactly what asking about everything would find, in order, from any place on.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use modelward_decision::grant::{Conditions, Origin};
use modelward_decision::inventory::{
    Dataset, Endpoint, Environment, Group, Machine, Model, OnSensitiveAsk, Person, Project, Protocol, Served,
    Target, Version,
};
use modelward_decision::search::{self, PrincipalKind};
use modelward_decision::vocabulary::{
    Action, Ask, Binding, Classification, Confidence, CredentialScope, DecisionId, DeviceFacts, EndpointId,
    Fact, Facts, GranteeRef, GroupId, Id, Name, PrincipalRef, Privilege, ResourceKind, ResourceRef, ScopeRef,
    SessionFacts, Source,
};
use modelward_decision::{Bundle, Change, Grant, Removed, Request, Snapshot, decide};
use proptest::prelude::*;

static BUNDLE: LazyLock<Arc<Bundle>> = LazyLock::new(|| Arc::new(Bundle::default_bundle().unwrap()));

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Ids by kind and number, scattered so that the order of ids is not the order of making.
fn id<K: modelward_decision::vocabulary::id::Kind>(kind: u128, number: u8) -> Id<K> {
    Id::from_bits(((u128::from(number) * 0x9e37_79b9) % 1009) << 20 | kind << 10 | u128::from(number))
}

fn person(number: u8) -> PrincipalRef {
    PrincipalRef::Person(id(1, number))
}

fn machine(number: u8) -> PrincipalRef {
    PrincipalRef::Machine(id(2, number))
}

fn group(number: u8) -> GroupId {
    id(3, number)
}

fn version(number: u8) -> ResourceRef {
    ResourceRef::Version(id(6, number))
}

const DOOR: u8 = 1;

fn door() -> EndpointId {
    id(7, DOOR)
}

/// Six people, two machines, three groups in a row, two projects with two models of two versions each.
fn world(members: &[(u8, u8)]) -> Vec<Change> {
    let mut changes = vec![
        Change::Environment(Arc::new(Environment { name: name("production"), production: true })),
        Change::Endpoint(Arc::new(Endpoint {
            id: door(),
            name: name("door"),
            environment: name("production"),
            protocol: Protocol::OpenInference,
            upstream: name("up"),
            approved: true,
            serves: vec![Served {
                public_name: "m0".to_owned(),
                model: id(5, 0),
                target: Target::Version(id(6, 0)),
                upstream_name: "m0".to_owned(),
            }],
        })),
    ];
    for number in 0..3 {
        let parents = (number > 0).then(|| group(number - 1)).into_iter().collect();
        let name = name(&format!("g{number}"));
        changes.push(Change::Group(Arc::new(Group { id: group(number), name, parents })));
    }
    let groups_of = |who: u8| -> BTreeSet<GroupId> {
        members.iter().filter(|(member, _)| *member == who).map(|(_, of)| group(*of)).collect()
    };
    for number in 0..6 {
        changes.push(Change::Person(Arc::new(Person {
            id: id(1, number),
            name: name(&format!("p{number}")),
            display_name: String::new(),
            clearance: if number == 5 { Classification::Public } else { Classification::Restricted },
            active: number != 4,
            groups: groups_of(number),
        })));
    }
    for number in 0..2 {
        changes.push(Change::Machine(Arc::new(Machine {
            id: id(2, number),
            name: name(&format!("r{number}")),
            owner: id(1, 0),
            clearance: Classification::Restricted,
            active: true,
            groups: groups_of(6 + number),
        })));
    }
    for project in 0..2 {
        let project_name = name(&format!("j{project}"));
        changes.push(Change::Project(Arc::new(Project { id: id(4, project), name: project_name })));
        changes.push(Change::Dataset(Arc::new(Dataset {
            id: id(8, project),
            project: id(4, project),
            name: name(&format!("d{project}")),
            classification: Classification::Internal,
            tags: BTreeSet::new(),
            columns: Vec::new(),
        })));
        for model in project * 2..project * 2 + 2 {
            changes.push(Change::Model(Arc::new(Model {
                id: id(5, model),
                project: id(4, project),
                name: name(&format!("m{model}")),
                classification: Classification::Internal,
                tags: BTreeSet::new(),
                quarantined: false,
                on_sensitive_ask: OnSensitiveAsk::Refuse,
                fail_static: false,
            })));
            for version in model * 2..model * 2 + 2 {
                changes.push(Change::Version(Arc::new(Version {
                    id: id(6, version),
                    model: id(5, model),
                    label: name(&version.to_string()),
                    digest: None,
                    label_outputs: BTreeSet::new(),
                    proven: true,
                    quarantined: version == 3,
                })));
            }
        }
    }
    changes
}

const PRIVILEGES: [Privilege; 2] = [Privilege::ReadOnly, Privilege::Inference];
const ACTIONS: [Action; 5] =
    [Action::Predict, Action::ReadServing, Action::ReadCard, Action::ReadDatasetSchema, Action::ReadEndpoint];

fn scope(number: u8) -> ScopeRef {
    match number {
        0 => ScopeRef::Platform,
        1 | 2 => ScopeRef::Project(id(4, number - 1)),
        3..=6 => ScopeRef::Model(id(5, number - 3)),
        7..=14 => ScopeRef::Version(id(6, number - 7)),
        15 => ScopeRef::Endpoint(door()),
        _ => ScopeRef::Dataset(id(8, number % 2)),
    }
}

fn grantee(number: u8) -> GranteeRef {
    match number {
        0..=5 => GranteeRef::Person(id(1, number)),
        6 | 7 => GranteeRef::Machine(id(2, number - 6)),
        _ => GranteeRef::Group(group(number - 8)),
    }
}

fn grant(number: u8, (to, on, privilege): (u8, u8, usize)) -> Change {
    Change::Grant(Arc::new(Grant {
        id: id(9, number),
        grantee: grantee(to),
        privilege: PRIVILEGES[privilege],
        scope: scope(on),
        conditions: Conditions::default(),
        not_before: now() - SignedDuration::from_mins(1),
        not_after: now() + SignedDuration::from_mins(1),
        origin: Origin::Request { request: id(10, 0), approvals: 2 },
    }))
}

fn is_allowed(snapshot: &Snapshot, principal: PrincipalRef, action: Action, resource: ResourceRef) -> bool {
    let nobody_said = Fact::new(name("unknown"), Source::Default, now(), Confidence::None);
    let facts = Facts {
        now: now(),
        environment: name("production"),
        endpoint: Some(door()),
        session: Arc::new(SessionFacts {
            id: id(11, 0),
            strength: 1,
            methods: Vec::new(),
            authenticated_at: now(),
            binding: Binding::None,
            scope: CredentialScope::Full,
        }),
        device: DeviceFacts::UNKNOWN,
        network: nobody_said.clone(),
        place: nobody_said,
        risk: Fact::new(0, Source::Default, now(), Confidence::None),
        ask: Ask::default(),
    };
    decide(snapshot, &Request { principal, action, resource, facts }, DecisionId::from_bits(1)).is_allow()
}

fn check(snapshot: &Snapshot) {
    let people: Vec<_> = (0..6).map(person).collect();
    let machines: Vec<_> = (0..2).map(machine).collect();
    let mut things: Vec<_> = (0..8).map(version).collect();
    things.extend((0..4).map(|number| ResourceRef::Model(id(5, number))));
    things.extend((0..2).map(|number| ResourceRef::Dataset(id(8, number))));
    things.extend((0..2).map(|number| ResourceRef::Project(id(4, number))));
    things.extend([ResourceRef::Endpoint(door()), ResourceRef::Platform]);
    for action in ACTIONS {
        for thing in &things {
            for (kind, all) in [(PrincipalKind::Person, &people), (PrincipalKind::Machine, &machines)] {
                let mut wanted: Vec<_> =
                    all.iter().copied().filter(|who| is_allowed(snapshot, *who, action, *thing)).collect();
                wanted.sort_by_key(|who| who.bits());
                for after in std::iter::once(None).chain(wanted.first().map(|who| Some(who.bits()))) {
                    let found: Vec<_> =
                        search::principals(snapshot, action, *thing, Some(door()), kind, after)
                            .filter(|who| is_allowed(snapshot, *who, action, *thing))
                            .collect();
                    let rest: Vec<_> = wanted
                        .iter()
                        .copied()
                        .filter(|who| after.is_none_or(|last| who.bits() > last))
                        .collect();
                    assert_eq!(found, rest, "{kind:?} for {action:?} on {thing:?} after {after:?}");
                }
            }
        }
        for who in people.iter().chain(&machines) {
            for kind in [
                ResourceKind::Platform,
                ResourceKind::Project,
                ResourceKind::Model,
                ResourceKind::Version,
                ResourceKind::Endpoint,
                ResourceKind::Dataset,
            ] {
                let of_kind = things.iter().copied().filter(|thing| thing.kind() == kind);
                let mut wanted: Vec<_> =
                    of_kind.filter(|thing| is_allowed(snapshot, *who, action, *thing)).collect();
                wanted.sort_by_key(|thing| thing.bits());
                for after in std::iter::once(None).chain(wanted.first().map(|thing| Some(thing.bits()))) {
                    let found: Vec<_> = search::resources(snapshot, *who, action, kind, after)
                        .filter(|thing| is_allowed(snapshot, *who, action, *thing))
                        .collect();
                    let rest: Vec<_> = wanted
                        .iter()
                        .copied()
                        .filter(|thing| after.is_none_or(|last| thing.bits() > last))
                        .collect();
                    assert_eq!(found, rest, "{kind:?} for {who:?} to {action:?} after {after:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]
    #[test]
    fn a_search_finds_what_asking_about_everything_finds(
        members in prop::collection::vec((0_u8..8, 0_u8..3), 0..8),
        grants in prop::collection::vec((0_u8..11, 0_u8..18, 0_usize..2), 1..12),
        moved in prop::collection::vec((0_u8..8, 0_u8..3), 0..4),
        revoked in 0_u8..12,
    ) {
        let first = Snapshot::empty(Arc::clone(&BUNDLE)).with(world(&members));
        let granted = first.with(grants.iter().zip(0..).map(|(of, number)| grant(number, *of)));
        check(&granted);
        // Everything comes again with other memberships, a grant goes, one moves, a model is taken out.
        let mut again = world(&moved);
        again.extend([
            Change::Revoke(id(9, revoked)),
            grant(0, (3, 8, 1)),
            Change::Remove(Removed::Version(id(6, 1))),
        ]);
        check(&granted.with(again));
    }
}
