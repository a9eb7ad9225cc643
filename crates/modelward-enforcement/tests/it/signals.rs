//! Security signals: what each cell of `signals.toml` does to new requests and to what is under way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::grant::Conditions;
use modelward_decision::obligation::Obligation;
use modelward_decision::signal::{About, Raised, Response, SignalKey, Signals};
use modelward_decision::vocabulary::{
    Action, Ask, Binding, Confidence, CredentialScope, DatasetId, DecisionId, DeviceFacts, Fact, Facts,
    Field, Name, PersonId, Privilege, ProjectId, ResourceRef, ScopeRef, SessionFacts, SessionId, Source,
};
use modelward_decision::{Change, Decision, Request, Snapshot, decide};
use modelward_enforcement::{End, StreamGuard};
use modelward_identity::Authenticated;
use modelward_ledger::Config;
use modelward_seal::Digest;
use modelward_testkit::system::{SECOND, predict};
use modelward_testkit::world::name;
use modelward_testkit::{Deployed, Failure, System, VirtualClock, World, default_bundle, principal};

struct Cast {
    ana: PersonId,
    fraud: Deployed,
    claims: DatasetId,
    project: ProjectId,
}

/// Somebody who may do one thing of every privilege.
fn world(world: &mut World) -> Cast {
    let (ana, fraud, claims) = (world.person("ana"), world.model("fraud"), world.dataset("claims"));
    for privilege in Privilege::ALL.into_iter().filter(|privilege| *privilege != Privilege::SelfService) {
        let fields = (privilege == Privilege::InferenceSensitive).then(|| BTreeSet::from([Field::Logprobs]));
        let conditions = Conditions { fields, ..Conditions::default() };
        world
            .grant(privilege, ana, ScopeRef::Platform)
            .with(|grant| grant.conditions = conditions)
            .lasting(SignedDuration::from_hours(12))
            .give();
    }
    let project = world.project();
    Cast { ana, fraud, claims, project }
}

/// One thing to do of each privilege.
fn example(privilege: Privilege, cast: &Cast) -> (Action, ResourceRef) {
    let version = cast.fraud.resource();
    let model = ResourceRef::Model(cast.fraud.model);
    match privilege {
        Privilege::SelfService => (Action::ReadSelf, ResourceRef::Platform),
        Privilege::ReadOnly => (Action::ReadCard, model),
        Privilege::Inference => (Action::Predict, version),
        Privilege::InferenceSensitive => (Action::ReadLogprobs, version),
        Privilege::Experiment => (Action::CreateRun, ResourceRef::Project(cast.project)),
        Privilege::Registry => (Action::UpdateModel, model),
        Privilege::Retraining => (Action::ProposeTraining, model),
        Privilege::Export => (Action::DownloadWeights, version),
        Privilege::DataExport => (Action::ReadRawRows, ResourceRef::Dataset(cast.claims)),
        Privilege::Deploy => (Action::Promote, version),
        Privilege::Govern => (Action::ManagePeople, ResourceRef::Platform),
        Privilege::Audit => (Action::ReadLedger, ResourceRef::Platform),
    }
}

const SESSION: SessionId = SessionId::from_bits(7);

/// A request with which all is well, out of a session of `signed_in` ago.
fn request(cast: &Cast, privilege: Privilege, now: Timestamp, signed_in: SignedDuration) -> Request {
    let (action, resource) = example(privilege, cast);
    let here = if resource == ResourceRef::Platform { "control" } else { World::ENVIRONMENT };
    let fact = |value| Fact::new(value, Source::Socket, now, Confidence::Proved);
    Request {
        principal: principal(cast.ana),
        action,
        resource,
        facts: Facts {
            now,
            environment: name(here),
            endpoint: matches!(resource, ResourceRef::Version(_)).then_some(cast.fraud.endpoint),
            session: Arc::new(SessionFacts {
                id: SESSION,
                strength: 3,
                methods: vec![name("hwk")],
                authenticated_at: now - signed_in,
                binding: Binding::Dpop,
                scope: CredentialScope::Full,
            }),
            device: DeviceFacts { managed: true, compliant: true, confidence: Confidence::Proved },
            network: fact(name("office")),
            place: fact(name("eu")),
            risk: Fact::new(0, Source::Default, now, Confidence::None),
            ask: Ask::default(),
        },
    }
}

