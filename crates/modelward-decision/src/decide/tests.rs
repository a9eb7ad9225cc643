//! The indexed decision against the plain authorizer, on worlds, bundles and requests made up at random.

use std::cell::Cell;
use std::collections::BTreeMap;

use cedar_policy::{Effect, PolicyId};
use cedar_policy_core::ast::{self, Context, EntityUID, PartialValue, PolicyID};
use cedar_policy_core::authorizer::{AuthorizationError, Authorizer};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};

use super::*;
use crate::index::{Side, Sides};

mod replay;
mod scenarios;
mod smallest;
mod world;

use world::{Rng, World};

/// Decisions compared in one run, and what must be among them.
const CASES: usize = 10_240;
const BUNDLES: usize = 64;

#[test]
fn the_index_decides_as_the_plain_authorizer_does() {
    let mut seen = Seen::default();
    for seed in 0..BUNDLES as u64 {
        compare(seed, CASES / BUNDLES, &mut seen)
            .unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
    }
    assert_eq!(seen.cases, CASES);
    assert!(seen.allowed * 4 >= CASES, "{seen:?}: at least 25 % must be allowed");
    assert!(seen.erring_forbids * 10 >= CASES, "{seen:?}: at least 10 % must have a forbid that errs");
    assert!(seen.several_grants * 10 >= CASES, "{seen:?}: at least 10 % must have several covering grants");
}

#[test]
fn dropping_any_one_index_key_is_noticed() {
    for side in ["principal", "action", "resource"] {
        for key in ["any", "itself", "above"] {
            DROPPED.set(Some((side, key)));
            let noticed = (0..BUNDLES as u64).any(|seed| compare(seed, 32, &mut Seen::default()).is_err());
            DROPPED.set(None);
            assert!(noticed, "no case needs the key `{key}` of the {side}");
        }
    }
}

thread_local! {
    static DROPPED: Cell<Option<(&'static str, &'static str)>> = const { Cell::new(None) };
}

/// The sides without the key a test dropped, as a faulty index would see them.
pub(crate) fn without_dropped_key(mut sides: Sides<'_>) -> Sides<'_> {
    let drop = |side: &mut Side<'_>, key: &str| match key {
        "any" => side.keys.retain(Option::is_some),
        "itself" => drop(side.keys.remove(1)),
        _ => side.keys.truncate(2),
    };
    match DROPPED.get() {
        None => {}
        Some(("principal", key)) => drop(&mut sides.principal, key),
        Some(("action", key)) => drop(&mut sides.action, key),
        Some((_, key)) => drop(&mut sides.resource, key),
    }
    sides
}

#[derive(Debug, Default)]
struct Seen {
    cases: usize,
    allowed: usize,
    erring_forbids: usize,
    several_grants: usize,
}

fn compare(seed: u64, cases: usize, seen: &mut Seen) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let bundle = Arc::new(world::bundle(&mut rng));
    for _ in 0..cases {
        let world = World::new(&mut rng);
        let snapshot = Snapshot::empty(Arc::clone(&bundle)).with(world.changes());
        let request = world.request(&mut rng);
        let expected = Oracle::new(&snapshot, &world, &request).decide();
        let found = find(&snapshot, &request, &request.facts.ask, &[]);
        expected
            .check(&found)
            .map_err(|difference| format!("{difference}\n{request:?}\n{found:?}\n{expected:?}"))?;
        let reached = snapshot.is_reached_by(
            request.principal,
            &[request.action.privilege()],
            request.resource,
            request.facts.endpoint,
            request.facts.now,
        );
        if found.covering.is_empty() == reached && applies(&request) {
            return Err(format!("reached: {reached}\n{request:?}\n{found:?}"));
        }
        seen.cases += 1;
        seen.allowed += usize::from(found.outcome.is_allow());
        seen.erring_forbids += usize::from(expected.a_forbid_erred);
        seen.several_grants += usize::from(expected.covering.len() > 1);
    }
    Ok(())
}

fn applies(request: &Request) -> bool {
    request.action.resources().contains(&request.resource.kind())
}

/// The definition, without index, slice or cache: the plain authorizer over the whole bundle, grant by grant.
struct Oracle<'a> {
    snapshot: &'a Snapshot,
    world: &'a World,
    request: &'a Request,
    entities: Entities,
}

