//! One policy of a bundle: its text, what tests have seen of each of its clauses, and what it settled of late.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BundleLine, DecisionLine};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyEffect {
    Permit,
    Forbid,
    /// It grants nothing: it says what enforcement must do.
    Obligation,
}

/// A policy in the list of its bundle's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyLine {
    pub id: String,
    pub title: String,
    pub owner: String,
    pub effect: PolicyEffect,
    pub at: PlaceView,
    /// Values of clauses that tests have to see: two to each clause, and for a policy without any, that it applies.
    pub halves: u64,
    pub seen: u64,
}

/// Where something stands in a file of the bundle. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlaceView {
    pub file: String,
    pub line: u64,
    pub column: u64,
}

/// One policy of a bundle in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyInFull {
    pub bundle: BundleLine,
    pub policy: PolicyLine,
    /// What the caller reads where it denies.
    pub reason: String,
    /// As its author wrote it; it begins where `policy.at` says.
    pub text: String,
    /// In the order they are looked at.
    pub clauses: Vec<ClauseCoverageView>,
}

/// One clause, and what the bundle's tests have seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClauseCoverageView {
    pub text: String,
    pub at: PlaceView,
    pub seen_true: SeenView,
    pub seen_false: SeenView,
}

/// Where one value of a clause was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SeenView {
    pub scenarios: u64,
    /// The titles of the first ten.
    pub titles: Vec<String>,
    /// Why the bundle does not ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excuse: Option<String>,
}

/// What a policy settled of late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyEffects {
    pub bundle: String,
    pub policy: String,
    /// Newest entries of the ledger that were looked at.
    pub looked_at: u64,
    /// When the oldest of them was made; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Decisions among them under this bundle that the policy settled, alone or with others.
    pub allowed: u64,
    pub denied: u64,
    /// The newest of those, at most [`Self::RECENT_MAX`].
    pub recent: Vec<DecisionLine>,
    /// Entries of the ledger that were complete when this was read.
    pub complete_to: u64,
}

impl PolicyEffects {
    pub const RECENT_MAX: usize = 20;
}
