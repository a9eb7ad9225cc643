//! SHA-256 digests that cannot be mistaken for other strings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::canonical::{self, CanonicalError};

/// A SHA-256 digest. Prints as `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest of the form `sha256:` and 64 lower-case hexadecimal digits")]
pub struct DigestError {
    pub text: String,
}

const PREFIX: &str = "sha256:";
const TEXT_BYTES: usize = PREFIX.len() + 64;

impl Digest {
    pub const LEN: usize = 32;
    /// Thirty-two zero bytes: stands for "nothing before", never for a hash of something.
    pub const ZERO: Self = Self([0; 32]);

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of the concatenation. Callers make the parts unambiguous (fixed lengths or a domain prefix).
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The digest of a value's canonical JSON.
    pub fn of_canonical<T: Serialize + ?Sized>(value: &T) -> Result<Self, CanonicalError> {
        Ok(Self::of(&canonical::to_vec(value)?))
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn to_hex(self) -> String {
        let mut room = [0; TEXT_BYTES];
        self.text(&mut room).and_then(|text| text.strip_prefix(PREFIX)).unwrap_or_default().to_owned()
    }

    /// The text form. Many are written per request, so this takes no detour by way of single characters. The room has
    /// the right length, so there always is one.
    fn text<'a>(&self, room: &'a mut [u8; TEXT_BYTES]) -> Option<&'a str> {
        let (prefix, digits) = room.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        hex::encode_to_slice(self.0, digits).ok()?;
        std::str::from_utf8(room).ok()
    }

    /// For screens: `sha256:1f3a…c9`. Too short to compare by; say so where it is shown.
    pub fn short(&self) -> String {
        let [first, second, .., last] = self.0;
        format!("{PREFIX}{first:02x}{second:02x}…{last:02x}")
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = DigestError;

    fn try_from(bytes: &[u8]) -> Result<Self, DigestError> {
        let bytes = bytes.try_into().map_err(|_| DigestError { text: hex::encode(bytes) })?;
        Ok(Self(bytes))
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let refuse = || DigestError { text: text.chars().take(80).collect() };
        let digits = text.strip_prefix(PREFIX).ok_or_else(refuse)?;
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refuse());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| refuse())?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; TEXT_BYTES]).ok_or(fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut room = [0; TEXT_BYTES];
        let text = self.text(&mut room).ok_or_else(|| serde::ser::Error::custom("a digest has no text"))?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
