//! The code with which a gateway is let in once. Typed on its machine, never in an address, stored as a digest.

use std::fmt;

use jiff::SignedDuration;
use modelward_seal::Digest;
use modelward_seal::source::Ids;
use zeroize::Zeroizing;

use crate::code::Code;

/// How long a code can be typed.
pub const JOIN_LIFE: SignedDuration = SignedDuration::from_mins(15);
const PURPOSE: &str = "modelward gateway v1";

/// 130 random bits, together with as many of the digest of the authority the gateway shall believe: whoever answers with
/// another authority is not the control plane the code is from.
#[derive(Clone)]
pub struct JoinCode {
    secret: Code<26, 26>,
    authority: String,
}

/// The text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a code for a gateway: two parts of 26 and 32 characters with a dot between")]
pub struct NotAJoinCode;

/// Hexadecimal digits of the authority's digest in a code.
const AUTHORITY_DIGITS: usize = 32;

impl JoinCode {
    pub fn new(authority: Digest, ids: &(impl Ids + ?Sized)) -> Self {
        Self { secret: Code::random(ids), authority: shortened(authority) }
    }

    /// Reads what somebody typed; case, spaces and hyphens do not matter in the first part.
    pub fn read(typed: &str) -> Result<Self, NotAJoinCode> {
        let (secret, authority) = typed.trim().split_once('.').ok_or(NotAJoinCode)?;
        let authority = authority.to_ascii_lowercase();
        if authority.len() != AUTHORITY_DIGITS || !authority.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAJoinCode);
        }
        Ok(Self { secret: Code::read(secret).ok_or(NotAJoinCode)?, authority })
    }

    /// The whole code, to be shown once.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}.{}", self.secret.text().as_str(), self.authority))
    }

    /// The part that is sent, to the authority that was recognised.
    pub fn secret(&self) -> Zeroizing<String> {
        self.secret.text()
    }

    /// What is stored of a part that is sent; `None` where it is none.
    pub fn digest_of(secret: &str) -> Option<Digest> {
        Code::<26, 26>::read(secret).map(|code| code.digest(PURPOSE))
    }

    pub fn digest(&self) -> Digest {
        self.secret.digest(PURPOSE)
    }

    /// Whether this is the authority the code names.
    pub fn names(&self, authority: Digest) -> bool {
        self.authority == shortened(authority)
    }
}

fn shortened(authority: Digest) -> String {
    authority.to_hex().chars().take(AUTHORITY_DIGITS).collect()
}

impl fmt::Debug for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinCode(…)")
    }
}
