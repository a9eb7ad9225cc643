//! Who may do what: names of things, "can", "who can", the matrix.

use std::collections::BTreeMap;

use jiff::Timestamp;
use modelward_decision::vocabulary::{Action, DecisionId, Field, GrantId, Name, Privilege};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::decisions::{ObligationView, PolicyView, RemedyView, TraceView};
use super::explain::SmallestView;

/// A person, machine or group, by kind, id and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct PrincipalView {
    /// `person`, `machine` or `group`.
    pub kind: String,
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// A thing, by kind, id and the name people use: `fraud`, `fraud/3`, `fraud@champion`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct ResourceView {
    /// `platform`, `project`, `model`, `version`, `alias`, `endpoint` or `dataset`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
}

/// "Would this be allowed?" Nothing is done but the question itself is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CanRequest {
    /// `dana` or `machine:scorer`; oneself when absent. Asking about others needs `audit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// An action (`downloadWeights`) or words that name one (`download weights`).
    #[schema(example = "download weights")]
    pub action: String,
    /// `fraud`, `fraud/3`, `fraud@champion`, `endpoint:scoring`, `dataset:claims`, `project:risk`, `platform`.
    #[schema(example = "fraud/3")]
    pub resource: String,
    /// The environment; where none is named, the only one that serves the resource, or else `control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub environment: Option<Name>,
    /// The network segment; `unknown` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub network: Option<Name>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub fields: Vec<Field>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub purpose: Option<Name>,
    /// Another moment than now, at most 400 days away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// 1 one factor, 2 two factors (default), 3 phishing-resistant: what the sign-in would be worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<u8>,
    /// As from a managed, compliant device.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub managed_device: bool,
    /// As with a credential that is bound to its holder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CanAnswer {
    pub allowed: bool,
    /// `permitted`, `forbidden`, `not-permitted`, `error-closed` or `obligation-unmet`.
    pub outcome: String,
    /// The answer in words, addressed to whoever would ask.
    pub sentence: String,
    /// The question as it was understood.
    pub question: Question,
    pub facts: Vec<FactView>,
    pub remedies: Vec<RemedyView>,
    /// The smallest change that would allow it; absent where it is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest: Option<SmallestView>,
    pub obligations: Vec<ObligationView>,
    /// Sensitive fields that would be shown, of those asked for.
    #[schema(value_type = Vec<String>)]
    pub held_fields: Vec<Field>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    /// Only for whoever may know: `explainOthers`, or the question is about oneself.
    pub determining: Vec<PolicyView>,
    /// The bundle that decides for this principal at that moment: the one in force, or one on trial for a share.
    pub bundle: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceView>,
    /// The decision about the asking itself.
    #[schema(value_type = String)]
    pub decision: DecisionId,
    pub revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    pub principal: PrincipalView,
    #[schema(value_type = String)]
    pub action: Action,
    #[schema(value_type = String)]
    pub privilege: Privilege,
    pub phrase: String,
    pub resource: ResourceView,
    pub environment: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// One fact a decision used: what, from whom, since when, how sure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactView {
    #[schema(example = "network")]
    pub name: String,
    pub value: String,
    /// `socket`, `credential`, `trusted-proxy`, `operator`, `signal`, `caller`, `default` or `snapshot`.
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub observed_at: Option<Timestamp>,
    /// `none`, `claimed`, `managed` or `proved`.
    pub confidence: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhoCanRequest {
    pub action: String,
    pub resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub environment: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub network: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Go on after `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// 1 to 500, 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoCanAnswer {
    #[schema(value_type = String)]
    pub action: Action,
    pub resource: ResourceView,
    pub environment: String,
    /// Principals that would be allowed, with the grant that makes it so.
    pub allowed: Vec<WhoCanRow>,
    /// How many principals with a grant that could count were decided about.
    pub considered: u64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    pub revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoCanRow {
    pub principal: PrincipalView,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    pub obligations: Vec<ObligationView>,
}

/// Who holds which privilege where. A cell that is absent is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixView {
    pub environment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub columns: Vec<ResourceView>,
    pub rows: Vec<MatrixRow>,
    /// Rows in all, when only a page of them is here.
    pub total_rows: u64,
    pub revision: u64,
    pub bundle: String,
    pub complete_to: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixRow {
    pub principal: PrincipalView,
    /// Resource name to marks.
    pub cells: BTreeMap<String, Vec<MatrixMark>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixMark {
    #[schema(value_type = String)]
    pub privilege: Privilege,
    /// `R`, `I`, `S`, …
    pub letter: char,
    pub state: MarkState,
    /// What is missing, or what narrows it, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MarkState {
    /// Allowed as things are.
    Allow,
    /// Would be allowed with something named in `note`.
    Needs,
    /// A grant exists, a guardrail forbids.
    Deny,
}

/// What the matrix shows, as query parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MatrixQuery {
    /// The production environment when absent, or else the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<MatrixRows>,
    /// Only this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// From this row on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// Rows on a page: 1 to 500, 50 when absent; an export without it holds every row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MatrixRows {
    People,
    Groups,
    Machines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Json,
    Csv,
    Text,
}
