//! The pages on policy: what is in force, one bundle with what it would change, the handbook.

mod difference;
mod replay;
mod single;

use axum::response::Response;
use modelward_decision::vocabulary::{Action, ResourceRef};
use serde::Deserialize;

use super::{Site, attachment, page, see_other};
use crate::console::card;
use crate::console::page::{BundlePage, ConfirmPage, HandbookPage, PolicyPage};
use crate::console::part::{Count, IdChip, When};
use crate::console::view::{self, Section};
use crate::ops::policy;
use crate::problem::Problem;
use crate::wire::{
    ActivateRequest, BundleFileView, BundleLine, BundleStage, BundleView, FileChange, PolicyStepView,
    ProjectStepView, StepRequest, TrialRequest,
};

pub(super) use self::difference::show as show_difference;
pub(super) use self::replay::{run as run_replay, show as show_replay};
pub(super) use self::single::show as show_single;

pub(super) async fn show(site: &Site) -> Result<Response, Problem> {
    let status = policy::state(&site.plane, &site.caller).await?.into_part()?;
    let bundles = policy::list(&site.plane, &site.caller).await?.into_part()?;
    let view = view::Policy {
        active: row(site, &status.active),
        projects: status.projects.iter().map(|line| row(site, line)).collect(),
        decides: (status.decides != status.active.digest).then(|| IdChip::new(status.decides.clone())),
        on_trial: status.on_trial.as_ref().map(|trial| row(site, &trial.bundle)),
        steps: status.steps.iter().map(|step| step_row(site, step)).collect(),
        bundles: bundles.items.iter().map(|line| row(site, line)).collect(),
        reviewers: status
            .reviewers
            .iter()
            .map(|it| view::ReviewerRow {
                name: it.name.clone(),
                group: it.group.clone(),
                projects: it.projects.join(", "),
                keys: it.keys.join(" "),
            })
            .collect(),
    };
    page(&PolicyPage { shell: site.shell(Section::Policy, "Policy").await, view })
}

fn row(site: &Site, line: &BundleLine) -> view::BundleRow {
    view::BundleRow {
        digest: IdChip::new(line.digest.clone()),
        link: format!("/policy/{}", line.digest),
        name: line.name.clone(),
        version: line.version.clone(),
        project: line.project.clone(),
        stage: word(line.stage),
        proposed: When::distance(line.proposed_at, site.now),
        by: line.proposed_by.clone().unwrap_or_else(|| "the program".to_owned()),
    }
}

const fn word(stage: BundleStage) -> &'static str {
    match stage {
        BundleStage::Proposed => "proposed",
        BundleStage::Reviewed => "reviewed",
        BundleStage::Shadow => "shadow",
        BundleStage::Canary => "canary",
        BundleStage::Active => "in force",
        BundleStage::Suspended => "suspended",
        BundleStage::Superseded => "superseded",
    }
}

fn step_row(site: &Site, step: &PolicyStepView) -> view::PolicyStepRow {
    let trial = match (&step.on_trial, step.per_mille) {
        (None, _) => String::new(),
        (Some(bundle), None) => format!("{} compared", IdChip::new(bundle.clone()).short),
        (Some(bundle), Some(share)) => format!("{} for {share} ‰", IdChip::new(bundle.clone()).short),
    };
    view::PolicyStepRow {
        since: When::new(step.since, site.now),
        active: IdChip::new(step.active.clone()),
        projects: step.projects.iter().map(step_project).collect::<Vec<_>>().join(", "),
        trial,
    }
}

fn step_project(it: &ProjectStepView) -> String {
    let suspended = if it.suspended { ", suspended" } else { "" };
    format!("{} {}{suspended}", it.project, IdChip::new(it.bundle.clone()).short)
}

