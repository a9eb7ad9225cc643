//! Holding a private key without showing it.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::key::{Algorithm, KeyId, KeyName, Verifier, VerifierError};

/// Whatever holds an Ed25519 private key: memory, a file, a token, a remote service.
pub trait Signer: Send + Sync + fmt::Debug {
    fn name(&self) -> &KeyName;

    fn public_key(&self) -> [u8; 32];

    /// Raw Ed25519 over exactly these bytes.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;

    fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    fn key_id(&self) -> KeyId {
        KeyId::of(self.name(), self.algorithm(), &self.public_key())
    }

    /// The public half, to give to whoever checks.
    fn verifier(&self) -> Result<Verifier, VerifierError> {
        Verifier::new(self.name().clone(), self.algorithm(), &self.public_key())
    }
}

/// The key could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key `{name}` could not sign: {reason}")]
pub struct SignError {
    pub name: String,
    pub reason: String,
}

/// An Ed25519 key in memory that is wiped when dropped. `Debug` shows its name only.
pub struct SoftwareSigner {
    name: KeyName,
    key: SigningKey,
}

impl SoftwareSigner {
    /// The caller brings the randomness: 32 bytes from the operating system's generator.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        Self { name, key: SigningKey::from_bytes(seed) }
    }

    /// The private key, for writing it to where it is kept.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }
}

impl Signer for SoftwareSigner {
    fn name(&self) -> &KeyName {
        &self.name
    }

    fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let signature = self.key.try_sign(message);
        let signature = signature
            .map_err(|error| SignError { name: self.name.to_string(), reason: error.to_string() })?;
        Ok(signature.to_bytes())
    }
}

impl fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareSigner({}, key hidden)", self.name)
    }
}
