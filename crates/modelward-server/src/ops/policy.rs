//! Policy bundles: proposing, signing, trying out, activating, going back.
//!
//! Whatever a bundle does to people's rights, two others have seen it before: every step forward asks again for the
//! signatures that the bundle in force demands.

mod compare;
mod single;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use modelward_decision::vocabulary::{Action, Name, PrincipalRef, ProjectId, ResourceRef};
use modelward_decision::{Bundle, Reach, Snapshot};
use modelward_enforcement::Summary;
use modelward_governance::policy::{PolicyState, StepError};
use modelward_policy::difference::render;
use modelward_policy::handbook::{self, Material};
use modelward_policy::parts::Reviewers;
use modelward_policy::review::{Signature, check_signature, reviewers_of};
use modelward_policy::{BundleFile, Finding, SignatureError, check_signatures, gate};
use modelward_seal::Digest;
use modelward_store::StateChange;
use modelward_store::bundles::{BundleHead, PolicyStep};

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::judged::passed;
use crate::names;
use crate::ops::projects;
use crate::policies::Kept;
use crate::problem::{Problem, chain};
use crate::turn::Changed;
use crate::wire::{
    ActivateRequest, BundleFileView, BundleLine, BundleSignatureView, BundleStage, BundleText, BundleView,
    ErrorCode, FileChange, HandbookText, List, PolicyChanged, PolicyStatus, PolicyStepView, ProjectStepView,
    ProposeRequest, ReviewerView, SignBundleRequest, StepRequest, TrialRequest, TrialView,
};

pub(crate) use self::compare::compare;
pub(crate) use self::single::{effects, policy};

/// Bundles and steps shown.
const SHOWN: u32 = 200;
/// Changed rows of the matrix shown for one bundle.
const ROWS_SHOWN: usize = 500;

impl From<StepError> for Problem {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Share(_) => Self::malformed(error.to_string()),
            StepError::InForce(_)
            | StepError::OtherOnTrial(_)
            | StepError::NothingOnTrial
            | StepError::NotOfProject(_)
            | StepError::TooManyProjects => Self::new(ErrorCode::Conflict, error.to_string()),
        }
    }
}

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Self {
        Self::new(ErrorCode::Refused, error.to_string())
            .hint("`modelward policy show` says who may sign and who did")
    }
}

/// What was proposed and what governed, to tell how far a bundle has come.
pub(super) struct History {
    /// Newest first.
    pub(super) steps: Vec<PolicyStep>,
    pub(super) state: PolicyState,
    /// The root bundle.
    pub(super) active: Arc<Bundle>,
}

impl History {
    pub(super) async fn read(plane: &ControlPlane) -> Result<Self, Problem> {
        let steps = plane.store.policy_steps(SHOWN).await?;
        let state = state_of(&steps)?;
        let active = plane.policies.bundle(state.active).await?;
        Ok(Self { steps, state, active })
    }

    /// Whether the bundle was in force at some time.
    fn was_in_force(&self, digest: Digest) -> bool {
        self.steps.iter().any(|step| step.state.is_in_force(digest))
    }

    /// Only of a bundle that never governed anybody do the signatures say how far it has come.
    async fn stage(&self, kept: &Kept) -> Result<BundleStage, Problem> {
        let digest = kept.head.digest;
        let trial = self.state.on_trial.filter(|trial| trial.bundle == digest);
        Ok(match trial.map(|trial| trial.reach) {
            _ if self.state.is_in_force(digest) => BundleStage::Active,
            Some(Reach::Shadow) => BundleStage::Shadow,
            Some(Reach::Canary { .. }) => BundleStage::Canary,
            None if self.state.projects.values().any(|of| of.bundle == digest) => BundleStage::Suspended,
            None if self.was_in_force(digest) => BundleStage::Superseded,
            None if self.reviewed(kept.file().await?).is_ok() => BundleStage::Reviewed,
            None => BundleStage::Proposed,
        })
    }

