//! When the machine cannot keep its promises, nothing is released, and an operator can see why.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use jiff::SignedDuration;
use modelward_decision::vocabulary::{Action, PersonId, Privilege, ResourceRef, ScopeRef};
use modelward_enforcement::{Ending, NoPermit, Status, Unavailable};
use modelward_ledger::Config;
use modelward_ledger::storage::Fault;
use modelward_testkit::system::{operation, predict};
use modelward_testkit::{Deployed, Failure, System, VirtualClock, World};

fn world(world: &mut World) -> (PersonId, Deployed) {
    let ana = world.person("ana");
    let fraud = world.model("fraud");
    world.grant(Privilege::Inference, ana, fraud.scope()).uses(1_000_000).give();
    (ana, fraud)
}

/// Why nothing could be permitted; nothing if something was, or was denied.
fn unavailable<T>(result: &Result<T, NoPermit>) -> Option<Unavailable> {
    match result {
        Err(NoPermit::Unavailable(why)) => Some(*why),
        Ok(_) | Err(NoPermit::Denied(_)) => None,
    }
}

#[tokio::test]
async fn a_disk_that_fails_releases_no_answer_and_then_permits_nothing() -> Result<(), Failure> {
    for fault in [Fault::SyncFails, Fault::ReadOnly, Fault::Gone] {
        let (system, (ana, fraud)) = System::start(world)?;
        let who = system.sign_in(ana)?;
        let situation = system.situation(fraud.endpoint);
        system.disk.fault(fault);

        // The queue still takes it, so the upstream may have started; the answer stays inside.
        let enforced = system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
        let _answer = enforced.permit.open().1.answer("answer");
        assert_eq!(
            unavailable(&enforced.record.durable().await),
            Some(Unavailable::LedgerFailed),
            "{fault:?}"
        );
        assert_eq!(system.enforcer.ready(), Err(Unavailable::LedgerFailed), "{fault:?}: known at once");

        // From then on not even the upstream is asked, and a denial is not explained either.
        let next = system.enforcer.enforce(&who, predict(&fraud), &situation).await;
        assert_eq!(unavailable(&next), Some(Unavailable::LedgerFailed), "{fault:?}");
        let export = operation(Action::DownloadWeights, fraud.resource());
        let next = system.enforcer.enforce(&who, export, &situation).await;
        assert_eq!(unavailable(&next), Some(Unavailable::LedgerFailed), "{fault:?}");

        assert_eq!(system.enforcer.ready(), Err(Unavailable::LedgerFailed));
        assert!(system.observer.unavailable_seen().contains(&Unavailable::LedgerFailed));
        assert_eq!(system.observer.disclosed.load(SeqCst), 0, "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_full_queue_permits_nothing_more_until_it_drains() -> Result<(), Failure> {
    let config = Config { queue_release: 4, batch_entries_max: 1, ..Config::small("test") };
    let (system, (ana, fraud)) = System::start_at(VirtualClock::new(), config, world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    system.disk.hold();

    let mut taken = Vec::new();
    let refused = loop {
        match system.enforcer.enforce(&who, predict(&fraud), &situation).await {
            Ok(enforced) => taken.push(enforced),
            Err(NoPermit::Unavailable(why)) => break why,
            Err(NoPermit::Denied(denial)) => panic!("{denial:?}"),
        }
        assert!(taken.len() < 100, "the queue has a bound");
    };
    assert_eq!(refused, Unavailable::LedgerFull);
    assert!(refused.is_passing());

    system.disk.release();
    for enforced in taken {
        drop(enforced.record.durable().await?);
    }
    // Each of them leaves an outcome behind, which takes a place until it is written too.
    for _ in 0..10_000 {
        match system.enforcer.enforce(&who, predict(&fraud), &situation).await {
            Ok(_) => return Ok(()),
            Err(NoPermit::Unavailable(Unavailable::LedgerFull)) => {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            Err(no) => return Err(no.into()),
        }
    }
    panic!("the queue does not drain")
}

#[tokio::test]
async fn a_use_set_aside_for_a_request_the_ledger_does_not_take_comes_back() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    let grant = system.publisher.latest().grants().next().unwrap().id;
    system.ledger.close();

    let next = system.enforcer.enforce(&who, predict(&fraud), &situation).await;
    assert_eq!(unavailable(&next), Some(Unavailable::LedgerFailed));
    assert_eq!(system.reservations.spent(grant).uses, 0);
    Ok(())
}

#[tokio::test]
async fn counters_that_cannot_be_written_close_limited_grants() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    std::fs::remove_dir_all(system.folder.path())?;
    let next = system.enforcer.enforce(&who, predict(&fraud), &situation).await;
    assert_eq!(unavailable(&next), Some(Unavailable::Counters));
    assert_eq!(system.enforcer.ready(), Err(Unavailable::Counters));
    Ok(())
}

#[tokio::test]
async fn without_news_of_revocations_nothing_is_permitted() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    let System { publisher, enforcer, observer, .. } = system;
    drop(publisher);
    let next = enforcer.enforce(&who, predict(&fraud), &situation).await;
    assert_eq!(unavailable(&next), Some(Unavailable::Snapshot));
    assert_eq!(observer.decided.load(SeqCst), 0, "there was nothing to decide on");
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_seen_by_readiness_and_still_takes_a_revocation_with_its_outcome()
-> Result<(), Failure> {
    let (system, (ana, fraud, dana)) = System::start(|it| {
        let (ana, fraud) = world(it);
        let dana = it.person("dana");
        it.grant(Privilege::Govern, dana, ScopeRef::Platform).give();
        (ana, fraud, dana)
    })?;
    let (ana, dana) = (system.sign_in(ana)?, system.sign_in(dana)?);
    let situation = system.situation(fraud.endpoint);
    system.disk.fault(Fault::Full);
    let mut lost = None;
    for _ in 0..10_000 {
        let Ok(enforced) = system.enforcer.enforce(&ana, predict(&fraud), &situation).await else { break };
        lost = unavailable(&enforced.record.durable().await);
        if lost.is_some() {
            break;
        }
    }
    assert_eq!(lost, Some(Unavailable::LedgerFailed), "the last segment is full");
    assert_eq!(system.enforcer.ready(), Err(Unavailable::LedgerFailed));

    let revoke = operation(Action::RevokeAccess, ResourceRef::Platform);
    let (permit, durable) = system.enforcer.command(&dana, revoke, &system.control()).await?;
    let (_payload, _opened) = permit.open();
    durable.conclude_durably(&Ending::new(Status::Done)).await.expect("what narrows has the reserve");

    // Space can come back, and nobody else would try.
    system.disk.fault(Fault::None);
    system.clock.advance(SignedDuration::from_secs(10));
    assert_eq!(system.enforcer.ready(), Ok(()));
    Ok(())
}

#[tokio::test]
async fn what_one_gives_up_of_ones_own_is_limited_so_that_the_reserve_stays() -> Result<(), Failure> {
    let (system, (ana, _)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let control = system.control();
    for _ in 0..60 {
        let end = operation(Action::EndSession, ResourceRef::Platform);
        let (permit, durable) = system.enforcer.command(&who, end, &control).await?;
        let (_payload, _opened) = permit.open();
        durable.conclude(&Ending::new(Status::Done));
    }
    let drop_it = operation(Action::DropGrant, ResourceRef::Platform);
    let Err(NoPermit::Denied(denial)) = system.enforcer.command(&who, drop_it, &control).await else {
        panic!("the sixty-first in one minute");
    };
    let wait = denial.retry_after_seconds().expect("the wait is known");
    system.clock.advance(SignedDuration::from_secs(i64::from(wait)));
    let drop_it = operation(Action::DropGrant, ResourceRef::Platform);
    let (_permit, _durable) = system.enforcer.command(&who, drop_it, &control).await?;
    Ok(())
}