pub(super) async fn show_bundle(site: &Site, digest: &str) -> Result<Response, Problem> {
    let bundle = policy::one(&site.plane, &site.caller, digest).await?.into_part()?;
    let title = format!("{} {}", bundle.bundle.name, bundle.bundle.version);
    let view = view::Bundle {
        files: files(&bundle.files),
        policies: bundle.policies.iter().map(|line| single::row(digest, line)).collect(),
        difference_link: format!("/policy/difference?to={digest}"),
        replay_link: site
            .may(Action::ReadDecisions, ResourceRef::Platform)
            .then(|| format!("/policy/{digest}/replay")),
        signatures: bundle
            .signatures
            .iter()
            .map(|it| view::BundleSignatureRow {
                reviewer: it.reviewer.clone(),
                role: it.role.clone(),
                author: it.author.clone(),
            })
            .collect(),
        gate: gate_rows(&bundle.gate),
        moves: moves(site, &bundle),
        sign: format!("modelward policy sign {digest} --key KEY --author NAME --role GROUP"),
        row: row(site, &bundle.bundle),
        missing: bundle.missing,
        matrix: bundle.matrix,
    };
    page(&BundlePage { shell: site.shell(Section::Policy, &title).await, view })
}

fn files(files: &[BundleFileView]) -> Vec<view::BundleFileRow> {
    let changed = files.iter().filter(|file| file.change != FileChange::Same);
    changed
        .map(|file| view::BundleFileRow {
            name: file.name.clone(),
            change: match file.change {
                FileChange::Same => "same",
                FileChange::Added => "added",
                FileChange::Changed => "changed",
                FileChange::Removed => "removed",
            },
            bytes: Count(file.bytes),
        })
        .collect()
}

/// The part of the gate's report that the page shows.
#[derive(Deserialize, Default)]
struct Report {
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    status: String,
    summary: String,
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    message: String,
}

fn gate_rows(report: &serde_json::Value) -> Vec<view::GateRow> {
    let report: Report = serde_json::from_value(report.clone()).unwrap_or_default();
    let row = |step: Step| view::GateRow {
        passed: step.status == "passed",
        skipped: step.status == "skipped",
        findings: step.findings.into_iter().map(|finding| finding.message).collect(),
        name: step.name,
        summary: step.summary,
    };
    report.steps.into_iter().map(row).collect()
}

