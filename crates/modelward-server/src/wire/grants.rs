//! Grants: who holds what, until when, by whose word.

use jiff::Timestamp;
use modelward_decision::grant::Conditions;
use modelward_decision::vocabulary::{GrantId, Privilege};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{PrincipalView, ResourceView};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantView {
    #[schema(value_type = String)]
    pub id: GrantId,
    pub grantee: PrincipalView,
    #[schema(value_type = String)]
    pub privilege: Privilege,
    pub scope: ResourceView,
    /// What narrows it; an absent member narrows nothing.
    #[schema(value_type = Object)]
    pub conditions: Conditions,
    /// The same in words: "production only, Mon–Fri 08:00–18:00 Europe/Berlin".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions_text: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    pub state: GrantState,
    pub origin: OriginView,
    /// Uses so far, where the grant counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// Given, but its start lies ahead.
    Pending,
    Live,
    Expired,
    Revoked,
}

impl GrantState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OriginView {
    /// `bootstrap` or `request`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PrincipalView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    pub approvals: u8,
}

/// Gives a grant directly, which only works within the limits of a young installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// `dana`, `machine:scorer` or `group:analysts`.
    #[schema(example = "group:analysts")]
    pub grantee: String,
    #[schema(value_type = String, example = "inference")]
    pub privilege: Privilege,
    /// `fraud`, `fraud/3`, `fraud@champion`, `endpoint:scoring`, `dataset:claims`, `project:risk`, `platform`.
    #[schema(example = "fraud/3")]
    pub scope: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    pub conditions: Conditions,
    /// Now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// Say what would happen, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Granted {
    pub grant: GrantView,
    /// Principals that gain by it: one, or the members of a group.
    pub gains: u64,
    pub dry_run: bool,
    /// The snapshot from which it counts; absent on a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// One sentence, kept in the ledger.
    #[serde(default)]
    pub reason: String,
    /// Say what it would end, and end nothing.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    pub grant: GrantView,
    pub effect: RevokeEffect,
    pub dry_run: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// From the commit to the moment every enforcement point here had it, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_enforce_ms: Option<f64>,
}

/// What a revocation ends, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RevokeEffect {
    /// Principals that lose the right under this grant.
    pub principals: u64,
    /// Of those, how many keep the privilege on the same scope through another grant.
    pub keep_by_other_grants: u64,
    /// Streams open under it right now.
    pub streams: u64,
}

/// Filters of the list of grants, as query parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrantFilter {
    /// `me` (default without `audit`) or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whose: Option<super::decisions::Whose>,
    /// `dana`, `machine:scorer` or `group:analysts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grantee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privilege: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Live and pending ones when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<GrantState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// 1 to 500, 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
