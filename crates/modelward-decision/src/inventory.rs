//! What exists: people, machines and groups; projects, models, versions, endpoints and datasets.
//!
//! These are the facts policies see. Cards, metrics and other contents stay in the store.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::vocabulary::{
    AliasId, Classification, DatasetId, EndpointId, GroupId, MachineId, ModelId, Name, PersonId, ProjectId,
    VersionId,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    /// What the person signs in with.
    pub name: Name,
    pub display_name: String,
    pub clearance: Classification,
    pub active: bool,
    /// Direct memberships; the snapshot follows groups of groups.
    pub groups: BTreeSet<GroupId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub id: MachineId,
    pub name: Name,
    /// Every machine has a person who answers for it.
    pub owner: PersonId,
    pub clearance: Classification,
    pub active: bool,
    pub groups: BTreeSet<GroupId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: GroupId,
    pub name: Name,
    /// Groups this one is a part of.
    pub parents: BTreeSet<GroupId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub id: ProjectId,
    pub name: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    pub id: ModelId,
    pub project: ProjectId,
    pub name: Name,
    pub classification: Classification,
    pub tags: BTreeSet<Name>,
    pub quarantined: bool,
    pub on_sensitive_ask: OnSensitiveAsk,
    /// Predictions go on for hours while a gateway hears nothing of the control plane. Revocations are not heard of
    /// either in that time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fail_static: bool,
}

/// What happens when a caller asks for a sensitive field without the right to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSensitiveAsk {
    /// The request is denied, with the missing right named.
    #[default]
    Refuse,
    /// The request goes on without the field.
    Strip,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub id: VersionId,
    pub model: ModelId,
    /// What the registry and the model server call it, such as `3`.
    pub label: Name,
    /// Digest of the weights, as `sha256:…`, when known.
    pub digest: Option<String>,
    /// Output tensors that hold labels only; every other output is a raw score.
    pub label_outputs: BTreeSet<String>,
    /// Whether its provenance was verified.
    pub proven: bool,
    pub quarantined: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    pub id: AliasId,
    pub model: ModelId,
    pub name: Name,
    pub version: VersionId,
    /// Moving it is a deployment.
    pub protected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub name: Name,
    pub production: bool,
}

/// A place where models are reached: one protocol, one environment, one upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub id: EndpointId,
    pub name: Name,
    pub environment: Name,
    pub protocol: Protocol,
    /// Which configured upstream answers; its address and credential never leave the gateway.
    pub upstream: Name,
    pub approved: bool,
    pub serves: Vec<Served>,
}

/// A wire protocol the gateway knows every route of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Open Inference Protocol v2 over REST.
    OpenInference,
    /// The OpenAI-compatible HTTP API.
    OpenAi,
}

/// One model behind an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// What callers put in the path or the `model` field.
    pub public_name: String,
    pub model: ModelId,
    pub target: Target,
    /// What the upstream calls it; the forwarded request carries this.
    pub upstream_name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum Target {
    Version(VersionId),
    /// Resolved to a version at the moment of the decision.
    Alias(AliasId),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    pub id: DatasetId,
    pub project: ProjectId,
    pub name: Name,
    pub classification: Classification,
    pub tags: BTreeSet<Name>,
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: Name,
    #[serde(default)]
    pub classification: Classification,
}
