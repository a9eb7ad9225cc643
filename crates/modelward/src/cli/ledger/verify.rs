//! `modelward ledger verify`: checks a log without trusting whoever keeps it.

mod proof;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use indicatif::ProgressBar;
use modelward_ledger::storage::{FileStorage, Storage as _};
use modelward_ledger::verify::{FolderSource, Options, Report, Source, Verdict, verify_folder, verify_log};
use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::note::{SignedNote, Verifier};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::cli::api::Server;
use crate::cli::config::default_data_dir;
use crate::cli::{Context, progress};
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::house::{LEDGER_FOLDER, VERIFIER_KEY_FILE};
use crate::output::{Style, clean};

/// Check a ledger: every entry, every hash, up to the signed root
///
/// A folder is checked offline; a process that writes it keeps its unsigned part from being checked. With `--server`,
/// the public files of a control plane are checked over the network. Exit code 0 means intact, 1 that something is
/// damaged, missing or not signed by the trusted key; the first bad entry is named.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder of a ledger [default: that of the default data directory]
    folder: Option<PathBuf>,
    /// Check the ledger of a control plane instead
    #[arg(long, conflicts_with = "folder")]
    remote: bool,
    /// The log's verifier key, `name+id+base64`, or a file that holds it [default: the one `init` wrote]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Do not read entries below this one, for ledgers whose beginning was pruned
    #[arg(long, default_value_t = 0, value_name = "INDEX")]
    from: u64,
    /// Also check that each entry is well-formed
    #[arg(long)]
    entries: bool,
    /// Check one saved proof instead of a ledger: what `ledger show --json` or `ledger prove` wrote
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["folder", "remote", "from", "entries"])]
    proof: Option<PathBuf>,
    /// The bytes of the entry, as `ledger show --raw` writes them, for a proof that does not hold them
    #[arg(long, value_name = "FILE", requires = "proof")]
    entry: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    if let Some(file) = &args.proof {
        return proof::run(context, file, args.entry.as_deref(), args.key.as_deref());
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let options = Options { from_index: args.from, threads, entries: args.entries };
    let report = if args.remote { remote(context, args, options)? } else { local(context, args, options)? };
    show(context, &report)
}

fn local(context: &Context, args: &Args, options: Options) -> Result<Report, Failure> {
    let folder =
        args.folder.clone().unwrap_or_else(|| default_data_dir(&context.environment).join(LEDGER_FOLDER));
    if !folder.join("log").is_dir() {
        let message = format!("`{}` holds no ledger", folder.display());
        return Err(
            Failure::new(Exit::Usage, message).hint("name the folder that has `log/checkpoint` in it")
        );
    }
    let trusted = match &args.key {
        Some(key) => trusted_key(key)?,
        None => {
            let file = folder.parent().unwrap_or(Path::new(".")).join(VERIFIER_KEY_FILE);
            let key = key_of_file(&file)?;
            context.terminal.note(&format!("the trusted key is the one in {}", file.display()));
            context.terminal.hint("a copy kept elsewhere, given with `--key`, proves more");
            key
        }
    };
    let source = FolderSource::new(&folder);
    // Held while checking, so that nobody begins to write meanwhile. A copy that was never opened has none, and gets
    // none: what is checked is not touched.
    let locked = if folder.join("lock").exists() { Some(FileStorage::new(&folder).lock()) } else { None };
    match locked {
        Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            context
                .terminal
                .note("a process is writing this ledger: what it has not signed yet is not checked");
            Ok(watched(context, FolderSource::new(folder.join("log")), |source| {
                verify_log(source, &trusted, options)
            }))
        }
        // A folder on a read-only disk cannot be locked, and needs no lock.
        locked => {
            let report = watched(context, source, |source| verify_folder(source, &trusted, options));
            drop(locked);
            Ok(report)
        }
    }
}

fn remote(context: &Context, args: &Args, options: Options) -> Result<Report, Failure> {
    let key = args.key.as_deref().ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "`--remote` needs `--key`: a key from the server itself would prove nothing",
        )
        .hint("it stands in `ledger.vkey` of the data directory; take a copy when the installation is made")
    })?;
    let trusted = trusted_key(key)?;
    let client = args.server.signed_in(context)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let source = RemoteSource { client, runtime };
    Ok(watched(context, source, |source| verify_log(source, &trusted, options)))
}

/// The public files of a control plane.
struct RemoteSource {
    client: Client,
    runtime: Runtime,
}

impl Source for RemoteSource {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let path = format!("/ledger/{path}");
        let answer = self.runtime.block_on(self.client.bytes(&path)).map_err(io::Error::other)?;
        let bytes = answer.ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.to_vec())
    }

    fn list(&self, _path: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A source that shows how many bundles of entries were read.
struct Watched<S> {
    source: S,
    bar: ProgressBar,
}

impl<S: Source> Source for Watched<S> {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        if path.contains("tile/entries/") {
            self.bar.inc(1);
        }
        let bytes = self.source.read(path, bytes_max)?;
        if path.ends_with("checkpoint")
            && let Some(size) = claimed_size(&bytes)
        {
            self.bar.set_length(size.div_ceil(256));
        }
        Ok(bytes)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.source.list(path)
    }
}

