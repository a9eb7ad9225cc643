//! Security events received from elsewhere, and the signals that stand.

use jiff::Timestamp;
use modelward_decision::vocabulary::{Name, Privilege};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A security event that was received, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceivedView {
    pub number: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The transmitter, as the configuration names it.
    pub transmitter: String,
    #[schema(example = "device-compliance-change")]
    pub event: String,
    /// Who of here it was about; empty where that is nobody.
    pub about: String,
    #[schema(value_type = String, format = DateTime)]
    pub happened_at: Timestamp,
    pub effect: String,
    /// What the transmitter says why.
    pub reason: String,
}

/// A signal that stands against somebody now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandingView {
    /// A person's name, `machine:` and a machine's, or the id of a session.
    pub about: String,
    /// A row of `signals.toml` of the policy bundle.
    #[schema(value_type = String, example = "device-compromised")]
    pub signal: Name,
    pub title: String,
    #[schema(value_type = String, format = DateTime)]
    pub raised_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// The transmitter that raised it.
    #[schema(value_type = String)]
    pub by: Name,
    pub responses: Vec<ResponseView>,
}

/// What a signal does to a privilege.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResponseView {
    #[schema(value_type = String)]
    pub privilege: Privilege,
    /// `throttle`, `step-up`, `suspend` or `cut`.
    pub response: String,
}

/// An issuer whose security events are believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransmitterView {
    #[schema(value_type = String)]
    pub name: Name,
    pub title: String,
    pub url: String,
    /// What `aud` of its events has to be.
    pub audience: String,
    /// Where it pushes events (RFC 8935).
    pub push_url: String,
    /// Whether events are fetched (RFC 8936).
    pub polled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub heard_at: Option<Timestamp>,
    /// Whether it has said nothing for longer than it may.
    pub silent: bool,
    /// Since when nothing of it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub distrusted_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftRequest {
    /// A person's name, `machine:` and a machine's, or the id of a session.
    pub about: String,
    #[schema(value_type = String)]
    pub signal: Name,
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignalLifted {
    pub lifted: u64,
    pub revision: u64,
}

/// Why a security event was not taken (RFC 8935 section 2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventRefused {
    /// `invalid_request`, `invalid_key`, `invalid_issuer`, `invalid_audience`, `authentication_failed` or `access_denied`.
    pub err: String,
    pub description: String,
}