#[derive(Debug)]
struct Expected {
    outcome: Outcome,
    covering: Vec<GrantId>,
    /// Ways to an allow: the grant, the permits it rests on, what it obliges to.
    ways: Vec<(Option<GrantId>, Vec<String>, Vec<Obligation>)>,
    a_forbid_erred: bool,
}

impl Expected {
    fn check(&self, found: &Finding) -> Result<(), String> {
        let covering: Vec<GrantId> = found.covering.iter().map(|grant| grant.id).collect();
        if covering != self.covering {
            return Err("other covering grants".to_owned());
        }
        if found.outcome != self.outcome {
            return Err(format!("expected {:?}", self.outcome));
        }
        if !found.outcome.is_allow() {
            return Ok(());
        }
        let (_, permits, obligations) = self
            .ways
            .iter()
            .find(|(grant, ..)| *grant == found.grant)
            .ok_or("the grant does not allow it")?;
        let determining: Vec<String> = found.determining.iter().map(|policy| policy.id.to_string()).collect();
        if &determining != permits || &found.obligations != obligations {
            return Err("other reasons or obligations".to_owned());
        }
        let undercut = self.ways.iter().any(|(_, _, other)| {
            obligation::at_most_as_strict(other, obligations)
                && !obligation::at_most_as_strict(obligations, other)
        });
        if undercut { Err("a grant with less strict obligations exists".to_owned()) } else { Ok(()) }
    }
}

/// What the plain authorizer said in one run.
struct Plain {
    allow: bool,
    reasons: Vec<String>,
    erring: Vec<String>,
}

impl<'a> Oracle<'a> {
    fn new(snapshot: &'a Snapshot, world: &'a World, request: &'a Request) -> Self {
        let entities = world.entities(snapshot, request).into_iter().map(|(uid, attributes, parents)| {
            let attributes =
                attributes.into_iter().map(|(name, value)| (name.into(), PartialValue::Value(value)));
            ast::Entity::new_with_attr_partial_value(
                uid,
                attributes,
                [].into(),
                parents.into_iter().collect(),
                [],
            )
        });
        let extensions = Extensions::all_available();
        let entities = Entities::from_entities(
            entities,
            None::<&NoEntitiesSchema>,
            TCComputation::ComputeNow,
            extensions,
        )
        .expect("the world is a hierarchy");
        Self { snapshot, world, request, entities }
    }

    fn decide(&self) -> Expected {
        let bundle = self.snapshot.bundle();
        let covering = self.world.covering(self.snapshot, self.request);
        let ids = covering.iter().map(|grant| grant.id).collect();
        let (all, free) = (bundle.policies(), grant_free(bundle.policies()));
        let base = self.context(None);
        let without = self.run(&free, base.clone());
        let is_forbid = |id: &String| {
            all.policy(&PolicyId::new(id)).is_some_and(|policy| policy.effect() == Effect::Forbid)
        };
        let mut expected = Expected {
            outcome: Outcome::NotPermitted,
            covering: ids,
            ways: Vec::new(),
            a_forbid_erred: false,
        };
        expected.a_forbid_erred = without.erring.iter().any(is_forbid);
        if without.reasons.iter().any(is_forbid) {
            expected.outcome = Outcome::Forbidden;
            return expected;
        }
        if expected.a_forbid_erred {
            expected.outcome = Outcome::ErrorClosed;
            return expected;
        }
        let (mut erred, mut forbidden, mut unmet) = (false, false, false);
        let mut try_way = |grant: Option<GrantId>, said: Plain, context: Context| {
            forbidden |= said.reasons.iter().any(is_forbid);
            let forbid_erred = said.erring.iter().any(is_forbid);
            erred |= forbid_erred;
            if !said.allow || forbid_erred {
                return;
            }
            let rules = self.run(bundle.obligations(), context);
            if !rules.erring.is_empty() {
                erred = true;
                return;
            }
            let text = |id: &String, set: &cedar_policy::PolicySet| {
                set.policy(&PolicyId::new(id))
                    .and_then(|policy| policy.annotation("obligation").map(str::to_owned))
            };
            let asked = said.reasons.iter().filter_map(|id| text(id, all));
            let asked = asked.chain(rules.reasons.iter().filter_map(|id| text(id, bundle.obligations())));
            match obligation::join(asked.map(|text| text.parse().expect("an obligation"))) {
                Ok(obligations) => expected.ways.push((grant, said.reasons, obligations)),
                Err(_) => unmet = true,
            }
        };
        for grant in &covering {
            let context = self.context(Some(grant));
            try_way(Some(grant.id), self.run(all, context.clone()), context);
        }
        // A policy that looks at the grant says nothing without one.
        if without.allow {
            let said = self.run(&free, base.clone());
            try_way(None, said, base);
        }
        expected.a_forbid_erred |= erred;
        expected.outcome = match (expected.ways.is_empty(), erred, forbidden, unmet) {
            (false, ..) => Outcome::Permitted,
            (true, true, ..) => Outcome::ErrorClosed,
            (true, false, true, _) => Outcome::Forbidden,
            (true, false, false, true) => Outcome::ObligationUnmet,
            (true, false, false, false) => Outcome::NotPermitted,
        };
        expected
    }

