//! Access tokens: minted by an exchange, minutes long, for one audience, a few privileges and named models.
//!
//! The form is RFC 9068 (`at+jwt`, RFC 7519, RFC 7515) signed with Ed25519 (RFC 8037); `docs/reference/tokens.md` lists
//! every claim. One row of [`PROFILES`] per kind of token: what serves on one plane is refused on the other, by `typ`,
//! by `aud` and by key.

mod admission;
mod binding;
mod cache;
mod claims;
mod compact;
mod issuer;
mod key;
mod proof;
mod verifier;

use std::fmt;

use jiff::SignedDuration;
use modelward_decision::vocabulary::Privilege;

use crate::rights::Rights;

pub use admission::{Admission, Held, Scheme, Shown, Unadmitted};
pub use binding::{Thumbprint, ThumbprintError, TokenBinding, is_for_bearers, needs_nonce};
pub use issuer::{Ask, ExchangeRefusal, Issuer, MintedToken, TokenText, WrongProfile};
pub use key::{
    KeyId, KeyIdError, KeySet, KeySetError, PairError, PublicKey, SigningKey, SigningKeyError, Standing,
};
pub use proof::{
    Demand, Nonce, PROOF_ALGORITHMS, PROOF_BYTES_MAX, PROOF_ID_MAX, PROOF_TYPE, PROOF_WINDOW, ProofKey,
    ProofRefusal, Proofs,
};
pub use verifier::{CacheFigures, Inspected, TokenRefusal, Verifier};

/// Longest compact form that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Clocks may differ by this much; times are accepted that far off.
pub const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// Most models one token names.
pub const MODELS_MAX: usize = 64;
/// Most single actions one token names.
pub const ACTIONS_MAX: usize = 32;
/// Most authentication methods one token names.
pub const METHODS_MAX: usize = 8;
/// Most who act for another in one token, one for the other.
pub const ACTORS_MAX: usize = 3;
/// Longest life of a token that is bound to nothing.
pub const BEARER_TTL_MAX: SignedDuration = SignedDuration::from_secs(120);

/// Which plane a token serves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// The data plane: the gateway.
    Access,
    /// The control plane: the API.
    Control,
}

/// What tells the tokens of one profile from those of another.
#[derive(Debug, Clone, Copy)]
pub struct ProfileRow {
    pub profile: Profile,
    pub name: &'static str,
    /// The exact `typ` header.
    pub typ: &'static str,
    /// No token lives longer, whatever its privileges.
    pub ttl_max: SignedDuration,
}

pub const PROFILES: [ProfileRow; 2] = [ACCESS, CONTROL];

const ACCESS: ProfileRow = ProfileRow {
    profile: Profile::Access,
    name: "access",
    typ: "at+jwt",
    ttl_max: SignedDuration::from_mins(10),
};

const CONTROL: ProfileRow = ProfileRow {
    profile: Profile::Control,
    name: "control",
    typ: "mw-control+jwt",
    ttl_max: SignedDuration::from_mins(10),
};

impl Profile {
    pub const ALL: [Self; 2] = [Self::Access, Self::Control];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.row().name == name)
    }

    pub const fn row(self) -> &'static ProfileRow {
        match self {
            Self::Access => &ACCESS,
            Self::Control => &CONTROL,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

/// How long a token with these rights lives: as long as the shortest of its privileges allows, and two minutes where
/// anybody who finds it could use it.
pub fn ttl(profile: Profile, rights: &Rights, binding: Option<TokenBinding>) -> SignedDuration {
    let shortest = rights.privileges.iter().map(|privilege| ttl_of(*privilege)).min();
    let longest = shortest.unwrap_or(profile.row().ttl_max).min(profile.row().ttl_max);
    if binding.is_some() { longest } else { longest.min(BEARER_TTL_MAX) }
}

const fn ttl_of(privilege: Privilege) -> SignedDuration {
    match privilege {
        Privilege::SelfService | Privilege::ReadOnly => SignedDuration::from_mins(10),
        Privilege::Inference | Privilege::InferenceSensitive => SignedDuration::from_mins(5),
        Privilege::Experiment
        | Privilege::Registry
        | Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy
        | Privilege::Govern
        | Privilege::Audit => SignedDuration::from_mins(2),
    }
}
