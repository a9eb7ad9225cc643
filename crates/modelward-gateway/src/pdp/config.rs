//! What the binary configures: who may ask, about what, and what they can do.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use modelward_decision::vocabulary::Name;
use modelward_enforcement::Capabilities;
use modelward_seal::Digest;

#[derive(Debug, Clone, Default)]
pub struct PointsConfig {
    pub callers: Vec<Caller>,
    pub authzen: AuthZen,
}

/// How the Authorization API presents itself.
#[derive(Debug, Clone, Default)]
pub struct AuthZen {
    /// Its identity in the metadata: the URL callers use, without a slash at its end.
    pub url: String,
    /// Whether answers carry what the drafts on obligations and access requests add. Without, a decision that obliges
    /// to anything is a denial, because nobody could be told.
    pub drafts: bool,
    /// Where a person asks for access.
    pub request_form: Option<String>,
}

/// Somebody who may ask about others.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What records call this enforcement point.
    pub name: Name,
    pub principal: CallerPrincipal,
    /// Groups whose members may be asked about.
    pub subjects: Reach,
    /// Projects that may be asked about; the platform and endpoints belong to none.
    pub projects: Reach,
    /// What it can do to requests and answers.
    pub obligations: Capabilities,
    /// Whether it may say where a request comes from.
    pub asserts_network: bool,
    /// Whether it may say what device a request comes from.
    pub asserts_device: bool,
    /// The endpoint it stands in front of.
    pub endpoint: Option<Name>,
    /// SHA-256 of the secret a proxy shows; without, it is no proxy.
    pub secret: Option<Digest>,
}

/// Everything, or what is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    All,
    Named(BTreeSet<Name>),
}

/// A principal by the name the inventory has for it: `user:ana` or `machine:edge`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerPrincipal {
    User(Name),
    Machine(Name),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not of the form `user:NAME` or `machine:NAME`")]
pub struct NotACaller;

impl FromStr for CallerPrincipal {
    type Err = NotACaller;

    fn from_str(text: &str) -> Result<Self, NotACaller> {
        let (kind, name) = text.split_once(':').ok_or(NotACaller)?;
        let name = Name::new(name).map_err(|_| NotACaller)?;
        match kind {
            "user" => Ok(Self::User(name)),
            "machine" => Ok(Self::Machine(name)),
            _ => Err(NotACaller),
        }
    }
}

impl fmt::Display for CallerPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Machine(name) => write!(f, "machine:{name}"),
        }
    }
}
