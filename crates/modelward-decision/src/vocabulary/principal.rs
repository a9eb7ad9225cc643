//! Who asks, and to whom a grant can be given.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GroupId, MachineId, PersonId};

/// A principal's name without any proof. Only `modelward-identity` turns a credential into proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum PrincipalRef {
    Person(PersonId),
    Machine(MachineId),
}

/// Who holds a grant. Above `Inference` never a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum GranteeRef {
    Person(PersonId),
    Machine(MachineId),
    Group(GroupId),
}

impl PrincipalRef {
    pub const fn bits(self) -> u128 {
        match self {
            Self::Person(id) => id.bits(),
            Self::Machine(id) => id.bits(),
        }
    }

    pub const fn as_grantee(self) -> GranteeRef {
        match self {
            Self::Person(id) => GranteeRef::Person(id),
            Self::Machine(id) => GranteeRef::Machine(id),
        }
    }
}

impl GranteeRef {
    /// The opaque leaf a grant points at; ids are unique across kinds.
    pub const fn bits(self) -> u128 {
        match self {
            Self::Person(id) => id.bits(),
            Self::Machine(id) => id.bits(),
            Self::Group(id) => id.bits(),
        }
    }

    /// One person or one machine, as privileges above `Inference` demand.
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::Person(_) | Self::Machine(_))
    }
}

impl fmt::Display for PrincipalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => id.fmt(f),
            Self::Machine(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for GranteeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => id.fmt(f),
            Self::Machine(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}
