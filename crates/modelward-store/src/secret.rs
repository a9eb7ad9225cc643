//! Secrets that only the caller can open: never shown, wiped when dropped.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::StoreError;

/// Bytes the caller sealed with a key that never comes here.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// In bytes.
    pub const MAX: usize = 1024;

    pub fn new(bytes: Vec<u8>) -> Result<Self, StoreError> {
        if bytes.len() > Self::MAX || bytes.is_empty() {
            return Err(StoreError::TooLong { what: "the sealed secret", max: Self::MAX });
        }
        Ok(Self(bytes))
    }

    /// For the one who holds the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }

    pub(crate) fn from_hex(text: &str) -> Result<Self, StoreError> {
        hex::decode(text).map(Self).map_err(|error| StoreError::damaged("a sealed secret", error))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}
