//! Uses and budgets of grants, through the whole chain.

use modelward_decision::Outcome;
use modelward_decision::vocabulary::{GrantId, PersonId, Privilege};
use modelward_enforcement::reservations::Budget;
use modelward_enforcement::{NoPermit, Reason};
use modelward_testkit::system::predict;
use modelward_testkit::{Deployed, Failure, System, World};
use tokio::task::JoinSet;

fn world(uses: u64) -> impl FnOnce(&mut World) -> (PersonId, Deployed, GrantId) {
    move |world| {
        let ana = world.person("ana");
        let fraud = world.model("fraud");
        let grant = world.grant(Privilege::Inference, ana, fraud.scope()).uses(uses).bytes(10).give();
        (ana, fraud, grant)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_parallel_requests_on_one_remaining_use_get_one_permit_also_after_a_restart()
-> Result<(), Failure> {
    let (system, (ana, fraud, grant)) = System::start(world(1))?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (enforcer, who, fraud, situation) =
            (system.enforcer.clone(), who.clone(), fraud.clone(), situation.clone());
        calls.spawn(async move {
            let enforced = enforcer.enforce(&who, predict(&fraud), &situation).await?;
            drop(enforced.permit.open());
            enforced.record.durable().await
        });
    }
    let results = calls.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let denial = results.iter().find_map(|result| result.as_ref().err()?.denial()).unwrap();
    assert_eq!(denial.reason(), Reason::Budget { grant, budget: Budget::Uses { max: 1 } });
    assert_eq!(denial.decision().outcome, Outcome::NotPermitted);
    assert!(denial.decision().sentence.contains(&grant.short()), "{}", denial.decision().sentence);
    let entries = system.entries_about(&denial.id().to_string(), 1).await?;
    assert_eq!(entries[0].grant.as_deref(), Some(grant.to_string().as_str()), "the exhausted grant is named");
    drop(results);

    let system = system.restart()?;
    let again = system.enforcer.enforce(&who, predict(&fraud), &situation).await;
    assert!(matches!(again, Err(NoPermit::Denied(_))), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn a_permit_that_is_not_opened_or_sends_nothing_gives_its_use_back() -> Result<(), Failure> {
    let (system, (ana, fraud, grant)) = System::start(world(1))?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);

    drop(system.enforcer.enforce(&who, predict(&fraud), &situation).await?);
    assert_eq!(system.reservations.spent(grant).uses, 0);

    let (_payload, opened) = system.enforcer.enforce(&who, predict(&fraud), &situation).await?.permit.open();
    opened.nothing_sent();
    assert_eq!(system.reservations.spent(grant).uses, 0);

    let (_payload, opened) = system.enforcer.enforce(&who, predict(&fraud), &situation).await?.permit.open();
    drop(opened);
    assert_eq!(system.reservations.spent(grant).uses, 1, "a failed upstream may have done the work");
    Ok(())
}

#[tokio::test]
async fn no_byte_leaves_beyond_the_budget_and_what_did_not_leave_goes_back() -> Result<(), Failure> {
    let (system, (ana, fraud, grant)) = System::start(world(9))?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);

    let enforced = system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    assert_eq!(enforced.permit.byte_limit(), Some(10));
    let answer = enforced.permit.open().1.answer(());
    let durable = enforced.record.durable().await?;
    let ((), mut gate) = answer.disclose(&durable)?.into_parts();
    gate.pass(b"four")?;
    assert_eq!(system.reservations.spent(grant).bytes, 10, "set aside while it runs");
    assert!(gate.pass(b"seven..").is_err(), "four and seven are more than ten");
    assert_eq!(gate.delivered().bytes, 4, "nothing of the refused chunk counts");
    drop(gate);
    assert_eq!(system.reservations.spent(grant).bytes, 4);

    let enforced = system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    assert_eq!(enforced.permit.byte_limit(), Some(6));
    Ok(())
}
