//! Passwords: Argon2id (RFC 9106), a policy of length and guessability, and a bound on how many are hashed at once.
//!
//! Hashing takes about 46 MiB and a seventh of a second, so call it from a thread that may block.

mod common;
mod gate;

use std::fmt;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use modelward_seal::source::Ids;
use zeroize::Zeroizing;

use gate::Gate;

/// Memory of one hash, in KiB.
pub const MEMORY_KIB: u32 = 46 * 1024;
/// Hashes computed at the same time; together they bound the memory a flood of logins can take.
pub const PARALLEL_MAX: usize = 2;
/// Logins that may wait for a hash; one more is told to come back.
pub const WAITING_MAX: usize = 32;
/// Longest stored form that is read.
const PHC_BYTES_MAX: usize = 256;

/// A password as typed. It is wiped from memory when dropped, and `Debug` hides it.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// What is stored instead: a PHC string with parameters and salt, so that parameters can change later.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// What a new password must be. No rule of composition and no rotation: length and unguessability decide (ASVS 5.0
/// 6.2, NIST SP 800-63B-4 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// In characters.
    pub min: usize,
    pub max: usize,
    /// What people are advised.
    pub recommended: usize,
}

/// Why a password will not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    #[error("the password has fewer than {min} characters")]
    Short { min: usize },
    #[error("the password has more than {max} characters")]
    Long { max: usize },
    #[error("the password is built on one that everybody tries first")]
    Common,
    #[error("the password repeats a few characters or walks along the keyboard")]
    Regular,
    #[error("the password contains the account's name")]
    Named,
}

/// Why no hash was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Come back in a second.
    #[error("too many people are signing in at this moment")]
    Busy,
    #[error("a stored password hash is not an Argon2id string within bounds")]
    Stored,
    #[error("argon2 failed")]
    Argon2,
}

/// Hashes and verifies, at most [`PARALLEL_MAX`] at a time. One per process.
#[derive(Debug, Default)]
pub struct Passwords {
    gate: Gate<PARALLEL_MAX, WAITING_MAX>,
}

/// What an unknown account is compared with, so that it takes as long as a known one. No password is known that
/// hashes to it: its tag was drawn, not computed.
const DUMMY: &str =
    "$argon2id$v=19$m=47104,t=1,p=1$bm9ib2R5J3Mgc2FsdCEh$q1mZ0v5kJtY2u8m4x7Q0c3VnR1hFbE5wTzZLd0JzREQ";

impl Passwords {
    pub fn new() -> Self {
        Self::default()
    }

    /// Hashes a password that already met the policy.
    pub fn hash(&self, password: &Password, ids: &(impl Ids + ?Sized)) -> Result<PasswordHash, HashError> {
        let mut salt = [0; 16];
        ids.fill(&mut salt);
        let salt = SaltString::encode_b64(&salt).map_err(|_| HashError::Argon2)?;
        let _turn = self.gate.turn().ok_or(HashError::Busy)?;
        let hash = argon2()?.hash_password(password.0.as_bytes(), &salt).map_err(|_| HashError::Argon2)?;
        Ok(PasswordHash(hash.to_string()))
    }

    /// Whether the password is the stored one. For an account that does not exist pass `None`: the answer is no, after
    /// the same work.
    pub fn verify(&self, stored: Option<&PasswordHash>, presented: &Password) -> Result<bool, HashError> {
        let text = stored.map_or(DUMMY, |hash| hash.0.as_str());
        let hash = argon2::PasswordHash::new(text).map_err(|_| HashError::Stored)?;
        let _turn = self.gate.turn().ok_or(HashError::Busy)?;
        let same = argon2()?.verify_password(presented.0.as_bytes(), &hash).is_ok();
        Ok(same && stored.is_some())
    }
}

impl Password {
    /// Takes what was typed, unless it is longer than anything the policy accepts.
    pub fn new(typed: impl Into<String>) -> Result<Self, WeakPassword> {
        let typed = Zeroizing::new(typed.into());
        let max = PasswordPolicy::DEFAULT.max;
        // A character has at most four bytes; nothing is cut off silently.
        if typed.len() > 4 * max || typed.chars().count() > max {
            return Err(WeakPassword::Long { max });
        }
        Ok(Self(typed))
    }
}

impl PasswordPolicy {
    pub const DEFAULT: Self = Self { min: 12, max: 256, recommended: 15 };

    /// Whether a new password will do for the account of this name.
    pub fn check(&self, password: &Password, account: &str) -> Result<(), WeakPassword> {
        let text = &password.0;
        let length = text.chars().count();
        if length < self.min {
            return Err(WeakPassword::Short { min: self.min });
        }
        if length > self.max {
            return Err(WeakPassword::Long { max: self.max });
        }
        common::check(text, account)
    }

    /// Whether it is as long as people are advised.
    pub fn is_recommended(&self, password: &Password) -> bool {
        password.0.chars().count() >= self.recommended
    }
}

impl PasswordHash {
    /// Reads a stored hash, and refuses parameters that would make verifying it an attack.
    pub fn from_stored(phc: &str) -> Result<Self, HashError> {
        if phc.len() > PHC_BYTES_MAX {
            return Err(HashError::Stored);
        }
        let hash = argon2::PasswordHash::new(phc).map_err(|_| HashError::Stored)?;
        let params = Params::try_from(&hash).map_err(|_| HashError::Stored)?;
        let bounded = params.m_cost() <= 4 * MEMORY_KIB && params.t_cost() <= 8 && params.p_cost() <= 4;
        if hash.algorithm != argon2::ARGON2ID_IDENT || !bounded || hash.hash.is_none() {
            return Err(HashError::Stored);
        }
        Ok(Self(phc.to_owned()))
    }

    /// The PHC string, to be stored.
    pub fn as_phc(&self) -> &str {
        &self.0
    }

    /// Whether it was made with other parameters than today's; hash again at the next login.
    pub fn is_outdated(&self) -> bool {
        let params = argon2::PasswordHash::new(&self.0).ok().and_then(|hash| Params::try_from(&hash).ok());
        params.is_none_or(|params| (params.m_cost(), params.t_cost(), params.p_cost()) != (MEMORY_KIB, 1, 1))
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, 1, 1, None).map_err(|_| HashError::Argon2)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl WeakPassword {
    /// What to do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Short { .. } | Self::Common | Self::Regular | Self::Named => {
                "four or five unrelated words make a good password"
            }
            Self::Long { .. } => "shorten it; nothing is gained beyond this length",
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_account_costs_what_a_known_one_does() {
        let dummy = PasswordHash::from_stored(DUMMY).expect("the dummy is well formed");
        assert!(!dummy.is_outdated(), "same parameters, same time");
    }
}
