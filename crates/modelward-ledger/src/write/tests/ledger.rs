//! The ledger with its threads, on a simulated disk.

use modelward_seal::merkle::leaf_hash;

use super::{decision, open};
use crate::entry::{EntryDraft, Kind};
use crate::storage::{Fault, SimDisk};
use crate::write::ledger::SubmitError;
use crate::{Lane, LedgerFailed, LedgerSink, OpenError};

fn published(ledger: &crate::Ledger, size: u64) {
    while ledger.reader().position().published < size {
        ledger.reader().wait_beyond(u64::MAX, std::time::Duration::from_millis(1));
    }
}

#[test]
fn an_acknowledged_entry_is_there_after_a_restart_and_can_be_proved() {
    let disk = SimDisk::new();
    let ledger = open(&disk, 1).unwrap();
    let receipt = ledger.submit(Lane::Release, decision("ev-1")).unwrap().wait().unwrap();
    published(&ledger, receipt.index + 1);
    let proof = ledger.reader().proof(receipt.index).unwrap();
    let trusted = super::fixture::parts(1).signer.verifier().unwrap();
    proof.verify(&receipt.leaf_hash, &trusted).unwrap();
    ledger.close();
    let again = open(&disk, 2).unwrap();
    let bytes = again.reader().entry_bytes(receipt.index).unwrap();
    assert_eq!(leaf_hash(&bytes), receipt.leaf_hash);
    let entry = again.reader().entry(receipt.index).unwrap();
    assert_eq!((entry.id.as_str(), entry.kind), ("ev-1", Kind::Decision));
    assert!(!again.recovered().unclean);
    assert!(!String::from_utf8(bytes).unwrap().contains("dana"), "the log names nobody");
}

#[test]
fn a_ticket_can_be_awaited_in_any_runtime() {
    use std::task::{Context, Poll, Waker};
    let ledger = open(&SimDisk::new(), 1).unwrap();
    let mut ticket = std::pin::pin!(ledger.submit(Lane::Release, decision("ev-1")).unwrap());
    let mut context = Context::from_waker(Waker::noop());
    let receipt = loop {
        if let Poll::Ready(outcome) = ticket.as_mut().poll(&mut context) {
            break outcome.unwrap();
        }
        std::thread::yield_now();
    };
    assert_eq!(ledger.reader().entry(receipt.index).unwrap().id, "ev-1");
}

#[test]
fn the_same_event_is_appended_once() {
    let disk = SimDisk::new();
    let ledger = open(&disk, 1).unwrap();
    let change = || EntryDraft::state_change("event-7").detail("what", "grant");
    let tickets: Vec<_> = (0..5).map(|_| ledger.submit(Lane::Control, change()).unwrap()).collect();
    let receipts: Vec<_> = tickets.into_iter().map(|ticket| ticket.wait().unwrap()).collect();
    assert!(receipts.iter().all(|receipt| *receipt == receipts[0]));
    ledger.close();
    let again = open(&disk, 2).unwrap();
    assert_eq!(again.submit(Lane::Control, change()).unwrap().wait().unwrap(), receipts[0]);
    // Also when the snapshot of the index is gone and must be made from the log.
    again.close();
    disk.tear_out("index");
    let third = open(&disk, 3).unwrap();
    assert_eq!(third.submit(Lane::Control, change()).unwrap().wait().unwrap(), receipts[0]);
}

#[test]
fn an_intent_without_outcome_is_called_indeterminate_after_a_crash() {
    let disk = SimDisk::new();
    let ledger = open(&disk, 1).unwrap();
    let done = ledger.submit(Lane::Control, decision("done").intent()).unwrap().wait().unwrap();
    let lost = ledger.submit(Lane::Control, decision("lost").intent()).unwrap().wait().unwrap();
    ledger.submit(Lane::Control, EntryDraft::outcome_of("done", done.index, "ok")).unwrap().wait().unwrap();
    let crashed = disk.after_crash(0);
    let again = open(&crashed, 2).unwrap();
    assert_eq!((again.recovered().unclean, again.recovered().indeterminate), (true, 1));
    let page = again.reader().search(None, 10, 100, |_, entry| entry.kind == Kind::Indeterminate).unwrap();
    let intents: Vec<_> = page.found.iter().map(|(_, entry)| entry.intent.clone().unwrap()).collect();
    assert_eq!(intents, [crate::entry::IntentRef { id: "lost".to_owned(), index: lost.index }]);
    let crashed = crashed.after_crash(0);
    assert_eq!(open(&crashed, 3).unwrap().recovered().indeterminate, 0, "said once, not at every start");
}

