//! What is special about the bundle of a project: it stands beside the root bundle, as long as its proof is about it.

use std::collections::{BTreeMap, BTreeSet};

use modelward_decision::vocabulary::ProjectId;
use modelward_governance::policy::PolicyState;
use modelward_policy::parts::Header;
use modelward_policy::{BundleFile, project};
use modelward_seal::Digest;

use super::policy::History;
use crate::composed::{project_of, subject};
use crate::control::ControlPlane;
use crate::policies::Kept;
use crate::problem::Problem;
use crate::wire::ErrorCode;

/// Refuses the bundle of a project that does not exist, or that is called otherwise.
pub(super) fn is_known(plane: &ControlPlane, file: &BundleFile) -> Result<(), Problem> {
    if project_of(file)?.is_none() {
        return Ok(());
    }
    let refused = |message: String| Problem::new(ErrorCode::Refused, message);
    let (name, id) = project::bound(file.files()).map_err(|findings| {
        refused(findings.into_iter().next().map_or_else(String::new, |finding| finding.message))
    })?;
    match plane.snapshot().project(id) {
        Some(known) if known.name == name => Ok(()),
        Some(known) => Err(refused(format!("the project {id} is called `{}`, and not `{name}`", known.name))),
        None => Err(refused(format!("there is no project {id}"))
            .hint("`scope` in `bundle.toml` is the id of the project, as `modelward apply` made it")),
    }
}

/// The files a bundle is compared with: those of the root bundle in force, or of the bundle its project has.
pub(super) async fn before(
    plane: &ControlPlane,
    history: &History,
    file: &BundleFile,
) -> Result<BTreeMap<String, String>, Problem> {
    let Some(project) = project_of(file)? else { return Ok(history.active.sources().clone()) };
    match history.state.projects.get(&project) {
        Some(of) => Ok(plane.policies.file(of.bundle).await?.files().clone()),
        None => Ok(BTreeMap::new()),
    }
}

/// The state after an activation, and what it means.
pub(super) async fn activated(
    plane: &ControlPlane,
    history: &History,
    digest: Digest,
    suspend: bool,
) -> Result<(PolicyState, String), Problem> {
    let file = plane.policies.file(digest).await?;
    if let Some(project) = project_of(&file)? {
        let proved = subject(&history.active, &file)?;
        let next = history.state.clone().activate_project(project, digest, proved)?;
        return Ok((next, format!("it is in force for the project {}", named(&file, project))));
    }
    let root = plane.policies.bundle(digest).await?;
    let fallen = plane.policies.fallen(&history.state, &root).await?;
    let names = names(plane, history, &fallen).await?;
    if !fallen.is_empty() && !suspend {
        let message = format!("the proofs of bundles in force are not about this root bundle: {names}");
        return Err(Problem::new(ErrorCode::Refused, message).hint(
            "activate it with `--suspend-projects`; then prove and propose those bundles anew, under another version",
        ));
    }
    Ok((history.state.clone().activate(digest, &fallen)?, with_fallen("it is in force", &names)))
}

/// The state after going back, and what it means. Going back waits for nothing: what has no proof about that root bundle
/// goes out of force, and the answer names it.
pub(super) async fn rolled_back(
    plane: &ControlPlane,
    history: &History,
    digest: Digest,
) -> Result<(PolicyState, String), Problem> {
    let file = plane.policies.file(digest).await?;
    let Some(project) = project_of(&file)? else {
        let root = plane.policies.bundle(digest).await?;
        let fallen = plane.policies.fallen(&history.state, &root).await?;
        let names = names(plane, history, &fallen).await?;
        let next = history.state.clone().roll_back(digest, &fallen)?;
        return Ok((next, with_fallen("it is in force again", &names)));
    };
    let proved = subject(&history.active, &file)?;
    let was = |step: &modelward_store::bundles::PolicyStep| {
        let of = step.state.projects.get(&project);
        of.is_some_and(|of| of.bundle == digest && of.proved == proved && !of.suspended)
    };
    if !history.steps.iter().any(was) {
        let message = "it was in force beside a root bundle that its proof does not hold for any more";
        return Err(Problem::new(ErrorCode::Refused, message)
            .hint("prove it for the root bundle in force, and propose it anew under another version"));
    }
    let next = history.state.clone().roll_back_project(project, digest, proved)?;
    Ok((next, format!("it is in force again for the project {}", named(&file, project))))
}

/// The project a bundle is for, by name; nothing for a root bundle. Only of a bundle that never governed anybody the file
/// has to be read.
pub(super) async fn named_of(
    plane: &ControlPlane,
    history: &History,
    kept: &Kept,
) -> Result<Option<String>, Problem> {
    let digest = kept.head.digest;
    if history.steps.iter().any(|step| step.state.active == digest) {
        return Ok(None);
    }
    let mut of_projects = history.steps.iter().flat_map(|step| &step.state.projects);
    let known = of_projects.find(|(_, of)| of.bundle == digest).map(|(project, _)| *project);
    if let Some(project) = known.and_then(|project| plane.snapshot().project(project).cloned()) {
        return Ok(Some(project.name.to_string()));
    }
    let header = Header::read(kept.file().await?.files()).ok();
    Ok(header.and_then(|header| header.project).map(|name| name.to_string()))
}

fn with_fallen(message: &str, fallen: &str) -> String {
    if fallen.is_empty() { message.to_owned() } else { format!("{message}; out of force now: {fallen}") }
}

fn named(file: &BundleFile, project: ProjectId) -> String {
    let header = Header::read(file.files()).ok();
    header.and_then(|header| header.project).map_or_else(|| project.to_string(), |name| format!("`{name}`"))
}

async fn names(
    plane: &ControlPlane,
    history: &History,
    projects: &BTreeSet<ProjectId>,
) -> Result<String, Problem> {
    let mut names = Vec::new();
    for project in projects {
        let Some(of) = history.state.projects.get(project) else { continue };
        let file = plane.policies.file(of.bundle).await?;
        names.push(format!("{} ({})", named(&file, *project), of.bundle));
    }
    Ok(names.join(", "))
}
