//! The smallest change against brute force, on random denials under random bundles and under the default one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::world::{self, Rng, World, name, now};
use super::*;
use crate::grant::{Conditions, Day, Grant, Origin, Window};
use crate::inventory::Environment;
use crate::smallest::{Counterfactual, FactChange, GrantWanted, Smallest, smallest, smallest_told};
use crate::vocabulary::*;
use crate::{Bundle, Change, Request, Snapshot, may_know_of};

const DENIALS: usize = 1_000;

#[test]
fn no_smaller_change_exists_and_the_one_found_allows() {
    let mut sizes = BTreeMap::<String, usize>::new();
    let (mut seed, mut seen) = (0, 0);
    while seen < DENIALS {
        seed += 1;
        let mut rng = Rng::new(seed);
        let bundle = if seed % 2 == 0 {
            Arc::new(Bundle::default_bundle().expect("the default bundle"))
        } else {
            Arc::new(world::bundle(&mut rng))
        };
        for _ in 0..32 {
            let (snapshot, request) = richer(&mut rng, &bundle);
            if seen == DENIALS || allows(&snapshot, &request) {
                continue;
            }
            seen += 1;
            let size = check(&mut rng, &snapshot, &request)
                .unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}\n{request:?}"));
            *sizes.entry(size).or_default() += 1;
        }
    }
    for expected in ["nothing", "1", "2", "3"] {
        assert!(sizes.get(expected).is_some_and(|count| *count >= 20), "{sizes:?}: too few of {expected}");
    }
}

/// How large the answer is, once it was found right.
fn check(rng: &mut Rng, snapshot: &Snapshot, request: &Request) -> Result<String, String> {
    let all = Values::all(snapshot, request);
    match smallest(snapshot, request) {
        Smallest::TooFar => Err("the bound was reached".to_owned()),
        Smallest::Nothing => {
            all.none_of(1, snapshot, request)?;
            // Every pair takes a while, and one case in sixteen finds what there is to find.
            if rng.chance(6) {
                all.none_of(2, snapshot, request)?;
            }
            all.none_at_random(rng, snapshot, request)?;
            Ok("nothing".to_owned())
        }
        Smallest::Change(change) => {
            let (then, asked) = change.apply(snapshot, request);
            if !allows(&then, &asked) {
                return Err(format!("{change:?} does not allow it"));
            }
            for size in 1..change.changes.len() {
                let values = if size <= 2 { &all } else { &all.strong() };
                values.none_of(size, snapshot, request)?;
            }
            Ok(change.changes.len().to_string())
        }
    }
}

fn allows(snapshot: &Snapshot, request: &Request) -> bool {
    decide(snapshot, request, DecisionId::from_bits(1)).is_allow()
}

/// A random world and request, with more that can be in the way.
fn richer(rng: &mut Rng, bundle: &Arc<Bundle>) -> (Snapshot, Request) {
    let world = World::new(rng);
    let mut request = world.request(rng);
    if matches!(request.resource, ResourceRef::Version(_)) {
        request.action =
            rng.pick(&[request.action, Action::Predict, Action::DownloadWeights, Action::ReadLogprobs]);
    }
    let facts = &mut request.facts;
    let minutes = rng.pick(&[1, 10]);
    let session = Arc::make_mut(&mut facts.session);
    session.authenticated_at = now() - SignedDuration::from_mins(minutes);
    if rng.chance(10) {
        session.scope = CredentialScope::of_privileges([Privilege::ReadOnly]);
    }
    facts.device.managed = rng.chance(50);
    facts.device.compliant = facts.device.managed;
    facts.risk.value = rng.pick(&[0, 0, 90]);
    facts.place.value = rng.pick(&[name("eu"), name("us")]);
    let mut changes = world.changes();
    changes.push(Change::Environment(Arc::new(Environment { name: name("staging"), production: false })));
    for n in 0..rng.below(3) {
        changes.push(Change::Grant(Arc::new(narrow(rng, 0xb00 + u128::from(n), &request))));
    }
    (Snapshot::empty(Arc::clone(bundle)).with(changes), request)
}

