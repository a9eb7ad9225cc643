//! Time-based one-time codes (RFC 6238): SHA-1, six digits, thirty seconds, which is what authenticator apps do.
//!
//! A code counts once: the step it was for is stored, and no step up to it counts again (RFC 6238 section 5.2).

use std::fmt;

use jiff::Timestamp;
use modelward_decision::vocabulary::Name;
use modelward_seal::source::Ids;
use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

/// Seconds a code lasts.
pub const STEP_SECONDS: u64 = 30;
/// Steps a clock may be off, each way.
pub const SKEW_STEPS: u64 = 1;
const SECRET_BYTES: usize = 20;

/// The secret an authenticator app shares with us: 160 bits. Stored only sealed; `Debug` hides it.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<[u8; SECRET_BYTES]>);

/// The number of a thirty-second step since 1970. The last one used is stored with the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(u64);

/// Why a code does not count. The caller tells nobody which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TotpRefusal {
    #[error("the code is not the one of this moment")]
    Wrong,
    #[error("the code was used before")]
    Used,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a one-time code secret has {SECRET_BYTES} bytes, not {found}")]
pub struct TotpSecretError {
    pub found: usize,
}

/// Checks a code and says for which step it was: store that step in the same transaction, and only if it is later
/// than the stored one, so that of two requests with one code one fails.
pub fn verify(
    secret: &TotpSecret,
    code: &str,
    now: Timestamp,
    last_step: Option<Step>,
) -> Result<Step, TotpRefusal> {
    let totp = secret.totp();
    let current = Step::at(now).0;
    let mut matched = None;
    // All three are always computed: how long it takes does not tell which step a code was for.
    for step in current.saturating_sub(SKEW_STEPS)..=current.saturating_add(SKEW_STEPS) {
        let is_unused = last_step.is_none_or(|last| last < Step(step));
        if totp.check(code, step.saturating_mul(STEP_SECONDS)).is_some() {
            // The same six digits may, rarely, be right for two steps; the unused one counts.
            matched = matched.max(Some((is_unused, Step(step))));
        }
    }
    match matched {
        Some((true, step)) => Ok(step),
        Some((false, _)) => Err(TotpRefusal::Used),
        None => Err(TotpRefusal::Wrong),
    }
}

impl TotpSecret {
    pub fn generate(ids: &(impl Ids + ?Sized)) -> Self {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        ids.fill(secret.as_mut_slice());
        Self(secret)
    }

    /// Reads a secret that was unsealed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TotpSecretError> {
        let secret = bytes.try_into().map_err(|_| TotpSecretError { found: bytes.len() })?;
        Ok(Self(Zeroizing::new(secret)))
    }

    /// The secret itself, to be sealed and stored.
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Reads what [`Self::base32`] wrote, as an authenticator app does.
    pub fn from_base32(text: &str) -> Result<Self, TotpSecretError> {
        let secret = Secret::try_from_base32(text).map_err(|_| TotpSecretError { found: 0 })?;
        Self::from_bytes(secret.as_bytes())
    }

    /// For somebody who types it into an app.
    pub fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(Secret::from(self.0.as_slice()).to_base32())
    }

    /// For a QR code (Key URI Format). Names need no escaping.
    pub fn uri(&self, issuer: &Name, account: &Name) -> Zeroizing<String> {
        let secret = self.base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
            secret.as_str()
        ))
    }

    /// The code of a moment, as the app would show it.
    pub fn code(&self, at: Timestamp) -> String {
        self.totp().generate(Step::at(at).0.saturating_mul(STEP_SECONDS)).to_string()
    }

    fn totp(&self) -> Totp {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(STEP_SECONDS)
            .with_skew(0)
            .with_secret(self.0.as_slice())
            .build_noncompliant()
    }
}

impl Step {
    pub fn at(moment: Timestamp) -> Self {
        Self(u64::try_from(moment.as_second()).unwrap_or(0) / STEP_SECONDS)
    }

    /// As stored.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}