    fn reviewed(&self, file: &BundleFile) -> Result<(), SignatureError> {
        check_signatures(file, &self.active, &Reviewers::default()).map(drop)
    }
}

fn state_of(steps: &[PolicyStep]) -> Result<PolicyState, Problem> {
    steps
        .first()
        .map(|step| step.state.clone())
        .ok_or_else(|| Problem::new(ErrorCode::Conflict, "no policy bundle is in force yet"))
}

async fn line(plane: &ControlPlane, history: &History, kept: &Kept) -> Result<BundleLine, Problem> {
    let head = &kept.head;
    Ok(BundleLine {
        digest: head.digest.to_string(),
        name: head.name.clone(),
        version: head.version.clone(),
        stage: history.stage(kept).await?,
        project: projects::named_of(plane, history, kept).await?,
        proposed_by: proposer(plane, kept),
        proposed_at: head.proposed_at,
    })
}

/// Absent for the bundle that came with the program.
fn proposer(plane: &ControlPlane, kept: &Kept) -> Option<String> {
    kept.head.proposed_by.map(|who| names::principal_view(&plane.snapshot(), who).name)
}

fn digest(text: &str) -> Result<Digest, Problem> {
    text.parse().map_err(|_| Problem::not_found("bundle", text))
}

/// What is in force, on trial and was before.
pub(crate) async fn state(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<PolicyStatus>, Problem> {
    let summary = Summary::default().with("what", "policy");
    let ((), pass) = plane.permit(caller, Action::ReadMatrix, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let history = History::read(plane).await?;
        let on_trial = match history.state.on_trial {
            Some(trial) => {
                let bundle = line(plane, &history, &plane.policies.kept(trial.bundle).await?).await?;
                Some(TrialView { bundle, per_mille: per_mille(trial.reach) })
            }
            None => None,
        };
        let mut projects = Vec::new();
        for of in history.state.projects.values() {
            projects.push(line(plane, &history, &plane.policies.kept(of.bundle).await?).await?);
        }
        let snapshot = plane.snapshot();
        Ok(PolicyStatus {
            active: line(plane, &history, &plane.policies.kept(history.state.active).await?).await?,
            projects,
            decides: snapshot.bundle().digest().to_string(),
            on_trial,
            steps: history.steps.iter().map(|step| step_view(&snapshot, step)).collect(),
            reviewers: reviewer_views(&history.active)?,
            revision: snapshot.revision(),
        })
    })
    .await
}

const fn per_mille(reach: Reach) -> Option<u16> {
    match reach {
        Reach::Shadow => None,
        Reach::Canary { per_mille } => Some(per_mille),
    }
}

fn step_view(snapshot: &Snapshot, step: &PolicyStep) -> PolicyStepView {
    let named = |project: ProjectId| {
        snapshot.project(project).map_or_else(|| project.to_string(), |known| known.name.to_string())
    };
    PolicyStepView {
        step: step.state.step,
        since: step.since,
        revision: step.revision,
        active: step.state.active.to_string(),
        projects: step
            .state
            .projects
            .iter()
            .map(|(project, of)| ProjectStepView {
                project: named(*project),
                bundle: of.bundle.to_string(),
                suspended: of.suspended,
            })
            .collect(),
        on_trial: step.state.on_trial.map(|trial| trial.bundle.to_string()),
        per_mille: step.state.on_trial.and_then(|trial| per_mille(trial.reach)),
    }
}

fn reviewer_views(active: &Bundle) -> Result<Vec<ReviewerView>, Problem> {
    let reviewers = reviewers_of(active, &Reviewers::default())
        .map_err(|error| Problem::internal("reading the reviewers of the bundle in force", &error))?;
    let view = |reviewer: &modelward_policy::parts::Reviewer| ReviewerView {
        name: reviewer.name.to_string(),
        group: reviewer.group.to_string(),
        keys: reviewer.keys.iter().map(ToString::to_string).collect(),
        projects: reviewer.projects.iter().map(ToString::to_string).collect(),
    };
    Ok(reviewers.iter().map(view).collect())
}

