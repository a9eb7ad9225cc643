//! A small log with three segments, and everything that can be done to its bytes.

use std::collections::BTreeMap;
use std::io;

use modelward_seal::note::Verifier;

use super::*;
use crate::entry::{EntryDraft, Kind};
use crate::frame;
use crate::storage::SimDisk;
use crate::write::tests::{Hand, parts};

#[derive(Clone)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.clone()) }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let prefix = if path.is_empty() { String::new() } else { format!("{}/", path.trim_end_matches('/')) };
        let inside = self.0.keys().filter_map(|name| name.strip_prefix(&prefix));
        let name =
            |rest: &str| rest.split_once('/').map_or_else(|| rest.to_owned(), |(dir, _)| format!("{dir}/"));
        let mut names: Vec<String> = inside.map(name).collect();
        names.dedup();
        Ok(names)
    }
}

fn trusted() -> Verifier {
    parts(0).signer.verifier().unwrap()
}

const SIZE: u64 = 300;

/// Three segments of 20 KiB, one full tile and bundle, a partial of each, some leftovers of earlier checkpoints.
fn corpus() -> Files {
    let disk = SimDisk::new();
    let mut hand = Hand::open(&disk, 1).unwrap();
    let mut size = hand.reader().position().size;
    while size < SIZE - 1 {
        let count = (SIZE - 1 - size).min(13);
        hand.append((0..count).map(|n| EntryDraft::new(Kind::Decision, format!("e{}", size + n))).collect());
        size += count;
        if size == 40 || size == 92 {
            assert!(hand.publish());
        }
    }
    hand.stop();
    Files(disk.files())
}

fn verify(files: &Files) -> Report {
    verify_folder(files, &trusted(), Options::default())
}

/// Which entry a byte of a file belongs to, where that has one answer.
fn expected_index(files: &Files, path: &str, byte: usize) -> Option<u64> {
    let hash = u64::try_from(byte / 32).unwrap();
    match path {
        "log/tile/entries/000" => Some(entry_at(&files.0[path], byte)),
        "log/tile/entries/001.p/44" => Some(256 + entry_at(&files.0[path], byte)),
        "log/tile/0/000" => Some(hash),
        "log/tile/0/001.p/44" => Some(256 + hash),
        "log/tile/1/000.p/1" => Some(0),
        _ if path.starts_with("wal/0") => frame_index(files, path, byte),
        _ => None,
    }
}

fn entry_at(bundle: &[u8], byte: usize) -> u64 {
    let mut end = 0;
    let entries = frame::split_entries(bundle).unwrap();
    let position = entries.iter().position(|entry| {
        end += entry.len() + 2;
        byte < end
    });
    u64::try_from(position.unwrap()).unwrap()
}

fn frame_index(files: &Files, path: &str, byte: usize) -> Option<u64> {
    let mut index = 0;
    for (name, bytes) in files.0.range("wal/0".to_owned()..="wal/1".to_owned()) {
        let mut offset = 0;
        while let Some(found) = frame::decode(bytes, offset).unwrap() {
            if name == path && byte < found.end {
                return Some(found.header.first_index);
            }
            index = found.header.first_index + u64::from(found.header.count);
            offset = found.end;
        }
        if name == path {
            return Some(index);
        }
    }
    None
}

#[test]
fn an_untouched_log_is_intact() {
    let files = corpus();
    let segments =
        files.0.iter().filter(|(name, bytes)| name.starts_with("wal/0") && bytes.iter().any(|b| *b != 0));
    assert!(segments.count() >= 3);
    let report = verify_folder(&files, &trusted(), Options { entries: true, threads: 2, from_index: 0 });
    assert_eq!(report.findings, []);
    assert_eq!((report.verdict, report.entries, report.first_bad_index), (Verdict::Intact, SIZE, None));
    assert!(files.0.keys().any(|name| name.contains("entries/001.p/44")), "{:?}", files.0.keys());
    assert!(files.0.keys().any(|name| name == "log/tile/1/000.p/1"));
}

