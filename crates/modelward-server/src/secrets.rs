//! Secrets that leave this process sealed: authenticator secrets into the database, and sign-ins on their way through an
//! issuer into the browser that began them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use modelward_decision::vocabulary::PersonId;
use modelward_identity::federation::Flow;
use modelward_identity::totp::TotpSecret;
use modelward_seal::source::Ids;
use modelward_store::StoreError;
use modelward_store::secret::Sealed;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;

/// The key that authenticator secrets are sealed under.
pub struct TotpKey(Zeroizing<[u8; 32]>);

/// A sealed secret is not what this key sealed for this person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored authenticator secret cannot be opened")]
pub(crate) struct Unopened;

impl TotpKey {
    pub const fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Seals for one person: the sealed bytes open for nobody else, so rows cannot be swapped.
    pub(crate) fn seal(
        &self,
        person: PersonId,
        secret: &TotpSecret,
        ids: &dyn Ids,
    ) -> Result<Sealed, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        ids.fill(&mut nonce);
        let aad = associated(person);
        let payload = Payload { msg: secret.expose(), aad: &aad };
        let sealed = self.cipher().encrypt(XNonce::from_slice(&nonce), payload).unwrap_or_default();
        Sealed::new(if sealed.is_empty() { sealed } else { [nonce.as_slice(), &sealed].concat() })
    }

    pub(crate) fn open(&self, person: PersonId, sealed: &Sealed) -> Result<TotpSecret, Unopened> {
        let (nonce, text) = sealed.as_bytes().split_at_checked(NONCE_BYTES).ok_or(Unopened)?;
        let aad = associated(person);
        let clear = self
            .cipher()
            .decrypt(XNonce::from_slice(nonce), Payload { msg: text, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| Unopened)?;
        TotpSecret::from_bytes(&clear).map_err(|_| Unopened)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(self.0.as_slice()))
    }
}

/// The key that sign-ins on their way are sealed under. It lives as long as the process.
pub(crate) struct FlowKey(Zeroizing<[u8; 32]>);

impl FlowKey {
    const ASSOCIATED: &[u8] = b"modelward sign-in flow v1";

    pub(crate) fn random(ids: &dyn Ids) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        ids.fill(key.as_mut_slice());
        Self(key)
    }

    pub(crate) fn seal(&self, flow: &Flow, ids: &dyn Ids) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        ids.fill(&mut nonce);
        let text = Zeroizing::new(serde_json::to_vec(flow).ok()?);
        let payload = Payload { msg: &text, aad: Self::ASSOCIATED };
        let sealed = self.cipher().encrypt(XNonce::from_slice(&nonce), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    pub(crate) fn open(&self, sealed: &str) -> Option<Flow> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES)?;
        let payload = Payload { msg: text, aad: Self::ASSOCIATED };
        let clear = Zeroizing::new(self.cipher().decrypt(XNonce::from_slice(nonce), payload).ok()?);
        serde_json::from_slice(&clear).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(self.0.as_slice()))
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlowKey(…)")
    }
}

fn associated(person: PersonId) -> Vec<u8> {
    format!("modelward totp v1\0{person}").into_bytes()
}

impl fmt::Debug for TotpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpKey(…)")
    }
}
