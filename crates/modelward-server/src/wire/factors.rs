//! What people sign in with: passkeys, an authenticator app, recovery codes; and the sign-ins there were.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::account::Secret;

/// A challenge for a passkey, to be answered once and soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyOptions {
    /// `publicKey` is what `PublicKeyCredential.parseCreationOptionsFromJSON` or `…parseRequestOptionsFromJSON` takes
    /// (WebAuthn Level 3, section 5.1).
    #[schema(value_type = Object)]
    pub options: Value,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Signs in with a passkey: no name, no password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyLoginRequest {
    /// What `PublicKeyCredential.toJSON` gave.
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// Begins an enrolment with a passkey in the place of an authenticator app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolPasskeyBegin {
    pub code: Secret,
    /// Looked at before a device makes a passkey in vain.
    pub password: Secret,
}

/// Ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolPasskeyRequest {
    pub code: Secret,
    pub password: Secret,
    /// What its owner calls the passkey, 1 to 64 characters.
    #[schema(example = "laptop")]
    pub name: String,
    /// What `PublicKeyCredential.toJSON` gave.
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// A further passkey of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskeyRequest {
    /// What its owner calls it, 1 to 64 characters.
    #[schema(example = "blue key")]
    pub name: String,
    /// What `PublicKeyCredential.toJSON` gave.
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// What a person signs in with. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorsView {
    pub password: bool,
    /// Whether an authenticator app is set up.
    pub authenticator: bool,
    /// The oldest first.
    pub passkeys: Vec<PasskeyView>,
    pub recovery_codes_left: u32,
    /// Last change of password, authenticator app or recovery codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
    /// Whether passkeys can be made here: that takes a host with a name, not an address.
    pub passkeys_possible: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyView {
    /// Digest of the credential id.
    #[schema(example = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub id: String,
    pub name: String,
    #[schema(value_type = String, format = DateTime)]
    pub added_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Timestamp>,
    /// Whether it may be in several devices of its owner.
    pub synced: bool,
    /// Since when its counter tells that somebody copied it; it is not accepted any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub copied_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorsChanged {
    pub factors: FactorsView,
    pub revision: u64,
}

/// A secret for an authenticator app, which counts once a code of it was sent back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthenticatorOffered {
    /// `otpauth://totp/…`, RFC 6238 with SHA-1, six digits, 30 seconds.
    pub otpauth: Secret,
    /// The same secret in base 32, to type by hand.
    pub secret: Secret,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Proves the authenticator app that was offered a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthenticatorRequest {
    /// Six digits from the app.
    pub totp: Secret,
}

/// New recovery codes, in the place of all earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodesMade {
    /// Ten, of 120 random bits, each worth one sign-in in the place of the second factor. Shown once, stored hashed.
    pub recovery_codes: Vec<Secret>,
    pub revision: u64,
}

/// One attempt to sign in under one's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The network it came from.
    #[schema(example = "192.0.2.0/24")]
    pub source: String,
    /// `ok`, `passkey`, `recovery-code`, `refused`, or `passkey-copied`.
    pub outcome: String,
}