#[test]
fn every_flipped_bit_is_found_and_named() {
    let clean = corpus();
    // All bits would take minutes; this step is coprime to every structure and meets each field many times.
    let step = if std::env::args().any(|argument| argument == "every_bit") { 1 } else { 211 };
    let mut flipped = 0;
    let mut bit = 0;
    for (path, bytes) in clean.0.iter().filter(|(path, _)| *path != "lock") {
        let zeros = bytes.iter().all(|byte| *byte == 0);
        let step = if zeros { step * 40 } else { step };
        while bit < bytes.len() * 8 {
            let mut broken = clean.clone();
            broken.0.get_mut(path).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let report = verify(&broken);
            assert_ne!(report.verdict, Verdict::Intact, "{path} bit {bit}");
            if let Some(index) = expected_index(&clean, path, bit / 8) {
                assert_eq!(report.first_bad_index, Some(index), "{path} bit {bit}: {:?}", report.findings);
            }
            flipped += 1;
            bit += step;
        }
        bit %= step;
    }
    println!("{flipped} flipped bits");
    assert!(flipped > 4000, "{flipped}");
}

#[test]
fn every_truncation_is_found() {
    let clean = corpus();
    for (path, bytes) in clean.0.iter().filter(|(path, bytes)| *path != "lock" && !bytes.is_empty()) {
        for length in (0..bytes.len()).step_by((bytes.len() / 60).max(1)) {
            let mut broken = clean.clone();
            broken.0.get_mut(path).unwrap().truncate(length);
            let report = verify(&broken);
            // A segment without its trailing zeros, or an empty one, lost nothing: opening it refuses the length.
            let lost = bytes[length..].iter().any(|byte| *byte != 0);
            assert!(!lost || report.verdict != Verdict::Intact, "{path} cut to {length}");
        }
    }
}

#[test]
fn every_deleted_or_swapped_file_is_found() {
    let clean = corpus();
    let needed = |path: &str| {
        path.starts_with("log/") && (path.ends_with("000") || path.contains(".p/44") || path.ends_with("p/1"))
    };
    let names: Vec<String> =
        clean.0.keys().filter(|path| needed(path) || path.starts_with("wal/000000")).cloned().collect();
    for path in &names {
        let mut broken = clean.clone();
        let bytes = broken.0.remove(path).unwrap();
        // The oldest segments may be gone: bundles hold their entries. That is how segments retire.
        if bytes.iter().any(|byte| *byte != 0) && path != "wal/00000001.seg" {
            let report = verify(&broken);
            assert_ne!(report.verdict, Verdict::Intact, "{path} deleted");
            if path.contains("entries/") {
                assert_eq!(report.missing, [if path.ends_with("44") { 256..300 } else { 0..256 }], "{path}");
            }
        }
    }
    for (a, b) in names.iter().zip(names.iter().skip(1)) {
        let mut broken = clean.clone();
        broken.0.insert(a.clone(), clean.0[b].clone());
        broken.0.insert(b.clone(), clean.0[a].clone());
        assert!(broken.0 == clean.0 || verify(&broken).verdict != Verdict::Intact, "{a} and {b} swapped");
    }
}