    fn context(&self, grant: Option<&Grant>) -> Context {
        let bundle = self.snapshot.bundle();
        let slice =
            Trial::new(self.snapshot, self.request, &self.request.facts.ask, &[]).expect("a known request");
        match grant {
            None => Context::Value(slice.base),
            Some(grant) => {
                let record = circumstances::grant(bundle.types(), grant).expect("a grant");
                let open = circumstances::window_open(grant, self.request.facts.now);
                circumstances::with_grant(&slice.base, record, open)
            }
        }
    }

    /// The plain authorizer over a whole set, without a schema to help it.
    fn run(&self, policies: &cedar_policy::PolicySet, context: Context) -> Plain {
        let bundle = self.snapshot.bundle();
        let types = bundle.types();
        let uid = |uid: EntityUID| (uid, None);
        let request = ast::Request::new::<ast::RequestSchemaAllPass>(
            uid(types.principal(self.request.principal)),
            uid(types.action(self.request.action)),
            uid(types.resource(self.request.resource)),
            context,
            None,
            Extensions::all_available(),
        )
        .expect("a request");
        let core: &ast::PolicySet = policies.as_ref();
        let response = Authorizer::new().is_authorized(request, core, &self.entities);
        let mut reasons: Vec<String> = response.diagnostics.reason.iter().map(PolicyID::to_string).collect();
        reasons.sort();
        let erring = response
            .diagnostics
            .errors
            .iter()
            .map(|AuthorizationError::PolicyEvaluationError { id, .. }| id.to_string())
            .collect();
        Plain { allow: response.decision == cedar_policy_core::authorizer::Decision::Allow, reasons, erring }
    }
}

/// The policies whose text does not speak of the grant.
fn grant_free(policies: &cedar_policy::PolicySet) -> cedar_policy::PolicySet {
    let looks = |text: &str| text.contains("context.grant") || text.contains("has grant");
    let free = policies.policies().filter(|policy| !looks(&policy.to_string()));
    cedar_policy::PolicySet::from_policies(free.cloned()).expect("unique ids")
}

/// Attributes and parents of entities, by their ids.
type Described = Vec<(EntityUID, BTreeMap<&'static str, ast::Value>, Vec<EntityUID>)>;

#[test]
fn what_policies_see_is_what_the_schema_promises() {
    let mut rng = Rng::new(99);
    let bundle = Arc::new(world::bundle(&mut rng));
    for _ in 0..500 {
        let world = World::new(&mut rng);
        let snapshot = Snapshot::empty(Arc::clone(&bundle)).with(world.changes());
        let request = world.request(&mut rng);
        let oracle = Oracle::new(&snapshot, &world, &request);
        let grants: Vec<_> = snapshot.grants().cloned().collect();
        for grant in grants.iter().map(|grant| Some(grant.as_ref())).chain([None]) {
            let json = oracle.context(grant).to_json_value().expect("a context");
            let action = bundle.types().action(request.action).to_string().parse().expect("a uid");
            cedar_policy::Context::from_json_value(json, Some((bundle.schema(), &action)))
                .expect("the context conforms to the schema");
        }
    }
}
