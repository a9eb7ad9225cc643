//! What exists, as declared in files and as read back.

use std::collections::{BTreeMap, BTreeSet};

use modelward_decision::inventory::{OnSensitiveAsk, Protocol};
use modelward_decision::vocabulary::{Classification, Name, Privilege};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{MatrixMark, PrincipalView};

/// The inventory as files declare it: everything by name. `modelward apply` merges the files of a folder into one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    #[serde(rename = "environment", skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<DeclaredEnvironment>,
    #[serde(rename = "project", skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<DeclaredProject>,
    #[serde(rename = "model", skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<DeclaredModel>,
    #[serde(rename = "endpoint", skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<DeclaredEndpoint>,
    #[serde(rename = "dataset", skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<DeclaredDataset>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredEnvironment {
    #[schema(value_type = String)]
    pub name: Name,
    #[serde(default)]
    pub production: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredProject {
    #[schema(value_type = String)]
    pub name: Name,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredModel {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub project: Name,
    /// `restricted` when absent: what nobody classified is not harmless.
    #[serde(default)]
    #[schema(value_type = String)]
    pub classification: Classification,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub tags: BTreeSet<Name>,
    /// `refuse` (default) or `strip`: what happens when a caller asks for a field without the right to it.
    #[serde(default)]
    #[schema(value_type = String)]
    pub on_sensitive_ask: OnSensitiveAsk,
    /// Predictions go on for up to twelve hours where a gateway hears nothing of the control plane.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fail_static: bool,
    /// The model card, in Markdown, at most 256 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    #[serde(rename = "version", default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<DeclaredVersion>,
    #[serde(rename = "alias", default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<DeclaredAlias>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredVersion {
    /// What the registry and the model server call it, such as `3`.
    #[schema(value_type = String)]
    pub label: Name,
    /// Digest of the weights, `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Output tensors that hold labels only; every other output is a raw score.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub label_outputs: BTreeSet<String>,
    /// What was measured: a number per name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Whether its provenance was verified.
    #[serde(default)]
    pub proven: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredAlias {
    #[schema(value_type = String)]
    pub name: Name,
    /// Label of the version it names.
    #[schema(value_type = String)]
    pub version: Name,
    /// Moving it is a deployment.
    #[serde(default)]
    pub protected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredEndpoint {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub environment: Name,
    /// `open-inference` or `open-ai`.
    #[schema(value_type = String)]
    pub protocol: Protocol,
    /// Name of an upstream in the gateway's configuration.
    #[schema(value_type = String)]
    pub upstream: Name,
    #[serde(default)]
    pub approved: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<DeclaredServed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredServed {
    /// What callers put in the path or the `model` field.
    pub public_name: String,
    #[schema(value_type = String)]
    pub model: Name,
    /// Label of a version; or else `alias`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub version: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub alias: Option<Name>,
    /// What the upstream calls it; `public_name` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredDataset {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub project: Name,
    #[serde(default)]
    #[schema(value_type = String)]
    pub classification: Classification,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub tags: BTreeSet<Name>,
    #[serde(rename = "column", default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<DeclaredColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredColumn {
    #[schema(value_type = String)]
    pub name: Name,
    #[serde(default)]
    #[schema(value_type = String)]
    pub classification: Classification,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    pub declaration: Declaration,
    /// Remove what the declaration does not name.
    #[serde(default)]
    pub prune: bool,
    /// Answer with the difference, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Groups and who is in them; declared apart, because membership changes who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyGroupsRequest {
    pub groups: Vec<DeclaredGroup>,
    #[serde(default)]
    pub prune: bool,
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredGroup {
    #[schema(value_type = String)]
    pub name: Name,
    /// Groups this one is a part of.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub parents: BTreeSet<Name>,
    /// People by name, machines as `machine:name`. Absent leaves the members as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<BTreeSet<String>>,
}

/// Machines, each with the person who answers for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyMachinesRequest {
    pub machines: Vec<DeclaredMachine>,
    /// Deactivate the machines that are not declared.
    #[serde(default)]
    pub prune: bool,
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredMachine {
    #[schema(value_type = String)]
    pub name: Name,
    /// A person by name.
    #[schema(value_type = String)]
    pub owner: Name,
    /// `public` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub clearance: Option<Classification>,
    /// True when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// What applying changes, or would change. Empty means there is nothing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    pub changes: Vec<DeclaredChange>,
    /// Present things the declaration does not name, kept because pruning was not asked for.
    pub not_declared: Vec<String>,
    pub dry_run: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeclaredChange {
    pub verb: ChangeVerb,
    /// `model`, `version`, `alias`, …
    pub kind: String,
    /// As people name it: `fraud/3`.
    pub name: String,
    /// For a change: one line per member, `classification: internal → restricted`.
    pub details: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeVerb {
    Add,
    Change,
    Remove,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectView {
    pub id: String,
    pub name: String,
    pub models: u64,
    pub datasets: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentView {
    pub name: String,
    pub production: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelLine {
    pub id: String,
    pub name: String,
    pub project: String,
    pub classification: String,
    pub tags: Vec<String>,
    pub version_count: u64,
    pub aliases: Vec<AliasView>,
    pub quarantined: bool,
    /// What the reader may do with it.
    pub mine: Vec<MatrixMark>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AliasView {
    pub name: String,
    /// Label of the version.
    pub version: String,
    pub protected: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelView {
    #[serde(flatten)]
    pub line: ModelLine,
    /// Markdown as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    pub on_sensitive_ask: String,
    /// Whether predictions go on where a gateway hears nothing of the control plane.
    #[serde(default)]
    pub fail_static: bool,
    pub versions: Vec<VersionLine>,
    pub endpoints: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VersionLine {
    pub id: String,
    pub model: String,
    pub label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    pub label_outputs: Vec<String>,
    pub proven: bool,
    pub quarantined: bool,
    pub aliases: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VersionView {
    #[serde(flatten)]
    pub line: VersionLine,
    pub classification: String,
    pub endpoints: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MetricsView {
    pub model: String,
    pub version: String,
    pub metrics: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointView {
    pub id: String,
    pub name: String,
    pub environment: String,
    pub protocol: String,
    pub approved: bool,
    pub serves: Vec<ServedView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServedView {
    pub public_name: String,
    pub model: String,
    /// `3`, or `@champion` with the version it names now.
    pub target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolves_to: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetView {
    pub id: String,
    pub name: String,
    pub project: String,
    pub classification: String,
    pub tags: Vec<String>,
    pub columns: Vec<ColumnView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ColumnView {
    pub name: String,
    pub classification: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupView {
    pub id: String,
    pub name: String,
    pub parents: Vec<String>,
    /// Direct members.
    pub members: Vec<PrincipalView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonView {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub clearance: String,
    pub active: bool,
    pub groups: Vec<String>,
}

/// Changes a person. An absent member stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PersonChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub clearance: Option<Classification>,
    /// `false` ends every session and token of the person at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonChanged {
    pub person: PersonView,
    pub revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MachineView {
    pub id: String,
    pub name: String,
    pub owner: String,
    pub clearance: String,
    pub active: bool,
    pub groups: Vec<String>,
}

/// Who can do what with one model: a row per principal, a mark per privilege.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessRow {
    pub principal: PrincipalView,
    pub marks: Vec<MatrixMark>,
}

/// A privilege with its mark and the actions it consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrivilegeView {
    #[schema(value_type = String)]
    pub name: Privilege,
    pub letter: char,
    pub summary: String,
    /// Action name to what it does, to follow "may".
    pub actions: BTreeMap<String, String>,
}
