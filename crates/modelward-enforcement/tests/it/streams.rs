//! Running streams end with the right they rest on.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use jiff::SignedDuration;
use modelward_decision::grant::{Day, Window};
use modelward_decision::inventory::{Model, Person};
use modelward_decision::vocabulary::{GrantId, GranteeRef, GroupId, PersonId, Privilege};
use modelward_decision::{Change, EpochScope};
use modelward_enforcement::{End, StreamGuard};
use modelward_identity::Authenticated;
use modelward_ledger::Config;
use modelward_testkit::system::predict;
use modelward_testkit::{Deployed, Failure, System, VirtualClock, World, principal};

struct Cast {
    ana: Person,
    fraud: Deployed,
    grant: GrantId,
}

fn world(world: &mut World) -> Cast {
    let ana = world.person("ana");
    let fraud = world.model("fraud");
    let grant = world.grant(Privilege::Inference, ana, fraud.scope()).give();
    Cast { ana: world.person_as_put(ana), fraud, grant }
}

fn start<T>(build: impl FnOnce(&mut World) -> T) -> Result<(System, T), Failure> {
    System::start_at(VirtualClock::following_tokio(), Config::small("test"), build)
}

async fn stream(system: &System, who: &Authenticated, model: &Deployed) -> Result<StreamGuard, Failure> {
    let enforced = system.enforcer.enforce(who, predict(model), &system.situation(model.endpoint)).await?;
    Ok(system.enforcer.register(enforced.permit.standing()))
}

