use std::future::Future as _;
use std::sync::Arc;

use modelward_seal::Digest;

use super::super::queue::{Capacity, Lane, Queue, Refused};
use super::super::{LedgerFailed, Ticket};
use crate::entry::{Mark, Sealed};

fn queue() -> Queue {
    Queue::new(Capacity { control: 2, release: 2, counters: 2, reserve: 1 })
}

fn push(queue: &Queue, lane: Lane, name: &str, narrowing: bool) -> Result<Ticket, Refused> {
    let bytes: Arc<[u8]> = name.as_bytes().into();
    queue.push(lane, Sealed { bytes, leaf: Digest::ZERO, event: None, mark: Mark::None }, narrowing)
}

fn names(queue: &Queue, entries_max: usize, bytes_max: usize) -> Vec<String> {
    let batch = queue.take(entries_max, bytes_max).unwrap();
    batch.iter().map(|s| String::from_utf8(s.sealed.bytes.to_vec()).unwrap()).collect()
}

#[test]
fn a_full_lane_refuses_at_once_and_does_not_touch_the_others() {
    let queue = queue();
    let mut tickets = vec![push(&queue, Lane::Counters, "c1", false).unwrap()];
    tickets.push(push(&queue, Lane::Counters, "c2", false).unwrap());
    assert_eq!(push(&queue, Lane::Counters, "c3", false).unwrap_err(), Refused::Full);
    tickets.push(push(&queue, Lane::Release, "r1", false).unwrap());
    tickets.push(push(&queue, Lane::Control, "k1", false).unwrap());
    assert_eq!(names(&queue, 10, 1000), ["k1", "r1", "c1", "c2"], "control goes first");
}

#[test]
fn only_a_narrowing_entry_takes_the_reserved_slot() {
    let queue = queue();
    let mut tickets = Vec::new();
    for name in ["k1", "k2"] {
        tickets.push(push(&queue, Lane::Control, name, false).unwrap());
    }
    assert_eq!(push(&queue, Lane::Control, "widen", false).unwrap_err(), Refused::Full);
    tickets.push(push(&queue, Lane::Control, "revoke", true).unwrap());
    assert_eq!(push(&queue, Lane::Control, "revoke too", true).unwrap_err(), Refused::Full);
    assert_eq!(names(&queue, 10, 1000), ["k1", "k2", "revoke"]);
}

#[test]
fn a_batch_is_bounded_in_entries_and_bytes_but_never_empty() {
    let queue = queue();
    let mut tickets = Vec::new();
    for name in ["aaaa", "bbbb"] {
        tickets.push(push(&queue, Lane::Release, name, false).unwrap());
    }
    assert_eq!(names(&queue, 1, 1000), ["aaaa"]);
    tickets.push(push(&queue, Lane::Release, "cccc", false).unwrap());
    assert_eq!(names(&queue, 10, 7), ["bbbb"]);
    assert_eq!(names(&queue, 10, 1), ["cccc"], "an entry larger than the bound still goes alone");
}

#[test]
fn what_waits_when_the_ledger_fails_is_told_so() {
    let queue = queue();
    let ticket = push(&queue, Lane::Release, "r1", false).unwrap();
    let failed = LedgerFailed::Poisoned { reason: "flush".into() };
    queue.fail(&failed);
    assert_eq!(ticket.wait(), Err(failed));
    assert_eq!(push(&queue, Lane::Control, "k1", true).unwrap_err(), Refused::Closed);
    assert!(queue.take(1, 1).is_none());
}

#[test]
fn a_ticket_whose_writer_died_fails_instead_of_waiting_for_ever() {
    let queue = queue();
    let ticket = push(&queue, Lane::Release, "r1", false).unwrap();
    drop(queue);
    assert_eq!(ticket.wait(), Err(LedgerFailed::Closed));
}

#[test]
fn entries_gather_until_somebody_waits_for_one_of_them() {
    let queue = queue();
    let mut asked = push(&queue, Lane::Release, "asked", false).unwrap();
    let unasked = push(&queue, Lane::Counters, "unasked", false).unwrap();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::Pin::new(&mut asked).poll(&mut context).is_pending());
    assert_eq!(names(&queue, 10, 1000), ["asked", "unasked"], "one flush for both");
    // Nobody asks after this one; it is written all the same.
    let alone = push(&queue, Lane::Release, "alone", false).unwrap();
    assert_eq!(names(&queue, 10, 1000), ["alone"]);
    drop((unasked, alone));
}
