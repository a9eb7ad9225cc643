//! Recovery codes: ten look-up secrets for the day the telephone is lost (NIST SP 800-63B-4 section 3.1.2).
//!
//! Each has 120 random bits, counts once, and is stored as a digest only.

use std::fmt;

use modelward_seal::Digest;
use modelward_seal::source::Ids;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::code::Code;

/// Codes of one set.
pub const COUNT: usize = 10;
const PURPOSE: &str = "modelward recovery v1";

/// One code, written in four groups of six characters.
#[derive(Clone)]
pub struct RecoveryCode(Code<24, 6>);

/// The unused codes of one account, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecoveryCodes {
    pub unused: Vec<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an unused recovery code")]
pub struct RecoveryRefusal;

/// A new set, which takes the place of any earlier one: the codes to show once, and what to store.
pub fn generate(ids: &(impl Ids + ?Sized)) -> (Vec<RecoveryCode>, RecoveryCodes) {
    let codes: Vec<_> = (0..COUNT).map(|_| RecoveryCode(Code::random(ids))).collect();
    let unused = codes.iter().map(RecoveryCode::digest).collect();
    (codes, RecoveryCodes { unused })
}

impl RecoveryCodes {
    /// Spends a code: what is left must be stored in the same transaction, and only if nobody else spent the same one.
    pub fn spend(&self, presented: &RecoveryCode) -> Result<Self, RecoveryRefusal> {
        let digest = presented.digest();
        let unused: Vec<_> = self
            .unused
            .iter()
            .filter(|known| !bool::from(known.as_bytes().ct_eq(digest.as_bytes())))
            .copied()
            .collect();
        if unused.len() == self.unused.len() {
            return Err(RecoveryRefusal);
        }
        Ok(Self { unused })
    }
}

impl RecoveryCode {
    /// Reads what somebody typed; case, spaces and hyphens do not matter.
    pub fn read(typed: &str) -> Result<Self, RecoveryRefusal> {
        Code::read(typed).map(Self).ok_or(RecoveryRefusal)
    }

    /// The code itself, to be shown once.
    pub fn expose(&self) -> Zeroizing<String> {
        self.0.text()
    }

    pub fn digest(&self) -> Digest {
        self.0.digest(PURPOSE)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}
