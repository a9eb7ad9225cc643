//! What a token is bound to, so that it is worth nothing to a thief.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use modelward_decision::vocabulary::{Binding, Privilege};
use modelward_seal::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rights::Rights;

/// A digest that names a key or a certificate, written as base64url without padding (RFC 7638 section 3.1, RFC 8705
/// section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(Digest);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a thumbprint: 43 characters of base64url without padding")]
pub struct ThumbprintError;

/// The `cnf` claim (RFC 7800 section 3.1): exactly one confirmation method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum TokenBinding {
    /// The key whose possession a DPoP proof shows (RFC 9449 section 6.1).
    #[serde(rename = "jkt")]
    Key(Thumbprint),
    /// The client certificate of the connection (RFC 8705 section 3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(Thumbprint),
}

impl Thumbprint {
    pub const fn new(digest: Digest) -> Self {
        Self(digest)
    }

    /// Of a certificate as it stands in the handshake, in DER.
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(Digest::of(der))
    }

    pub const fn digest(self) -> Digest {
        self.0
    }
}

impl TokenBinding {
    /// The fact policy sees.
    pub const fn fact(self) -> Binding {
        match self {
            Self::Key(_) => Binding::Dpop,
            Self::Certificate(_) => Binding::MutualTls,
        }
    }

    /// The `token_type` of RFC 6749 section 7.1, which is also the scheme it is presented under.
    pub const fn scheme(binding: Option<Self>) -> &'static str {
        match binding {
            Some(Self::Key(_)) => "DPoP",
            Some(Self::Certificate(_)) | None => "Bearer",
        }
    }
}

/// Whether a token bound to nothing may carry this privilege. What is above `inference` is worth stealing.
pub const fn is_for_bearers(privilege: Privilege) -> bool {
    match privilege {
        Privilege::SelfService | Privilege::ReadOnly | Privilege::Inference => true,
        Privilege::InferenceSensitive
        | Privilege::Experiment
        | Privilege::Registry
        | Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy
        | Privilege::Govern
        | Privilege::Audit => false,
    }
}

/// Whether a proof for a token with these rights must carry a nonce of ours: then it was made moments ago, whatever its
/// clock says, and for this very server.
pub fn needs_nonce(rights: &Rights) -> bool {
    rights.privileges.iter().any(|privilege| match privilege {
        Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy
        | Privilege::Govern => true,
        Privilege::SelfService
        | Privilege::ReadOnly
        | Privilege::Inference
        | Privilege::InferenceSensitive
        | Privilege::Experiment
        | Privilege::Registry
        | Privilege::Audit => false,
    })
}

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ThumbprintError)?;
        let bytes = bytes.try_into().map_err(|_| ThumbprintError)?;
        Ok(Self(Digest::from_bytes(bytes)))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
