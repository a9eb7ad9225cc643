//! The door of a server: a token, under the scheme it is for, with the proof that goes with it.

use std::sync::Arc;

use jiff::Timestamp;

use super::binding::{Thumbprint, TokenBinding, needs_nonce};
use super::proof::{Demand, Nonce, ProofRefusal, Proofs};
use super::verifier::{TokenRefusal, Verifier};
use crate::authenticated::{Authenticated, Epochs};

/// Admits the tokens of one profile at one server.
#[derive(Debug)]
pub struct Admission {
    verifier: Arc<Verifier>,
    proofs: Proofs,
    nonce_always: bool,
}

/// A token as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub token: &'a [u8],
    pub scheme: Scheme,
    /// Every `DPoP` header there was.
    pub proofs: &'a [&'a [u8]],
    pub method: &'a str,
    /// As we are configured to be called, with the path of the request.
    pub url: &'a str,
    /// Of the certificate the client showed in the handshake.
    pub certificate: Option<Thumbprint>,
}

/// What somebody showed that they hold, in this very request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held(TokenBinding);

/// The scheme in `Authorization` (RFC 9110 section 11.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Bearer,
    Dpop,
}

/// Why a token was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unadmitted {
    #[error(transparent)]
    Token(#[from] TokenRefusal),
    #[error(transparent)]
    Proof(#[from] ProofRefusal),
}

impl Admission {
    pub const fn new(verifier: Arc<Verifier>, proofs: Proofs) -> Self {
        Self { verifier, proofs, nonce_always: false }
    }

    /// One of several servers at the same address, which do not tell each other of the proofs they saw: each proof has to
    /// carry a nonce of this very one, or it would count once at each of them.
    #[must_use]
    pub fn among_others(self) -> Self {
        Self { nonce_always: true, ..self }
    }

    pub const fn verifier(&self) -> &Arc<Verifier> {
        &self.verifier
    }

    /// Turns what was shown into the proof of who asks.
    pub fn admit(
        &self,
        shown: &Shown<'_>,
        epochs: &(impl Epochs + ?Sized),
        now: Timestamp,
    ) -> Result<Authenticated, Unadmitted> {
        let inspected = self.verifier.inspect(shown.token, epochs, now)?;
        match (inspected.binding(), shown.scheme) {
            (None, Scheme::Bearer) => {}
            (Some(TokenBinding::Key(key)), Scheme::Dpop) => {
                let demand = Demand {
                    method: shown.method,
                    url: shown.url,
                    token: Some(shown.token),
                    nonce: self.nonce_always || needs_nonce(&inspected.rights()),
                };
                self.prove(shown.proofs, &demand, Some(key), now)?;
            }
            (Some(TokenBinding::Certificate(certificate)), Scheme::Bearer) => {
                if shown.certificate != Some(certificate) {
                    return Err(TokenRefusal::Certificate.into());
                }
            }
            // RFC 9449 section 7.2: a bound token is no bearer token, and the other way round.
            (Some(TokenBinding::Key(_)), Scheme::Bearer)
            | (Some(TokenBinding::Certificate(_)) | None, Scheme::Dpop) => {
                return Err(TokenRefusal::Scheme.into());
            }
        }
        Ok(inspected.held())
    }

    /// The key that made the one proof there is.
    pub fn prove(
        &self,
        proofs: &[&[u8]],
        demand: &Demand<'_>,
        holder: Option<Thumbprint>,
        now: Timestamp,
    ) -> Result<Held, ProofRefusal> {
        match proofs {
            [] => Err(ProofRefusal::Missing),
            [proof] => Ok(Held(TokenBinding::Key(self.proofs.check(proof, demand, holder, now)?))),
            _ => Err(ProofRefusal::Several),
        }
    }

    /// The nonce to put into the next proof.
    pub fn nonce(&self, now: Timestamp) -> Nonce {
        self.proofs.nonce(now)
    }
}

impl Held {
    /// The certificate of the connection: whoever speaks on it has shown the key in the handshake.
    pub const fn certificate(thumbprint: Thumbprint) -> Self {
        Self(TokenBinding::Certificate(thumbprint))
    }

    pub const fn binding(self) -> TokenBinding {
        self.0
    }
}
