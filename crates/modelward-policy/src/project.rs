//! Project bundles: permits for one project, inside what the root bundle lets through.
//!
//! Here the form is checked: permits only, each bound to the project's own leaf. That they stay inside their envelope is a
//! matter of proof, and stands in the root bundle as [`ENVELOPE`].

use std::collections::BTreeMap;

use cedar_policy::{Effect, EntityUid, PolicyId, PolicySet, ResourceConstraint, ValidationMode, Validator};
use modelward_decision::bundle::{Composition, FileKind, Kind, Place};
use modelward_decision::vocabulary::{Name, ProjectId};
use modelward_seal::Digest;

use crate::parts::Header;
use crate::{Bundle, Finding, claim};

/// What every project bundle must be implied by: permits that stand in the root bundle.
pub const ENVELOPE: &str = "invariants/envelope.cedar";
/// How many hops from principal or resource an envelope may look: as far as a policy.
const LEVEL: u32 = 2;

/// A project bundle's own texts under its digest.
#[derive(Debug, Clone, Copy)]
pub struct Project<'a> {
    pub digest: Digest,
    pub files: &'a BTreeMap<String, String>,
}

/// The root bundle with one project's permits added, checked as a whole. Findings name files as the project does.
pub fn compose(root: &Bundle, project: &BTreeMap<String, String>) -> Result<Bundle, Vec<Finding>> {
    let digest = Bundle::digest_of(project).map_err(|error| vec![Finding::from(&error)])?;
    compose_all(root, &[Project { digest, files: project }])
}

/// The root bundle with the permits of several projects added: what decides while all of them are in force. Without any it
/// is the root bundle itself.
///
/// Files of a project stand in it as `project.NAME.FILE`.
pub fn compose_all(root: &Bundle, projects: &[Project<'_>]) -> Result<Bundle, Vec<Finding>> {
    if projects.is_empty() {
        return Bundle::from_sources(root.sources().clone()).map_err(|error| vec![Finding::from(&error)]);
    }
    let Texts { sources, composition, names } = texts(root, projects)?;
    Bundle::composed(sources, composition).map_err(|error| {
        let finding = Finding::from(&error);
        vec![match names.as_slice() {
            [name] => own(name, finding),
            _ => finding,
        }]
    })
}

/// What a proof about a project with this root bundle is about; see [`claim::subject`].
pub fn subject(root: &Bundle, project: &BTreeMap<String, String>) -> Result<Digest, Vec<Finding>> {
    let texts = texts(root, &[Project { digest: Digest::ZERO, files: project }])?;
    claim::subject(&texts.sources).map_err(|error| vec![Finding::from(&error)])
}

/// The texts of a whole, and whose they are.
struct Texts {
    sources: BTreeMap<String, String>,
    composition: Composition,
    names: Vec<Name>,
}

fn texts(root: &Bundle, projects: &[Project<'_>]) -> Result<Texts, Vec<Finding>> {
    let mut sources = root.sources().clone();
    let mut composition = Composition { root: root.digest(), files: BTreeMap::new() };
    let mut names = Vec::new();
    for project in projects {
        let (name, scope) = bound(project.files)?;
        let findings = check(project.files, scope);
        if !findings.is_empty() {
            return Err(findings);
        }
        for (file, text) in policies_of(project.files) {
            let composed = composed(&name, file);
            composition.files.insert(composed.clone(), project.digest);
            if sources.insert(composed, text.clone()).is_some() {
                let message = format!("there are permits of project `{name}` in a file of this name already");
                return Err(vec![Finding::error("project", message).at(Place::start(file))]);
            }
        }
        names.push(name);
    }
    Ok(Texts { sources, composition, names })
}

/// A finding about the whole, with the file named as the project calls it.
pub(crate) fn own(project: &Name, mut finding: Finding) -> Finding {
    if let Some(at) = &mut finding.at
        && let Some(file) = at.file.strip_prefix(&composed(project, ""))
    {
        at.file = file.to_owned();
    }
    finding
}

/// The project a bundle is for: its name, and the leaf its permits are bound to.
pub fn bound(files: &BTreeMap<String, String>) -> Result<(Name, ProjectId), Vec<Finding>> {
    let header = Header::read(files).map_err(|finding| vec![finding])?;
    match (header.kind, header.project, header.scope) {
        (Kind::Project, Some(name), Some(scope)) => Ok((name, scope)),
        _ => Err(vec![
            Finding::error("project", "this is no project bundle")
                .at(Place::start("bundle.toml"))
                .hint("write `kind = \"project\"`"),
        ]),
    }
}

/// The policies of a project by their own ids, for a proof about them alone.
pub fn permits(files: &BTreeMap<String, String>) -> Result<PolicySet, Finding> {
    let texts = policies_of(files).map(|(file, text)| (file.as_str(), text.as_str()));
    by_id(texts)
}

/// What the root bundle lets projects permit at most.
pub fn envelope(root: &Bundle) -> Result<PolicySet, Finding> {
    let Some(text) = root.sources().get(ENVELOPE) else {
        let message = format!("the root bundle has no `{ENVELOPE}`, so it lets no project permit anything");
        return Err(Finding::error("envelope", message));
    };
    let wrong = |message: String| Finding::error("envelope", message).at(Place::start(ENVELOPE));
    let set = by_id([(ENVELOPE, text.as_str())])?;
    if set.policies().any(|policy| policy.effect() == Effect::Forbid) {
        return Err(wrong("an envelope says what may be permitted at most, and forbids nothing".to_owned()));
    }
    let valid =
        Validator::new(root.schema().clone()).validate_with_level(&set, ValidationMode::Strict, LEVEL);
    match valid.validation_errors().map(ToString::to_string).min() {
        Some(message) => Err(wrong(format!("the envelope is not valid: {message}"))),
        None => Ok(set),
    }
}

fn by_id<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<PolicySet, Finding> {
    let mut set = PolicySet::new();
    for (file, text) in texts {
        let wrong = |message: String| Finding::error("project", message).at(Place::start(file));
        let parsed: PolicySet = text.parse().map_err(|error| wrong(format!("{error}")))?;
        if parsed.templates().next().is_some() {
            return Err(wrong("templates are not supported; write the policy out".to_owned()));
        }
        for policy in parsed.policies() {
            let id = policy.annotation("id").ok_or_else(|| wrong("a policy lacks `@id`".to_owned()))?;
            set.add(policy.new_id(PolicyId::new(id))).map_err(|error| wrong(format!("{error}")))?;
        }
    }
    Ok(set)
}

fn policies_of(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    files.iter().filter(|(file, _)| FileKind::of(file) == Some(FileKind::Policies))
}

/// How the whole calls a file of a project.
pub(crate) fn composed(project: &Name, file: &str) -> String {
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