/// A grant that covers the request but for its conditions.
fn narrow(rng: &mut Rng, id: u128, request: &Request) -> Grant {
    let hour = SignedDuration::from_hours(1);
    let afternoon = Window {
        days: [Day::Mon, Day::Fri].into(),
        from: jiff::civil::time(14, 0, 0, 0),
        until: jiff::civil::time(18, 0, 0, 0),
        zone: "UTC".to_owned(),
    };
    Grant {
        id: GrantId::from_bits(id),
        grantee: request.principal.as_grantee(),
        privilege: request.action.privilege(),
        scope: request.resource.as_scope(),
        conditions: Conditions {
            segments: rng.chance(40).then(|| [name("office")].into()),
            regions: rng.chance(40).then(|| [name("eu")].into()),
            purposes: rng.chance(40).then(|| [name("care")].into()),
            windows: rng.chance(40).then(|| vec![afternoon]),
            fields: Some([Field::Logprobs].into()),
            ..Conditions::default()
        },
        not_before: rng.pick(&[now() - hour, now() - hour, now() + hour]),
        not_after: now() + hour * 9,
        origin: Origin::Request {
            request: EventId::from_bits(1),
            approvals: u8::try_from(rng.below(3)).expect("small"),
        },
    }
}

/// Every value brute force tries, by kind.
struct Values(Vec<Vec<FactChange>>);

impl Values {
    fn all(snapshot: &Snapshot, request: &Request) -> Self {
        let mut sign_ins = Vec::new();
        for strength in request.facts.session.strength..=3 {
            for max_age_seconds in [None, Some(0), Some(60), Some(299), Some(300)] {
                sign_ins.push(FactChange::StepUp { strength, max_age_seconds });
            }
        }
        let covering = decide(snapshot, request, DecisionId::from_bits(1)).covering;
        let approvals = covering
            .into_iter()
            .flat_map(|grant| (1..=3).map(move |approvals| FactChange::Approvals { grant, approvals }));
        let grants = (0..=3).map(|approvals| {
            FactChange::Grant(Box::new(GrantWanted {
                privilege: request.action.privilege(),
                scope: request.resource.as_scope(),
                approvals,
                conditions: Conditions { fields: Some(Field::ALL.into()), ..Conditions::default() },
            }))
        });
        let names =
            |names: &[&str]| names.iter().map(|text| Some(name(text))).chain([None]).collect::<Vec<_>>();
        let in_minutes = |minutes| now() + SignedDuration::from_mins(minutes);
        let new_year: Timestamp = "2027-01-01T00:00:00Z".parse().expect("a time");
        let moments = [in_minutes(30), in_minutes(60), in_minutes(120), in_minutes(3 * 24 * 60), new_year];
        Self(vec![
            subsets(&request.facts.ask.fields),
            ["care", "research"].map(|it| FactChange::Purpose { purpose: name(it) }).to_vec(),
            environments(snapshot, request),
            sign_ins,
            vec![FactChange::Binding],
            vec![FactChange::Credential],
            vec![FactChange::Device],
            names(&["office", "lab"]).into_iter().map(|segment| FactChange::Network { segment }).collect(),
            names(&["eu", "us"]).into_iter().map(|region| FactChange::Place { region }).collect(),
            moments.map(|until| FactChange::Wait { until }).to_vec(),
            approvals.collect(),
            if request.action.privilege() == Privilege::SelfService { Vec::new() } else { grants.collect() },
            vec![FactChange::Risk],
        ])
    }

    /// The strongest of each kind only, for sets so large that not all can be tried.
    fn strong(&self) -> Self {
        let strongest = |values: &Vec<FactChange>| values.iter().rev().take(3).cloned().collect();
        Self(self.0.iter().map(strongest).collect())
    }

