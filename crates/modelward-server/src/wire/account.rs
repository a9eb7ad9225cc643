//! Oneself: enrolling, signing in, sessions, tokens.

use std::fmt;

use jiff::Timestamp;
use modelward_decision::vocabulary::{Action, ModelId, Name, PersonId, Privilege, SessionId};
use modelward_identity::token::TokenBinding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::PrincipalView;
use super::grants::GrantView;

/// A secret on the wire. Prints as dots; the text is reached by [`Secret::expose`] only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(••••)")
    }
}

/// Starts an enrolment with the code an administrator or `modelward init` gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// Typed, never part of an address. Works once, for 15 minutes; case, spaces and hyphens do not matter.
    pub code: Secret,
}

/// Who the code is for, and what an authenticator app needs. Asking again makes the secret before void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolStarted {
    /// What the person will sign in with.
    #[schema(value_type = String, example = "dana")]
    pub name: Name,
    #[schema(example = "Dana Osei")]
    pub display_name: String,
    /// `otpauth://totp/…`, RFC 6238 with SHA-1, six digits, 30 seconds.
    pub otpauth: Secret,
    /// The same secret in base 32, to type by hand.
    pub secret: Secret,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Ends the enrolment: sets the password and proves the authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolConfirmRequest {
    /// The same code again.
    pub code: Secret,
    /// Long rather than clever: no rules of composition, but none that everybody uses.
    pub password: Secret,
    /// Six digits from the authenticator app.
    pub totp: Secret,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    #[schema(value_type = String)]
    pub person: PersonId,
    #[schema(value_type = String)]
    pub name: Name,
    /// Ten, each worth one sign-in without the app. Shown once, stored hashed.
    pub recovery_codes: Vec<Secret>,
    /// Whether this was the first person of the installation, who holds `govern` and `audit`.
    pub first: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    #[schema(value_type = String)]
    pub name: Name,
    pub password: Secret,
    /// Six digits from the authenticator app, or else `recovery_code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<Secret>,
}

/// A session of the command line: the secret is sent as `Authorization: Bearer` from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoggedIn {
    /// Empty where a cookie carries it.
    pub session_secret: Secret,
    pub session: SessionView,
    pub person: PrincipalView,
    /// Recovery codes left, when one was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_codes_left: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    #[schema(value_type = String)]
    pub id: SessionId,
    /// Whether it is the one that asked.
    pub current: bool,
    /// 1 one factor, 2 two factors, 3 phishing-resistant.
    pub strength: u8,
    /// RFC 8176 method names, such as `pwd`, `otp`.
    pub methods: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    pub authenticated_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// When it ends unless used.
    #[schema(value_type = String, format = DateTime)]
    pub idle_until: Timestamp,
    /// When it ends in any case.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    pub user_agent: String,
    /// The network it was opened from, or nothing where that was not noted.
    #[serde(default)]
    #[schema(example = "192.0.2.0/24")]
    pub source: String,
    /// The issuer that vouched for it; absent where one signed in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    pub principal: PrincipalView,
    pub session: SessionView,
    pub clearance: String,
    /// Names of the groups one is in, directly or through others.
    pub groups: Vec<String>,
    /// Live grants one holds, directly or through a group, soonest end first.
    pub grants: Vec<GrantView>,
    /// The installation still grants directly; see `GET /grants`.
    pub bootstrap: BootstrapView,
    pub revision: u64,
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
}

/// Whether grants can still be given without a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootstrapView {
    pub open: bool,
    /// What it means, in one sentence.
    pub sentence: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoggedOut {
    #[schema(value_type = String)]
    pub session: SessionId,
    /// Where one also signs out at the issuer the session came from; open it in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_sign_out_url: Option<String>,
}

/// RFC 8693 section 2.1, as `application/x-www-form-urlencoded`. The subject token is a session secret, an access token, or
/// a token by which a workload proves itself: of a Kubernetes service account, a SPIFFE trust domain, a CI system.
///
/// With a `DPoP` header, the token is bound to the key of its proof; without one but over a connection with a client
/// certificate, to that (RFC 8705). Above `inference` it has to be bound.
///
/// With `grant_type=refresh_token` (RFC 6749 section 6) a refresh handle stands in the place of the subject token. It comes
/// out of an exchange that asks for one, and each use answers with the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// `urn:ietf:params:oauth:grant-type:token-exchange` or `refresh_token`
    pub grant_type: String,
    /// Of an exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_token: Option<Secret>,
    /// `urn:modelward:params:oauth:token-type:session` or `urn:ietf:params:oauth:token-type:access_token`, or
    /// `urn:ietf:params:oauth:token-type:jwt` for a workload. A bound token is taken from whoever proves the key it is
    /// bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_token_type: Option<String>,
    /// The refresh handle, with `grant_type=refresh_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// Somebody who is to act for the subject: their own session secret or access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_token: Option<Secret>,
    /// As `subject_token_type`; there if and only if `actor_token` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_token_type: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token`, the default, or `urn:ietf:params:oauth:token-type:refresh_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_token_type: Option<String>,
    /// Privileges, separated by spaces; when absent `inference`, or all that a refresh handle is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "read-only inference")]
    pub scope: Option<String>,
    /// The gateway (default) or the control API, by its URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Model names, separated by spaces; every model one has rights on when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "fraud churn")]
    pub models: Option<String>,
    /// In the place of `scope` and `models`: RFC 9396 section 2, a list of exactly one [`AuthorizationDetail`], as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = r#"[{"type":"modelward","privileges":["inference"],"models":["fraud"]}]"#)]
    pub authorization_details: Option<String>,
}

