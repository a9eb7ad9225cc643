//! Named public keys and their text form.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cosignature::cosignature_message;
use crate::Digest;

/// The name of a key: not empty, no white space, no `+`. A log's key is named as its origin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The first four bytes of a hash over name, algorithm and key: a hint, not a proof of identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

/// The signature types of C2SP signed-note that we make and check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: a timestamped Ed25519 cosignature of a checkpoint.
    CosignatureV1,
}

/// A public key that can check note signatures. Prints as `name+keyid+base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: KeyName,
    algorithm: Algorithm,
    key: VerifyingKey,
}

/// Why a text is not a verifier key, or its parts not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    #[error("`{name}` is not a key name (1 to 200 characters, no white space, no `+`)")]
    Name { name: String },
    #[error("a verifier key has the form `name+keyid+base64`")]
    Form,
    #[error("signature type {byte:#04x} is not known here")]
    Algorithm { byte: u8 },
    #[error("the bytes are not an Ed25519 public key")]
    Key,
    #[error("the key id does not belong to this name and key")]
    KeyId,
}

impl KeyName {
    pub fn new(name: &str) -> Result<Self, VerifierError> {
        let fits = !name.is_empty() && name.len() <= 200;
        if !fits || name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
            return Err(VerifierError::Name { name: name.chars().take(80).collect() });
        }
        Ok(Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyId {
    pub fn of(name: &KeyName, algorithm: Algorithm, public_key: &[u8; 32]) -> Self {
        let digest = Digest::of_parts(&[name.0.as_bytes(), &[b'\n', algorithm.byte()], public_key]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self([a, b, c, d])
    }

    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Algorithm {
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, VerifierError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::CosignatureV1),
            _ => Err(VerifierError::Algorithm { byte }),
        }
    }
}

impl Verifier {
    pub fn new(name: KeyName, algorithm: Algorithm, public_key: &[u8; 32]) -> Result<Self, VerifierError> {
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| VerifierError::Key)?;
        // A key of small order would accept signatures over any text.
        if key.is_weak() {
            return Err(VerifierError::Key);
        }
        Ok(Self { name, algorithm, key })
    }

    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn key_id(&self) -> KeyId {
        KeyId::of(&self.name, self.algorithm, self.key.as_bytes())
    }

    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether `blob` is this key's signature over the note text.
    pub fn verify(&self, text: &str, blob: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Ed25519 => self.verify_raw(text.as_bytes(), blob),
            Algorithm::CosignatureV1 => {
                let Some((time, signature)) = blob.split_first_chunk::<8>() else { return false };
                self.verify_raw(cosignature_message(u64::from_be_bytes(*time), text).as_bytes(), signature)
            }
        }
    }

    /// Strict Ed25519 over exactly these bytes, for uses outside notes.
    pub fn verify_raw(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl FromStr for Verifier {
    type Err = VerifierError;

    fn from_str(text: &str) -> Result<Self, VerifierError> {
        let mut parts = text.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VerifierError::Form);
        };
        let name = KeyName::new(name)?;
        let bytes = STANDARD.decode(key).map_err(|_| VerifierError::Form)?;
        let (algorithm, key) = bytes.split_first().ok_or(VerifierError::Form)?;
        let algorithm = Algorithm::from_byte(*algorithm)?;
        let verifier = Self::new(name, algorithm, key.try_into().map_err(|_| VerifierError::Key)?)?;
        if verifier.key_id().to_string() != id {
            return Err(VerifierError::KeyId);
        }
        Ok(verifier)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.algorithm.byte()];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, self.key_id(), STANDARD.encode(bytes))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({self})")
    }
}

impl Serialize for Verifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Verifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
