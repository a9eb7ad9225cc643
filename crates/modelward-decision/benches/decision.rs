//! What one whole decision costs, at the sizes a large site has, beside the same at a small site.
//!
//! `cargo bench -p modelward-decision` prints a table. Figures are of one thread; the ratio is within one run.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench measures time, prints, and may stop"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::grant::{Conditions, Grant, Origin};
use modelward_decision::inventory::{
    Endpoint, Environment, Group, Model, OnSensitiveAsk, Person, Project, Protocol, Served, Target, Version,
};
use modelward_decision::vocabulary::{
    Action, Ask, Binding, Classification, Confidence, CredentialScope, DecisionId, DeviceFacts, EndpointId,
    Fact, Facts, GrantId, GranteeRef, GroupId, ModelId, Name, PersonId, PrincipalRef, Privilege, ProjectId,
    ResourceRef, ScopeRef, SessionFacts, SessionId, Source, VersionId,
};
use modelward_decision::{Bundle, Change, Request, Snapshot, decide};

const ROUNDS: usize = 20_000;

fn main() {
    let small = World { policies: 10_000, grants: 1_000, models: 100_000, people: 1_000 };
    let large = World { policies: 10_000, grants: 1_000_000, models: 100_000, people: 100_000 };
    let tiny = World { policies: 0, grants: 1_000, models: 1_000, people: 100 };
    println!("one whole decision: context, slice, Cedar, rationale");
    println!("{:<44} {:>10} {:>10} {:>10}", "", "p50 µs", "p99 µs", "mean µs");
    let mut at_1k = 0.0;
    let worlds = [
        ("default bundle, 1k grants", tiny),
        ("10k policies, 1k grants", small),
        ("10k policies, 1M grants", large),
    ];
    for (name, world) in worlds {
        let (snapshot, endpoint) = world.build();
        for covering in [1_u128, 8, 64] {
            let warm = measure(&snapshot, endpoint, covering, Kind::Warm);
            let cold = measure(&snapshot, endpoint, covering, Kind::Cold);
            row(&format!("{name}, {covering} covering, warm"), &warm);
            row(&format!("{name}, {covering} covering, cold"), &cold);
            if covering == 1 && world.grants == 1_000 && world.policies > 0 {
                at_1k = warm.p50;
            }
            if covering == 1 && world.grants == 1_000_000 {
                println!("  ratio to 1k grants: {:.2} (reach <= 1.5)", warm.p50 / at_1k);
            }
        }
        let revoke = measure_revocation(&snapshot, endpoint);
        println!("  {name}: revoking one grant visible after {revoke:.1} µs (reach <= 1000)");
    }
}

#[derive(Clone, Copy)]
struct World {
    policies: u32,
    grants: u128,
    models: u128,
    people: u128,
}

#[derive(Clone, Copy)]
enum Kind {
    /// The slice of this request was made before.
    Warm,
    /// Nothing was made before: people or inventory have just changed.
    Cold,
}

struct Figures {
    p50: f64,
    p99: f64,
    mean: f64,
}

fn row(name: &str, figures: &Figures) {
    println!("{name:<44} {:>10.2} {:>10.2} {:>10.2}", figures.p50, figures.p99, figures.mean);
}

const PERSON: u128 = 1 << 100;
const MODEL: u128 = 2 << 100;
const VERSION: u128 = 3 << 100;
const GRANT: u128 = 4 << 100;
const PROJECT: u128 = 5 << 100;
const GROUP: u128 = 6 << 100;
const ENDPOINT: u128 = 7 << 100;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().expect("a time")
}

impl World {
    fn build(self) -> (Snapshot, EndpointId) {
        let mut sources = Bundle::default_bundle().expect("the default bundle").sources().clone();
        let extra: String = (0..self.policies)
            .map(|n| {
                format!(
                    "@id(\"site-{n}\") @title(\"t\") @owner(\"o\") @reason(\"r\") @remedy(\"network\")\n\
                     forbid (principal, action in Modelward::Action::\"Inference\", resource in Modelward::Scope::\"{}\")\n\
                     when {{ context.network.value == \"guest\" && context.risk.value > {} }};\n",
                    ModelId::from_bits(MODEL + u128::from(n)),
                    n % 80,
                )
            })
            .collect();
        sources.insert("site.cedar".to_owned(), extra);
        let bundle = Arc::new(Bundle::from_sources(sources).expect("a valid bundle"));
        let endpoint = EndpointId::from_bits(ENDPOINT);
        let mut changes =
            vec![Change::Environment(Arc::new(Environment { name: name("production"), production: true }))];
        for n in 0..10 {
            changes.push(Change::Group(Arc::new(Group {
                id: GroupId::from_bits(GROUP + n),
                name: name(&format!("group-{n}")),
                parents: BTreeSet::new(),
            })));
        }
        for n in 0..100 {
            changes.push(Change::Project(Arc::new(Project {
                id: ProjectId::from_bits(PROJECT + n),
                name: name(&format!("project-{n}")),
            })));
        }
        for n in 0..self.people {
            changes.push(Change::Person(Arc::new(Person {
                id: PersonId::from_bits(PERSON + n),
                name: name(&format!("person-{n}")),
                display_name: String::new(),
                clearance: Classification::Confidential,
                active: true,
                groups: (0..5).map(|g| GroupId::from_bits(GROUP + (n + g) % 10)).collect(),
            })));
        }
        let mut serves = Vec::new();
        for n in 0..self.models {
            let (model, version) = (ModelId::from_bits(MODEL + n), VersionId::from_bits(VERSION + n));
            changes.push(Change::Model(Arc::new(Model {
                id: model,
                project: ProjectId::from_bits(PROJECT + n % 100),
                name: name(&format!("model-{n}")),
                classification: Classification::Internal,
                tags: BTreeSet::new(),
                quarantined: false,
                on_sensitive_ask: OnSensitiveAsk::Refuse,
                fail_static: false,
            })));
            changes.push(Change::Version(Arc::new(Version {
                id: version,
                model,
                label: name("1"),
                digest: None,
                label_outputs: BTreeSet::new(),
                proven: true,
                quarantined: false,
            })));
            if n < 8 {
                serves.push(Served {
                    public_name: format!("model-{n}"),
                    model,
                    target: Target::Version(version),
                    upstream_name: format!("model-{n}"),
                });
            }
        }
        changes.push(Change::Endpoint(Arc::new(Endpoint {
            id: endpoint,
            name: name("serving"),
            environment: name("production"),
            protocol: Protocol::OpenInference,
            upstream: name("upstream"),
            approved: true,
            serves,
        })));
        // Every person and model pair once around; person n covers version n.
        for n in 0..self.grants {
            changes.push(Change::Grant(Arc::new(grant(
                n,
                n % self.people,
                ScopeRef::Version(VersionId::from_bits(VERSION + (n * 31 + n / self.people) % self.models)),
            ))));
        }
        for (extra, person, copies) in [(0, 1, 1), (100, 8, 8), (200, 64, 64)] {
            for n in 0..copies {
                changes.push(Change::Grant(Arc::new(grant(
                    self.grants + extra + n,
                    person,
                    ScopeRef::Version(VersionId::from_bits(VERSION + 77)),
                ))));
            }
        }
        (Snapshot::empty(bundle).with(changes), endpoint)
    }
}

