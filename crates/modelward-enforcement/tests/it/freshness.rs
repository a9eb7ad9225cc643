//! What a gateway may still do while it hears nothing: less the longer it lasts, and all of it again once it hears.

use std::sync::Arc;

use jiff::SignedDuration;
use modelward_decision::Change;
use modelward_decision::inventory::Model;
use modelward_decision::vocabulary::{Action, PersonId, Privilege};
use modelward_enforcement::{Clock as _, End, Enforcer, Freshness, Parts, Publisher, Pulse, Unavailable};
use modelward_ledger::Config;
use modelward_testkit::system::{DATA_PLANE, operation, predict};
use modelward_testkit::{Deployed, Failure, System, VirtualClock, World};

/// An enforcement point that goes by a pulse, beside the one of the system.
struct Far {
    system: System,
    publisher: Publisher,
    pulse: Arc<Pulse>,
    enforcer: Enforcer,
}

fn far<T>(build: impl FnOnce(&mut World) -> T) -> Result<(Far, T), Failure> {
    let (system, built) = System::start_at(VirtualClock::following_tokio(), Config::small("test"), build)?;
    let pulse = Arc::new(Pulse::new());
    let clock = Arc::<VirtualClock>::clone(&system.clock);
    let publisher = Publisher::beating(system.publisher.latest(), clock, Arc::clone(&pulse));
    let enforcer = Enforcer::start(Parts {
        snapshots: publisher.subscribe(),
        ledger: system.ledger.sink(),
        reservations: Arc::clone(&system.reservations),
        clock: Arc::<VirtualClock>::clone(&system.clock),
        ids: Arc::<modelward_testkit::SeededIds>::clone(&system.ids),
        observer: Arc::<modelward_testkit::Counts>::clone(&system.observer),
    })
    .able_to(DATA_PLANE);
    Ok((Far { system, publisher, pulse, enforcer }, built))
}

impl Far {
    fn beat(&self) {
        self.pulse.fresh(self.system.clock.monotonic_micros().unwrap_or_default());
    }

    fn pass(&self, seconds: i64) {
        self.system.clock.advance(SignedDuration::from_secs(seconds));
    }
}

fn world(world: &mut World) -> (PersonId, Deployed, Deployed) {
    let ana = world.person("ana");
    let [fraud, triage] = ["fraud", "triage"].map(|model| world.model(model));
    for model in [&fraud, &triage] {
        world.grant(Privilege::Inference, ana, model.scope()).lasting(SignedDuration::from_hours(24)).give();
    }
    (ana, fraud, triage)
}

/// The model goes on where nothing is heard.
fn fail_static(far: &Far, model: &Deployed) -> Result<(), Failure> {
    let snapshot = far.publisher.latest();
    let found = snapshot.model(model.model).ok_or("the model is there")?;
    let changed = Model { fail_static: true, ..(**found).clone() };
    far.publisher.publish(Arc::new(snapshot.with([Change::Model(Arc::new(changed))])))?;
    Ok(())
}

/// Every action, at every age, on a model that goes on and one that does not: the table of the rule.
#[tokio::test]
async fn threat_27_what_is_permitted_narrows_step_by_step() -> Result<(), Failure> {
    let (far, (ana, fraud, triage)) = far(world)?;
    fail_static(&far, &triage)?;
    let who = far.system.sign_in(ana)?;
    let is_considered = |model: &Deployed, action: Action| {
        let decided = far.enforcer.decide(
            &who,
            operation(action, model.resource()),
            &far.system.situation(model.endpoint),
        );
        decided.decision().is_some()
    };
    for (passed, freshness) in [
        (None, Freshness::Gone),
        (Some(0), Freshness::Current),
        (Some(4), Freshness::Current),
        (Some(5), Freshness::Stale),
        (Some(29), Freshness::Stale),
        (Some(30), Freshness::Lost),
        (Some(12 * 60 * 60 - 1), Freshness::Lost),
        (Some(12 * 60 * 60), Freshness::Gone),
    ] {
        if let Some(seconds) = passed {
            far.beat();
            far.pass(seconds);
        }
        assert_eq!(far.enforcer.freshness(), freshness, "{passed:?}");
        for action in Action::ALL {
            let privilege = action.privilege();
            let predicts = privilege == Privilege::Inference;
            let (plain, static_too) = match freshness {
                Freshness::Current => (true, true),
                Freshness::Stale => {
                    let changes_nothing = predicts || privilege == Privilege::ReadOnly;
                    (changes_nothing, changes_nothing)
                }
                Freshness::Lost => (false, predicts),
                Freshness::Gone => (false, false),
            };
            assert_eq!(is_considered(&fraud, action), plain, "{action:?} {passed:?}");
            assert_eq!(is_considered(&triage, action), static_too, "{action:?} {passed:?}");
        }
    }
    far.beat();
    assert_eq!(far.enforcer.freshness(), Freshness::Current, "without a restart");
    Ok(())
}

#[tokio::test]
async fn a_gateway_is_ready_as_long_as_it_can_permit_anything() -> Result<(), Failure> {
    let (far, (_, _, triage)) = far(world)?;
    assert_eq!(far.enforcer.ready(), Err(Unavailable::Stale), "nothing was ever heard");
    far.beat();
    far.pass(29);
    assert_eq!(far.enforcer.ready(), Ok(()));
    far.pass(1);
    assert_eq!(far.enforcer.ready(), Err(Unavailable::Stale));
    fail_static(&far, &triage)?;
    assert_eq!(far.enforcer.ready(), Ok(()));
    far.pulse.forget();
    assert_eq!(far.enforcer.ready(), Err(Unavailable::Stale), "the control plane knows us no more");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn threat_27_running_streams_end_when_news_stay_out_and_go_on_where_that_is_marked()
-> Result<(), Failure> {
    let (far, (ana, fraud, triage)) = far(world)?;
    fail_static(&far, &triage)?;
    far.beat();
    let who = far.system.sign_in(ana)?;
    let mut guards = Vec::new();
    for model in [&fraud, &triage] {
        let situation = far.system.situation(model.endpoint);
        let enforced = far.enforcer.enforce(&who, predict(model), &situation).await?;
        guards.push(far.enforcer.register(enforced.permit.standing()));
    }
    let [cut, goes_on] = guards.as_mut_slice() else { return Err("two streams run".into()) };
    let seconds = std::time::Duration::from_secs;
    assert!(tokio::time::timeout(seconds(28), cut.cut()).await.is_err(), "stale is not lost");
    let end = tokio::time::timeout(seconds(4), cut.cut()).await?;
    assert_eq!(end, End::Unavailable);
    assert!(tokio::time::timeout(seconds(60), goes_on.cut()).await.is_err());
    Ok(())
}

#[tokio::test]
async fn an_older_heartbeat_takes_nothing_back() -> Result<(), Failure> {
    let pulse = Pulse::new();
    pulse.fresh(5_000_000);
    pulse.fresh(1_000_000);
    assert_eq!(pulse.age(Some(6_000_000)), Some(std::time::Duration::from_secs(1)));
    assert_eq!(pulse.age(None), None, "without a clock nobody can tell");
    Ok(())
}
