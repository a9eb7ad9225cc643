//! Decisions with their rationale, and their place in the ledger.

use jiff::Timestamp;
use modelward_decision::vocabulary::{Action, DecisionId, Field, GrantId, Privilege};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{FactView, PrincipalView, ResourceView};
use super::explain::SmallestView;
use super::ledger::LedgerPlace;

/// One line of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionLine {
    #[schema(value_type = String)]
    pub id: DecisionId,
    /// Ledger index.
    pub index: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Absent where the reader may not know, or the request came from nobody known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalView>,
    #[schema(value_type = String)]
    pub action: Action,
    #[schema(value_type = String)]
    pub privilege: Privilege,
    pub resource: ResourceView,
    pub environment: String,
    pub allowed: bool,
    pub outcome: String,
    pub sentence: String,
    /// How many requests this line stands for; more than one where a flood was aggregated.
    pub count: u64,
}

/// One decision in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    #[serde(flatten)]
    pub line: DecisionLine,
    /// What the action does, to follow "may".
    pub phrase: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    #[schema(value_type = Vec<String>)]
    pub covering: Vec<GrantId>,
    pub determining: Vec<PolicyView>,
    pub obligations: Vec<ObligationView>,
    #[schema(value_type = Vec<String>)]
    pub held_fields: Vec<Field>,
    pub remedies: Vec<RemedyView>,
    /// The smallest change that would have allowed it; absent where it was allowed, or its facts were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest: Option<SmallestView>,
    pub facts: Vec<FactView>,
    pub revision: u64,
    pub bundle: String,
    /// The bundles its determining policies stand in, where that one was put together from several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<String>,
    pub schema: String,
    /// What happened after it was allowed, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_entry: Option<OutcomeView>,
    /// Clause by clause; only with `explainOthers` or for one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceView>,
    pub ledger: LedgerPlace,
}

/// The second phase of an allowed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeView {
    pub index: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub text: String,
}

/// A policy as the rationale names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    pub id: String,
    pub title: String,
    pub owner: String,
    /// Its text, where the reader may see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bundle it stands in, where the bundle of the decision was put together from several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObligationView {
    /// `strip-fields`, `round`, `top-k`, `label-only`, `mask-columns`, `row-filter`, `minimum-cohort`, `answer-bytes`,
    /// `rate`, `step-up`, `watermark` or `notify`.
    pub kind: String,
    /// In words: "answers keep two decimals".
    pub text: String,
}

/// A change that would bring a denial nearer to an allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemedyView {
    /// `grant`, `wait`, `step-up`, `bound-credential`, `wider-credential`, `device`, `network`, `place`, `environment`,
    /// `purpose`, `without-fields`, `clearance` or `administrator`.
    pub kind: String,
    pub text: String,
    /// A command that does it or asks for it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Why, clause by clause: one candidate after another, each with the first clause that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceView {
    pub candidates: Vec<TraceCandidate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceCandidate {
    pub policy: PolicyView,
    /// `permit` or `forbid`.
    pub effect: String,
    /// The grant it was evaluated for, where for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    /// `satisfied`, `not-satisfied` or `error`.
    pub verdict: String,
    pub clauses: Vec<TraceClause>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceClause {
    /// The clause as written in the policy.
    pub text: String,
    /// `true`, `false`, `error` or `not-reached`.
    pub verdict: String,
    /// The values it read: `context.session.strength = 1`.
    pub values: Vec<String>,
}

/// Filters of the feed, as query parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionFilter {
    /// `me` (default without `audit`) or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whose: Option<Whose>,
    /// A person or machine by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privilege: Option<String>,
    /// A model, version, endpoint or dataset by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// `allow` or `deny`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Include what people do to their own account; left out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_account: Option<bool>,
    /// Go on below this ledger index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// 1 to 500, 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    Me,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Allow,
    Deny,
}