fn table() -> Signals {
    default_bundle().signals().cloned().unwrap_or_default()
}

fn raised(about: About, signal: &Name, at: Timestamp) -> Change {
    Change::Raise(Arc::new(Raised {
        what: SignalKey { about, signal: signal.clone(), device: None },
        raised_at: at,
        until: at + SignedDuration::from_hours(1),
        by: name("corporate"),
        confidence: Confidence::Managed,
    }))
}

fn asked(snapshot: &Snapshot, request: &Request) -> Decision {
    decide(snapshot, request, DecisionId::from_bits(1))
}

fn denied_by(decision: &Decision) -> Vec<&str> {
    assert!(!decision.is_allow(), "{}", decision.sentence);
    decision.determining.iter().map(|policy| policy.policy.as_str()).collect()
}

/// What one cell says, held against what comes of it.
fn check(cast: &Cast, before: &Snapshot, now: Timestamp, signal: &Name, privilege: Privilege) -> Response {
    let cell = format!("{signal} and {privilege}");
    let minute = SignedDuration::from_mins(1);
    let old = request(cast, privilege, now, minute);
    let well = asked(before, &old);
    assert!(well.is_allow(), "{cell}: {}", well.sentence);

    let about = About::Principal(principal(cast.ana));
    let snapshot = before.with([raised(about, signal, now - SignedDuration::from_secs(30))]);
    let table = table();
    let response = table.response(signal.as_str(), privilege);
    let new = asked(&snapshot, &old);
    let again = asked(&snapshot, &request(cast, privilege, now, SECOND));
    let cut = snapshot.signalled(principal(cast.ana), SESSION, privilege, now);
    let runs_on = cut.is_none_or(|(response, _)| response != Response::Cut)
        && asked(&snapshot.for_what_runs(), &old).is_allow();
    let slowly = Obligation::Rate { per_minute: 10 };
    let Some(response) = response else {
        assert_eq!((new.is_allow(), new.obligations, runs_on), (true, well.obligations, true), "{cell}");
        return Response::Throttle;
    };
    assert_eq!(runs_on, response != Response::Cut, "{cell}: what is under way");
    match response {
        Response::Throttle => assert!(new.is_allow() && new.obligations.contains(&slowly), "{cell}"),
        Response::StepUp => {
            assert_eq!(denied_by(&new), ["risk-step-up"], "{cell}");
            assert!(again.is_allow() && again.obligations.contains(&slowly), "{cell}: {}", again.sentence);
        }
        Response::Suspend | Response::Cut => {
            assert_eq!(
                (denied_by(&new), denied_by(&again)),
                (vec!["risk-high"], vec!["risk-high"]),
                "{cell}"
            );
        }
    }
    let somebody_else = About::Session(SessionId::from_bits(8));
    let elsewhere = before.with([raised(somebody_else, signal, now)]);
    assert!(asked(&elsewhere, &old).is_allow(), "{cell}: of another session");
    let over = request(cast, privilege, now + SignedDuration::from_hours(2), minute);
    assert!(asked(&snapshot, &over).is_allow(), "{cell}: run out");
    response
}

