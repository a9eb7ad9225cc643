//! What needs no server: the gate, building, verifying, comparing, the handbook.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelward_decision::matrix::matrix;
use modelward_policy::gate::{self, Candidate, Report};
use modelward_policy::handbook::{self, Material};
use modelward_policy::parts::Reviewers;
use modelward_policy::verdict::Proof;
use modelward_policy::{Bundle, BundleFile, Finding, check_signatures, difference};

use super::super::Context;
use super::{proofs, read_bundle, write};
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
    /// Leave out what takes a solver
    #[arg(long)]
    no_proofs: bool,
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
    /// The bundle it follows: its reviewers are those who count
    #[arg(long, value_name = "BUNDLE")]
    previous: Option<PathBuf>,
}

/// Compare two bundles: the rows of the permission matrix that change
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DiffArgs {
    before: PathBuf,
    after: PathBuf,
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
}

fn bundle_at(path: &Path) -> Result<(BundleFile, Arc<Bundle>), Failure> {
    let file = read_bundle(path)?;
    let bundle = Bundle::from_sources(file.files().clone())
        .map_err(|error| Failure::new(Exit::Failure, Finding::from(&error).render(file.files())))?;
    Ok((file, Arc::new(bundle)))
}

pub(super) fn check(context: &Context, args: &CheckArgs) -> Outcome {
    let file = read_bundle(&args.bundle)?;
    let active = args.active.as_deref().map(bundle_at).transpose()?.map(|(_, bundle)| bundle);
    // Texts that are no bundle are told with everything else that is wrong.
    let bundle = Bundle::from_sources(file.files().clone()).ok().map(Arc::new).filter(|_| !args.no_proofs);
    let solver = proofs::solver();
    let proven = bundle.as_ref().map(|bundle| proofs::verdicts(bundle, solver.as_ref())).transpose()?;
    let mut report = gate::check(Candidate {
        sources: file.files(),
        active: active.as_ref(),
        verdicts: proven.as_ref().or(file.verdicts()),
    });
    if let (Some(active), Some(bundle)) = (&active, &bundle) {
        report.add(proofs::changes(active, bundle, solver.as_ref())?);
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
    let (mut file, bundle) = bundle_at(&args.folder)?;
    if args.prove {
        let solver = proofs::solver();
        let verdicts = proofs::verdicts(&bundle, solver.as_ref())?;
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
    let (file, bundle) = bundle_at(&args.bundle)?;
    let proven = proven(context, &file, &bundle)?;
    let reviewed = match &args.previous {
        None => None,
        Some(path) => {
            let (_, previous) = bundle_at(path)?;
            let reviewed = check_signatures(&file, &previous, &Reviewers::default());
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
        None => context.terminal.hint("`--previous` checks the signatures too: name the bundle it follows"),
    }
    Ok(Exit::Ok)
}

/// Whether the proofs a file carries come out again; nothing where it carries none, or nobody could tell.
fn proven(context: &Context, file: &BundleFile, bundle: &Bundle) -> Result<Option<bool>, Failure> {
    let Some(carried) = file.verdicts() else { return Ok(None) };
    let Some(solver) = proofs::solver() else {
        context
            .terminal
            .hint("the proofs it carries were not checked again: install cvc5 or set MODELWARD_CVC5");
        return Ok(None);
    };
    let differences = proofs::recheck(carried, &proofs::verdicts(bundle, Some(&solver))?);
    if differences.is_empty() {
        context.terminal.note(&format!("{} verdicts came out again", carried.checks.len()));
        return Ok(Some(carried.hold()));
    }
    Err(Failure::new(Exit::Failure, format!("the proofs do not come out again: {}", differences.join("; "))))
}

pub(super) fn diff(context: &Context, args: &DiffArgs) -> Outcome {
    let rows = |path: &Path| {
        let (_, bundle) = bundle_at(path)?;
        matrix(&bundle).map_err(|error| Failure::of(Exit::Failure, &error))
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
    let (file, bundle) = bundle_at(&args.bundle)?;
    let written = gate::test_results(&bundle)
        .and_then(|tests| handbook::write(Material { bundle: &bundle, world: None, tests: &tests }));
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
