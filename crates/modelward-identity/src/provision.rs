//! The secret of a provisioning client, which speaks SCIM and nothing else.
//!
//! Such clients are other people's services that can show a bearer token and no key, so the secret is kept narrow: it
//! opens `/scim/v2` alone, for one issuer's people, ends by itself, and can be replaced without a gap.

use std::fmt;

use jiff::SignedDuration;
use modelward_seal::Digest;
use modelward_seal::source::Ids;
use zeroize::Zeroizing;

use crate::code::Code;

/// How long a secret counts unless asked otherwise, and at most.
pub const SECRET_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
pub const SECRET_LIFE_MAX: SignedDuration = SignedDuration::from_hours(180 * 24);
/// How long the secret before goes on counting once there is a new one.
pub const SECRET_OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// So that secret scanners, and people, know what it is.
const PREFIX: &str = "mwp_";
const PURPOSE: &str = "modelward provisioning v1";

/// 260 random bits, written `mwp_` and 52 characters.
#[derive(Clone)]
pub struct ProvisioningSecret(Code<52, 52>);

impl ProvisioningSecret {
    pub fn random(ids: &(impl Ids + ?Sized)) -> Self {
        Self(Code::random(ids))
    }

    /// Reads a presented secret; nothing where it cannot be one of ours.
    pub fn read(text: &str) -> Option<Self> {
        Code::read(text.strip_prefix(PREFIX)?).map(Self)
    }

    /// The secret itself, to be shown once: never in a log, an error or an address.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", self.0.text().as_str()))
    }

    /// What is stored and looked up.
    pub fn digest(&self) -> Digest {
        self.0.digest(PURPOSE)
    }
}

impl fmt::Debug for ProvisioningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProvisioningSecret(…)")
    }
}