#[tokio::test(start_paused = true)]
async fn every_cell_of_the_signal_table_does_what_it_says() -> Result<(), Failure> {
    let (system, cast) = System::start(world)?;
    let (snapshot, now) = (system.publisher.latest(), system.enforcer.now());
    let table = table();
    let mut seen = BTreeSet::new();
    for signal in table.signals.keys() {
        for privilege in Privilege::ALL.into_iter().filter(|each| *each != Privilege::SelfService) {
            seen.insert(check(&cast, &snapshot, now, signal, privilege));
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), Response::ALL, "the table uses every response");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_signal_against_them_still_sees_and_asks() -> Result<(), Failure> {
    let (system, cast) = System::start(world)?;
    let about = About::Principal(principal(cast.ana));
    let now = system.enforcer.now();
    let snapshot = system.publisher.latest().with([raised(about, &name("account-disabled"), now)]);
    assert!(asked(&snapshot, &request(&cast, Privilege::SelfService, now, SECOND)).is_allow());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_read_cuts() -> Result<(), Failure> {
    let (system, cast) = System::start(world)?;
    let mut sources = default_bundle().sources().clone();
    sources.insert("signals.toml".to_owned(), "[signal.x]\nnothing = 1\n".to_owned());
    let bundle = Arc::new(modelward_decision::Bundle::from_sources(sources)?);
    let about = About::Principal(principal(cast.ana));
    let now = system.enforcer.now();
    let changes = [Change::Bundle(bundle), raised(about, &name("unusual-place"), now)];
    let snapshot = system.publisher.latest().with(changes);
    let decision = asked(&snapshot, &request(&cast, Privilege::ReadOnly, now, SECOND));
    assert_eq!(denied_by(&decision), ["risk-high"]);
    Ok(())
}

/// Two devices of one person: that one is well again says nothing of the other.
#[tokio::test(start_paused = true)]
async fn one_device_that_is_well_again_lifts_nothing_of_another() -> Result<(), Failure> {
    let (system, cast) = System::start(world)?;
    let now = system.enforcer.now();
    let key = |device: &str| SignalKey {
        about: About::Principal(principal(cast.ana)),
        signal: name("device-compromised"),
        device: Some(Digest::of(device.as_bytes())),
    };
    let raise = |device| {
        let until = now + SignedDuration::from_hours(1);
        let (by, confidence) = (name("corporate"), Confidence::Managed);
        Change::Raise(Arc::new(Raised { what: key(device), raised_at: now, until, by, confidence }))
    };
    let both = system.publisher.latest().with([raise("laptop"), raise("phone")]);
    let predict = request(&cast, Privilege::Inference, now, SECOND);
    let one = both.with([Change::Lift(key("phone"))]);
    assert_eq!(denied_by(&asked(&one, &predict)), ["risk-high"]);
    assert!(asked(&one.with([Change::Lift(key("laptop"))]), &predict).is_allow());
    Ok(())
}

async fn stream(system: &System, who: &Authenticated, model: &Deployed) -> Result<StreamGuard, Failure> {
    let enforced = system.enforcer.enforce(who, predict(model), &system.situation(model.endpoint)).await?;
    Ok(system.enforcer.register(enforced.permit.standing()))
}

async fn is_running(guard: &mut StreamGuard) -> bool {
    tokio::time::timeout(Duration::from_secs(6), guard.cut()).await.is_err()
}

/// Each response on an open stream, by a signal of the default table that has it on inference.
#[tokio::test(start_paused = true)]
async fn only_a_cut_ends_an_open_stream_and_does_at_once() -> Result<(), Failure> {
    for (signal, response) in [
        ("extraction-suspected", Response::Throttle),
        ("credential-stolen", Response::StepUp),
        ("risk-high", Response::Suspend),
        ("device-compromised", Response::Cut),
    ] {
        let table = table();
        assert_eq!(table.response(signal, Privilege::Inference), Some(response), "{signal}");
        let (system, cast) = System::start_at(VirtualClock::following_tokio(), Config::small("test"), world)?;
        let who = system.sign_in(cast.ana)?;
        let mut guard = stream(&system, &who, &cast.fraud).await?;
        assert!(is_running(&mut guard).await);

        let at = system.enforcer.now();
        let about = About::Session(who.session().id);
        system.publish([raised(about, &name(signal), at)])?;
        if response == Response::Cut {
            assert_eq!(guard.cut().await, End::Signalled, "{signal}");
            let cuts = system.observer.cuts();
            assert_eq!((cuts[0].published_at, cuts[0].cut_at), (Some(at), at), "at once");
        } else {
            assert!(is_running(&mut guard).await, "{signal} lets it come to its end");
        }
        let next = stream(&system, &who, &cast.fraud).await;
        assert_eq!(next.is_ok(), response == Response::Throttle, "{signal} and a new one");
    }
    Ok(())
}
