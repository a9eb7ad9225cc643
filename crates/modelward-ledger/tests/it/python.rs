//! The second verifier, written in another language from the specifications alone, agrees with ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use modelward_ledger::{Lane, LedgerSink as _};

use crate::support::{decision, open, trusted};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/python/verify_ledger.py")
}

fn run(log: &Path) -> Option<Output> {
    let key = trusted().to_string();
    Command::new("python3").arg(script()).arg(log).arg(key).output().ok()
}

#[test]
fn the_python_verifier_accepts_our_log_and_finds_one_flipped_bit() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), 1).unwrap();
    for n in 0..600 {
        ledger.submit(Lane::Control, decision(n.to_string())).unwrap().wait().unwrap();
    }
    ledger.close();
    let log = dir.path().join("log");
    let Some(clean) = run(&log) else {
        println!("python3 is not installed: the second verifier was not run");
        return;
    };
    let said = String::from_utf8_lossy(&clean.stdout).into_owned();
    assert!(clean.status.success() && said.contains("intact: 602 entries"), "{said}{clean:?}");
    let bundle = log.join("tile/entries/001");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[2 + 10] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let broken = run(&log).unwrap();
    let said = String::from_utf8_lossy(&broken.stdout).into_owned();
    assert_eq!(broken.status.code(), Some(1), "{said}{broken:?}");
    assert!(said.contains("first bad index: 256"), "{said}");
}
