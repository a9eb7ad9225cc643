//! A flood of denials stays small in the ledger and in nobody's way.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use jiff::SignedDuration;
use modelward_decision::vocabulary::{Action, PersonId, Privilege, ResourceRef, ScopeRef};
use modelward_enforcement::{NoPermit, Peer, Rejection, RejectionKind};
use modelward_ledger::Config;
use modelward_ledger::entry::Kind;
use modelward_testkit::system::operation;
use modelward_testkit::{Deployed, Failure, System, VirtualClock, World};

fn world(world: &mut World) -> (PersonId, PersonId, Deployed) {
    let (ana, admin) = (world.person("ana"), world.person("admin"));
    let fraud = world.model("fraud");
    world.grant(Privilege::Inference, ana, fraud.scope()).give();
    world.grant(Privilege::Govern, admin, ScopeRef::Platform).give();
    (ana, admin, fraud)
}

#[tokio::test(start_paused = true)]
async fn denials_of_one_source_are_counted_after_the_first_few_and_none_is_lost() -> Result<(), Failure> {
    let (system, (ana, _, fraud)) =
        System::start_at(VirtualClock::following_tokio(), Config::small("test"), world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    for _ in 0..2000 {
        let export = operation(Action::DownloadWeights, fraud.resource());
        let result = system.enforcer.enforce(&who, export, &situation).await;
        assert!(matches!(result, Err(NoPermit::Denied(_))));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let System { ledger, enforcer, publisher, .. } = &system;
    let (_, _) = (enforcer, publisher);
    ledger.close();

    let entries = system.entries()?;
    let single = entries.iter().filter(|entry| entry.kind == Kind::Decision).count();
    let counted: u64 = entries
        .iter()
        .filter(|entry| entry.kind == Kind::DenialAggregate)
        .map(|entry| {
            assert_eq!(entry.details["reasons"].as_object().unwrap().len(), 1);
            assert!(
                !entry.details["source"].as_str().unwrap().contains(&ana.to_string()),
                "counts name nobody"
            );
            entry.details["count"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(u64::try_from(single)? + counted, 2000);
    assert!(single <= 20, "{single} entries of their own");
    Ok(())
}

#[tokio::test]
async fn a_revocation_is_recorded_while_denials_fill_their_lane() -> Result<(), Failure> {
    let config = Config { queue_counters: 256, batch_entries_max: 1, ..Config::small("test") };
    let (system, (_, admin, _)) = System::start_at(VirtualClock::new(), config, world)?;
    let admin = system.sign_in(admin)?;
    system.disk.hold();
    // Many sources, so that nothing is counted together: the lane fills.
    for host in 0..=255_u8 {
        for net in 0..4_u8 {
            system.enforcer.reject(&Rejection {
                kind: RejectionKind::Malformed,
                peer: Peer::of(format!("198.51.{host}.{net}").parse()?),
                protocol: "openai",
                reason: "not JSON".to_owned(),
                request: None,
            });
        }
    }
    assert!(system.ledger.status().waiting >= 256, "the lane is full");

    let revoke = operation(Action::RevokeAccess, ResourceRef::Platform);
    let control = system.control();
    let mut command = Box::pin(system.enforcer.command(&admin, revoke, &control));
    assert!(tokio::time::timeout(modelward_testkit::system::A_MOMENT, &mut command).await.is_err());
    system.disk.release();
    let (permit, durable) = command.await?;
    assert_eq!(permit.open().0, "payload");
    assert!(durable.index() < 12, "at {}: it waited behind denials", durable.index());

    // What found no room waits here, and is written once there is some; past the bound of single entries, strangers are
    // counted together, and the count is written when its second is over.
    system.clock.advance(SignedDuration::from_secs(2));
    let mut rejected = 0;
    while rejected < 1024 {
        let entries = system.entries()?;
        rejected = entries
            .iter()
            .map(|entry| match entry.kind {
                Kind::RejectedRequest => 1,
                Kind::DenialAggregate => entry.details["count"].as_u64().unwrap(),
                _ => 0,
            })
            .sum();
        let (reader, size) = (system.ledger.reader(), u64::try_from(entries.len())?);
        let patience = Duration::from_secs(if rejected < 1024 { 5 } else { 0 });
        let grown = tokio::task::spawn_blocking(move || reader.wait_beyond(size, patience)).await?;
        assert!(grown > size || rejected == 1024, "{rejected} of 1024");
    }
    assert_eq!(system.observer.unrecorded.load(SeqCst), 0);
    Ok(())
}

#[tokio::test]
async fn denials_that_were_only_counted_are_written_when_the_process_ends() -> Result<(), Failure> {
    let (system, (ana, _, fraud)) = System::start(world)?;
    let who = system.sign_in(ana)?;
    let situation = system.situation(fraud.endpoint);
    for _ in 0..50 {
        let export = operation(Action::DownloadWeights, fraud.resource());
        assert!(system.enforcer.enforce(&who, export, &situation).await.is_err());
    }
    system.clock.advance(SignedDuration::from_millis(1));
    let System { ledger, enforcer, .. } = system;
    drop(enforcer);
    ledger.close();
    let reader = ledger.reader();
    let size = usize::try_from(reader.position().size)?;
    let counted: u64 = reader
        .range(0, size)?
        .iter()
        .filter(|(_, entry)| entry.kind == Kind::DenialAggregate)
        .map(|(_, entry)| entry.details["count"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, 40);
    Ok(())
}
