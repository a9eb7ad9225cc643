//! Power loss at every operation of the disk, with every mixture of unsynced sectors that a seed picks.
//!
//! The oracle: every acknowledged entry is there with its index and bytes; the log extends the last checkpoint
//! that was published; recovery can itself be interrupted and gives the same entries again.

use std::collections::BTreeSet;

use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::merkle::{leaf_hash, verify_consistency};

use super::fixture::Hand;
use super::{decision, parts};
use crate::entry::{EntryDraft, Kind};
use crate::storage::{Random, SimDisk};
use crate::{LedgerReader, OpenError, Receipt};

/// A run on a disk that remembers: what was promised, and after how many operations.
struct Run {
    disks: Vec<SimDisk>,
    acknowledged: Vec<(usize, Receipt)>,
    checkpoints: Vec<(usize, Checkpoint)>,
}

fn run(seed: u64) -> Run {
    let mut random = Random(seed);
    let disk = SimDisk::new();
    let mut acknowledged = Vec::new();
    let mut checkpoints = Vec::new();
    // Some history first, so that not every crash hits an empty log.
    let mut hand = Hand::open(&disk, seed).unwrap();
    for _ in 0..random.next() % 40 {
        hand.append(drafts(&mut random));
    }
    hand.publish();
    if random.next().is_multiple_of(2) {
        hand.sync();
    }
    let before = disk.operations();
    disk.remember();
    let at = |disk: &SimDisk| usize::try_from(disk.operations() - before).unwrap();
    for _ in 0..12 {
        match random.next() % 8 {
            0..5 => {
                let receipts = hand.append(drafts(&mut random));
                acknowledged.extend(receipts.into_iter().map(|receipt| (at(&disk), receipt.unwrap())));
            }
            5 => assert!(hand.refill()),
            6 => assert!(hand.sync()),
            _ => {
                assert!(hand.publish());
                checkpoints.push((at(&disk), head(&hand.reader())));
            }
        }
    }
    drop(hand);
    Run { disks: disk.history(), acknowledged, checkpoints }
}

fn drafts(random: &mut Random) -> Vec<EntryDraft> {
    let count = random.next() % 6 + 1;
    let one = |random: &mut Random| match random.next() % 4 {
        0 => decision("intent").intent(),
        1 => EntryDraft::new(Kind::Decision, "x")
            .detail("pad", "y".repeat(usize::try_from(random.next() % 900).unwrap())),
        2 => EntryDraft::state_change(format!("event-{}", random.next() % 1000)),
        _ => decision("plain"),
    };
    (0..count).map(|_| one(random)).collect()
}

fn head(reader: &LedgerReader) -> Checkpoint {
    let note = reader.checkpoint().unwrap();
    Checkpoint::verify(&note, &parts(0).signer.verifier().unwrap()).unwrap()
}

fn check(run: &Run, operation: usize, hand: &Hand, label: &str) {
    let reader = hand.reader();
    for (_, receipt) in run.acknowledged.iter().filter(|(at, _)| *at <= operation) {
        let bytes = reader.entry_bytes(receipt.index);
        let leaf = bytes.as_deref().map(leaf_hash);
        assert_eq!(leaf.ok(), Some(receipt.leaf_hash), "{label}: entry {} was acknowledged", receipt.index);
    }
    let now = head(&reader);
    if let Some((_, then)) = run.checkpoints.iter().rfind(|(at, _)| *at <= operation) {
        let proof = reader.consistency(then.size, now.size).unwrap();
        let extends = verify_consistency(then.size, now.size, &proof, &then.root, &now.root);
        assert_eq!(extends, Ok(()), "{label}: the log extends the checkpoint of size {}", then.size);
    }
}

/// Crash points in one run: every operation, every mixture.
fn crash_everywhere(seed: u64, mixtures: u64) -> u64 {
    let run = run(seed);
    let mut points = 0;
    for (operation, disk) in run.disks.iter().enumerate() {
        for mixture in 0..mixtures {
            let label = format!("run seed {seed}, operation {operation}, mixture {mixture}");
            let found =
                disk.after_crash(if mixture < 2 { mixture } else { seed.wrapping_mul(1000) + mixture });
            let hand = Hand::open(&found, seed + 1).unwrap_or_else(|error| panic!("{label}: {error}"));
            check(&run, operation, &hand, &label);
            points += 1;
            if mixture == 2 {
                points += crash_during_recovery(&run, operation, disk, &label);
            }
        }
    }
    points
}

/// The same again with recovery itself interrupted, three deep.
fn crash_during_recovery(run: &Run, operation: usize, disk: &SimDisk, label: &str) -> u64 {
    let mut random = Random(u64::try_from(operation).unwrap());
    let mut disk = disk.after_crash(random.next());
    for depth in 0..3 {
        disk.crash_at(Some(disk.operations() + random.next() % 12));
        match Hand::open(&disk, 5) {
            Ok(hand) => check(run, operation, &hand, &format!("{label}, depth {depth}")),
            Err(
                OpenError::DamagedInside { .. } | OpenError::RolledBack { .. } | OpenError::Forked { .. },
            ) => {
                panic!("{label}, depth {depth}: power loss taken for damage")
            }
            Err(_) => {}
        }
        disk = disk.after_crash(random.next());
    }
    let hand =
        Hand::open(&disk, 6).unwrap_or_else(|error| panic!("{label}, after recovery crashed: {error}"));
    check(run, operation, &hand, &format!("{label}, after recovery crashed"));
    3
}

#[test]
fn no_acknowledged_entry_is_lost_in_twenty_thousand_power_losses() {
    let points: u64 = std::thread::scope(|scope| {
        let halves = [0_u64, 1].map(|half| {
            scope.spawn(move || {
                let (mut points, mut seed) = (0, half);
                while points < 10_000 {
                    points += crash_everywhere(seed, 12);
                    seed += 2;
                }
                points
            })
        });
        halves.into_iter().map(|half| half.join().unwrap()).sum()
    });
    println!("{points} power losses");
    assert!(points >= 20_000, "{points}");
}

#[test]
fn a_recovered_log_recovers_to_itself() {
    let run = run(99);
    let disk = run.disks.last().unwrap().after_crash(3);
    let first = Hand::open(&disk, 1).unwrap();
    assert!(first.recovered().unclean);
    let size = first.reader().position().size;
    first.stop();
    let second = Hand::open(&disk, 2).unwrap();
    assert_eq!((second.recovered().unclean, second.recovered().bytes_cut), (false, 0));
    assert_eq!(second.reader().position().size, size + 2, "a stop and a start, nothing else");
    let kinds: BTreeSet<String> = second
        .reader()
        .range(size, 9)
        .unwrap()
        .iter()
        .map(|(_, entry)| format!("{:?}", entry.kind))
        .collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["Start", "Stop"]);
}