/// The bundles that were proposed last.
pub(crate) async fn list(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<BundleLine>>, Problem> {
    let summary = Summary::default().with("what", "bundles");
    let ((), pass) = plane.permit(caller, Action::ReadMatrix, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let history = History::read(plane).await?;
        let mut items = Vec::new();
        for kept in plane.policies.newest(SHOWN).await? {
            items.push(line(plane, &history, &kept).await?);
        }
        Ok(List { items, revision: plane.snapshot().revision() })
    })
    .await
}

/// One line about a bundle, for those who may try recorded decisions under it.
pub(crate) async fn head(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    which: &str,
) -> Result<Allowed<BundleLine>, Problem> {
    let summary = Summary::default().with("bundle", which).with("what", "replay");
    let ((), pass) = plane.permit(caller, Action::ReadDecisions, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let kept = plane.policies.kept(digest(which)?).await?;
        line(plane, &History::read(plane).await?, &kept).await
    })
    .await
}

/// One bundle in full.
pub(crate) async fn one(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    which: &str,
) -> Result<Allowed<BundleView>, Problem> {
    let summary = Summary::default().with("bundle", which);
    let (which, pass) = plane
        .permit(caller, Action::ReadConfiguration, ResourceRef::Platform, summary, which.to_owned())
        .await?;
    pass.carry_out(async {
        let digest = digest(&which)?;
        let history = History::read(plane).await?;
        let kept = plane.policies.kept(digest).await?;
        let file = kept.file().await?;
        let report = plane.policies.report(&history.active, file).await?;
        let bundle = line(plane, &history, &kept).await?;
        let before = projects::before(plane, &history, file).await?;
        Ok(BundleView {
            files: file_views(&before, file),
            signatures: signature_views(file),
            missing: missing(&history, bundle.stage, file),
            policies: single::lines(&*plane.policies.shown(&history.active, &kept).await?, digest, &report),
            matrix: render(&report.matrix).lines().take(ROWS_SHOWN).map(str::to_owned).collect(),
            gate: serde_json::to_value(&*report)
                .map_err(|error| Problem::internal("writing a report", &error))?,
            bundle,
        })
    })
    .await
}

/// Why a bundle cannot come into force as it stands.
fn missing(history: &History, stage: BundleStage, file: &BundleFile) -> Option<String> {
    if stage == BundleStage::Active || stage == BundleStage::Superseded {
        return None;
    }
    history.reviewed(file).err().map(|error| error.to_string())
}

fn file_views(before: &BTreeMap<String, String>, file: &BundleFile) -> Vec<BundleFileView> {
    let after = file.files();
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .map(|name| {
            let (old, new) = (before.get(name), after.get(name));
            let change = match (old, new) {
                (None, _) => FileChange::Added,
                (_, None) => FileChange::Removed,
                (Some(old), Some(new)) if old == new => FileChange::Same,
                (Some(_), Some(_)) => FileChange::Changed,
            };
            let bytes = new.or(old).map_or(0, String::len);
            BundleFileView { name: name.clone(), bytes: u64::try_from(bytes).unwrap_or(u64::MAX), change }
        })
        .collect()
}

fn signature_views(file: &BundleFile) -> Vec<BundleSignatureView> {
    file.signatures()
        .iter()
        .map(|signature| BundleSignatureView {
            reviewer: signature.reviewer.to_string(),
            role: signature.role.to_string(),
            author: signature.author.to_string(),
            previous: signature.previous.to_string(),
        })
        .collect()
}