fn failing(fault: Fault) -> String {
    let disk = SimDisk::new();
    let ledger = open(&disk, 1).unwrap();
    ledger.submit(Lane::Release, decision("before")).unwrap().wait().unwrap();
    disk.fault(fault);
    let failed = ledger.submit(Lane::Release, decision("during")).unwrap().wait().unwrap_err();
    let LedgerFailed::Poisoned { reason } = failed else { panic!("{failed:?}") };
    // From now on everything is refused, also when the disk recovers: what it holds is unknown.
    disk.fault(Fault::None);
    for lane in [Lane::Control, Lane::Release, Lane::Counters] {
        let refused = ledger.submit(lane, decision("after").narrowing()).unwrap_err();
        assert!(matches!(refused, SubmitError::Failed(LedgerFailed::Poisoned { .. })), "{refused:?}");
    }
    ledger.close();
    let again = open(&disk.after_crash(7), 2).unwrap();
    let page = again.reader().search(None, 9, 99, |_, entry| entry.id == "before").unwrap();
    assert_eq!(page.found.len(), 1);
    reason.to_string()
}

#[test]
fn a_failed_flush_fails_the_ledger_for_good() {
    let reason = failing(Fault::SyncFails);
    assert!(reason.contains("flush"), "{reason}");
}

#[test]
fn a_read_only_disk_fails_the_ledger_for_good() {
    let reason = failing(Fault::ReadOnly);
    assert!(reason.contains("write"), "{reason}");
}

#[test]
fn a_deleted_folder_fails_the_ledger_although_writes_still_succeed() {
    let reason = failing(Fault::Gone);
    assert!(reason.contains("not where it was"), "{reason}");
}

#[test]
fn a_full_disk_keeps_the_reserve_for_what_takes_rights_away() {
    let disk = SimDisk::new();
    let ledger = open(&disk, 1).unwrap();
    while ledger.status().trouble.is_some() {
        std::thread::yield_now();
    }
    published(&ledger, 1);
    disk.fault(Fault::Full);
    let mut accepted = 0;
    let refused = loop {
        match ledger.submit(Lane::Release, decision("filler")).unwrap().wait() {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 10_000);
    };
    assert_eq!(refused, LedgerFailed::NoSpace);
    let revocation = || EntryDraft::new(Kind::StateChange, "revoke").narrowing();
    for _ in 0..10 {
        ledger.submit(Lane::Control, revocation()).unwrap().wait().unwrap();
    }
    let widening = ledger.submit(Lane::Control, decision("grant")).unwrap().wait();
    assert_eq!(widening, Err(LedgerFailed::NoSpace));
    // With room again the ledger goes on by itself.
    disk.fault(Fault::None);
    while ledger.submit(Lane::Release, decision("again")).unwrap().wait().is_err() {}
    ledger.close();
    open(&disk, 2).unwrap();
}

