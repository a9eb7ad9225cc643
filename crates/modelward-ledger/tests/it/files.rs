//! What only a real file system can show.

use std::sync::Arc;

use modelward_ledger::subject::{DataKey, FileSubjectKeys, Month, PseudonymKey, SubjectKeys as _};
use modelward_ledger::verify::{FolderSource, Options, Verdict, verify_folder, verify_log};
use modelward_ledger::{Lane, LedgerFailed, LedgerSink as _, OpenError, sim::SimIds};

use crate::support::{decision, open, trusted};

#[test]
fn a_log_written_by_many_threads_verifies_and_serves_its_tiles() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), 1).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let ledger = ledger.clone();
            scope.spawn(move || {
                for n in 0..100 {
                    let ticket = ledger.submit(Lane::Release, decision(format!("{writer}-{n}"))).unwrap();
                    ticket.wait().unwrap();
                }
            });
        }
    });
    ledger.close();
    let reader = ledger.reader();
    let size = reader.position().published;
    assert_eq!(size, 800 + 2);
    assert_eq!(reader.tile_file("tile/0/003.p/34").unwrap().bytes.len(), 34 * 32);
    assert_eq!(
        reader.tile_file("tile/0/003.p/5").unwrap().bytes.len(),
        5 * 32,
        "a beginning of a later tile"
    );
    assert!(reader.tile_file("tile/entries/002").unwrap().immutable);
    for outside in
        ["tile/0/003.p/35", "tile/0/004", "tile/entries/003", "tile/2/000", "../heads", "tile/0/000/"]
    {
        assert!(reader.tile_file(outside).is_err(), "{outside}");
    }
    for old in [1, 255, 256, 257, 801] {
        assert!(reader.consistency(old, size).is_ok());
    }
    let options = Options { entries: true, threads: 2, from_index: 0 };
    let report = verify_log(&FolderSource::new(dir.path().join("log")), &trusted(), options);
    assert_eq!((report.verdict, report.entries, report.findings.len()), (Verdict::Intact, size, 0));
    let report = verify_folder(&FolderSource::new(dir.path()), &trusted(), options);
    assert_eq!(report.findings, []);
    // Newest first, in pages, up to the bound on what is looked at.
    let first = reader.search(None, 3, 1000, |_, entry| entry.id.ends_with("-7")).unwrap();
    assert_eq!(first.found.len(), 3);
    let rest = reader.search(first.next_before, 10, 1000, |_, entry| entry.id.ends_with("-7")).unwrap();
    assert_eq!((rest.found.len(), rest.next_before), (5, None));
}

#[test]
fn a_folder_deleted_underneath_is_noticed_at_the_next_entry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let ledger = open(&path, 1).unwrap();
    ledger.submit(Lane::Release, decision("before")).unwrap().wait().unwrap();
    // The publisher may write a file between two steps of the removal.
    while path.exists() {
        std::fs::remove_dir_all(&path).unwrap_or_default();
    }
    let outcome = ledger.submit(Lane::Release, decision("after")).unwrap().wait();
    assert!(matches!(outcome, Err(LedgerFailed::Poisoned { .. })), "{outcome:?}");
    assert!(ledger.status().failed.is_some());
}

#[test]
fn a_folder_moved_away_is_noticed_at_the_next_entry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let ledger = open(&path, 1).unwrap();
    std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    let outcome = ledger.submit(Lane::Control, decision("after").narrowing()).unwrap().wait();
    assert!(matches!(outcome, Err(LedgerFailed::Poisoned { .. })), "{outcome:?}");
}

#[test]
fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), 1).unwrap();
    assert!(matches!(open(dir.path(), 2), Err(OpenError::Locked)));
    ledger.close();
    open(dir.path(), 3).unwrap();
}

#[test]
fn erased_keys_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let wrapping = || DataKey::new([7; 32]);
    let pseudonym = PseudonymKey::new([1; 32]).of("dana");
    let (may, june) = (Month::new(2026, 5), Month::new(2026, 6));
    let keys = FileSubjectKeys::open(dir.path(), wrapping(), Arc::new(SimIds::new(1))).unwrap();
    let (first, key) = keys.current(&pseudonym, may).unwrap();
    let (other, _) = keys.current(&pseudonym, june).unwrap();
    let sealed = key.seal(&[1; 24], b"facts", b"").unwrap();
    // Another process finds the same key.
    let again = FileSubjectKeys::open(dir.path(), wrapping(), Arc::new(SimIds::new(2))).unwrap();
    let found = again.find(&first.to_string()).unwrap().unwrap();
    assert_eq!(found.open(&[1; 24], &sealed, b"").unwrap(), b"facts");
    assert_eq!(keys.erase(&pseudonym, Some(may)).unwrap(), std::slice::from_ref(&first));
    assert!(keys.find(&first.to_string()).unwrap().is_none());
    assert!(keys.find(&other.to_string()).unwrap().is_some());
    assert_ne!(keys.current(&pseudonym, may).unwrap().0, first, "a new generation");
    // The wrong wrapping key opens nothing, and ids from outside cannot leave the folder.
    let stranger =
        FileSubjectKeys::open(dir.path(), DataKey::new([8; 32]), Arc::new(SimIds::new(3))).unwrap();
    assert!(stranger.find(&other.to_string()).is_err());
    for id in ["../../etc/passwd", "", "a.b.c", &format!("{}.2026-05./../../x", "a".repeat(64))] {
        assert!(keys.find(id).is_err(), "{id}");
    }
}