/// The size a checkpoint states, believed by the progress bar only.
fn claimed_size(bytes: &[u8]) -> Option<u64> {
    let note = SignedNote::from_bytes(bytes).ok()?;
    note.text().lines().nth(1)?.parse().ok()
}

fn watched<S: Source>(context: &Context, source: S, verify: impl FnOnce(&dyn Source) -> Report) -> Report {
    let bar = progress::steps(&context.terminal, "bundles");
    let watched = Watched { source, bar };
    let report = verify(&watched);
    watched.bar.finish_and_clear();
    report
}

fn trusted_key(text: &str) -> Result<Verifier, Failure> {
    // A verifier key has `+`, which no sensible path has.
    if text.contains('+') { parsed_key(text) } else { key_of_file(Path::new(text)) }
}

fn key_of_file(path: &Path) -> Result<Verifier, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(Exit::Usage, format!("failed to read the verifier key `{}`: {error}", path.display()))
            .hint("name it with `--key`")
    })?;
    parsed_key(text.trim())
}

fn parsed_key(text: &str) -> Result<Verifier, Failure> {
    text.parse().map_err(|error: modelward_seal::note::VerifierError| Failure::of(Exit::Usage, &error))
}

/// A report as scripts see it.
#[derive(Serialize)]
struct Shown<'a> {
    verdict: &'static str,
    origin: Option<&'a str>,
    size: Option<u64>,
    root: Option<String>,
    entries_read: u64,
    first_bad_index: Option<u64>,
    missing: Vec<[u64; 2]>,
    findings: Vec<ShownFinding<'a>>,
    findings_omitted: u64,
    unsigned: &'a [String],
}

#[derive(Serialize)]
struct ShownFinding<'a> {
    path: &'a str,
    index: Option<u64>,
    problem: &'a str,
    severity: &'static str,
}

/// Findings a person reads before giving up.
const FINDINGS_SHOWN: usize = 20;

fn show(context: &Context, report: &Report) -> Outcome {
    let exit = if report.verdict == Verdict::Intact { Exit::Ok } else { Exit::Failure };
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&shown(report))?;
        return Ok(exit);
    }
    let style = if exit == Exit::Ok { Style::Good } else { Style::Bad };
    let verdict = terminal.paint(style, word(report.verdict));
    match &report.checkpoint {
        Some(Checkpoint { origin, size, root }) => {
            terminal.line(&format!(
                "{verdict}: {} of {size} entries read and hashed, root {root}, signed as {origin}",
                report.entries
            ))?;
        }
        None => terminal.line(&format!("{verdict}: there is no checkpoint by the trusted key"))?,
    }
    if let Some(index) = report.first_bad_index {
        terminal.line(&format!("first bad entry: {index}"))?;
    }
    for range in &report.missing {
        terminal.line(&format!("missing: entries {} to {}", range.start, range.end.saturating_sub(1)))?;
    }
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        terminal.line(&format!("{}: {}", clean(&finding.path), clean(&finding.problem)))?;
    }
    for path in report.unsigned.iter().take(FINDINGS_SHOWN) {
        terminal.note(&format!("{} reaches beyond the signed tree; nothing vouches for it", clean(path)));
    }
    let more = report.findings.len().saturating_sub(FINDINGS_SHOWN) as u64 + report.findings_omitted;
    if more > 0 {
        terminal.note(&format!("and {more} findings more; `--json` lists up to 1000"));
    }
    Ok(exit)
}

fn shown(report: &Report) -> Shown<'_> {
    let checkpoint = report.checkpoint.as_ref();
    Shown {
        verdict: word(report.verdict),
        origin: checkpoint.map(|checkpoint| checkpoint.origin.as_str()),
        size: checkpoint.map(|checkpoint| checkpoint.size),
        root: checkpoint.map(|checkpoint| checkpoint.root.to_string()),
        entries_read: report.entries,
        first_bad_index: report.first_bad_index,
        missing: report.missing.iter().map(|range| [range.start, range.end]).collect(),
        findings: report
            .findings
            .iter()
            .map(|finding| ShownFinding {
                path: &finding.path,
                index: finding.index,
                problem: &finding.problem,
                severity: word(finding.severity),
            })
            .collect(),
        findings_omitted: report.findings_omitted,
        unsigned: &report.unsigned,
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Intact => "intact",
        Verdict::Incomplete => "incomplete",
        Verdict::Damaged => "damaged",
        Verdict::Untrusted => "untrusted",
    }
}
