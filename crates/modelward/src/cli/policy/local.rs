//! What needs no server: the gate, building, verifying, comparing, the handbook.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelward_decision::matrix::{matrix, matrix_within};
use modelward_policy::gate::{self, Candidate, Report};
use modelward_policy::handbook::{self, Material};
use modelward_policy::parts::Reviewers;
use modelward_policy::verdict::Proof;
use modelward_policy::{Bundle, check_signatures, difference, project};

use super::super::Context;
use super::super::api::Server;
use super::replay::Replayed;
use super::whole::{Read, Root, root_at};
use super::{proofs, write};
use crate::exit::{Exit, Failure, Outcome};

/// Check a bundle by everything a change of policy has to pass
///
/// Exits with 0 where it passes and with 1 where it does not, so that a pull request can be refused by it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckArgs {
    /// A folder, or a file that `modelward policy build` wrote
    #[arg(default_value = "policies")]
    bundle: PathBuf,
    /// The bundle in force, to compare with
    #[arg(long, value_name = "BUNDLE")]
    active: Option<PathBuf>,
    #[command(flatten)]
    root: Root,
    /// Leave out what takes a solver
    #[arg(long)]
    no_proofs: bool,
    #[command(flatten)]
    replay: Replayed,
    #[command(flatten)]
    server: Server,
    /// Write the findings as SARIF 2.1.0, for code scanning
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Write steps and tests as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary for the review, in Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Build a bundle's folder into one file, whose digest is its identity
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct BuildArgs {
    /// The folder
    #[arg(default_value = "policies")]
    folder: PathBuf,
    #[command(flatten)]
    root: Root,
    /// Where to write the file
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Prove what the bundle promises, and let the file carry the verdicts
    #[arg(long)]
    prove: bool,
}

/// Check a bundle file offline: its digest, its policies, its signatures, and its proofs where there is a solver
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct VerifyArgs {
    /// The file
    bundle: PathBuf,
    /// The bundle it follows: its reviewers are those who count; for a project bundle that is `--root`
    #[arg(long, value_name = "BUNDLE", conflicts_with = "root")]
    previous: Option<PathBuf>,
    #[command(flatten)]
    root: Root,
}

/// Compare two bundles: the rows of the permission matrix that change
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DiffArgs {
    before: PathBuf,
    after: PathBuf,
    #[command(flatten)]
    root: Root,
}

/// Write the handbook: who may do what, why not, and how to ask for more
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct HandbookArgs {
    /// A folder, or a file that `modelward policy build` wrote
    #[arg(default_value = "policies")]
    bundle: PathBuf,
    /// Write a page of HTML instead of Markdown
    #[arg(long)]
    html: bool,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    root: Root,
}

pub(super) fn check(context: &Context, args: &CheckArgs) -> Outcome {
    let read = args.root.read(&args.bundle)?;
    let active = match (&read.root, &args.active) {
        (Some(root), None) => Some(Arc::clone(root)),
        (Some(_), Some(_)) => {
            return Err(Failure::new(Exit::Usage, "a project bundle is compared with its root bundle alone")
                .hint("name that one with `--root`, and leave `--active` out"));
        }
        (None, active) => active.as_deref().map(root_at).transpose()?,
    };
    // Texts that are no bundle are told with everything else that is wrong.
    let whole = read.whole().ok().filter(|_| !args.no_proofs);
    let solver = proofs::solver();
    let proven = whole.as_ref().map(|whole| proofs::verdicts(&read, whole, solver.as_ref())).transpose()?;
    let mut report = gate::check(Candidate {
        sources: read.file.files(),
        active: active.as_ref(),
        verdicts: proven.as_ref().or(read.file.verdicts()),
    });
    if let (Some(active), Some(whole)) = (&active, &whole) {
        report.add(proofs::changes(active, whole, solver.as_ref())?);
    }
    if args.replay.wanted() && report.bundle.is_some() {
        report.add_replay(args.replay.run(context, &read.file, &args.server)?);
    }
    if let Some(path) = &args.sarif {
        let root = args.bundle.to_string_lossy();
        let text = report.to_sarif(&root).map_err(|error| Failure::of(Exit::Failure, &error))?;
        write(path, text.as_bytes())?;
    }
    if let Some(path) = &args.junit {
        write(path, report.to_junit().as_bytes())?;
    }
    if let Some(path) = &args.markdown {
        write(path, report.to_markdown().as_bytes())?;
    }
    show(context, &report)
}

fn show(context: &Context, report: &Report) -> Outcome {
    if context.terminal.json() {
        context.terminal.value(report)?;
    } else {
        context.terminal.line(report.to_text().trim_end())?;
    }
    Ok(if report.passed() { Exit::Ok } else { Exit::Failure })
}

