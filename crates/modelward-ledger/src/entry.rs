//! The entry format, version 1: what one leaf of the log says. Frozen: see `docs/reference/ledger-entry.md`.
//!
//! An entry is canonical JSON of at most [`ENTRY_BYTES_MAX`] bytes, without floats, so that an auditor can read
//! leaves with ordinary tools and re-serialize them bit by bit. It names principals by pseudonym only; the facts
//! a decision was made on stand in it encrypted under a key that can be erased, beside their digest.

#[cfg(feature = "write")]
mod bounds;
#[cfg(feature = "write")]
mod draft;
#[cfg(feature = "write")]
mod seal;

use std::collections::BTreeMap;

use modelward_seal::Digest;
use modelward_seal::canonical::{self, Limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "write")]
pub use draft::{DraftError, EntryDraft};
#[cfg(feature = "write")]
pub(crate) use seal::{Mark, Sealed, Sealer};

pub const FORMAT_VERSION: u8 = 1;
pub const ENTRY_BYTES_MAX: usize = 16 * 1024;

/// One entry of the log. Fields stand in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The run of the process that wrote it.
    pub boot: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ReleaseClass>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Verdict>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, Value>,
    /// The policies that determined the decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub determining: Vec<String>,
    /// Makes appending a state change idempotent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// The evaluation, event or run that this is about; not unique: an outcome has the id of its intent.
    pub id: String,
    /// The intent that an outcome or an indeterminate entry answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<IntentRef>,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mono: Option<u64>,
    pub node: String,
    /// Sixteen random bytes, so that a leaf hash tells nothing about a guessable entry.
    pub nonce: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<Value>,
    /// `permitted`, `forbidden`, `not-permitted`, `error-closed`, `obligation-unmet`, or how a call ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Revision of the snapshot that was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Microseconds since the Unix epoch.
    pub t: i64,
    /// Fields that were cut to fit, with the digest of what they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub truncated: BTreeMap<String, Digest>,
    pub v: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Decision,
    /// How a permitted operation ended.
    Outcome,
    /// An intent whose outcome nobody will ever report: the process died in between.
    Indeterminate,
    /// Denials of one source in one window, counted.
    DenialAggregate,
    StateChange,
    KeyEvent,
    /// What a start found after an unclean end.
    Recovery,
    Start,
    Stop,
    /// Bytes that no parser accepted as a request.
    RejectedRequest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Deny,
    Error,
}

/// When an operation may be let out, relative to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReleaseClass {
    /// Durable before anything is forwarded.
    R0,
    /// Queued before forwarding, durable before any answer.
    R1,
    /// A denial: durable soon, aggregated under flood.
    R2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// An outcome entry will follow; if it does not, recovery says so.
    Intent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedFacts>,
}

/// XChaCha20-Poly1305 with the log's origin and the facts' digest as associated data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedFacts {
    /// Base64 (URL alphabet, no padding), as is `nonce`.
    pub ct: String,
    pub key_id: String,
    pub nonce: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentRef {
    pub id: String,
    pub index: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    pub bundle: Digest,
    pub schema: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalEntry {
    pub kind: SubjectKind,
    /// HMAC-SHA256 of the subject under the log's pseudonym key, in hexadecimal.
    #[serde(rename = "ref")]
    pub pseudonym: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    Human,
    Service,
    Agent,
    /// Nobody who proved an identity.
    Anonymous,
    /// Modelward itself.
    System,
}

/// What was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Resource {
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into(), digest: None, version: None }
    }
}

/// Why bytes are not an entry of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("the bytes are not strict JSON")]
    Json(#[from] canonical::ParseError),
    #[error("the JSON is not an entry: {0}")]
    Shape(String),
    #[error("the entry has format version {0}")]
    Version(u8),
    #[error("the bytes are not the entry's canonical form")]
    NotCanonical,
}

impl Entry {
    /// Reads an entry and makes sure that its bytes are the only ones it could have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        let limits = Limits { bytes: ENTRY_BYTES_MAX, depth: 16, values: 4096 };
        let value = canonical::parse_strict(bytes, limits)?;
        let entry: Self =
            serde_json::from_value(value).map_err(|error| EntryError::Shape(error.to_string()))?;
        if entry.v != FORMAT_VERSION {
            return Err(EntryError::Version(entry.v));
        }
        let again = canonical::to_vec(&entry).map_err(|error| EntryError::Shape(error.to_string()))?;
        if again != bytes {
            return Err(EntryError::NotCanonical);
        }
        Ok(entry)
    }
}

#[cfg(test)]
#[cfg(feature = "write")]
mod tests;
