//! Killing the whole process at random moments under load: what a caller saw of an answer is in the ledger, the log
//! verifies, and the next process starts by itself.
//!
//! `cargo test -p modelward --test it kill` runs 4 cycles; `… kill -- cycles=200` runs more.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::ward::{LABEL, Ward};

#[test]
fn every_answer_seen_is_recorded_whenever_the_process_is_killed() {
    let ward = Ward::new();
    let mut log = Log::default();
    let mut answered = 0;
    let cycles = cycles();
    for cycle in 0..cycles {
        let seen = load_and_kill(&ward, cycle);
        if cycle % 4 == 3 {
            kill_while_starting(&ward, cycle);
        }
        let mut serving = ward.start();
        serving.signal("-TERM");
        assert_eq!(serving.exit_code(), Some(0), "cycle {cycle}");
        let verified = ward.verify();
        assert_eq!(verified.code, 0, "cycle {cycle}: {}{}", verified.stdout, verified.stderr);
        log.read(&ward.ledger().join("log/tile/entries"));
        for decision in &seen {
            assert!(
                log.decisions.contains(decision),
                "cycle {cycle}: {decision} was answered and is not in the log"
            );
        }
        answered += seen.len();
    }
    println!("{cycles} kills, {answered} answers, {} decisions in the log", log.decisions.len());
    assert!(answered > 0);
}

/// The decisions of which at least the head of an answer came.
fn load_and_kill(ward: &Ward, cycle: u64) -> Vec<String> {
    let serving = ward.start();
    let token = ward.token();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| ask_until_it_breaks(ward, &token))).collect();
        // A different moment each cycle.
        thread::park_timeout(Duration::from_millis(1 + cycle.wrapping_mul(7919) % 300));
        serving.signal("-KILL");
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}

fn ask_until_it_breaks(ward: &Ward, token: &str) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(answer) = ward.predict(token) {
        assert_eq!(answer.status, 200, "{answer:?}");
        let whole = answer.text.contains(LABEL);
        seen.push(answer.decision.unwrap());
        if !whole {
            break;
        }
    }
    seen
}

fn kill_while_starting(ward: &Ward, cycle: u64) {
    let mut child = ward.command().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::park_timeout(Duration::from_millis(cycle.wrapping_mul(6029) % 400));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Ids of decisions in the public log. Full bundles are read once.
#[derive(Default)]
struct Log {
    decisions: HashSet<String>,
    read: HashSet<PathBuf>,
}

impl Log {
    fn read(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.read(&path);
                continue;
            }
            let is_partial = path.parent().unwrap().extension().is_some_and(|end| end == "p");
            if !is_partial && !self.read.insert(path.clone()) {
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let ids = text.match_indices("\"de_").filter_map(|(at, _)| text.get(at + 1..)?.split('"').next());
            self.decisions.extend(ids.map(str::to_owned));
        }
    }
}

/// `cycles=200` among the arguments; the test harness takes it for the name of a test that does not exist.
fn cycles() -> u64 {
    std::env::args().find_map(|argument| argument.strip_prefix("cycles=")?.parse().ok()).unwrap_or(4)
}
