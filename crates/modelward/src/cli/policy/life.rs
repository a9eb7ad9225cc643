//! The life of a bundle at the server: proposing, looking, trying out, activating, going back.

use std::path::PathBuf;

use modelward_server::wire::{
    ActivateRequest, BundleLine, BundleStage, BundleView, FileChange, List, PolicyChanged, PolicyStatus,
    ProjectStepView, ProposeRequest, StepRequest, TrialRequest,
};

use super::super::api::{Server, wait};
use super::super::{Context, time, view};
use super::{read_bundle, single};
use crate::client::escape;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Style, Table, Terminal};

/// Propose a bundle: the server checks and keeps it, and nothing changes for anybody yet
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ProposeArgs {
    /// A folder, or a file that `modelward policy build` wrote
    bundle: PathBuf,
    #[command(flatten)]
    server: Server,
}

/// Which bundle was in force when, and which were proposed
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LogArgs {
    #[command(flatten)]
    server: Server,
}

/// What is in force, or one bundle in full: files, signatures, what it would change
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ShowArgs {
    /// The bundle, `sha256:…` [default: what is in force and on trial]
    bundle: Option<String>,
    /// One of its policies: text, clauses with what tests saw of them, what it settled of late
    #[arg(long, value_name = "ID", requires = "bundle", conflicts_with = "against")]
    policy: Option<String>,
    /// What it decides differently from another bundle, `sha256:…`
    #[arg(long, value_name = "BUNDLE", requires = "bundle")]
    against: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Evaluate a reviewed bundle beside the one in force, or let it govern a share of principals
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TryArgs {
    /// The bundle, `sha256:…`
    bundle: String,
    /// Let it govern this many principals in a thousand [default: none, it is only compared]
    #[arg(long, value_name = "PER_MILLE", value_parser = clap::value_parser!(u16).range(1..=1000))]
    share: Option<u16>,
    #[command(flatten)]
    server: Server,
}

/// End the trial; what is in force stays in force
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct EndTrialArgs {
    #[command(flatten)]
    server: Server,
}

/// Bring a reviewed bundle into force
///
/// A project's bundle stays in force only as long as its proof is about the root bundle: a root bundle that changes what
/// the proof rests on is refused as long as it would let such a bundle fall.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ActivateArgs {
    /// The bundle, `sha256:…`
    bundle: String,
    /// Take out of force whatever projects' bundles have no proof about this root bundle
    #[arg(long)]
    suspend_projects: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StepArgs {
    /// The bundle, `sha256:…`
    bundle: String,
    #[command(flatten)]
    server: Server,
}

pub(super) fn propose(context: &Context, args: &ProposeArgs) -> Outcome {
    let file = read_bundle(&args.bundle)?;
    let bytes = file.to_bytes().map_err(|error| Failure::of(Exit::Failure, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| Failure::of(Exit::Failure, &error))?;
    let client = args.server.signed_in(context)?;
    let request = ProposeRequest { file: text };
    changed(context, &wait(async { Ok(client.post("/api/v1/policy/bundles", &request).await?) })?)
}

pub(super) fn try_out(context: &Context, args: &TryArgs) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = TrialRequest { bundle: args.bundle.clone(), per_mille: args.share };
    changed(context, &wait(async { Ok(client.post("/api/v1/policy/trial", &request).await?) })?)
}

pub(super) fn end_trial(context: &Context, args: &EndTrialArgs) -> Outcome {
    let client = args.server.signed_in(context)?;
    changed(context, &wait(async { Ok(client.act("/api/v1/policy/trial/end").await?) })?)
}

pub(super) fn activate(context: &Context, args: &ActivateArgs) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = ActivateRequest { bundle: args.bundle.clone(), suspend_projects: args.suspend_projects };
    changed(context, &wait(async { Ok(client.post("/api/v1/policy/activate", &request).await?) })?)
}

pub(super) fn roll_back(context: &Context, args: &StepArgs) -> Outcome {
    step(context, args, "/api/v1/policy/rollback")
}

pub(super) fn suspend(context: &Context, args: &StepArgs) -> Outcome {
    step(context, args, "/api/v1/policy/suspend")
}

fn step(context: &Context, args: &StepArgs, path: &str) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = StepRequest { bundle: args.bundle.clone() };
    changed(context, &wait(async { Ok(client.post(path, &request).await?) })?)
}

/// What a step led to: the digest on stdout, the sentence beside it.
pub(super) fn changed(context: &Context, changed: &PolicyChanged) -> Outcome {
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(changed)?;
        return Ok(Exit::Ok);
    }
    terminal.line(&changed.bundle.digest)?;
    let BundleLine { name, version, stage, .. } = &changed.bundle;
    terminal.note(&format!("{name} {version}, {}: {}", word(*stage), changed.message));
    Ok(Exit::Ok)
}

pub(super) fn log(context: &Context, args: &LogArgs) -> Outcome {
    let client = args.server.signed_in(context)?;
    let (policy, bundles): (PolicyStatus, List<BundleLine>) = wait(async {
        Ok((client.read("/api/v1/policy").await?, client.read("/api/v1/policy/bundles").await?))
    })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&serde_json::json!({ "steps": policy.steps, "bundles": bundles.items }))?;
        return Ok(Exit::Ok);
    }
    let mut steps = Table::new(["since", "in force", "of projects", "on trial"]);
    for step in &policy.steps {
        let trial = match (&step.on_trial, step.per_mille) {
            (None, _) => String::new(),
            (Some(bundle), None) => format!("{}, compared", short(bundle)),
            (Some(bundle), Some(share)) => format!("{}, for {share} ‰", short(bundle)),
        };
        steps.styled([
            (time::shown(step.since), Some(Style::Faint)),
            (short(&step.active), None),
            (step.projects.iter().map(of_project).collect::<Vec<_>>().join(" "), None),
            (trial, None),
        ]);
    }
    steps.print(terminal)?;
    terminal.line("")?;
    lines(terminal, &bundles.items)
}

