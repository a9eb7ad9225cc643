//! What a gateway and the control plane say to each other beside the feed, as JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use modelward_decision::bundle::Composition;
use modelward_decision::vocabulary::GrantId;
use modelward_decision::{Bundle, BundleError};
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::beat::Challenge;
use crate::delta::Position;

/// The name in the control plane's certificate towards gateways. It stands for no host: who has this certificate from
/// the pinned authority is the control plane, wherever it is reached.
pub const CONTROL_NAME: &str = "control.modelward.internal";

/// Where things are asked for.
pub mod path {
    pub const JOIN: &str = "/planes/v1/join";
    pub const RENEW: &str = "/planes/v1/renew";
    pub const FEED: &str = "/planes/v1/feed";
    pub const ACKNOWLEDGE: &str = "/planes/v1/acknowledge";
    pub const LEND: &str = "/planes/v1/lend";
    pub const SETTLE: &str = "/planes/v1/settle";
    /// Followed by the digest.
    pub const BUNDLES: &str = "/planes/v1/bundles/";
}

/// The first words of a gateway, with the code that was typed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    pub format: u32,
    pub code: String,
    /// A certificate signing request in PEM: only its key is taken over.
    pub request: String,
}

/// What makes a gateway one of the installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    pub gateway: String,
    pub name: String,
    pub certificate: Certificate,
    /// The text of what to believe; see [`TrustText`](crate::TrustText).
    pub trust: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    pub request: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// In PEM, leaf first.
    pub chain: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Sent each second, and after each change that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// What is in force at the gateway.
    pub position: Option<Position>,
    /// The digest of the keys it believes.
    pub trust: Digest,
    /// What the next beat shall answer.
    pub challenge: Challenge,
}

/// Asks to set aside one use of a grant, and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lend {
    /// Chosen by the gateway, so that it can settle also what it got no answer to.
    #[serde(with = "loan")]
    pub loan: u128,
    pub grant: GrantId,
    /// The caller's bound on bytes, all of which must be left; absent for whatever is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
    /// With no bound of the caller's: no more than this.
    pub up_to: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lent {
    /// `None` where the grant sets no bound on bytes.
    Bytes(Option<u64>),
    UsesSpent {
        max: u64,
    },
    BytesSpent {
        max: u64,
        left: u64,
    },
}

/// A bundle's files, with the bundles they come from where there are several. The digest a bundle goes by is that of the
/// files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleText {
    pub sources: BTreeMap<String, String>,
    pub composition: Option<Composed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composed {
    pub root: Digest,
    pub files: BTreeMap<String, Digest>,
}

impl BundleText {
    pub fn of(bundle: &Bundle) -> Self {
        let composition = bundle.composition().map(|it| Composed { root: it.root, files: it.files.clone() });
        Self { sources: bundle.sources().clone(), composition }
    }

    /// The bundle, through every check of the decision point.
    pub fn read(self) -> Result<Bundle, BundleError> {
        match self.composition {
            None => Bundle::from_sources(self.sources),
            Some(Composed { root, files }) => Bundle::composed(self.sources, Composition { root, files }),
        }
    }
}

/// The end of a loan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    #[serde(with = "loan")]
    pub loan: u128,
    /// Nothing was forwarded.
    pub whole: bool,
    /// Bytes that were not used.
    pub bytes: u64,
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Join").field("format", &self.format).finish_non_exhaustive()
    }
}

/// 128 bits as text: JSON numbers are too small for them.
mod loan {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(loan: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{loan:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() != 32 {
            return Err(serde::de::Error::custom("a loan is 32 hexadecimal digits"));
        }
        u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}
