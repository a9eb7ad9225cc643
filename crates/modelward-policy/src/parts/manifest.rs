//! What `bundle.toml` asks of the bundle's own checks, under `[gate]`.

use modelward_decision::bundle::Kind;
use modelward_decision::vocabulary::{Name, ProjectId};
use serde::{Deserialize, Serialize};

use super::Source;
use crate::Finding;

pub(super) const FILE: &str = "bundle.toml";

/// How strictly the gate checks this bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Whether a missing or inconclusive proof fails the gate.
    pub proofs: Demand,
    /// Whether a clause that no test has seen both true and false fails the gate.
    pub coverage: Demand,
    /// Permits whose scope names neither a principal nor a resource: each is looked at by every request of its actions.
    pub unscoped_permits: UnscopedPermits,
    /// Clauses that no request can bring to one of the two values, each with the reason.
    pub uncovered: Vec<Uncovered>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    Required,
    #[default]
    Optional,
}

/// How many unscoped permits a bundle can have; 32 unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct UnscopedPermits(pub usize);

/// One half of a clause that tests are excused from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uncovered {
    pub policy: Name,
    /// Which clause, counted from 1.
    pub clause: usize,
    /// The value no test can bring about.
    pub value: Value,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    True,
    False,
}

impl Default for UnscopedPermits {
    fn default() -> Self {
        Self(32)
    }
}

impl Value {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
        }
    }
}

/// `bundle.toml` as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub name: Name,
    pub version: Name,
    pub schema_version: u32,
    #[serde(default)]
    pub kind: Kind,
    /// The project a project bundle is for, by name and by the leaf its permits are bound to.
    pub project: Option<Name>,
    pub scope: Option<ProjectId>,
    #[serde(default)]
    pub gate: Gate,
}

pub(super) fn read(source: Source<'_>) -> Result<Header, Finding> {
    let header: Header = source.parse()?;
    let names_both = header.project.is_some() && header.scope.is_some();
    let names_none = header.project.is_none() && header.scope.is_none();
    let fits = match header.kind {
        Kind::Root => names_none,
        Kind::Project => names_both,
    };
    if !fits {
        return Err(source
            .wrong(0..0, "a project bundle, and no other, names its `project` and `scope`")
            .hint("write `kind = \"project\"`, `project = \"NAME\"` and `scope = \"pr_…\"`, or none of the three"));
    }
    source.bounded(&header.gate.uncovered)?;
    if let Some(bare) = header.gate.uncovered.iter().find(|each| each.reason.trim().is_empty()) {
        return Err(
            source.wrong(0..0, format!("`{}` is excused from coverage without a reason", bare.policy))
        );
    }
    Ok(header)
}