pub(super) fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let client = args.server.signed_in(context)?;
    let terminal = &context.terminal;
    let Some(bundle) = &args.bundle else {
        let policy: PolicyStatus = wait(async { Ok(client.read("/api/v1/policy").await?) })?;
        if terminal.json() {
            terminal.value(&policy)?;
            return Ok(Exit::Ok);
        }
        return overview(terminal, &policy);
    };
    if let Some(policy) = &args.policy {
        return single::show(terminal, &client, bundle, policy);
    }
    if let Some(other) = &args.against {
        return single::compare(terminal, &client, bundle, other);
    }
    let path = format!("/api/v1/policy/bundles/{}", escape(bundle));
    let bundle: BundleView = wait(async { Ok(client.read(&path).await?) })?;
    if terminal.json() {
        terminal.value(&bundle)?;
        return Ok(Exit::Ok);
    }
    full(terminal, &bundle)
}

fn overview(terminal: &Terminal, policy: &PolicyStatus) -> Outcome {
    let mut shown = vec![policy.active.clone()];
    shown.extend(policy.projects.iter().cloned());
    shown.extend(policy.on_trial.iter().map(|trial| trial.bundle.clone()));
    lines(terminal, &shown)?;
    terminal.line("")?;
    if policy.reviewers.is_empty() {
        terminal.note("the bundle in force lists no reviewers, so no other bundle can follow it");
        return Ok(Exit::Ok);
    }
    let mut reviewers = Table::new(["reviewer", "signs for", "bundles", "keys"]);
    for reviewer in &policy.reviewers {
        reviewers.styled([
            (reviewer.name.clone(), None),
            (reviewer.group.clone(), None),
            (of_projects(&reviewer.projects), None),
            (reviewer.keys.join(" "), Some(Style::Faint)),
        ]);
    }
    reviewers.print(terminal)?;
    Ok(Exit::Ok)
}

fn full(terminal: &Terminal, bundle: &BundleView) -> Outcome {
    lines(terminal, std::slice::from_ref(&bundle.bundle))?;
    terminal.line("")?;
    for file in bundle.files.iter().filter(|file| file.change != FileChange::Same) {
        view::fact(terminal, change(file.change), &file.name)?;
    }
    for signature in &bundle.signatures {
        let text = format!("{} for {}; written by {}", signature.reviewer, signature.role, signature.author);
        view::fact(terminal, "signed", &text)?;
    }
    if let Some(missing) = &bundle.missing {
        view::fact(terminal, "missing", missing)?;
    }
    for row in &bundle.matrix {
        terminal.line(row)?;
    }
    terminal.line("")?;
    single::lines(terminal, &bundle.policies)
}

pub(super) fn lines(terminal: &Terminal, bundles: &[BundleLine]) -> Outcome {
    let mut table = Table::new(["bundle", "name", "version", "of", "stage", "proposed", "by"]);
    for bundle in bundles {
        let style = match bundle.stage {
            BundleStage::Active => Style::Good,
            BundleStage::Shadow | BundleStage::Canary | BundleStage::Suspended => Style::Warn,
            BundleStage::Proposed | BundleStage::Reviewed | BundleStage::Superseded => Style::Faint,
        };
        table.styled([
            (bundle.digest.clone(), None),
            (bundle.name.clone(), None),
            (bundle.version.clone(), None),
            (bundle.project.as_ref().map_or_else(|| "root".to_owned(), |it| format!("project {it}")), None),
            (word(bundle.stage).to_owned(), Some(style)),
            (time::shown(bundle.proposed_at), Some(Style::Faint)),
            (bundle.proposed_by.clone().unwrap_or_else(|| "the program".to_owned()), None),
        ]);
    }
    table.print(terminal)?;
    Ok(Exit::Ok)
}

pub(super) const fn change(change: FileChange) -> &'static str {
    match change {
        FileChange::Same => "same",
        FileChange::Added => "added",
        FileChange::Changed => "changed",
        FileChange::Removed => "removed",
    }
}

const fn word(stage: BundleStage) -> &'static str {
    match stage {
        BundleStage::Proposed => "proposed",
        BundleStage::Reviewed => "reviewed",
        BundleStage::Shadow => "shadow",
        BundleStage::Canary => "canary",
        BundleStage::Active => "active",
        BundleStage::Suspended => "suspended",
        BundleStage::Superseded => "superseded",
    }
}

/// Whose bundles a reviewer signs.
fn of_projects(projects: &[String]) -> String {
    if projects.is_empty() { "every bundle".to_owned() } else { format!("of {}", projects.join(", ")) }
}

fn of_project(it: &ProjectStepView) -> String {
    let suspended = if it.suspended { ", suspended" } else { "" };
    format!("{} {}{suspended}", it.project, short(&it.bundle))
}

/// A digest as people tell it from others on a screen.
fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}