pub(super) fn build(context: &Context, args: &BuildArgs) -> Outcome {
    let (read, whole) = args.root.whole(&args.folder)?;
    let mut file = read.file.clone();
    if args.prove {
        let solver = proofs::solver();
        let verdicts = proofs::verdicts(&read, &whole, solver.as_ref())?;
        let held = verdicts.checks.iter().filter(|check| check.result == Proof::Holds).count();
        context.terminal.note(&format!("{held} of {} claims hold", verdicts.checks.len()));
        file = file.with_verdicts(verdicts);
    }
    write(&args.output, &file.to_bytes().map_err(|error| Failure::of(Exit::Failure, &error))?)?;
    if context.terminal.json() {
        context.terminal.value(&serde_json::json!({ "digest": file.digest(), "file": args.output }))?;
        return Ok(Exit::Ok);
    }
    context.terminal.line(&file.digest().to_string())?;
    context.terminal.note(&format!("built {}", args.output.display()));
    Ok(Exit::Ok)
}

pub(super) fn verify(context: &Context, args: &VerifyArgs) -> Outcome {
    let (read, whole) = args.root.whole(&args.bundle)?;
    let file = &read.file;
    let proven = proven(context, &read, &whole)?;
    let reviewed = match followed(args, &read)? {
        None => None,
        Some(previous) => {
            let reviewed = check_signatures(file, &previous, &Reviewers::default());
            Some(reviewed.map_err(|error| Failure::of(Exit::Failure, &error))?)
        }
    };
    if context.terminal.json() {
        let value = serde_json::json!({ "digest": file.digest(), "reviewed": reviewed, "proven": proven });
        context.terminal.value(&value)?;
        return Ok(Exit::Ok);
    }
    context.terminal.line(&file.digest().to_string())?;
    match reviewed {
        Some(reviewed) => {
            let names: Vec<&str> = reviewed.reviewers().iter().map(|name| name.as_str()).collect();
            context.terminal.note(&format!(
                "written by {}, signed by {}",
                reviewed.author(),
                names.join(" and ")
            ));
        }
        None => context.terminal.hint(
            "`--previous` checks the signatures too: name the bundle it follows; `--root` for a project bundle",
        ),
    }
    Ok(Exit::Ok)
}

/// The bundle whose reviewers count, if it was named.
fn followed(args: &VerifyArgs, read: &Read) -> Result<Option<Arc<Bundle>>, Failure> {
    match (&read.root, &args.previous) {
        (None, Some(previous)) => Ok(Some(root_at(previous)?)),
        (Some(_), Some(_)) => Err(Failure::new(Exit::Usage, "a project bundle follows its root bundle")
            .hint("name that one with `--root`")),
        (Some(root), None) => Ok(args.root.path().map(|_| Arc::clone(root))),
        (None, None) => Ok(None),
    }
}

/// Whether the proofs a file carries come out again; nothing where it carries none, or nobody could tell.
fn proven(context: &Context, read: &Read, whole: &Bundle) -> Result<Option<bool>, Failure> {
    let Some(carried) = read.file.verdicts() else { return Ok(None) };
    let Some(solver) = proofs::solver() else {
        context
            .terminal
            .hint("the proofs it carries were not checked again: install cvc5 or set MODELWARD_CVC5");
        return Ok(None);
    };
    let differences = proofs::recheck(carried, &proofs::verdicts(read, whole, Some(&solver))?);
    if differences.is_empty() {
        context.terminal.note(&format!("{} verdicts came out again", carried.checks.len()));
        return Ok(Some(carried.hold()));
    }
    Err(Failure::new(Exit::Failure, format!("the proofs do not come out again: {}", differences.join("; "))))
}

pub(super) fn diff(context: &Context, args: &DiffArgs) -> Outcome {
    let rows = |path: &Path| {
        let (read, whole) = args.root.whole(path)?;
        let rows = match project::bound(read.file.files()) {
            Ok((_, project)) => matrix_within(&whole, project),
            Err(_) => matrix(&whole),
        };
        rows.map_err(|error| Failure::of(Exit::Failure, &error))
    };
    let changes = difference::difference(&rows(&args.before)?, &rows(&args.after)?);
    if context.terminal.json() {
        context.terminal.value(&changes)?;
        return Ok(Exit::Ok);
    }
    let (looser, stricter) = difference::count(&changes);
    context.terminal.line(difference::render(&changes).trim_end())?;
    context
        .terminal
        .note(&format!("{} rows change: {looser} cells looser, {stricter} stricter", changes.len()));
    Ok(Exit::Ok)
}

pub(super) fn handbook(context: &Context, args: &HandbookArgs) -> Outcome {
    let (read, whole) = args.root.whole(&args.bundle)?;
    let file = &read.file;
    let written = gate::test_results(&whole)
        .and_then(|tests| handbook::write(Material { bundle: &whole, world: None, tests: &tests }));
    let document = written.map_err(|findings| {
        let first = findings.first().map(|finding| finding.render(file.files())).unwrap_or_default();
        Failure::new(Exit::Failure, first)
    })?;
    let text = if args.html { document.to_html() } else { document.to_markdown() };
    match &args.output {
        Some(path) => {
            write(path, text.as_bytes())?;
            context.terminal.note(&format!("wrote {}", path.display()));
        }
        None => context.terminal.line(text.trim_end())?,
    }
    Ok(Exit::Ok)
}
