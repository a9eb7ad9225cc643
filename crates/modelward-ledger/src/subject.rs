//! Personal data in a log that cannot forget: pseudonyms, and keys that can.
//!
//! A subject appears as an HMAC under the log's pseudonym key. What is known about it stands encrypted under a
//! data key of that subject and month. Erasing the key erases the facts; the entry, its hash and every proof
//! stay as they were.

mod file;

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use modelward_seal::Digest;
use sha2::Sha256;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

pub use file::FileSubjectKeys;

/// The key under which subjects become pseudonyms. One per log; whoever has it can recognise a guessed subject.
#[derive(Clone)]
pub struct PseudonymKey(Zeroizing<[u8; 32]>);

/// A key that seals facts. Wiped when dropped, hidden in `Debug`.
#[derive(Clone, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

/// A calendar month in UTC: how finely facts can be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

/// Names one data key: `pseudonym.yyyy-mm.generation`. After an erasure in the same month the generation differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataKeyId(String);

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("failed to {action} the data key `{key}`")]
    Io {
        action: &'static str,
        key: String,
        #[source]
        source: std::io::Error,
    },
    #[error("`{key}` does not name a data key")]
    BadName { key: String },
    #[error("the data key `{key}` cannot be unwrapped: wrong wrapping key, or damage")]
    Unwrap { key: String },
    #[error("the bytes do not open under this key")]
    Open,
    #[error("the bytes could not be sealed")]
    Seal,
}

/// Where data keys live. Implementations make a new key durable before they hand it out.
pub trait SubjectKeys: Send + Sync + fmt::Debug {
    /// The key for this subject and month, made if there is none.
    fn current(&self, pseudonym: &str, month: Month) -> Result<(DataKeyId, DataKey), KeyError>;

    /// The key with this id, unless it was erased.
    fn find(&self, id: &str) -> Result<Option<DataKey>, KeyError>;

    /// Erases the subject's keys, of one month or of all, and names them. They do not come back.
    fn erase(&self, pseudonym: &str, month: Option<Month>) -> Result<Vec<DataKeyId>, KeyError>;
}

impl PseudonymKey {
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// The subject's pseudonym: 64 hexadecimal digits.
    pub fn of(&self, subject: &str) -> String {
        // HMAC takes keys of any length, so this cannot fail; an empty pseudonym would still identify nobody.
        let Ok(mut mac) = <Hmac<Sha256> as hmac::Mac>::new_from_slice(self.0.as_slice()) else {
            return String::new();
        };
        mac.update(b"modelward/subject/v1\n");
        mac.update(subject.as_bytes());
        Digest::from_bytes(mac.finalize().into_bytes().into()).to_hex()
    }
}

impl DataKey {
    pub fn new(mut key: [u8; 32]) -> Self {
        let data_key = Self(key);
        key.zeroize();
        data_key
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn seal(&self, nonce: &[u8; 24], clear: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        let cipher = XChaCha20Poly1305::new(self.0.as_slice().into());
        cipher.encrypt(XNonce::from_slice(nonce), Payload { msg: clear, aad }).map_err(|_| KeyError::Seal)
    }

    pub fn open(&self, nonce: &[u8; 24], sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        let cipher = XChaCha20Poly1305::new(self.0.as_slice().into());
        cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad }).map_err(|_| KeyError::Open)
    }
}

impl Month {
    pub fn of(time: Timestamp) -> Self {
        let date = time.to_zoned(TimeZone::UTC);
        Self { year: date.year(), month: date.month() }
    }

    pub const fn new(year: i16, month: i8) -> Self {
        Self { year, month }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl DataKeyId {
    /// For implementations of [`SubjectKeys`].
    pub const fn new(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for DataKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(hidden)")
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(hidden)")
    }
}
