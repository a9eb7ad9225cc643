//! Policy bundles: what is in force, what was proposed, and the steps between.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PolicyLine;

/// How far a bundle has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BundleStage {
    /// Kept; signatures are missing.
    Proposed,
    /// Signed as the bundle in force demands.
    Reviewed,
    /// Evaluated beside the bundle in force.
    Shadow,
    /// In force for a share of principals.
    Canary,
    /// In force.
    Active,
    /// The bundle of a project that was taken out of force.
    Suspended,
    /// Was in force before.
    Superseded,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleLine {
    /// `sha256:…` over the texts.
    pub digest: String,
    pub name: String,
    pub version: String,
    pub stage: BundleStage,
    /// The project it is for; absent for a root bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Who proposed it; absent for the one that came with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub proposed_at: Timestamp,
}

/// What governs now, and how it came to that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyStatus {
    /// The root bundle.
    pub active: BundleLine,
    /// The bundles of projects that permit beside it, and those that were suspended.
    #[serde(default)]
    pub projects: Vec<BundleLine>,
    /// What decides: the digest of all of them together, which decisions name.
    pub decides: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_trial: Option<TrialView>,
    /// Newest first.
    pub steps: Vec<PolicyStepView>,
    /// Whose signatures count on the next bundle.
    pub reviewers: Vec<ReviewerView>,
    pub revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrialView {
    pub bundle: BundleLine,
    /// Principals in a thousand it is obeyed for; absent while it is only compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_mille: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyStepView {
    pub step: u64,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    pub revision: u64,
    pub active: String,
    #[serde(default)]
    pub projects: Vec<ProjectStepView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_trial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_mille: Option<u16>,
}

/// The bundle of a project at one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectStepView {
    pub project: String,
    pub bundle: String,
    #[serde(default)]
    pub suspended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewerView {
    pub name: String,
    pub group: String,
    /// `name+keyid+base64` of Ed25519 keys.
    pub keys: Vec<String>,
    /// The projects whose bundles the reviewer signs; who names none signs every bundle.
    #[serde(default)]
    pub projects: Vec<String>,
}

/// One bundle in full, compared with what is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleView {
    pub bundle: BundleLine,
    pub files: Vec<BundleFileView>,
    pub signatures: Vec<BundleSignatureView>,
    /// What keeps it from coming into force; absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Rows of the permission matrix that differ from the bundle in force.
    pub matrix: Vec<String>,
    /// Its policies, then its rules of obligations, each in order of id.
    pub policies: Vec<PolicyLine>,
    /// The gate's report, in the form of `modelward policy check --json`.
    #[schema(value_type = Object)]
    pub gate: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleFileView {
    pub name: String,
    pub bytes: u64,
    /// `added`, `changed`, `removed` or `same`, against the bundle in force.
    pub change: FileChange,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    Same,
    Added,
    Changed,
    Removed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleSignatureView {
    pub reviewer: String,
    /// The group the reviewer signs for.
    pub role: String,
    /// Who wrote the bundle, as the reviewer says.
    pub author: String,
    /// The bundle in force that it follows.
    pub previous: String,
}

/// A bundle file, as `modelward policy build` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeRequest {
    /// The file's text: canonical JSON of format `modelward-bundle/1`.
    pub file: String,
}

/// A reviewer's signature over a bundle's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignBundleRequest {
    pub author: String,
    pub previous: String,
    pub reviewer: String,
    pub role: String,
    /// Base64 of 64 bytes.
    pub signature: String,
}

/// Puts a reviewed bundle on trial, or changes how far its trial reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    pub bundle: String,
    /// Principals in a thousand it is obeyed for; without it, it is only compared.
    #[serde(default)]
    pub per_mille: Option<u16>,
}

/// Brings a bundle into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateRequest {
    pub bundle: String,
    /// Of a root bundle: takes the bundles of projects out of force that have no proof about it. Without it the step is
    /// refused where there are any.
    #[serde(default)]
    pub suspend_projects: bool,
}

/// Goes back to a bundle that was in force, or takes one of a project out of force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    pub bundle: String,
}

/// A bundle as it stands after a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyChanged {
    pub bundle: BundleLine,
    pub revision: u64,
    /// What the step did, in one sentence.
    pub message: String,
}

/// The file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleText {
    pub digest: String,
    pub file: String,
}

/// Who may do what, why not, and how to ask for more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandbookText {
    pub markdown: String,
    /// One page that needs nothing else.
    pub html: String,
}

/// Tries recorded decisions under a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayRequest {
    /// How many of the newest decisions; 100 000 unless told, and at most.
    pub last: Option<u64>,
    /// No older than so many days; 30 unless told.
    pub days: Option<u32>,
    /// Goes on where a report ended, by its `next`.
    pub before: Option<u64>,
}

/// Tries recorded decisions under a bundle that nobody proposed. Nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayTextRequest {
    /// The file's text: canonical JSON of format `modelward-bundle/1`.
    pub file: String,
    #[serde(default)]
    pub last: Option<u64>,
    #[serde(default)]
    pub days: Option<u32>,
    #[serde(default)]
    pub before: Option<u64>,
}

impl ReplayRequest {
    pub const LAST_MAX: u64 = 100_000;
    /// How far back a change of policy is tried, unless told otherwise.
    pub const DAYS: u32 = 30;
}

/// What would have been decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayReport {
    pub bundle: String,
    pub replayed: u64,
    pub flips: u64,
    pub groups: Vec<FlipGroupView>,
    /// Where older decisions begin; absent where none are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl ReplayReport {
    /// Decisions named in one group.
    pub const EXAMPLES_MAX: usize = 20;
}

/// Decisions that flip for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlipGroupView {
    pub action: String,
    #[schema(value_type = String)]
    pub privilege: modelward_decision::vocabulary::Privilege,
    /// `looser`, `stricter` or `obligations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The policy that settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The bundle that policy stands in, where what was tried was put together from several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    pub count: u64,
    /// The first of them.
    pub examples: Vec<FlipView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlipView {
    #[schema(value_type = String)]
    pub decision: modelward_decision::vocabulary::DecisionId,
    pub principal: String,
    pub resource: String,
}
