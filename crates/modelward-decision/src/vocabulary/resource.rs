//! What is touched, and what a grant can reach.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AliasId, DatasetId, EndpointId, ModelId, ProjectId, VersionId};

/// The thing a request touches. `Platform` is Modelward itself: its policy, ledger, people and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum ResourceRef {
    Platform,
    Project(ProjectId),
    Model(ModelId),
    Version(VersionId),
    Endpoint(EndpointId),
    Dataset(DatasetId),
}

/// What a grant covers: the thing named and all that stands below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum ScopeRef {
    Platform,
    Project(ProjectId),
    Model(ModelId),
    Version(VersionId),
    /// Whatever version the alias names at the moment of the request.
    Alias(AliasId),
    /// Requests that arrive through this endpoint.
    Endpoint(EndpointId),
    Dataset(DatasetId),
}

/// The platform's own leaf; no UUIDv7 is this small.
const PLATFORM: u128 = 1;

/// What sort of thing a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    Platform,
    Project,
    Model,
    Version,
    Endpoint,
    Dataset,
}

impl ResourceKind {
    /// The entity type of the policy schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "Platform",
            Self::Project => "Project",
            Self::Model => "Model",
            Self::Version => "Version",
            Self::Endpoint => "Endpoint",
            Self::Dataset => "Dataset",
        }
    }
}

impl ResourceRef {
    pub const fn kind(self) -> ResourceKind {
        match self {
            Self::Platform => ResourceKind::Platform,
            Self::Project(_) => ResourceKind::Project,
            Self::Model(_) => ResourceKind::Model,
            Self::Version(_) => ResourceKind::Version,
            Self::Endpoint(_) => ResourceKind::Endpoint,
            Self::Dataset(_) => ResourceKind::Dataset,
        }
    }

    pub const fn bits(self) -> u128 {
        match self {
            Self::Platform => PLATFORM,
            Self::Project(id) => id.bits(),
            Self::Model(id) => id.bits(),
            Self::Version(id) => id.bits(),
            Self::Endpoint(id) => id.bits(),
            Self::Dataset(id) => id.bits(),
        }
    }

    pub const fn as_scope(self) -> ScopeRef {
        match self {
            Self::Platform => ScopeRef::Platform,
            Self::Project(id) => ScopeRef::Project(id),
            Self::Model(id) => ScopeRef::Model(id),
            Self::Version(id) => ScopeRef::Version(id),
            Self::Endpoint(id) => ScopeRef::Endpoint(id),
            Self::Dataset(id) => ScopeRef::Dataset(id),
        }
    }
}

impl ScopeRef {
    /// The opaque leaf a grant points at; ids are unique across kinds.
    pub const fn bits(self) -> u128 {
        match self {
            Self::Platform => PLATFORM,
            Self::Project(id) => id.bits(),
            Self::Model(id) => id.bits(),
            Self::Version(id) => id.bits(),
            Self::Alias(id) => id.bits(),
            Self::Endpoint(id) => id.bits(),
            Self::Dataset(id) => id.bits(),
        }
    }

    /// How much it covers, narrowest first: the canonical order of covering grants.
    pub const fn breadth(self) -> u8 {
        match self {
            Self::Version(_) => 0,
            Self::Alias(_) => 1,
            Self::Endpoint(_) => 2,
            Self::Dataset(_) => 3,
            Self::Model(_) => 4,
            Self::Project(_) => 5,
            Self::Platform => 6,
        }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_scope().fmt(f)
    }
}

impl fmt::Display for ScopeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Project(id) => id.fmt(f),
            Self::Model(id) => id.fmt(f),
            Self::Version(id) => id.fmt(f),
            Self::Alias(id) => id.fmt(f),
            Self::Endpoint(id) => id.fmt(f),
            Self::Dataset(id) => id.fmt(f),
        }
    }
}