/// The handbook of what is in force and exists now.
pub(crate) async fn handbook(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<HandbookText>, Problem> {
    let summary = Summary::default().with("what", "handbook");
    let ((), pass) = plane.permit(caller, Action::ReadMatrix, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let (snapshot, now) = (plane.snapshot(), plane.now());
        let write = move || {
            let bundle = Arc::clone(snapshot.bundle());
            let tests = gate::test_results(&bundle)?;
            let world = Some((&*snapshot, now));
            let document = handbook::write(Material { bundle: &bundle, world, tests: &tests })?;
            Ok(HandbookText { markdown: document.to_markdown(), html: document.to_html() })
        };
        let written = tokio::task::spawn_blocking(write).await;
        let written = written.map_err(|error| Problem::internal("writing the handbook", &error))?;
        written.map_err(|findings: Vec<Finding>| {
            let first = findings.first().map_or_else(String::new, |finding| finding.message.clone());
            Problem::new(ErrorCode::Internal, format!("the handbook cannot be written: {first}"))
        })
    })
    .await
}

/// The file of a bundle, for those who review it elsewhere.
pub(crate) async fn file(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    which: &str,
) -> Result<Allowed<BundleText>, Problem> {
    let summary = Summary::default().with("bundle", which).with("what", "file");
    let (which, pass) = plane
        .permit(caller, Action::ReadConfiguration, ResourceRef::Platform, summary, which.to_owned())
        .await?;
    pass.carry_out(async {
        let digest = digest(&which)?;
        let kept = plane.policies.kept(digest).await?;
        Ok(BundleText { digest: digest.to_string(), file: kept.text().await?.to_owned() })
    })
    .await
}

/// Takes in a bundle that passes the gate, with the verdicts and signatures it carries. Nothing changes for anybody by that.
pub(crate) async fn propose(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: ProposeRequest,
) -> Result<Allowed<PolicyChanged>, Problem> {
    let opened = BundleFile::open(request.file.as_bytes());
    let named = opened.as_ref().map_or_else(|_| "unreadable".to_owned(), |file| file.digest().to_string());
    let summary = Summary::default().with("bundle", named);
    let (opened, pass) =
        plane.permit(caller, Action::AuthorPolicy, ResourceRef::Platform, summary, opened).await?;
    pass.carry_out(async {
        let file = opened.map_err(|error| Problem::new(ErrorCode::Refused, chain(&error)))?;
        let history = History::read(plane).await?;
        projects::is_known(plane, &file)?;
        passed(&*plane.policies.report(&history.active, &file).await?)?;
        // As it would decide, with whatever is in force beside it.
        plane.policies.with(&history.state, file.clone()).await?;
        for signature in file.signatures() {
            check_signature(&file, &history.active, &Reviewers::default(), signature)?;
        }
        let proposer = Some(caller.who.principal());
        let kept = plane.policies.put(file.clone(), proposer, plane.now()).await?;
        let kept = join(&history, kept, file).await?;
        let BundleHead { digest, name, version, .. } = &kept.head;
        let lines = vec![format!("{name} {version} is {digest}")];
        note(plane, caller, "propose-bundle", lines, None).await?;
        changed(plane, &kept, told(&history, kept.file().await?)).await
    })
    .await
}

/// Adds a reviewer's signature, which must be the caller's own.
pub(crate) async fn sign(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    which: &str,
    request: SignBundleRequest,
) -> Result<Allowed<PolicyChanged>, Problem> {
    let summary = Summary::default().with("bundle", which);
    let (request, pass) =
        plane.permit(caller, Action::ApprovePolicy, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let digest = digest(which)?;
        let signature: Signature = serde_json::to_value(&request)
            .and_then(serde_json::from_value)
            .map_err(|error| Problem::malformed(error.to_string()))?;
        let own = own_name(plane, caller)?;
        if signature.reviewer != own {
            let message = format!("you are `{own}`, and the signature is `{}`'s", signature.reviewer);
            return Err(
                Problem::new(ErrorCode::Refused, message).hint("everybody hands in their own signature")
            );
        }
        let history = History::read(plane).await?;
        let kept = plane.policies.kept(digest).await?;
        if proposer(plane, &kept).is_some_and(|proposer| proposer != signature.author.as_str()) {
            let message = format!("the signature says that `{}` wrote the bundle", signature.author);
            return Err(Problem::new(ErrorCode::Refused, message)
                .hint("whoever proposed a bundle is its author; `modelward policy show` names them"));
        }
        check_signature(kept.file().await?, &history.active, &Reviewers::default(), &signature)?;
        let role = signature.role.clone();
        let kept = kept.signed(&[signature]).await?.ok_or_else(someone_else)?;
        note(plane, caller, "sign-bundle", vec![format!("{digest}, for {role}")], None).await?;
        changed(plane, &kept, told(&history, kept.file().await?)).await
    })
    .await
}

