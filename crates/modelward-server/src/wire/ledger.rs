//! The ledger: position, entries and proofs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where the ledger stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerPosition {
    /// The log's name in its checkpoints.
    pub origin: String,
    /// Durable entries.
    pub size: u64,
    /// Root hash over the checkpoint's entries, base64.
    pub root: String,
    /// Entries under the latest signed checkpoint.
    pub checkpoint_size: u64,
    /// The verifier key of the log (`name+hash+key`).
    pub verifier_key: String,
    /// The signed note as it stands (C2SP tlog-checkpoint).
    pub checkpoint: String,
}

/// A place in the ledger, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerPlace {
    pub index: u64,
    /// RFC 6962 leaf hash, `sha256:…`.
    pub leaf_hash: String,
    /// The proof in C2SP tlog-proof form, once a checkpoint covers the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// Size of the tree the proof is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree_size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntryView {
    pub place: LedgerPlace,
    /// `decision`, `outcome`, `state-change`, …
    pub kind: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The entry's canonical JSON, as hashed.
    #[schema(value_type = Object)]
    pub entry: serde_json::Value,
    /// The entry's exact bytes, base64.
    pub bytes: String,
}

/// A proof that can be handed to a verifier that knows only the log's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    pub index: u64,
    pub leaf_hash: String,
    /// Siblings from the leaf up, base64.
    pub path: Vec<String>,
    pub tree_size: u64,
    /// The signed checkpoint the path leads to.
    pub checkpoint: String,
    /// The same in C2SP tlog-proof form.
    pub tlog_proof: String,
}
