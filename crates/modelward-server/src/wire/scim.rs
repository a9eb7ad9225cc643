//! Provisioning clients, which say over SCIM who comes and who goes.

use jiff::Timestamp;
use modelward_decision::vocabulary::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Secret;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScimClientRequest {
    /// How the client is called in lists.
    #[schema(value_type = String, example = "okta")]
    pub name: Name,
    /// The issuer its people sign in through, as the configuration calls it.
    #[schema(value_type = String, example = "corporate")]
    pub issuer: Name,
    /// Which attribute of a user is their `sub` at the issuer; `external-id` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<ScimSubject>,
    /// How long its secret counts, 1 to 180 days; 90 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// More people than this ended within ten minutes pause it; 10 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_above: Option<u32>,
    /// So does a greater share of its people, in percent, from the fourth on; 10 unless said otherwise, 100 is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_above_percent: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScimSubject {
    /// `externalId`.
    #[default]
    ExternalId,
    /// `userName`.
    UserName,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScimSecretRequest {
    /// How long the new secret counts, 1 to 180 days; 90 unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// The secret before ends now instead of after a day.
    pub at_once: bool,
}

/// A secret to be given to the client. It is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScimClientMade {
    /// Where the client sends its requests.
    #[schema(example = "https://modelward.example.org/scim/v2")]
    pub address: String,
    /// A bearer token for that address and no other.
    pub secret: Secret,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    pub client: ScimClientView,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScimClientView {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub issuer: Name,
    pub subject: ScimSubject,
    pub state: ScimState,
    /// Users and groups it speaks of.
    pub people: u64,
    pub groups: u64,
    /// When each of its secrets ends, the newest first; two at most.
    #[schema(value_type = Vec<String>)]
    pub secrets_end_at: Vec<Timestamp>,
    pub made_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// When it was last heard of, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
    /// When it last changed anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
    /// Since when its breaker stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paused_at: Option<Timestamp>,
    /// Until when its breaker counts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub passes_until: Option<Timestamp>,
    /// People it ended in the last ten minutes.
    pub ended_lately: u64,
    pub pause_above: u32,
    pub pause_above_percent: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScimState {
    Active,
    /// It ended too many people: nothing it wants to change is taken until somebody lets it go on.
    Paused,
    /// None of its secrets counts any more.
    Expired,
}

impl ScimState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Expired => "expired",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScimClientChanged {
    pub clients: Vec<ScimClientView>,
}
