//! What a gateway believes: the keys that sign tokens and beats, and the names in tokens.
//!
//! It travels like the state: sent as text, put in force by a beat that names its digest.

use std::fmt;

use modelward_seal::Digest;
use modelward_seal::note::Verifier;
use serde::{Deserialize, Serialize};

/// Keys and names, for one gateway or many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Whose access tokens count.
    pub issuer: String,
    /// What they must be meant for.
    pub audience: String,
    pub tokens: Vec<TokenKey>,
    /// Who signs beats, as verifier keys.
    pub signers: Vec<String>,
}

/// A key of access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    pub id: String,
    /// The 32 bytes of the public half, in hexadecimal.
    pub public: String,
    pub standing: TokenStanding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenStanding {
    Active,
    VerifyOnly,
    Revoked,
}

/// What is believed, with the text it came as.
#[derive(Clone)]
pub struct TrustText {
    text: String,
    digest: Digest,
    trust: Trust,
    signers: Vec<Verifier>,
}

/// Why a text says nothing of whom to believe.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("the keys of the control plane cannot be read")]
    Form(#[from] serde_json::Error),
    #[error("a key of the control plane cannot be used: {0}")]
    Signer(#[from] modelward_seal::note::VerifierError),
    #[error("the control plane names {0} keys, from 1 to {MAX} can be kept")]
    Count(usize),
}

const MAX: usize = 64;

impl TrustText {
    pub fn read(text: &str) -> Result<Self, TrustError> {
        let trust: Trust = serde_json::from_str(text)?;
        for count in [trust.signers.len(), trust.tokens.len()] {
            if !(1..=MAX).contains(&count) {
                return Err(TrustError::Count(count));
            }
        }
        let signers = trust.signers.iter().map(|key| key.parse()).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), digest: Digest::of(text.as_bytes()), trust, signers })
    }

    pub fn of(trust: &Trust) -> Result<Self, TrustError> {
        Self::read(&serde_json::to_string(trust)?)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub const fn digest(&self) -> Digest {
        self.digest
    }

    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    pub(crate) fn signers(&self) -> &[Verifier] {
        &self.signers
    }
}

impl fmt::Debug for TrustText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trust.fmt(f)
    }
}
