//! What somebody signs in with, and changing that: who may, when, and what always has to be left.

use jiff::{SignedDuration, Timestamp};

use crate::passkey::PASSKEYS_MAX;
use crate::rights::Strength;
use crate::session::{SessionRecord, after};

/// How long after a sign-in what one signs in with can be changed. A session somebody left open, or stole, must not
/// become a key of their own.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The second factors of one person that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub totp: bool,
    pub passkeys: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FactorRefusal {
    /// A key of one's own beside the issuer's would outlive what the issuer says.
    #[error("this session rests on what an issuer says; it changes nothing about signing in here")]
    Elsewhere,
    #[error("this takes a sign-in with two factors")]
    Weak,
    #[error("this takes a sign-in of the last ten minutes")]
    Stale,
    #[error("this is the only second factor left")]
    Last,
    #[error("nobody has more than {PASSKEYS_MAX} passkeys")]
    TooMany,
}

/// Whether what the holder of this session signs in with can be changed with it.
pub fn may_change(session: &SessionRecord, now: Timestamp) -> Result<(), FactorRefusal> {
    if session.origin.is_some() {
        return Err(FactorRefusal::Elsewhere);
    }
    if session.strength < Strength::TwoFactors {
        return Err(FactorRefusal::Weak);
    }
    if after(session.authenticated_at, FRESH_FOR) <= now {
        return Err(FactorRefusal::Stale);
    }
    Ok(())
}

impl Held {
    /// Whether one more passkey fits.
    pub const fn may_add_passkey(stored: usize) -> Result<(), FactorRefusal> {
        if stored < PASSKEYS_MAX { Ok(()) } else { Err(FactorRefusal::TooMany) }
    }

    /// Whether the authenticator app can go.
    pub const fn may_remove_totp(self) -> Result<(), FactorRefusal> {
        if self.passkeys > 0 { Ok(()) } else { Err(FactorRefusal::Last) }
    }

    /// Whether a passkey can go. One that counts for nothing always can, as long as something counts.
    pub const fn may_remove_passkey(self, counts: bool) -> Result<(), FactorRefusal> {
        let left = if counts { self.passkeys.saturating_sub(1) } else { self.passkeys };
        if self.totp || left > 0 { Ok(()) } else { Err(FactorRefusal::Last) }
    }
}
