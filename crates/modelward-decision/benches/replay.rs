//! How many recorded decisions a second one core tries under another bundle.
//!
//! `cargo bench -p modelward-decision --bench replay` prints a table.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures time, prints, and may stop"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::grant::{Conditions, Grant, Origin};
use modelward_decision::inventory::{
    Endpoint, Environment, Model, OnSensitiveAsk, Person, Project, Protocol, Served, Target, Version,
};
use modelward_decision::replay::{Batch, Item, flips};
use modelward_decision::vocabulary::{
    Action, Ask, Binding, Classification, Confidence, CredentialScope, DecisionId, DeviceFacts, EndpointId,
    Fact, Facts, GrantId, GranteeRef, ModelId, Name, PersonId, PrincipalRef, Privilege, ProjectId,
    ResourceRef, ScopeRef, SessionFacts, SessionId, Source, VersionId,
};
use modelward_decision::{Bundle, Change, Request, Snapshot, decide};

const PEOPLE: u128 = 1_000;
const MODELS: u128 = 200;
const ITEMS: u128 = 100_000;

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("replay of {ITEMS} recorded decisions (reach >= 50 000/s per core)");
    println!("{:<52} {:>14} {:>14}", "", "decisions/s", "per core");
    for policies in [0, 10_000] {
        for revisions in [1, 100] {
            let batches = batches(policies, revisions);
            for workers in [1, cores] {
                let since = Instant::now();
                let found = flips(batches.iter().cloned(), workers, &|_| ());
                let seconds = since.elapsed().as_secs_f64();
                assert_eq!(u128::from(found.replayed), ITEMS);
                let rate = f64::from(u32::try_from(ITEMS).expect("small")) / seconds;
                let each = rate / f64::from(u32::try_from(workers).expect("few"));
                let what = format!("{policies} more policies, {revisions} revisions, {workers} workers");
                println!("{what:<52} {rate:>14.0} {each:>14.0}");
            }
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().expect("a time")
}

const fn person(n: u128) -> PersonId {
    PersonId::from_bits((1 << 100) + n % PEOPLE)
}

const fn model(n: u128) -> ModelId {
    ModelId::from_bits((2 << 100) + n % MODELS)
}

const fn version(n: u128) -> VersionId {
    VersionId::from_bits((3 << 100) + n % MODELS)
}

const PROJECT: ProjectId = ProjectId::from_bits(4 << 100);
const ENDPOINT: EndpointId = EndpointId::from_bits(5 << 100);

/// The decisions of so many revisions, each of which gave one more grant; a guardrail is added to what they were made under.
fn batches(policies: u32, revisions: u128) -> Vec<Batch> {
    let mut snapshot = Snapshot::empty(bundle(policies)).with(things());
    let per_revision = ITEMS / revisions;
    (0..revisions)
        .map(|revision| {
            snapshot = snapshot.with([Change::Grant(Arc::new(grant(PEOPLE + revision, revision)))]);
            let of = revision * per_revision..(revision + 1) * per_revision;
            Batch { snapshot: Arc::new(snapshot.clone()), items: of.map(|n| item(&snapshot, n)).collect() }
        })
        .collect()
}

fn bundle(policies: u32) -> Arc<Bundle> {
    let mut sources = Bundle::default_bundle().expect("the default bundle").sources().clone();
    let extra: String = (0..policies)
        .map(|n| {
            format!(
                "@id(\"site-{n}\") @title(\"t\") @owner(\"o\") @reason(\"r\") @remedy(\"network\")\n\
                 forbid (principal, action in Modelward::Action::\"Inference\", resource in Modelward::Scope::\"{}\")\n\
                 when {{ context.network.value == \"guest\" && context.risk.value > {} }};\n",
                ModelId::from_bits((2 << 100) + u128::from(n)),
                n % 80,
            )
        })
        .collect();
    sources.insert("site.cedar".to_owned(), extra);
    Arc::new(Bundle::from_sources(sources).expect("a valid bundle"))
}

fn things() -> Vec<Change> {
    let mut changes = vec![
        Change::Environment(Arc::new(Environment { name: name("production"), production: true })),
        Change::Project(Arc::new(Project { id: PROJECT, name: name("risk") })),
    ];
    let mut serves = Vec::new();
    for n in 0..MODELS {
        changes.push(Change::Model(Arc::new(Model {
            id: model(n),
            project: PROJECT,
            name: name(&format!("model-{n}")),
            classification: Classification::Internal,
            tags: BTreeSet::new(),
            quarantined: false,
            on_sensitive_ask: OnSensitiveAsk::Refuse,
            fail_static: false,
        })));
        changes.push(Change::Version(Arc::new(Version {
            id: version(n),
            model: model(n),
            label: name("1"),
            digest: None,
            label_outputs: BTreeSet::new(),
            proven: true,
            quarantined: false,
        })));
        serves.push(Served {
            public_name: format!("model-{n}"),
            model: model(n),
            target: Target::Version(version(n)),
            upstream_name: format!("model-{n}"),
        });
    }
    changes.push(Change::Endpoint(Arc::new(Endpoint {
        id: ENDPOINT,
        name: name("serving"),
        environment: name("production"),
        protocol: Protocol::OpenInference,
        upstream: name("upstream"),
        approved: true,
        serves,
    })));
    for n in 0..PEOPLE {
        changes.push(Change::Person(Arc::new(Person {
            id: person(n),
            name: name(&format!("person-{n}")),
            display_name: String::new(),
            clearance: Classification::Confidential,
            active: true,
            groups: BTreeSet::new(),
        })));
        changes.push(Change::Grant(Arc::new(grant(n, n))));
    }
    changes
}

fn grant(id: u128, n: u128) -> Grant {
    Grant {
        id: GrantId::from_bits((6 << 100) + id),
        grantee: GranteeRef::Person(person(n)),
        privilege: Privilege::Inference,
        scope: ScopeRef::Model(model(n)),
        conditions: Conditions {
            environments: Some(BTreeSet::from([name("production")])),
            ..Conditions::default()
        },
        not_before: now() - SignedDuration::from_hours(1),
        not_after: now() + SignedDuration::from_hours(24),
        origin: Origin::Bootstrap { by: person(0) },
    }
}

/// As traffic is: people ask again for the few models they use, half a percent is denied.
fn item(snapshot: &Snapshot, n: u128) -> Item {
    let stray = u128::from(n.is_multiple_of(200));
    let at = now() + SignedDuration::from_millis(i64::try_from(n).expect("small"));
    let session = SessionFacts {
        id: SessionId::from_bits(9),
        strength: 2,
        methods: vec![name("pwd"), name("otp")],
        authenticated_at: now() - SignedDuration::from_mins(5),
        binding: Binding::None,
        scope: CredentialScope::Full,
    };
    let request = Request {
        principal: PrincipalRef::Person(person(n)),
        action: Action::Predict,
        resource: ResourceRef::Version(version(n + stray)),
        facts: Facts {
            now: at,
            environment: name("production"),
            endpoint: Some(ENDPOINT),
            session: Arc::new(session),
            device: DeviceFacts::UNKNOWN,
            network: Fact::new(name("office"), Source::Socket, at, Confidence::Proved),
            place: Fact::new(name("unknown"), Source::Default, at, Confidence::None),
            risk: Fact::new(0, Source::Default, at, Confidence::None),
            ask: Ask::default(),
        },
    };
    let decision = decide(snapshot, &request, DecisionId::from_bits(n));
    Item {
        decision: decision.id,
        request,
        outcome: decision.outcome,
        determining: decision.determining.iter().map(|it| it.policy.clone()).collect(),
        obligations: decision.obligations,
    }
}