/// Adds what a proposed file carries to the one that is kept. Signatures cover verdicts, so those of a bundle that
/// somebody signed already stay what they are.
async fn join(history: &History, kept: Kept, proposed: BundleFile) -> Result<Kept, Problem> {
    let before = kept.file().await?;
    let joined = if before.verdicts() == proposed.verdicts() {
        kept.signed(proposed.signatures()).await?
    } else if proposed.verdicts().is_none() && proposed.signatures().is_empty() {
        return Ok(kept);
    } else if before.signatures().is_empty() && !history.was_in_force(kept.head.digest) {
        kept.replaced(proposed).await?
    } else {
        return Err(Problem::new(ErrorCode::Conflict, "this bundle is kept with other verdicts")
            .hint("what was signed stays as it is; raise `version` in `bundle.toml` to propose it anew"));
    };
    joined.ok_or_else(someone_else)
}

fn someone_else() -> Problem {
    Problem::new(ErrorCode::Conflict, "somebody else signed at this moment")
        .hint("hand the signature in again")
}

/// How far the signatures on a bundle have come.
fn told(history: &History, file: &BundleFile) -> String {
    match history.reviewed(file) {
        Ok(()) => "it has the signatures it needs".to_owned(),
        Err(missing) => format!("it is kept; {missing}"),
    }
}

fn own_name(plane: &ControlPlane, caller: &Caller) -> Result<Name, Problem> {
    match caller.who.principal() {
        PrincipalRef::Person(id) => plane.snapshot().person(id).map(|person| person.name.clone()),
        PrincipalRef::Machine(_) => None,
    }
    .ok_or_else(|| Problem::new(ErrorCode::Refused, "only a person signs a bundle"))
}

/// Puts a reviewed bundle on trial.
pub(crate) async fn try_out(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: TrialRequest,
) -> Result<Allowed<PolicyChanged>, Problem> {
    let summary = Summary::default().with("bundle", &request.bundle).with("what", "trial");
    let (request, pass) =
        plane.permit(caller, Action::ActivatePolicy, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let digest = digest(&request.bundle)?;
        let reach = match request.per_mille {
            None => Reach::Shadow,
            Some(per_mille) => Reach::Canary { per_mille },
        };
        let message = match reach {
            Reach::Shadow => "it is evaluated beside the bundle in force".to_owned(),
            Reach::Canary { per_mille } => format!("it is in force for {per_mille} principals in a thousand"),
        };
        let history = History::read(plane).await?;
        let next = history.state.clone().try_out(digest, reach)?;
        forward(plane, caller, "try-bundle", Step { history, digest, next, message }).await
    })
    .await
}

/// Ends the trial.
pub(crate) async fn end_trial(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<PolicyChanged>, Problem> {
    let summary = Summary::default().with("what", "end-trial");
    let ((), pass) = plane.permit(caller, Action::ActivatePolicy, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let state = History::read(plane).await?.state;
        let active = plane.policies.kept(state.active).await?;
        let next = state.end_trial()?;
        let lines = vec!["nothing is on trial any more".to_owned()];
        note(plane, caller, "end-trial", lines, Some(next)).await?;
        changed(plane, &active, "nothing is on trial any more").await
    })
    .await
}

/// Brings a reviewed bundle into force.
pub(crate) async fn activate(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: ActivateRequest,
) -> Result<Allowed<PolicyChanged>, Problem> {
    let summary = Summary::default().with("bundle", &request.bundle).with("what", "activate");
    let (request, pass) =
        plane.permit(caller, Action::ActivatePolicy, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let digest = digest(&request.bundle)?;
        let history = History::read(plane).await?;
        let (next, message) = projects::activated(plane, &history, digest, request.suspend_projects).await?;
        forward(plane, caller, "activate-bundle", Step { history, digest, next, message }).await
    })
    .await
}

