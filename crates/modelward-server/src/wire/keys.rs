//! Keys by purpose. Secrets never leave the server; what is here is public.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// The key id that tokens and checkpoints carry.
    pub id: String,
    /// `access-token`, `control-token`, `checkpoint`, …
    pub purpose: String,
    pub algorithm: String,
    pub state: KeyState,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it stops verifying, for a key that was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retires_at: Option<Timestamp>,
    /// The public half, where verifiers need it: base64 of 32 bytes for Ed25519.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Signs and verifies.
    Active,
    /// Verifies until it retires.
    Retiring,
    /// Neither.
    Revoked,
}

/// Makes a new key of a purpose. The one before keeps verifying unless `now` is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateKeyRequest {
    /// The key before stops verifying at once, for example because it leaked.
    pub now: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyChanged {
    pub keys: Vec<KeyView>,
}
