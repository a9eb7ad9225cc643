//! Demonstrating proof of possession (RFC 9449): a small signed statement, new for every request, that whoever sends a
//! token holds the key it is bound to.

mod jwk;
mod key;
mod nonce;
mod replay;
mod url;

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use modelward_seal::Digest;
use modelward_seal::source::Ids;
use serde::{Deserialize, Serialize};

pub use key::ProofKey;
pub use nonce::Nonce;

use self::jwk::Jwk;
use self::nonce::Nonces;
use self::replay::Replays;
use self::url::is_same;
use super::binding::Thumbprint;
use super::compact;

/// Longest proof that is looked at, in bytes.
pub const PROOF_BYTES_MAX: usize = 4 * 1024;
/// How far `iat` may be from now, to either side.
pub const PROOF_WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// Longest `jti`.
pub const PROOF_ID_MAX: usize = 128;
/// The exact `typ` header.
pub const PROOF_TYPE: &str = "dpop+jwt";
/// The algorithms of proofs (RFC 9449 section 5.1), as metadata lists them.
pub const PROOF_ALGORITHMS: [&str; 2] = ["EdDSA", "ES256"];

/// Checks proofs, and remembers those it saw for as long as they could be sent again.
#[derive(Debug)]
pub struct Proofs {
    replays: Replays,
    nonces: Nonces,
}

/// What a proof has to be for.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    pub method: &'a str,
    /// As we are configured to be called, with the path of the request: nothing of it comes from its headers.
    pub url: &'a str,
    /// The token it goes with; none where one is asked for.
    pub token: Option<&'a [u8]>,
    /// Whether it must carry a nonce of ours.
    pub nonce: bool,
}

/// Why a proof does not count (RFC 9449 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProofRefusal {
    #[error("there is no proof")]
    Missing,
    #[error("there is more than one proof")]
    Several,
    #[error("the proof is longer than {PROOF_BYTES_MAX} bytes")]
    TooLong,
    #[error("the proof does not consist of three parts in canonical base64url without padding")]
    Form,
    #[error("the proof's header has a member missing, unknown, doubled or of the wrong kind")]
    Header,
    #[error("the proof is of another type")]
    Type,
    #[error("the proof names another algorithm than EdDSA or ES256, or its key is of another kind")]
    Algorithm,
    #[error("the proof's key is not a public key of its algorithm")]
    Key,
    #[error("the proof's signature is wrong")]
    Signature,
    #[error("the proof's claims have a member missing, unknown, doubled or of the wrong kind")]
    Claims,
    #[error("the proof is for another method")]
    Method,
    #[error("the proof is for another address")]
    Address,
    #[error("the proof was not made within {} s of now", PROOF_WINDOW.as_secs())]
    Time,
    #[error("the proof is for another token")]
    Token,
    #[error("the proof is by another key than the token is bound to")]
    Holder,
    #[error("the proof carries no nonce, or one that is not ours or has passed")]
    Nonce,
    #[error("the proof was seen before")]
    Replayed,
    #[error("more proofs arrived than can be remembered")]
    Busy,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "jwk::object")]
    jwk: Jwk<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims<'a> {
    #[serde(borrow)]
    jti: Cow<'a, str>,
    #[serde(borrow)]
    htm: Cow<'a, str>,
    #[serde(borrow)]
    htu: Cow<'a, str>,
    iat: i64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    ath: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    nonce: Option<Cow<'a, str>>,
}

impl Proofs {
    /// Proofs remembered at most, unless told otherwise: twice this many stay for two to four minutes.
    pub const REMEMBERED_MAX: usize = 1 << 21;

    pub fn new(ids: Arc<dyn Ids>, now: Timestamp) -> Self {
        Self { replays: Replays::new(Self::REMEMBERED_MAX), nonces: Nonces::new(ids, now) }
    }

    /// Remembers at most this many; what goes beyond is refused.
    #[must_use]
    pub fn remembering(self, proofs: usize) -> Self {
        Self { replays: Replays::new(proofs), ..self }
    }