/// Goes back to a bundle that was in force before. It was signed then, so nobody signs again.
pub(crate) async fn roll_back(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: StepRequest,
) -> Result<Allowed<PolicyChanged>, Problem> {
    let summary = Summary::default().with("bundle", &request.bundle).with("what", "roll-back");
    let (request, pass) =
        plane.permit(caller, Action::ActivatePolicy, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let digest = digest(&request.bundle)?;
        let history = History::read(plane).await?;
        if !history.was_in_force(digest) {
            return Err(Problem::new(ErrorCode::Refused, format!("{digest} was never in force")).hint(
                "only a bundle that was in force before can be gone back to; activate this one instead",
            ));
        }
        let (next, message) = projects::rolled_back(plane, &history, digest).await?;
        plane.policies.of(&next).await?;
        let kept = plane.policies.kept(digest).await?;
        let lines = vec![format!("back to {digest}"), message.clone()];
        note(plane, caller, "roll-back", lines, Some(next)).await?;
        changed(plane, &kept, message).await
    })
    .await
}

/// Takes the bundle of a project out of force. It only narrows, so nobody signs.
pub(crate) async fn suspend(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: StepRequest,
) -> Result<Allowed<PolicyChanged>, Problem> {
    let summary = Summary::default().with("bundle", &request.bundle).with("what", "suspend");
    let (request, pass) =
        plane.permit(caller, Action::ActivatePolicy, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let digest = digest(&request.bundle)?;
        let next = History::read(plane).await?.state.suspend(digest)?;
        plane.policies.of(&next).await?;
        let kept = plane.policies.kept(digest).await?;
        let lines = vec![format!("{digest} is out of force")];
        note(plane, caller, "suspend-bundle", lines, Some(next)).await?;
        changed(plane, &kept, "it is out of force, and permits nothing any more").await
    })
    .await
}

/// A step forward, worked out but not made.
struct Step {
    history: History,
    digest: Digest,
    next: PolicyState,
    message: String,
}

/// Makes a step that needs the signatures, checked against the very root bundle that is in force when it is made: a state
/// that moved meanwhile is refused by its number.
async fn forward(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    what: &'static str,
    step: Step,
) -> Result<PolicyChanged, Problem> {
    let Step { history, digest, next, message } = step;
    let kept = plane.policies.kept(digest).await?;
    let file = kept.file().await?;
    let reviewed = check_signatures(file, &history.active, &Reviewers::default())?;
    passed(&*plane.policies.report(&history.active, file).await?)?;
    // Nothing is committed that could not be brought into force.
    plane.policies.of(&next).await?;
    let signers: Vec<&str> = reviewed.reviewers().iter().map(Name::as_str).collect();
    let lines = vec![
        format!("{digest} after {}", history.state.active),
        format!("written by {}, signed by {}", reviewed.author(), signers.join(" and ")),
        message.clone(),
    ];
    note(plane, caller, what, lines, Some(next)).await?;
    changed(plane, &kept, message).await
}

/// Records a step in the ledger, and makes it where there is one to make.
async fn note(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    what: &'static str,
    lines: Vec<String>,
    next: Option<PolicyState>,
) -> Result<(), Problem> {
    let changes = next.map(StateChange::Policy).into_iter().collect();
    let changed = Changed { actor: Some(caller.who.principal()), what, lines, changes };
    plane.turn().await?.make(changed).await?;
    Ok(())
}

async fn changed(
    plane: &ControlPlane,
    kept: &Kept,
    message: impl Into<String>,
) -> Result<PolicyChanged, Problem> {
    let history = History::read(plane).await?;
    let bundle = line(plane, &history, kept).await?;
    Ok(PolicyChanged { bundle, revision: plane.snapshot().revision(), message: message.into() })
}