fn grant(n: u128, person: u128, scope: ScopeRef) -> Grant {
    Grant {
        id: GrantId::from_bits(GRANT + n),
        grantee: GranteeRef::Person(PersonId::from_bits(PERSON + person)),
        privilege: Privilege::Inference,
        scope,
        conditions: Conditions {
            environments: Some(BTreeSet::from([name("production")])),
            ..Conditions::default()
        },
        not_before: now() - SignedDuration::from_hours(1),
        not_after: now() + SignedDuration::from_hours(24),
        origin: Origin::Bootstrap { by: PersonId::from_bits(PERSON) },
    }
}

fn request(
    person: u128,
    version: u128,
    endpoint: EndpointId,
    session: &Arc<SessionFacts>,
    at: Timestamp,
) -> Request {
    Request {
        principal: PrincipalRef::Person(PersonId::from_bits(PERSON + person)),
        action: Action::Predict,
        resource: ResourceRef::Version(VersionId::from_bits(VERSION + version)),
        facts: Facts {
            now: at,
            environment: name("production"),
            endpoint: Some(endpoint),
            session: Arc::clone(session),
            device: DeviceFacts::UNKNOWN,
            network: Fact::new(name("office"), Source::Socket, at, Confidence::Proved),
            place: Fact::new(name("unknown"), Source::Default, at, Confidence::None),
            risk: Fact::new(0, Source::Default, at, Confidence::None),
            ask: Ask::default(),
        },
    }
}

fn session() -> Arc<SessionFacts> {
    Arc::new(SessionFacts {
        id: SessionId::from_bits(9),
        strength: 2,
        methods: vec![name("pwd"), name("otp")],
        authenticated_at: now() - SignedDuration::from_mins(5),
        binding: Binding::None,
        scope: CredentialScope::Full,
    })
}

fn measure(snapshot: &Snapshot, endpoint: EndpointId, covering: u128, kind: Kind) -> Figures {
    let session = session();
    let id = DecisionId::from_bits(1);
    let decision = decide(snapshot, &request(covering, 77, endpoint, &session, now()), id);
    assert!(decision.is_allow(), "{decision:?}");
    let rounds = match kind {
        Kind::Warm => ROUNDS,
        Kind::Cold => ROUNDS / 20,
    };
    let mut times: Vec<f64> = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let at = now() + SignedDuration::from_millis(i64::try_from(round).expect("small"));
        let request = request(covering, 77, endpoint, &session, at);
        let changed;
        let snapshot = match kind {
            Kind::Warm => snapshot,
            Kind::Cold => {
                let environment = Environment { name: name("production"), production: true };
                changed = snapshot.with([Change::Environment(Arc::new(environment))]);
                &changed
            }
        };
        let start = Instant::now();
        black_box(decide(snapshot, black_box(&request), id));
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / f64::from(u32::try_from(rounds).expect("small"));
    Figures { p50: times[rounds / 2], p99: times[rounds * 99 / 100], mean }
}

/// From the change to the first decision that denies by it.
fn measure_revocation(snapshot: &Snapshot, endpoint: EndpointId) -> f64 {
    let session = session();
    let request = request(1, 77, endpoint, &session, now());
    let allowed = decide(snapshot, &request, DecisionId::from_bits(1));
    let mut best: Vec<f64> = (0..101)
        .map(|_| {
            let start = Instant::now();
            let next = snapshot.with([Change::Revoke(allowed.grant.expect("a grant"))]);
            let denied = decide(&next, &request, DecisionId::from_bits(2));
            let elapsed = start.elapsed().as_secs_f64() * 1e6;
            assert!(denied.covering.len() < allowed.covering.len());
            elapsed
        })
        .collect();
    best.sort_by(f64::total_cmp);
    best[50]
}