async fn is_running(guard: &mut StreamGuard) -> bool {
    tokio::time::timeout(Duration::from_secs(6), guard.cut()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn each_way_a_right_can_end_cuts_the_stream_with_its_reason() -> Result<(), Failure> {
    type Ending = fn(&System, &Cast, &Authenticated) -> Vec<Change>;
    let endings: [(End, Ending); 7] = [
        (End::PrincipalRevoked, |_, cast, _| {
            vec![Change::Bump(EpochScope::Principal(principal(cast.ana.id)))]
        }),
        (End::SessionEnded, |_, _, who| vec![Change::Bump(EpochScope::Session(who.session().id))]),
        (End::GrantRevoked, |_, cast, _| vec![Change::Revoke(cast.grant)]),
        (End::GrantRevoked, |_, cast, _| vec![Change::Bump(EpochScope::Grant(cast.grant))]),
        (End::Deactivated, |_, cast, _| {
            vec![Change::Person(Arc::new(Person { active: false, ..cast.ana.clone() }))]
        }),
        (End::Quarantined, |_, cast, _| {
            let version =
                modelward_decision::inventory::Version { quarantined: true, ..cast.fraud.version() };
            vec![Change::Version(Arc::new(version))]
        }),
        (End::Quarantined, |system, cast, _| {
            let snapshot = system.publisher.latest();
            let model = Model { quarantined: true, ..(**snapshot.model(cast.fraud.model).unwrap()).clone() };
            vec![Change::Model(Arc::new(model))]
        }),
    ];
    for (number, (expected, changes)) in endings.into_iter().enumerate() {
        let (system, cast) = start(world)?;
        let who = system.sign_in(cast.ana.id)?;
        let mut guard = stream(&system, &who, &cast.fraud).await?;
        assert!(is_running(&mut guard).await, "case {number}");

        let published_at = modelward_enforcement::Clock::now(&*system.clock);
        system.publish(changes(&system, &cast, &who))?;
        assert_eq!(guard.cut().await, expected, "case {number}");
        assert_eq!(guard.cut().await, expected, "and it stays cut");
        let cuts = system.observer.cuts();
        assert_eq!(cuts.len(), 1);
        assert_eq!(
            (cuts[0].end, cuts[0].published_at, cuts[0].cut_at),
            (expected, Some(published_at), published_at)
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_change_that_concerns_others_cuts_nobody() -> Result<(), Failure> {
    let (system, (cast, ben, other)) = start(|w| {
        let cast = world(w);
        let ben = w.person("ben");
        let other = w.grant(Privilege::Inference, ben, cast.fraud.scope()).give();
        (cast, ben, other)
    })?;
    let who = system.sign_in(cast.ana.id)?;
    let mut guard = stream(&system, &who, &cast.fraud).await?;
    system.publish([Change::Revoke(other), Change::Bump(EpochScope::Principal(principal(ben)))])?;
    assert!(is_running(&mut guard).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_grant_does_without_any_news() -> Result<(), Failure> {
    let (system, (ana, fraud)) = start(|world| {
        let (ana, fraud) = (world.person("ana"), world.model("fraud"));
        world.grant(Privilege::Inference, ana, fraud.scope()).lasting(SignedDuration::from_secs(90)).give();
        (ana, fraud)
    })?;
    let who = system.sign_in(ana)?;
    let begun = tokio::time::Instant::now();
    let mut guard = stream(&system, &who, &fraud).await?;
    assert_eq!(guard.cut().await, End::GrantExpired);
    let lasted = begun.elapsed();
    assert!(lasted >= Duration::from_secs(90) && lasted < Duration::from_secs(91), "{lasted:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_credential_does() -> Result<(), Failure> {
    let (system, (ana, fraud)) = start(|world| {
        let (ana, fraud) = (world.person("ana"), world.model("fraud"));
        world.grant(Privilege::Inference, ana, fraud.scope()).lasting(SignedDuration::from_hours(24)).give();
        (ana, fraud)
    })?;
    let who = system.sign_in(ana)?;
    let mut guard = stream(&system, &who, &fraud).await?;
    let until = who.accepted_until();
    assert_eq!(guard.cut().await, End::CredentialExpired);
    let now = modelward_enforcement::Clock::now(&*system.clock);
    assert!(now >= until && now < until + SignedDuration::from_secs(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn leaving_the_group_that_holds_the_grant_cuts_the_stream() -> Result<(), Failure> {
    let (system, (ana, fraud)) = start(|world| {
        let group: GroupId = world.group("claims-desk");
        let ana = world.person_in("ana", [group]);
        let fraud = world.model("fraud");
        world.grant_to(Privilege::Inference, GranteeRef::Group(group), fraud.scope()).give();
        (world.person_as_put(ana), fraud)
    })?;
    let who = system.sign_in(ana.id)?;
    let mut guard = stream(&system, &who, &fraud).await?;
    system.publish([Change::Person(Arc::new(Person { groups: [].into(), ..ana }))])?;
    assert_eq!(guard.cut().await, End::NoLongerAllowed);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_window_that_closes_cuts_the_stream_within_seconds() -> Result<(), Failure> {
    // The clock starts on a Friday at 09:00 UTC.
    let window = Window {
        days: [Day::Fri].into(),
        from: jiff::civil::time(8, 0, 0, 0),
        until: jiff::civil::time(9, 2, 0, 0),
        zone: "UTC".to_owned(),
    };
    let (system, (ana, fraud)) = start(move |world| {
        let (ana, fraud) = (world.person("ana"), world.model("fraud"));
        world
            .grant(Privilege::Inference, ana, fraud.scope())
            .with(|grant| grant.conditions.windows = Some(vec![window]))
            .give();
        (ana, fraud)
    })?;
    let who = system.sign_in(ana)?;
    let begun = tokio::time::Instant::now();
    let mut guard = stream(&system, &who, &fraud).await?;
    assert_eq!(guard.cut().await, End::NoLongerAllowed);
    let lasted = begun.elapsed();
    assert!(lasted >= Duration::from_secs(120) && lasted <= Duration::from_secs(126), "{lasted:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_revoked_between_permit_and_registration_is_cut_at_once() -> Result<(), Failure> {
    let (system, cast) = start(world)?;
    let who = system.sign_in(cast.ana.id)?;
    let situation = system.situation(cast.fraud.endpoint);
    let enforced = system.enforcer.enforce(&who, predict(&cast.fraud), &situation).await?;
    system.publish([Change::Revoke(cast.grant)])?;
    tokio::task::yield_now().await;
    let mut guard = system.enforcer.register(enforced.permit.standing());
    assert_eq!(guard.is_cut(), Some(End::GrantRevoked));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_stream_ends_when_nobody_tells_of_revocations_any_more() -> Result<(), Failure> {
    let (system, cast) = start(world)?;
    let who = system.sign_in(cast.ana.id)?;
    let mut guard = stream(&system, &who, &cast.fraud).await?;
    let System { publisher, enforcer, .. } = system;
    drop(publisher);
    assert_eq!(guard.cut().await, End::Unavailable);
    drop(enforcer);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_streams_are_cut_by_one_revocation_and_forgotten() -> Result<(), Failure> {
    let (system, cast) = start(world)?;
    let who = system.sign_in(cast.ana.id)?;
    let situation = system.situation(cast.fraud.endpoint);
    let enforced = system.enforcer.enforce(&who, predict(&cast.fraud), &situation).await?;
    let mut guards: Vec<StreamGuard> =
        (0..1000).map(|_| system.enforcer.register(enforced.permit.standing())).collect();
    assert_eq!(system.observer.streams.load(SeqCst), 1000);
    system.publish([Change::Bump(EpochScope::Principal(principal(cast.ana.id)))])?;
    for guard in &mut guards {
        assert_eq!(guard.cut().await, End::PrincipalRevoked);
    }
    drop(guards);
    assert_eq!(system.observer.streams.load(SeqCst), 0);
    Ok(())
}

#[tokio::test]
async fn an_older_snapshot_is_not_published_over_a_newer_one() -> Result<(), Failure> {
    let (system, _): (System, PersonId) = System::start(|world| world.person("ana"))?;
    let older = system.publisher.latest();
    system.publish([])?;
    assert!(system.publisher.publish(older).is_err());
    Ok(())
}
