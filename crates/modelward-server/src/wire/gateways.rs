//! Gateways in processes of their own.

use jiff::Timestamp;
use modelward_decision::vocabulary::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Secret;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayView {
    pub id: String,
    #[schema(value_type = String)]
    pub name: Name,
    pub state: GatewayState,
    /// The revision in force there, as it last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// How many revisions that is behind the newest.
    pub behind: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub invited_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub enrolled_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayState {
    /// Nobody has typed its code yet.
    Invited,
    /// It was heard of in the last five seconds and is up to date.
    Current,
    /// It was not heard of for five seconds: it permits reading and predictions at most, and nothing after thirty.
    Stale,
    /// It has not taken over a change that was published five seconds ago: nothing is counted for it, and its
    /// heartbeats are not renewed.
    Fenced,
}

impl GatewayState {
    pub const ALL: [Self; 4] = [Self::Invited, Self::Current, Self::Stale, Self::Fenced];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Fenced => "fenced",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteGatewayRequest {
    /// How the gateway is called in lists.
    #[schema(value_type = String)]
    pub name: Name,
}

/// A code to be typed at the gateway, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayInvited {
    pub code: Secret,
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewaysChanged {
    pub gateways: Vec<GatewayView>,
}
