//! Issuers of elsewhere, signing in through them, and who their people are here.

use jiff::Timestamp;
use modelward_decision::vocabulary::{Name, Privilege};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Secret;

/// How one can sign in here besides name and password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInOptions {
    pub issuers: Vec<SignInOption>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInOption {
    #[schema(value_type = String, example = "corporate")]
    pub name: Name,
    pub title: String,
    /// The issuer identifier; its discovery document lies below.
    #[schema(example = "https://id.example.org")]
    pub url: String,
    /// Whether the console signs people in through it.
    pub console: bool,
    /// The public client the command line uses there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli_client_id: Option<String>,
    pub scopes: Vec<String>,
}

/// Signs in with an ID token that a program of the person's own got from the issuer, for the client named in
/// [`SignInOption`]. A token counts once, and only for ten minutes after it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerLoginRequest {
    #[schema(value_type = String)]
    pub issuer: Name,
    pub id_token: Secret,
    /// The nonce of the request the token answers, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// A notice that somebody signed out at the issuer, as `application/x-www-form-urlencoded` (OpenID Connect Back-Channel
/// Logout 1.0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogoutNoticeRequest {
    pub logout_token: Secret,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogoutNoticed {
    pub sessions: u64,
}

/// An issuer of elsewhere, and how far it is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuerView {
    #[schema(value_type = String)]
    pub name: Name,
    pub title: String,
    pub url: String,
    /// Since when nothing of it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub distrusted_at: Option<Timestamp>,
    pub console: bool,
    pub cli: bool,
    /// What a session of its people and workloads can be used for at most.
    #[schema(value_type = Vec<String>)]
    pub privileges: Vec<Privilege>,
    /// Groups of ours can come from it only under this prefix; none at all where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_prefix: Option<String>,
    /// What its `acr` values are worth, such as `phr=phr`.
    pub acr: Vec<String>,
    pub algorithms: Vec<String>,
    /// Ids of the keys that verify its tokens now.
    pub keys: Vec<String>,
    /// When the keys were last fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub keys_seen_at: Option<Timestamp>,
    pub mappings: Vec<GroupMappingView>,
    pub workloads: Vec<WorkloadView>,
    /// Sessions that rest on it now, counted to 1000.
    pub sessions: u64,
}

/// One line of `groups.toml` of the policy bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupMappingView {
    /// As the issuer calls it.
    pub external: String,
    #[schema(value_type = String)]
    pub group: Name,
    /// Whether the tier of the issuer lets it through, and the group exists.
    pub counts: bool,
}

/// Tokens of an issuer that stand for a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadView {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub machine: Name,
    /// `CLAIM=PATTERN`; all of them have to match.
    pub claims: Vec<String>,
    pub audience: String,
    pub life_max_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuerChanged {
    pub issuer: IssuerView,
    pub sessions_ended: u64,
    pub revision: u64,
}

/// Who somebody is at an issuer: these two texts, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityRequest {
    /// The issuer, by its name here; to take away one of an issuer that is no longer configured, by its URL.
    pub issuer: String,
    /// `sub`, as the issuer says it.
    pub subject: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityView {
    /// The issuer's name here; its URL where the configuration no longer names it.
    pub issuer: String,
    pub subject: String,
    #[schema(value_type = String, format = DateTime)]
    pub linked_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentitiesChanged {
    pub identities: Vec<IdentityView>,
    pub sessions_ended: u64,
    pub revision: u64,
}

/// Somebody who proved who they are at an issuer and is nobody here yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StrangerView {
    pub issuer: String,
    pub subject: String,
    /// What the issuer calls them. It identifies nobody.
    pub name: String,
    pub email: String,
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
}
