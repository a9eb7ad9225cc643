//! The holder's side: a key, and the proofs it makes.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use modelward_seal::source::Ids;
use zeroize::Zeroizing;

use super::jwk::Jwk;
use super::{Claims, Header, PROOF_TYPE, token_digest};
use crate::token::binding::Thumbprint;
use crate::token::key::{Pair, PairError};

/// An Ed25519 key that proofs are made with. It is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct ProofKey(Pair);

impl ProofKey {
    pub fn generate(ids: &(impl Ids + ?Sized)) -> Result<Self, PairError> {
        let mut seed = Zeroizing::new([0; 32]);
        ids.fill(seed.as_mut_slice());
        Self::from_seed(seed)
    }

    /// A key read back from where it is kept.
    pub fn from_seed(seed: Zeroizing<[u8; 32]>) -> Result<Self, PairError> {
        Pair::new(seed).map(Self)
    }

    /// The seed, to be kept in a file only its holder can read.
    pub const fn expose_seed(&self) -> &Zeroizing<[u8; 32]> {
        &self.0.seed
    }

    /// What tokens are bound to.
    pub fn thumbprint(&self) -> Thumbprint {
        self.jwk().thumbprint()
    }

    /// A proof for one request; `None` never happens with a key that could be made.
    ///
    /// `url` is without query and fragment; `token` is the token the request carries, if any.
    pub fn prove(
        &self,
        method: &str,
        url: &str,
        token: Option<&[u8]>,
        nonce: Option<&str>,
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Option<String> {
        let mut id = [0; 16];
        ids.fill(&mut id);
        let header = Header { typ: Cow::Borrowed(PROOF_TYPE), alg: Cow::Borrowed("EdDSA"), jwk: self.jwk() };
        let claims = Claims {
            jti: URL_SAFE_NO_PAD.encode(id).into(),
            htm: method.into(),
            htu: url.into(),
            iat: now.as_second(),
            ath: token.map(|token| token_digest(token).into()),
            nonce: nonce.map(Cow::Borrowed),
        };
        let mut text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).ok()?);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims).ok()?, &mut text);
        let signature = self.0.sign(text.as_bytes())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Some(text)
    }

    fn jwk(&self) -> Jwk<'static> {
        Jwk {
            kty: Cow::Borrowed("OKP"),
            crv: Cow::Borrowed("Ed25519"),
            x: URL_SAFE_NO_PAD.encode(self.0.public).into(),
            y: None,
        }
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProofKey").field(&self.thumbprint()).finish()
    }
}