    /// The nonce to put into the next proof (RFC 9449 section 8).
    pub fn nonce(&self, now: Timestamp) -> Nonce {
        self.nonces.current(now)
    }

    /// The key that made a proof of what is demanded. With `holder`, no other key's counts.
    ///
    /// A proof is spent by this: it counts once.
    pub fn check(
        &self,
        proof: &[u8],
        demand: &Demand<'_>,
        holder: Option<Thumbprint>,
        now: Timestamp,
    ) -> Result<Thumbprint, ProofRefusal> {
        if proof.len() > PROOF_BYTES_MAX {
            return Err(ProofRefusal::TooLong);
        }
        let parts = compact::Parts::split(proof).map_err(|_| ProofRefusal::Form)?;
        let header: Header<'_> = compact::object(&parts.header).ok_or(ProofRefusal::Header)?;
        if header.typ != PROOF_TYPE {
            return Err(ProofRefusal::Type);
        }
        let key = header.jwk.key(&header.alg)?;
        let thumbprint = header.jwk.thumbprint();
        if holder.is_some_and(|holder| holder != thumbprint) {
            return Err(ProofRefusal::Holder);
        }
        if !key.is_signature(parts.signed, &parts.signature) {
            return Err(ProofRefusal::Signature);
        }
        let claims: Claims<'_> = compact::object(&parts.claims).ok_or(ProofRefusal::Claims)?;
        self.accept(&claims, demand, now)?;
        self.replays.note(thumbprint, &claims.jti, now)?;
        Ok(thumbprint)
    }

    fn accept(&self, claims: &Claims<'_>, demand: &Demand<'_>, now: Timestamp) -> Result<(), ProofRefusal> {
        if claims.jti.is_empty() || claims.jti.len() > PROOF_ID_MAX {
            return Err(ProofRefusal::Claims);
        }
        if claims.htm != demand.method {
            return Err(ProofRefusal::Method);
        }
        if !is_same(&claims.htu, demand.url) {
            return Err(ProofRefusal::Address);
        }
        let off = claims.iat.checked_sub(now.as_second()).ok_or(ProofRefusal::Claims)?;
        if off.unsigned_abs() > PROOF_WINDOW.as_secs().unsigned_abs() {
            return Err(ProofRefusal::Time);
        }
        let wanted = demand.token.map(token_digest);
        if claims.ath.as_deref() != wanted.as_deref() {
            return Err(ProofRefusal::Token);
        }
        match &claims.nonce {
            Some(nonce) if self.nonces.knows(nonce, now) => Ok(()),
            None if !demand.nonce => Ok(()),
            Some(_) | None => Err(ProofRefusal::Nonce),
        }
    }
}

/// The `ath` claim (RFC 9449 section 4.2).
fn token_digest(token: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(token).as_bytes())
}

impl ProofRefusal {
    pub const ALL: [Self; 18] = [
        Self::Missing,
        Self::Several,
        Self::TooLong,
        Self::Form,
        Self::Header,
        Self::Type,
        Self::Algorithm,
        Self::Key,
        Self::Signature,
        Self::Claims,
        Self::Method,
        Self::Address,
        Self::Time,
        Self::Token,
        Self::Holder,
        Self::Nonce,
        Self::Replayed,
        Self::Busy,
    ];

    /// A stable word for logs, metrics and the ledger.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "proof-missing",
            Self::Several => "proof-several",
            Self::TooLong => "proof-too-long",
            Self::Form => "proof-form",
            Self::Header => "proof-header",
            Self::Type => "proof-type",
            Self::Algorithm => "proof-algorithm",
            Self::Key => "proof-key",
            Self::Signature => "proof-signature",
            Self::Claims => "proof-claims",
            Self::Method => "proof-method",
            Self::Address => "proof-address",
            Self::Time => "proof-time",
            Self::Token => "proof-token",
            Self::Holder => "proof-holder",
            Self::Nonce => "proof-nonce",
            Self::Replayed => "proof-replayed",
            Self::Busy => "proof-busy",
        }
    }
}
