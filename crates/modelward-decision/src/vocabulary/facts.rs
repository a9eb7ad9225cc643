//! The circumstances of a request, by how far each can be trusted.
//!
//! Tier 1 is what the decision point itself knows (the grant, the time). Tier 2 is what a verified credential
//! says (`session`, `device`). Tier 3 is what the socket or a trusted proxy says (`network`, `place`). Tier 4 is what
//! the caller asks (`ask`). Above `Inference`, tiers 3 and 4 can only narrow.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Action, EndpointId, Field, ModelId, Name, Privilege, ResourceRef, SessionId};

/// All that is known when a request is decided. Nothing is looked up later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub now: Timestamp,
    /// Where the resource is reached, such as `production`; control-plane commands use `control`.
    pub environment: Name,
    /// The endpoint the request came through, on the data plane.
    pub endpoint: Option<EndpointId>,
    pub session: Arc<SessionFacts>,
    pub device: DeviceFacts,
    /// The named network segment the peer address falls in; `unknown` when none does.
    pub network: Fact<Name>,
    /// The region the request comes from; `unknown` unless somebody trusted said so.
    pub place: Fact<Name>,
    /// 0 (nothing known against it) to 100.
    pub risk: Fact<u8>,
    pub ask: Ask,
}

/// A value with where it came from, when it was seen, and how sure that makes us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact<T> {
    pub value: T,
    pub source: Source,
    pub observed_at: Timestamp,
    pub confidence: Confidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The TCP socket the request arrived on.
    Socket,
    /// A verified credential.
    Credential,
    /// A proxy that authenticated itself.
    TrustedProxy,
    /// An administrator's statement in the inventory or configuration.
    Operator,
    /// A security signal received from elsewhere.
    Signal,
    /// The caller's own word.
    Caller,
    /// Nobody said anything.
    Default,
}

/// Ordered: a claim is worth less than a managed value, that less than a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    None,
    Claimed,
    Managed,
    Proved,
}

/// What the credential behind the request says about how it was obtained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    pub id: SessionId,
    /// 0 nothing, 1 one factor, 2 two factors, 3 phishing-resistant.
    pub strength: u8,
    /// Authentication methods as of RFC 8176, such as `pwd`, `otp`, `hwk`.
    pub methods: Vec<Name>,
    pub authenticated_at: Timestamp,
    pub binding: Binding,
    pub scope: CredentialScope,
}

/// Whether the credential is worth anything to a thief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// A bearer credential.
    None,
    /// Demonstrating proof of possession, RFC 9449.
    Dpop,
    /// Certificate-bound, RFC 8705.
    MutualTls,
    /// A browser session cookie of the console, bound to its origin.
    Cookie,
}

/// The part of its holder's rights that a credential can use at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialScope {
    /// A session of the holder itself.
    Full,
    /// An access token minted for these privileges, on these models; no model named means any model. Where actions are
    /// named, it is for those of the privileges alone.
    Limited {
        privileges: BTreeSet<Privilege>,
        models: BTreeSet<ModelId>,
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        actions: BTreeSet<Action>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    pub managed: bool,
    pub compliant: bool,
    pub confidence: Confidence,
}

/// What the caller wants beyond the plain answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ask {
    pub fields: BTreeSet<Field>,
    /// Upper bound of the bytes asked for, where the protocol says one.
    pub bytes: Option<u64>,
    pub purpose: Option<Name>,
}

impl<T> Fact<T> {
    pub const fn new(value: T, source: Source, observed_at: Timestamp, confidence: Confidence) -> Self {
        Self { value, source, observed_at, confidence }
    }
}

impl DeviceFacts {
    /// Nothing is known of the device.
    pub const UNKNOWN: Self = Self { managed: false, compliant: false, confidence: Confidence::None };
}

impl CredentialScope {
    /// These privileges whole, on any model.
    pub fn of_privileges(privileges: impl IntoIterator<Item = Privilege>) -> Self {
        let privileges = privileges.into_iter().collect();
        Self::Limited { privileges, models: BTreeSet::new(), actions: BTreeSet::new() }
    }

    /// Whether the credential may be used for this action on this resource, which belongs to `model` if to any.
    pub fn covers(&self, action: Action, resource: ResourceRef, model: Option<ModelId>) -> bool {
        match self {
            Self::Full => true,
            Self::Limited { privileges, models, actions } => {
                let privilege = action.privilege();
                let privilege_covered = privilege == Privilege::SelfService
                    || (privileges.contains(&privilege) && (actions.is_empty() || actions.contains(&action)));
                let model_covered = models.is_empty()
                    || match resource {
                        ResourceRef::Model(id) => models.contains(&id),
                        ResourceRef::Version(_) | ResourceRef::Endpoint(_) => {
                            model.is_some_and(|id| models.contains(&id))
                        }
                        ResourceRef::Platform => privilege == Privilege::SelfService,
                        ResourceRef::Project(_) | ResourceRef::Dataset(_) => false,
                    };
                privilege_covered && model_covered
            }
        }
    }
}

impl Source {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Credential => "credential",
            Self::TrustedProxy => "trusted-proxy",
            Self::Operator => "operator",
            Self::Signal => "signal",
            Self::Caller => "caller",
            Self::Default => "default",
        }
    }
}