#[test]
fn a_restart_on_a_full_disk_opens_and_still_keeps_the_reserve() {
    let disk = SimDisk::new();
    let ledger = open(&disk, 1).unwrap();
    while ledger.status().trouble.is_some() {
        std::thread::yield_now();
    }
    published(&ledger, 1);
    disk.fault(Fault::Full);
    let filler = |ledger: &crate::Ledger| ledger.submit(Lane::Release, decision("filler")).unwrap().wait();
    while filler(&ledger).is_ok() {}
    let revocation = || EntryDraft::new(Kind::StateChange, "revoke").narrowing();
    let revoked = ledger.submit(Lane::Control, revocation()).unwrap().wait().unwrap();
    ledger.close();
    let again = open(&disk, 2).unwrap();
    assert_eq!(filler(&again), Err(LedgerFailed::NoSpace));
    again.submit(Lane::Control, revocation()).unwrap().wait().unwrap();
    // With room again everything goes on by itself, the checkpoint too.
    disk.fault(Fault::None);
    while filler(&again).is_err() {}
    published(&again, revoked.index + 2);
}

#[test]
fn many_intents_left_open_are_told_in_few_flushes() {
    let disk = SimDisk::new();
    let ledger = open(&disk, 1).unwrap();
    for number in 0..200 {
        ledger.submit(Lane::Control, decision(&format!("lost-{number}")).intent()).unwrap().wait().unwrap();
    }
    let crashed = disk.after_crash(0);
    let before = crashed.operations();
    let again = open(&crashed, 2).unwrap();
    let spent = crashed.operations() - before;
    assert_eq!(again.recovered().indeterminate, 200);
    assert!(spent < 200, "{spent} changes of the disk to tell of 200 intents");
}

#[test]
fn only_one_process_writes_a_ledger() {
    let disk = SimDisk::new();
    let ledger = open(&disk, 1).unwrap();
    assert!(matches!(open(&disk, 2), Err(OpenError::Locked)));
    ledger.close();
    open(&disk, 3).unwrap();
}

#[test]
fn creating_is_explicit_and_happens_once() {
    let disk = std::sync::Arc::new(SimDisk::new());
    let open_on = crate::Ledger::open_on(disk.clone(), super::small(), super::fixture::parts(1));
    assert!(matches!(open_on, Err(OpenError::Missing)));
    crate::Ledger::create_on(disk.clone(), super::small(), super::fixture::parts(1)).unwrap().close();
    let again = crate::Ledger::create_on(disk, super::small(), super::fixture::parts(1));
    assert!(matches!(again, Err(OpenError::Exists)));
}

#[test]
fn facts_are_readable_until_their_key_is_erased() {
    let ledger = open(&SimDisk::new(), 1).unwrap();
    let draft = decision("ev-1").facts(br#"{"ip":"192.0.2.7"}"#.to_vec());
    let receipt = ledger.submit(Lane::Release, draft).unwrap().wait().unwrap();
    published(&ledger, receipt.index + 1);
    let bytes = ledger.reader().entry_bytes(receipt.index).unwrap();
    assert!(!String::from_utf8(bytes).unwrap().contains("192.0.2.7"));
    let facts = ledger.reader().entry(receipt.index).unwrap().facts.unwrap();
    assert_eq!(ledger.open_facts(&facts).unwrap().unwrap(), br#"{"ip":"192.0.2.7"}"#);
    ledger.erase_subject("dana@example.org", None).unwrap().wait().unwrap();
    assert_eq!(ledger.open_facts(&facts).unwrap(), None);
    let proof = ledger.reader().proof(receipt.index).unwrap();
    let trusted = super::fixture::parts(1).signer.verifier().unwrap();
    proof.verify(&receipt.leaf_hash, &trusted).unwrap();
}

#[test]
fn a_drafts_bounds_are_enforced_before_it_is_queued() {
    let ledger = open(&SimDisk::new(), 1).unwrap();
    let float = ledger.submit(Lane::Release, decision("x").detail("score", 0.5)).unwrap_err();
    assert!(matches!(float, SubmitError::Draft(_)), "{float:?}");
    let long = decision("x").rationale("y".repeat(100_000)).detail("much", "z".repeat(100_000));
    let receipt = ledger.submit(Lane::Release, long).unwrap().wait().unwrap();
    let entry = ledger.reader().entry(receipt.index).unwrap();
    assert_eq!(entry.rationale.unwrap().len(), 512);
    assert_eq!(entry.truncated.keys().collect::<Vec<_>>(), ["details.much", "rationale"]);
}