    /// That no set of this size allows the request.
    fn none_of(&self, size: usize, snapshot: &Snapshot, request: &Request) -> Result<(), String> {
        self.extend(&mut Vec::new(), 0, size, snapshot, request)
    }

    fn extend(
        &self,
        chosen: &mut Vec<FactChange>,
        from: usize,
        left: usize,
        snapshot: &Snapshot,
        request: &Request,
    ) -> Result<(), String> {
        if left == 0 {
            return denied(chosen, snapshot, request);
        }
        for kind in from..self.0.len() {
            for value in &self.0[kind] {
                chosen.push(value.clone());
                self.extend(chosen, kind + 1, left - 1, snapshot, request)?;
                chosen.pop();
            }
        }
        Ok(())
    }

    fn none_at_random(&self, rng: &mut Rng, snapshot: &Snapshot, request: &Request) -> Result<(), String> {
        for _ in 0..100 {
            let mut chosen = Vec::new();
            for values in self.0.iter().filter(|values| !values.is_empty()) {
                if rng.chance(60) {
                    chosen.push(rng.pick(values));
                }
            }
            denied(&chosen, snapshot, request)?;
        }
        Ok(())
    }
}

fn denied(changes: &[FactChange], snapshot: &Snapshot, request: &Request) -> Result<(), String> {
    let change = Counterfactual { changes: changes.to_vec() };
    let (then, asked) = change.apply(snapshot, request);
    if allows(&then, &asked) { Err(format!("brute force found {changes:?}")) } else { Ok(()) }
}

fn subsets(fields: &BTreeSet<Field>) -> Vec<FactChange> {
    let fields: Vec<Field> = fields.iter().copied().collect();
    (1..1_usize << fields.len())
        .map(|bits| FactChange::WithoutFields {
            fields: (0..fields.len()).filter(|n| bits & (1 << n) != 0).map(|n| fields[n]).collect(),
        })
        .collect()
}

/// An environment other than now, where the thing can be reached there.
fn environments(snapshot: &Snapshot, request: &Request) -> Vec<FactChange> {
    let model = snapshot.model_of(request.resource);
    let reached = |environment: &Name| {
        request.facts.endpoint.is_none()
            || model.is_none()
            || snapshot.endpoints().any(|door| {
                door.environment == *environment && door.serves.iter().any(|it| Some(it.model) == model)
            })
    };
    let names = [name("production"), name("staging")];
    names.into_iter().filter(reached).map(|environment| FactChange::Environment { environment }).collect()
}

#[test]
fn what_is_told_of_a_thing_one_may_not_know_of_does_not_depend_on_it() {
    let bundle = Arc::new(Bundle::default_bundle().expect("the default bundle"));
    let mut rng = Rng::new(7);
    let mut unknown = 0;
    while unknown < 60 {
        let (snapshot, request) = richer(&mut rng, &bundle);
        let nobodys = |resource| match resource {
            ResourceRef::Platform => ResourceRef::Platform,
            ResourceRef::Project(_) => ResourceRef::Project(ProjectId::from_bits(0xfff)),
            ResourceRef::Model(_) => ResourceRef::Model(ModelId::from_bits(0xfff)),
            ResourceRef::Version(_) => ResourceRef::Version(VersionId::from_bits(0xfff)),
            ResourceRef::Endpoint(_) => ResourceRef::Endpoint(EndpointId::from_bits(0xfff)),
            ResourceRef::Dataset(_) => ResourceRef::Dataset(DatasetId::from_bits(0xfff)),
        };
        let missing = Request { resource: nobodys(request.resource), ..request.clone() };
        if may_know_of(&snapshot, &request) || allows(&snapshot, &request) {
            continue;
        }
        unknown += 1;
        let privilege = request.action.privilege();
        let told = smallest_told(&snapshot, &request);
        let of_nothing = smallest_told(&snapshot, &missing);
        assert_eq!(told.sentence(privilege, "it"), of_nothing.sentence(privilege, "it"), "{request:?}");
        assert_ne!(told, Smallest::TooFar);
    }
}