/// What can be done with it now, by whoever may.
fn moves(site: &Site, bundle: &BundleView) -> Vec<view::BundleMove> {
    if !site.may(Action::ActivatePolicy, ResourceRef::Platform) {
        return Vec::new();
    }
    let one = |what, label, danger, shares| view::BundleMove { what, label, danger, shares };
    let shadow = one("shadow", "Compare", false, false);
    let canary = one("canary", "Try on a share", false, true);
    let activate = one("activate", "Activate", true, false);
    let end = one("end", "End the trial", false, false);
    match (bundle.bundle.stage, &bundle.missing) {
        (BundleStage::Active, _) if bundle.bundle.project.is_some() => {
            vec![one("suspend", "Suspend", true, false)]
        }
        (BundleStage::Active, _) | (BundleStage::Proposed, _) | (_, Some(_)) => Vec::new(),
        (BundleStage::Suspended, None) => vec![activate],
        (BundleStage::Reviewed, None) => vec![shadow, canary, activate],
        (BundleStage::Shadow, None) => vec![canary, activate, end],
        (BundleStage::Canary, None) => vec![canary, activate, end],
        (BundleStage::Superseded, None) => vec![one("rollback", "Go back to it", true, false)],
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    per_mille: Option<u16>,
    #[serde(default)]
    confirmed: Option<String>,
    #[serde(default)]
    suspend_projects: Option<String>,
}

pub(super) async fn do_move(site: &Site, digest: &str) -> Result<Response, Problem> {
    let form: MoveForm = site.form()?;
    let bundle = digest.to_owned();
    let (plane, caller) = (&site.plane, &site.caller);
    match (form.what.as_str(), &form.confirmed) {
        ("shadow", _) => {
            policy::try_out(plane, caller, TrialRequest { bundle, per_mille: None }).await?.into_part()?;
        }
        ("canary", _) => {
            let per_mille = Some(form.per_mille.unwrap_or(0));
            policy::try_out(plane, caller, TrialRequest { bundle, per_mille }).await?.into_part()?;
        }
        ("end", _) => {
            policy::end_trial(plane, caller).await?.into_part()?;
        }
        ("activate" | "rollback" | "suspend", None) => return confirm(site, digest, &form.what).await,
        ("activate", Some(_)) => {
            let request = ActivateRequest { bundle, suspend_projects: form.suspend_projects.is_some() };
            policy::activate(plane, caller, request).await?.into_part()?;
        }
        ("rollback", Some(_)) => {
            policy::roll_back(plane, caller, StepRequest { bundle }).await?.into_part()?;
        }
        ("suspend", Some(_)) => {
            policy::suspend(plane, caller, StepRequest { bundle }).await?.into_part()?;
        }
        _ => return Err(Problem::malformed("no such step")),
    }
    Ok(see_other(&format!("/policy/{digest}")))
}

/// Shows the digest and what changes, before it does.
async fn confirm(site: &Site, digest: &str, what: &str) -> Result<Response, Problem> {
    let bundle = policy::one(&site.plane, &site.caller, digest).await?.into_part()?;
    let name = format!("{} {}", bundle.bundle.name, bundle.bundle.version);
    let (headline, verb) = match (what, &bundle.bundle.project) {
        ("suspend", _) => (format!("Take {name} out of force?"), "Suspend"),
        ("activate", Some(project)) => {
            (format!("Bring {name} into force for the project {project}?"), "Activate")
        }
        ("activate", None) => (format!("Bring {name} into force for everybody?"), "Activate"),
        _ => (format!("Go back to {name}?"), "Go back"),
    };
    let also = match (what, &bundle.bundle.project) {
        ("activate", None) => projects_at_stake(site).await?,
        _ => None,
    };
    let view = view::Confirm {
        headline,
        effect: format!(
            "It is {digest}. {} rows of the permission matrix change, at once and for running streams too.",
            bundle.matrix.len()
        ),
        undo: "The bundle in force now stays one step away: going back to it takes seconds.".to_owned(),
        action: format!("/policy/{digest}"),
        what: what.to_owned(),
        verb: verb.to_owned(),
        back: format!("/policy/{digest}"),
        also,
    };
    page(&ConfirmPage { shell: site.shell(Section::Policy, "Confirm").await, view })
}

/// What the bundle for everybody may do to those of projects, where there are any.
async fn projects_at_stake(site: &Site) -> Result<Option<(&'static str, String)>, Problem> {
    let projects = policy::state(&site.plane, &site.caller).await?.into_part()?.projects;
    Ok((!projects.is_empty()).then(|| {
        let label =
            "Suspend the bundles of projects that it does not fit; without this, it stays out of force then";
        ("suspend_projects", label.to_owned())
    }))
}

pub(super) async fn show_handbook(site: &Site) -> Result<Response, Problem> {
    let document = policy::handbook(&site.plane, &site.caller).await?.into_part()?;
    let view = view::Handbook { text: card::render(&document.markdown) };
    page(&HandbookPage { shell: site.shell(Section::Policy, "Handbook").await, view })
}

pub(super) async fn export_markdown(site: &Site) -> Result<Response, Problem> {
    let document = policy::handbook(&site.plane, &site.caller).await?.into_part()?;
    Ok(attachment("text/markdown; charset=utf-8", document.markdown))
}

pub(super) async fn export_html(site: &Site) -> Result<Response, Problem> {
    let document = policy::handbook(&site.plane, &site.caller).await?.into_part()?;
    Ok(attachment("text/html; charset=utf-8", document.html))
}
