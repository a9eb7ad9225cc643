//! The answer: allow or deny, by which policies and which grant, in which words, and what would change it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::candidate::Comparison;
use crate::obligation::Obligation;
use crate::vocabulary::{
    Action, DecisionId, Facts, Field, GrantId, Name, PrincipalRef, Privilege, ResourceRef,
};

/// One question to the decision point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub principal: PrincipalRef,
    pub action: Action,
    pub resource: ResourceRef,
    pub facts: Facts,
}

/// The answer to one [`Request`]. A denial is a value, not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub id: DecisionId,
    pub principal: PrincipalRef,
    pub action: Action,
    pub resource: ResourceRef,
    pub at: Timestamp,
    pub outcome: Outcome,
    /// The policies that settled it: the satisfied forbids, or the permit of the chosen grant.
    pub determining: Vec<Citation>,
    /// The grant an allow rests on.
    pub grant: Option<GrantId>,
    /// Every live grant that covers the request, in canonical order: narrowest scope, then id.
    pub covering: Vec<GrantId>,
    pub obligations: Vec<Obligation>,
    /// The sensitive fields the caller may see, out of those asked for.
    pub held_fields: BTreeSet<Field>,
    /// One sentence for the caller. It names no policy and no other person.
    pub sentence: String,
    /// What would change a denial, most promising first.
    pub remedies: Vec<Remedy>,
    pub revision: u64,
    pub bundle: Digest,
    pub schema: Digest,
    /// What a bundle on trial said about it; set by whoever asked for the comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Allowed.
    Permitted,
    /// A guardrail says no, whatever grants exist.
    Forbidden,
    /// Nothing says yes.
    NotPermitted,
    /// A policy could not be evaluated, or a bound was passed: closed.
    ErrorClosed,
    /// Allowed but for an obligation that cannot be met.
    ObligationUnmet,
}

/// A policy as the rationale names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    pub policy: SmolStr,
    pub title: SmolStr,
    pub owner: SmolStr,
    /// The bundle it stands in, where the bundle of the decision was put together from several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Digest>,
}

/// A change of facts that would bring a denial nearer to an allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Remedy {
    /// Hold a grant of this privilege on this resource.
    Grant { privilege: Privilege, resource: ResourceRef },
    /// Wait until a grant one holds begins, or its window opens.
    Wait { grant: GrantId, until: Option<Timestamp> },
    /// Sign in again, more strongly or more recently.
    StepUp { strength: u8, max_age_seconds: u32 },
    /// Use a credential that is bound to its holder.
    BoundCredential,
    /// Use a credential whose scope covers the action.
    WiderCredential { privilege: Privilege },
    /// Use a managed, compliant device.
    Device,
    /// Come from one of these segments.
    Network { segments: BTreeSet<Name> },
    /// Come from one of these regions.
    Place { regions: BTreeSet<Name> },
    /// Use one of these environments.
    Environment { environments: BTreeSet<Name> },
    /// State one of these purposes.
    Purpose { purposes: BTreeSet<Name> },
    /// Ask without these fields.
    WithoutFields { fields: BTreeSet<Field> },
    /// Be cleared for the resource's classification.
    Clearance,
    /// Only an administrator can change this, such as lifting a quarantine.
    Administrator { reason: SmolStr },
}

impl Outcome {
    pub const fn is_allow(self) -> bool {
        match self {
            Self::Permitted => true,
            Self::Forbidden | Self::NotPermitted | Self::ErrorClosed | Self::ObligationUnmet => false,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Forbidden => "forbidden",
            Self::NotPermitted => "not-permitted",
            Self::ErrorClosed => "error-closed",
            Self::ObligationUnmet => "obligation-unmet",
        }
    }
}

impl Decision {
    pub const fn is_allow(&self) -> bool {
        self.outcome.is_allow()
    }

    /// The bundles that settled it, where the one it was made under was put together from several.
    pub fn bundles(&self) -> BTreeSet<Digest> {
        self.determining.iter().filter_map(|citation| citation.bundle).collect()
    }
}
