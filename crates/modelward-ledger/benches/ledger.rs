//! How fast entries become durable and how fast a log is verified, beside the disk's own speed.
//!
//! `cargo bench -p modelward-ledger --bench ledger [-- FOLDER [SECONDS]]`. The peer is the same file system in the
//! same run: grouped `fdatasync` of a preallocated file, in groups as large as the ledger's batches.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]
#![expect(clippy::print_stdout, reason = "the table is the product")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench stops where it fails")]
#![allow(clippy::cast_precision_loss, clippy::as_conversions, reason = "figures are printed rounded")]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use modelward_ledger::entry::{EntryDraft, Kind, ReleaseClass, Resource, SubjectKind, Verdict};
use modelward_ledger::verify::{FolderSource, Options, verify_log};
use modelward_ledger::{Config, Lane, Ledger, LedgerSink as _};
use modelward_seal::Digest;

const ORIGIN: &str = "modelward.example/bench";

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let dir = tempfile::tempdir_in(folder).unwrap();
    let length = Duration::from_secs(seconds);
    println!(
        "{:<44} {:>12} {:>9} {:>9} {:>9} {:>9}",
        "durable append", "entries/s", "p50 ms", "p99 ms", "bytes", "CPU us"
    );
    let mut best = 0.0_f64;
    let mut batch = 1;
    for writers in [1, 8, 32, 128] {
        let run = append(&dir.path().join(format!("log-{writers}")), writers, length);
        println!(
            "{:<44} {:>12.0} {:>9.3} {:>9.3} {:>9} {:>9.1}",
            format!("{writers} writers, each waiting for its receipt"),
            run.rate,
            run.p50,
            run.p99,
            run.bytes,
            run.cpu_micros
        );
        (best, batch) = (run.rate, writers);
    }
    let raw = raw_groups(dir.path(), batch / 2, 600, length.min(Duration::from_secs(3)));
    println!(
        "\n{:<44} {raw:>12.0} entries/s",
        format!("peer: raw groups of {} x 600 bytes + fdatasync", batch / 2)
    );
    println!("{:<44} {:>12.2}", "ledger / peer", best / raw);
    let single = raw_groups(dir.path(), 1, 600, Duration::from_secs(1));
    println!("{:<44} {single:>12.0} flushes/s\n", "peer: one 600-byte write + fdatasync");
    verification(&dir.path().join("log-128"));
}

struct Run {
    rate: f64,
    p50: f64,
    p99: f64,
    bytes: usize,
    /// Of the whole process, writers included, per entry: what counts where other work takes the cores.
    cpu_micros: f64,
}

fn append(dir: &Path, writers: usize, length: Duration) -> Run {
    let parts = modelward_ledger::sim::parts(ORIGIN, 1).unwrap();
    let ledger = Ledger::create(dir, Config { segments_kept: 100, ..Config::new("bench") }, parts).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..writers)
        .map(|writer| {
            let (ledger, stop) = (ledger.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut waits = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    let draft = decision(&format!("ev_{writer}_{}", waits.len()));
                    ledger.submit(Lane::Release, draft).unwrap().wait().unwrap();
                    waits.push(begin.elapsed());
                }
                waits
            })
        })
        .collect();
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    std::thread::park_timeout(length);
    stop.store(true, Ordering::Relaxed);
    let mut waits: Vec<Duration> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let rate = waits.len() as f64 / begin.elapsed().as_secs_f64();
    let cpu_micros = (cpu_seconds() - cpu) * 1e6 / waits.len() as f64;
    let bytes = ledger.reader().entry_bytes(5).unwrap().len();
    ledger.close();
    waits.sort();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    Run { rate, p50: at(50), p99: at(99), bytes, cpu_micros }
}

/// User and system time of this process, where `/proc` tells (in ticks of 10 ms), else zero.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn decision(id: &str) -> EntryDraft {
    EntryDraft::new(Kind::Decision, id)
        .decision(Verdict::Allow)
        .outcome("permitted")
        .class(ReleaseClass::R1)
        .subject(SubjectKind::Service, "svc-scoring@example.org")
        .action("Inference::Predict")
        .resource(Resource::new("Model", "fraud"))
        .policy(Digest::ZERO, Digest::ZERO)
        .determining(["grant-base"])
        .grant("gr_06ey3m9k1v7xj8t2c0d4qz5rnw")
        .rationale("granted")
        .revision(42)
}

/// The physical limit: the same bytes in the same groups, without anything around them.
fn raw_groups(dir: &Path, group: usize, bytes: usize, length: Duration) -> f64 {
    let path = dir.join("raw");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    let size = 64_usize << 20;
    file.write_all_at(&vec![0; size], 0).unwrap();
    file.sync_all().unwrap();
    let payload = vec![7; (group * bytes).next_multiple_of(512)];
    let (begin, mut groups, mut offset) = (Instant::now(), 0_u64, 0);
    while begin.elapsed() < length {
        if offset + payload.len() > size {
            offset = 0;
        }
        file.write_all_at(&payload, u64::try_from(offset).unwrap()).unwrap();
        file.sync_data().unwrap();
        offset += payload.len();
        groups += 1;
    }
    (groups * u64::try_from(group).unwrap()) as f64 / begin.elapsed().as_secs_f64()
}

fn verification(dir: &Path) {
    let trusted = modelward_ledger::sim::parts(ORIGIN, 1).unwrap().signer.verifier().unwrap();
    let source = FolderSource::new(dir.join("log"));
    for threads in [1, 2] {
        // Twice: the first pass brings the files into the page cache.
        for pass in ["first pass", "again"] {
            let (begin, cpu) = (Instant::now(), cpu_seconds());
            let report = verify_log(&source, &trusted, Options { threads, ..Options::default() });
            let rate = report.entries as f64 / begin.elapsed().as_secs_f64();
            let per_core = report.entries as f64 / (cpu_seconds() - cpu).max(0.01);
            println!(
                "{:<44} {rate:>12.0} entries/s, {per_core:.0} per CPU second ({} entries, {:?})",
                format!("verify, {threads} thread(s), {pass}"),
                report.entries,
                report.verdict
            );
        }
    }
}