#[test]
fn every_deleted_swapped_or_repeated_frame_is_found_at_its_index() {
    let clean = corpus();
    let path = "wal/00000002.seg";
    let segment = &clean.0[path];
    let (mut frames, mut offset) = (Vec::new(), 0);
    while let Some(found) = frame::decode(segment, offset).unwrap() {
        frames.push((found.header.first_index, segment[offset..found.end].to_vec()));
        offset = found.end;
    }
    assert!(frames.len() > 2);
    let check = |label: &str, order: Vec<&[u8]>, index: u64| {
        let mut broken = clean.clone();
        let mut bytes = order.concat();
        bytes.resize(segment.len(), 0);
        broken.0.insert(path.to_owned(), bytes);
        // The last frame again finds no room.
        if broken.0 == clean.0 {
            return;
        }
        let report = verify(&broken);
        assert_eq!((report.verdict, report.first_bad_index), (Verdict::Damaged, Some(index)), "{label}");
    };
    let all: Vec<&[u8]> = frames.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    for at in 0..frames.len() {
        let next =
            frames.get(at + 1).map_or_else(|| frame_index(&clean, "wal/00000003.seg", 0).unwrap(), |f| f.0);
        let mut order = all.clone();
        order.remove(at);
        check("deleted", order, frames[at].0);
        let mut order = all.clone();
        order.insert(at, all[at]);
        check("repeated", order, next);
        if at > 0 {
            let mut order = all.clone();
            order.swap(at - 1, at);
            check("swapped", order, frames[at - 1].0);
        }
    }
}

#[test]
fn opening_refuses_damage_inside_and_names_it() {
    let clean = corpus();
    let disk = SimDisk::new();
    for (path, bytes) in &clean.0 {
        crate::storage::Storage::write(&disk, path, bytes).unwrap();
    }
    disk.tamper("wal/00000002.seg", |bytes| bytes[700] ^= 1);
    let expected = frame_index(&clean, "wal/00000002.seg", 700).unwrap();
    match Hand::open(&disk.after_crash(1), 2).map(drop) {
        Err(crate::OpenError::DamagedInside { segment: 2, index, .. }) => assert_eq!(index, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rolled_back_or_forked_log_is_not_opened() {
    let clean = corpus();
    let load = || {
        let disk = SimDisk::new();
        clean.0.iter().for_each(|(path, bytes)| crate::storage::Storage::write(&disk, path, bytes).unwrap());
        disk
    };
    let disk = load();
    disk.tamper("wal/00000003.seg", |bytes| bytes.fill(0));
    let opened = Hand::open(&disk, 2).map(drop);
    assert!(matches!(opened, Err(crate::OpenError::RolledBack { signed: SIZE, .. })), "{opened:?}");
    let disk = load();
    disk.tear_out("wal/00000002.seg");
    let opened = Hand::open(&disk, 2).map(drop);
    assert!(matches!(opened, Err(crate::OpenError::MissingSegment { number: 2 })), "{opened:?}");
}

#[test]
fn a_log_under_another_key_says_nothing() {
    let other = crate::sim::parts("another.example/log", 0).unwrap().signer.verifier().unwrap();
    let report = verify_folder(&corpus(), &other, Options::default());
    assert_eq!((report.verdict, report.entries), (Verdict::Untrusted, 0));
}

#[test]
fn pruned_bundles_are_not_asked_for() {
    let mut files = corpus();
    files.0.remove("log/tile/entries/000");
    let log = |files: &Files, from_index| {
        let source = source::Below { source: files, prefix: "log" };
        verify_log(&source, &trusted(), Options { from_index, ..Options::default() })
    };
    assert_eq!(log(&files, 256).verdict, Verdict::Intact);
    let report = log(&files, 0);
    assert_eq!((report.verdict, report.first_bad_index), (Verdict::Incomplete, Some(0)));
    assert_eq!(report.missing.as_slice(), std::slice::from_ref(&(0..256)));
}

#[test]
fn files_beyond_the_signed_tree_are_named_and_change_no_verdict() {
    let mut files = corpus();
    assert_eq!(verify(&files).unsigned, Vec::<String>::new());
    let beyond = ["tile/0/001", "tile/0/002.p/7", "tile/entries/007"];
    for path in beyond {
        files.0.insert(format!("log/{path}"), vec![7; 32]);
    }
    let report = verify(&files);
    assert_eq!((report.verdict, report.findings), (Verdict::Intact, Vec::new()));
    let mut unsigned = report.unsigned;
    unsigned.sort();
    assert_eq!(unsigned, beyond);
}
