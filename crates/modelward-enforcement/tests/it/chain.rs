//! The order of things, on a real ledger.

use std::sync::atomic::Ordering::SeqCst;

use modelward_decision::vocabulary::PersonId;
use modelward_decision::vocabulary::{Action, Privilege};
use modelward_enforcement::{ByClass, Ending, Enforced, Mismatch, Operation, Record, ReleaseClass, Status};
use modelward_ledger::entry::{Kind, Phase, ReleaseClass as EntryClass, Verdict};
use modelward_testkit::system::{A_MOMENT, operation, predict};
use modelward_testkit::{Deployed, Failure, System, World};

/// Ana may predict with `fraud` and deploy it.
fn world(world: &mut World) -> (PersonId, Deployed) {
    let ana = world.person("ana");
    let fraud = world.model("fraud");
    world.grant(Privilege::Inference, ana, fraud.scope()).give();
    world.grant(Privilege::ReadOnly, ana, fraud.scope()).give();
    world.grant(Privilege::Govern, ana, modelward_decision::vocabulary::ScopeRef::Platform).give();
    (ana, fraud)
}

#[tokio::test]
async fn a_prediction_starts_at_once_and_is_disclosed_only_when_its_record_is_on_disk() -> Result<(), Failure>
{
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    system.disk.hold();

    let situation = system.situation(fraud.endpoint);
    let Enforced { permit, record } = system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    let (payload, opened) = permit.open();
    assert_eq!(payload, "payload", "the upstream can start");
    let answer = opened.answer("answer");

    let mut durable = Box::pin(record.durable());
    assert!(tokio::time::timeout(A_MOMENT, &mut durable).await.is_err(), "no record, so no disclosure");
    system.disk.release();
    let durable = durable.await?;

    let (answer, mut gate) = answer.disclose(&durable)?.into_parts();
    assert_eq!(answer, "answer");
    gate.pass(b"ans")?;
    gate.pass(b"wer")?;
    let delivered = gate.delivered();
    assert_eq!(delivered.bytes, 6);
    assert_eq!(delivered.digest, modelward_seal::Digest::of(b"answer"));

    let id = durable.id().to_string();
    durable.conclude(&Ending::new(Status::Done).delivering(delivered).after_upstream_ms(12).masking(1));
    let entries = system.entries_about(&id, 2).await?;
    let [intent, outcome] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!(
        (intent.kind, intent.phase, intent.decision),
        (Kind::Decision, Some(Phase::Intent), Some(Verdict::Allow))
    );
    assert_eq!((intent.class, intent.action.as_deref()), (Some(EntryClass::R1), Some("predict")));
    assert_eq!((outcome.kind, outcome.outcome.as_deref()), (Kind::Outcome, Some("done")));
    assert_eq!(outcome.intent.as_ref().map(|intent| intent.id.as_str()), Some(id.as_str()));
    assert_eq!(outcome.details["bytes"], 6);
    assert_eq!(outcome.details["upstream_ms"], 12);
    assert_eq!(outcome.details["masked"], 1);
    assert_eq!(system.observer.unaudited.load(SeqCst), 0);
    Ok(())
}

#[tokio::test]
async fn what_changes_something_gets_no_permit_before_its_record_is_on_disk() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    system.disk.hold();

    let situation = system.situation(fraud.endpoint);
    let strict = predict(&fraud).released_as(ReleaseClass::R0);
    let mut permitted = Box::pin(system.enforcer.enforce(&who, strict, &situation));
    assert!(tokio::time::timeout(A_MOMENT, &mut permitted).await.is_err());
    system.disk.release();
    let Enforced { permit, record } = permitted.await?;
    assert!(matches!(record, Record::Durable(_)));
    assert_eq!(permit.open().0, "payload");
    Ok(())
}

#[tokio::test]
async fn a_command_is_durable_before_it_is_carried_out_even_when_it_only_reads() -> Result<(), Failure> {
    let (system, (ana, _)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    system.disk.hold();

    let platform = modelward_decision::vocabulary::ResourceRef::Platform;
    let read: Operation<_> = operation(Action::ReadSelf, platform).released_as(ReleaseClass::R1);
    let control = system.control();
    let mut commanded = Box::pin(system.enforcer.command(&who, read, &control));
    assert!(tokio::time::timeout(A_MOMENT, &mut commanded).await.is_err());
    system.disk.release();
    let (permit, durable) = commanded.await?;
    let (_payload, _opened) = permit.open();

    let index = durable.index();
    let outcome = durable.conclude_durably(&Ending::new(Status::Done)).await?;
    assert!(outcome > index);
    assert_eq!(system.ledger.reader().entry(outcome)?.outcome.as_deref(), Some("done"));
    Ok(())
}

#[tokio::test]
async fn the_record_of_one_request_does_not_disclose_the_answer_to_another() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    let mut answers = Vec::new();
    let mut records = Vec::new();
    for _ in 0..2 {
        let Enforced { permit, record } = system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
        answers.push(permit.open().1.answer(()));
        records.push(record.durable().await?);
    }
    let second = answers.pop().unwrap();
    let Err(Mismatch { answer, record }) = second.disclose(&records[0]) else { panic!("it left") };
    assert_eq!((answer, record), (records[1].id(), records[0].id()));
    assert_eq!(system.observer.unaudited.load(SeqCst), 1, "and the fault is counted");
    drop(answers.pop().unwrap().disclose(&records[0])?);
    Ok(())
}

#[tokio::test]
async fn a_permit_nobody_concludes_is_recorded_as_abandoned() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);

    // Dropped while its record was still under way, and dropped afterwards.
    let early = system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    let early_id = early.permit.id().to_string();
    drop(early);
    let late = system.enforcer.enforce(&who, predict(&fraud), &situation).await?;
    let late_id = late.permit.id().to_string();
    drop(late.record.durable().await?);

    for id in [early_id, late_id] {
        let entries = system.entries_about(&id, 2).await?;
        assert_eq!(entries[1].outcome.as_deref(), Some("abandoned"));
    }
    Ok(())
}

#[tokio::test]
async fn the_steps_can_be_taken_one_by_one() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let decided = system.enforcer.decide(&who, predict(&fraud), &system.situation(fraud.endpoint));
    assert!(decided.is_allow());
    let ByClass::R1(queued) = decided.queue().await? else { panic!("a prediction is effect-free") };
    let (permit, recording) = queued.permit()?;
    let durable = recording.durable().await?;
    assert_eq!(durable.id(), permit.id());
    Ok(())
}

#[tokio::test]
async fn a_payload_shows_in_no_debug_output() -> Result<(), Failure> {
    let (system, (ana, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    let mut shown = vec![format!("{:?}", predict(&fraud))];
    let decided = system.enforcer.decide(&who, predict(&fraud), &situation);
    shown.push(format!("{decided:?}"));
    let queued = decided.queue().await?;
    shown.push(format!("{queued:?}"));
    let ByClass::R1(queued) = queued else { panic!("a prediction is effect-free") };
    let (permit, recording) = queued.permit()?;
    shown.push(format!("{permit:?} {recording:?}"));
    let answer = permit.open().1.answer("payload");
    shown.push(format!("{answer:?}"));
    let disclosure = answer.disclose(&recording.durable().await?)?;
    shown.push(format!("{disclosure:?}"));
    assert!(shown.iter().all(|text| !text.contains("payload")), "{shown:?}");
    Ok(())
}
