//! When the machine cannot keep its promises, nothing is released, and an operator can see why.

use std::sync::atomic::Ordering::SeqCst;

use modelward_decision::vocabulary::{Action, PersonId, Privilege};
use modelward_enforcement::{NoPermit, Unavailable};
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
    system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    Ok(())
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
