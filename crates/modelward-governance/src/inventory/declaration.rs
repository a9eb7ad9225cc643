//! The shape of an inventory file.
//!
//! ```toml
//! [projects.risk]
//!
//! [environments.production]
//! production = true
//!
//! [models.fraud]
//! project = "risk"
//! classification = "confidential"
//! card = "Scores card payments."
//!
//! [models.fraud.versions.3]
//! digest = "sha256:…"
//! label_outputs = ["label"]
//! proven = true
//!
//! [models.fraud.aliases.champion]
//! version = "3"
//! protected = true
//!
//! [endpoints.scoring]
//! protocol = "open-inference"
//! environment = "production"
//! upstream = "triton"
//! approved = true
//! serves = [{ model = "fraud", alias = "champion" }]
//! ```
//!
//! People are not declared: they enrol. Groups name them as members. An unknown key is an error.

use std::collections::{BTreeMap, BTreeSet};

use modelward_decision::inventory::{OnSensitiveAsk, Protocol};
use modelward_decision::vocabulary::{Classification, Name};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    pub projects: BTreeMap<Name, ProjectDeclaration>,
    pub environments: BTreeMap<Name, EnvironmentDeclaration>,
    pub groups: BTreeMap<Name, GroupDeclaration>,
    pub machines: BTreeMap<Name, MachineDeclaration>,
    pub models: BTreeMap<Name, ModelDeclaration>,
    pub datasets: BTreeMap<Name, DatasetDeclaration>,
    pub endpoints: BTreeMap<Name, EndpointDeclaration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectDeclaration {}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentDeclaration {
    pub production: bool,
}

/// A list of members that is there says all of them; one that is absent leaves them as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupDeclaration {
    /// Groups this one is a part of.
    pub parents: BTreeSet<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<BTreeSet<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machines: Option<BTreeSet<Name>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineDeclaration {
    /// The person who answers for it.
    pub owner: Name,
    #[serde(default = "public")]
    pub clearance: Classification,
    #[serde(default = "yes")]
    pub active: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDeclaration {
    pub project: Name,
    #[serde(default)]
    pub classification: Classification,
    #[serde(default)]
    pub tags: BTreeSet<Name>,
    #[serde(default)]
    pub on_sensitive_ask: OnSensitiveAsk,
    #[serde(default)]
    pub fail_static: bool,
    /// Markdown. Absent leaves what there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// Absent leaves what there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<serde_json::Map<String, serde_json::Value>>,
    /// By label.
    #[serde(default)]
    pub versions: BTreeMap<Name, VersionDeclaration>,
    #[serde(default)]
    pub aliases: BTreeMap<Name, AliasDeclaration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VersionDeclaration {
    /// Of the weights, as `sha256:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<modelward_seal::Digest>,
    /// Output tensors that hold labels only.
    pub label_outputs: BTreeSet<String>,
    /// Whether its provenance was verified.
    pub proven: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasDeclaration {
    pub version: Name,
    #[serde(default)]
    pub protected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetDeclaration {
    pub project: Name,
    #[serde(default)]
    pub classification: Classification,
    #[serde(default)]
    pub tags: BTreeSet<Name>,
    #[serde(default)]
    pub columns: Vec<ColumnDeclaration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDeclaration {
    pub name: Name,
    #[serde(default)]
    pub classification: Classification,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointDeclaration {
    pub protocol: Protocol,
    pub environment: Name,
    pub upstream: Name,
    #[serde(default)]
    pub approved: bool,
    #[serde(default)]
    pub serves: Vec<ServedDeclaration>,
}

/// One model behind an endpoint: exactly one of `version` and `alias`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedDeclaration {
    pub model: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Name>,
    /// What callers write; the model's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_name: Option<String>,
    /// What the upstream calls it; the model's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_name: Option<String>,
}

const fn yes() -> bool {
    true
}

const fn public() -> Classification {
    Classification::Public
}
