//! Project bundles: permits for one project, inside what the root bundle lets through.
//!
//! Here the form is checked: permits only, each bound to the project's own leaf. That they stay inside their envelope is a
//! matter of proof, and stands in the root bundle as [`ENVELOPE`].

use std::collections::BTreeMap;

use cedar_policy::{Effect, EntityUid, PolicySet, ResourceConstraint};
use modelward_decision::bundle::{FileKind, Kind, Place};
use modelward_decision::vocabulary::{Name, ProjectId};

use crate::parts::Header;
use crate::{Bundle, Finding};

/// What every project bundle must be implied by: permits that stand in the root bundle.
pub const ENVELOPE: &str = "invariants/envelope.cedar";

/// The root bundle with a project's permits added, checked as a whole.
///
/// Files of the project stand in it as `project.NAME.FILE`; findings name them as the project does.
pub fn compose(root: &Bundle, project: &BTreeMap<String, String>) -> Result<Bundle, Vec<Finding>> {
    let header = Header::read(project).map_err(|finding| vec![finding])?;
    let (Kind::Project, Some(name), Some(scope)) = (header.kind, &header.project, header.scope) else {
        return Err(vec![
            Finding::error("project", "this is no project bundle")
                .at(Place::start("bundle.toml"))
                .hint("write `kind = \"project\"`"),
        ]);
    };
    let findings = check(project, scope);
    if !findings.is_empty() {
        return Err(findings);
    }
    let mut sources = root.sources().clone();
    for (file, text) in project.iter().filter(|(file, _)| FileKind::of(file) == Some(FileKind::Policies)) {
        if sources.insert(composed(name, file), text.clone()).is_some() {
            let message = format!("the root bundle has permits of project `{name}` in a file of this name");
            return Err(vec![Finding::error("project", message).at(Place::start(file))]);
        }
    }
    Bundle::from_sources(sources).map_err(|error| {
        let mut finding = Finding::from(&error);
        if let Some(at) = &mut finding.at
            && let Some(own) = at.file.strip_prefix(&composed(name, ""))
        {
            at.file = own.to_owned();
        }
        vec![finding]
    })
}

fn composed(project: &Name, file: &str) -> String {
    format!("project.{project}.{file}")
}

/// What a project bundle must not hold.
fn check(files: &BTreeMap<String, String>, scope: ProjectId) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in files {
        match FileKind::of(file) {
            Some(FileKind::Manifest | FileKind::Scenario | FileKind::CedarTest | FileKind::Entitlements) => {}
            Some(FileKind::Policies) => findings.extend(check_policies(file, text, scope)),
            _ => findings.push(
                Finding::error("project", format!("a project bundle has no `{file}`"))
                    .at(Place::start(file))
                    .hint("that is the root bundle's to say"),
            ),
        }
    }
    findings
}

fn check_policies(file: &str, text: &str, scope: ProjectId) -> Vec<Finding> {
    // What does not parse is named, with its place, when the whole is put together.
    let Ok(set) = text.parse::<PolicySet>() else { return Vec::new() };
    let mut findings: Vec<Finding> =
        set.policies().filter_map(|policy| check_policy(file, text, policy, scope)).collect();
    findings.sort();
    findings
}

fn check_policy(file: &str, text: &str, policy: &cedar_policy::Policy, scope: ProjectId) -> Option<Finding> {
    let core: &cedar_policy_core::ast::Policy = policy.as_ref();
    let place =
        core.loc().map_or_else(|| Place::start(file), |loc| Place::new(file, text, loc.start()..loc.end()));
    let id = policy.annotation("id").unwrap_or("without an id");
    if policy.effect() == Effect::Forbid {
        return Some(
            Finding::error("project", format!("`{id}` forbids, and a project bundle only permits"))
                .at(place)
                .hint("guardrails stand in the root bundle"),
        );
    }
    let is_own_leaf = |uid: &EntityUid| {
        uid.type_name().to_string() == "Modelward::Scope" && uid.id().unescaped() == scope.to_string()
    };
    let bound = match policy.resource_constraint() {
        ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => is_own_leaf(&uid),
        ResourceConstraint::Any | ResourceConstraint::Eq(_) | ResourceConstraint::Is(_) => false,
    };
    (!bound).then(|| {
        Finding::error("project", format!("`{id}` is not bound to the project"))
            .at(place)
            .hint(format!("write `resource in Modelward::Scope::\"{scope}\"`"))
    })
}
