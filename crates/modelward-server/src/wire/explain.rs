//! What would allow a denied request, what somebody can do, and decisions made again.

use jiff::Timestamp;
use modelward_decision::grant::Conditions;
use modelward_decision::vocabulary::{Action, DecisionId, GrantId, Name, Privilege};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{PrincipalView, ResourceView};

/// The smallest change of facts that would allow a denied request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SmallestView {
    /// "It would be allowed with …", or that nothing one can change would allow it.
    pub sentence: String,
    /// The changes, all of which are needed; empty where none is known.
    pub changes: Vec<ChangeView>,
    /// A request to file as it is, once the reason is filled in; present where a grant or approvals are among the changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_request: Option<AccessRequestView>,
    /// The same as AuthZEN response context: `reason_user`, `reason_admin` for the privileged, `access_request`.
    #[schema(value_type = Object)]
    pub context: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// `without-fields`, `purpose`, `environment`, `step-up`, `binding`, `credential`, `network`, `place`, `device`, `wait`,
    /// `approvals`, `grant` or `risk`.
    pub kind: String,
    pub text: String,
}

/// A request for a grant that lacks nothing but its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessRequestView {
    pub grantee: String,
    #[schema(value_type = String)]
    pub privilege: Privilege,
    pub scope: String,
    #[schema(value_type = Object)]
    pub conditions: Conditions,
    /// How many approvals it takes.
    pub approvals: u8,
    pub duration_seconds: u32,
    /// To be filled in.
    pub reason: String,
}

/// "What may they do?"
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WhatCanRequest {
    /// `dana` or `machine:scorer`; oneself when absent. Asking about others needs `audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Only this action; every one that a grant reaches when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub environment: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub network: Option<Name>,
    /// Another moment than now, at most 400 days away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Go on after `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// 1 to 500, 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatCanAnswer {
    pub principal: PrincipalView,
    pub allowed: Vec<WhatCanRow>,
    /// How many combinations were decided for this page.
    pub considered: u64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    pub revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatCanRow {
    #[schema(value_type = String)]
    pub action: Action,
    #[schema(value_type = String)]
    pub privilege: Privilege,
    pub resource: ResourceView,
    pub environment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// A recorded decision made again, with the bundle and the facts of its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayView {
    #[schema(value_type = String)]
    pub decision: DecisionId,
    /// Outcome, determining policies, grant, obligations and sentence are the recorded ones, byte for byte.
    pub agrees: bool,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<DifferenceView>,
    pub revision: u64,
    pub bundle: String,
}

/// The first part in which they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferenceView {
    pub part: String,
    pub recorded: String,
    pub replayed: String,
}
