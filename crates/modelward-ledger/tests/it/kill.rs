//! Killing a writing process at random moments: what it acknowledged is there, and the next one starts by itself.
//!
//! `cargo test -p modelward-ledger --test it kill` runs 20 cycles; `… kill -- cycles=200` runs more.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use modelward_ledger::verify::{FolderSource, Options, Verdict, verify_log};
use modelward_ledger::{Lane, LedgerSink as _};
use modelward_seal::Digest;
use modelward_seal::merkle::leaf_hash;

use crate::support::{decision, open, trusted};

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let cycles = cycles();
    let mut acknowledged: Vec<(u64, Digest)> = Vec::new();
    for cycle in 0..cycles {
        acknowledged.extend(write_and_kill(dir.path(), cycle));
        let ledger =
            open(dir.path(), 1_000_000 + cycle).unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        for (index, leaf) in &acknowledged {
            let bytes = ledger.reader().entry_bytes(*index).unwrap();
            assert_eq!(leaf_hash(&bytes), *leaf, "cycle {cycle}: entry {index}");
        }
        ledger.close();
        let report = verify_log(&FolderSource::new(dir.path().join("log")), &trusted(), Options::default());
        assert_eq!(report.verdict, Verdict::Intact, "cycle {cycle}: {:?}", report.findings);
    }
    println!("{cycles} kills, {} acknowledged entries", acknowledged.len());
    assert!(!acknowledged.is_empty());
}

fn write_and_kill(dir: &Path, cycle: u64) -> Vec<(u64, Digest)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_writing_process", "--nocapture", "--test-threads=1"])
        .arg(format!("writer-folder={}", dir.display()))
        .arg(format!("writer-seed={cycle}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pid = child.id();
    // A different moment each cycle, also while the ledger is still opening.
    let patience = Duration::from_millis(1 + cycle.wrapping_mul(7919) % 150);
    let killer = std::thread::spawn(move || {
        std::thread::park_timeout(patience);
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let parse = |line: &str| {
        let (index, leaf) = line.strip_prefix("durable ")?.split_once(' ')?;
        Some((index.parse().ok()?, leaf.parse().ok()?))
    };
    // A line cut short by the kill was not an acknowledgement.
    let seen = lines.map_while(Result::ok).filter_map(|line| parse(&line)).collect();
    killer.join().unwrap();
    assert!(pid > 0);
    seen
}

/// Not a test of its own: the process that the test above starts and kills.
#[test]
fn the_writing_process() {
    let Some((dir, seed)) = role() else { return };
    let ledger = open(Path::new(&dir), seed).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let ledger = ledger.clone();
            scope.spawn(move || {
                for n in 0.. {
                    let draft = decision(format!("{seed}-{writer}-{n}"));
                    let receipt = ledger.submit(Lane::Release, draft).unwrap().wait().unwrap();
                    let line = format!("durable {} {}\n", receipt.index, receipt.leaf_hash);
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

fn role() -> Option<(String, u64)> {
    Some((argument("writer-folder")?, argument("writer-seed")?.parse().ok()?))
}

fn cycles() -> u64 {
    argument("cycles").and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// `name=value` among the arguments; the test harness takes it for the name of a test that does not exist.
fn argument(name: &str) -> Option<String> {
    std::env::args().find_map(|argument| Some(argument.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}