/// What a token is to be for (RFC 9396 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationDetail {
    /// `modelward`
    #[serde(rename = "type")]
    pub kind: String,
    /// Privileges, whole. There if and only if `actions` is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub privileges: Option<Vec<Privilege>>,
    /// Single actions, such as `predict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub actions: Option<Vec<Action>>,
    /// Model names; every model one has rights on when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
}

/// RFC 7662 section 2.1, as `application/x-www-form-urlencoded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntrospectRequest {
    pub token: Secret,
    /// `access_token`, the only kind there is to ask about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
}

/// RFC 7662 section 2.2. Of a token that does not count, or that the caller may not know of, `active` alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Introspection {
    pub active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Privileges, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Models it is good for; empty means every model its holder has rights on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Single actions it is good for; absent means all of its privileges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub actions: Vec<Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// What it is bound to: `jkt` or `x5t#S256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub cnf: Option<TokenBinding>,
    /// Who acts for `sub`, the current one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<String>,
}

impl TokenRequest {
    pub const GRANT_TYPE: &'static str = "urn:ietf:params:oauth:grant-type:token-exchange";
    pub const SUBJECT_SESSION: &'static str = "urn:modelward:params:oauth:token-type:session";
    /// RFC 8693 section 3.
    pub const SUBJECT_WORKLOAD: &'static str = "urn:ietf:params:oauth:token-type:jwt";
    pub const ACCESS_TOKEN: &'static str = "urn:ietf:params:oauth:token-type:access_token";
    pub const REFRESH_TOKEN: &'static str = "urn:ietf:params:oauth:token-type:refresh_token";
    /// The other `grant_type`.
    pub const REFRESH: &'static str = "refresh_token";
}

/// RFC 8693 section 2.2.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenResponse {
    /// The token, or the refresh handle if one was asked for.
    pub access_token: Secret,
    pub issued_token_type: String,
    /// `DPoP` for a token bound to a key, `Bearer` for others, `N_A` for a refresh handle.
    pub token_type: String,
    /// Seconds.
    pub expires_in: u64,
    /// What was given, which can be less than what was asked.
    pub scope: String,
    #[schema(value_type = Vec<String>)]
    pub privileges: Vec<Privilege>,
    /// The models it is good for; empty means every model one has rights on.
    #[schema(value_type = Vec<String>)]
    pub models: Vec<ModelId>,
    /// Single actions it is good for; absent means all of its privileges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub actions: Vec<Action>,
    /// The next refresh handle, in the place of the one that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
}

/// RFC 7009 section 2.1, as `application/x-www-form-urlencoded`. Whoever has a token may end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeTokenRequest {
    /// An access token, or a refresh handle: then everything that follows from it ends.
    pub token: Secret,
    /// `access_token` or `refresh_token`. What the token is can be seen without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
}

/// RFC 7009 section 2.2: nothing is said, also of a token that never was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TokenRevoked {}

/// An administrator invites a person: the answer holds the code, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// The name the code is good for.
    #[schema(value_type = String)]
    pub name: Name,
    /// How people call them; the name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Dana Osei")]
    pub display_name: Option<String>,
    /// Groups the person joins.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<Name>,
    /// `public`, `internal` (default), `confidential` or `restricted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub clearance: Option<modelward_decision::vocabulary::Classification>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invited {
    /// To hand over in person or by a channel that proves who reads it.
    pub code: Secret,
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// How many sessions and credentials something ended, or would end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionsEnded {
    pub sessions: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let login = LoginRequest {
            name: Name::new("dana").unwrap(),
            password: Secret::new("correct horse battery"),
            totp: Some(Secret::new("123456")),
            recovery_code: None,
        };
        let shown = format!("{login:?}");
        assert!(!shown.contains("correct") && !shown.contains("123456"), "{shown}");
    }

    #[test]
    fn a_member_nobody_knows_is_rejected() {
        let body = r#"{"name":"dana","password":"x","totp":"1","remember_me":true}"#;
        assert!(serde_json::from_str::<LoginRequest>(body).is_err());
    }
}
