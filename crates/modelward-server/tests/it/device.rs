//! A device with passkeys: the `passkey` crates, which know nothing of ours.

use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, DefaultClientData};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey::types::Passkey;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use passkey::types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use public_suffix::PublicSuffixList;
use serde_json::Value;
use url::Url;

use crate::house::ORIGIN;

/// A device of somebody, and the page its browser believes to be at.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) origin: String,
    /// Whether it looks who uses it.
    pub(crate) verifies: bool,
    pub(crate) passkey: Option<Passkey>,
}

struct Holder {
    verifies: bool,
}

#[async_trait::async_trait]
impl UserValidationMethod for Holder {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _hint: UiHint<'a, Passkey>,
        presence: bool,
        _verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence, verification: self.verifies })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(self.verifies)
    }
}

impl Device {
    pub(crate) fn new() -> Self {
        Self { origin: ORIGIN.to_owned(), verifies: true, passkey: None }
    }

    fn client(&self) -> Client<Option<Passkey>, Holder, RustCryptoBackend, PublicSuffixList, ()> {
        let holder = Holder { verifies: self.verifies };
        let mut authenticator =
            Authenticator::new(Aaguid::new_empty(), self.passkey.clone(), holder, RustCryptoBackend);
        authenticator.set_make_credentials_with_signature_counter(true);
        Client::new(authenticator).allows_insecure_localhost(true)
    }

    /// Answers `navigator.credentials.create`.
    pub(crate) async fn create(&mut self, options: &Value) -> Value {
        let options: CredentialCreationOptions = serde_json::from_value(self.as_asked(options)).unwrap();
        let mut client = self.client();
        let origin = Url::parse(&self.origin).unwrap();
        let created = client.register(&origin, options, DefaultClientData).await.unwrap();
        self.passkey.clone_from(client.authenticator().store());
        serde_json::to_value(created).unwrap()
    }

    /// Answers `navigator.credentials.get`.
    pub(crate) async fn get(&mut self, options: &Value) -> Value {
        let options: CredentialRequestOptions = serde_json::from_value(self.as_asked(options)).unwrap();
        let mut client = self.client();
        let origin = Url::parse(&self.origin).unwrap();
        let answer = client.authenticate(&origin, options, DefaultClientData).await.unwrap();
        self.passkey.clone_from(client.authenticator().store());
        serde_json::to_value(answer).unwrap()
    }

    /// A device that does not look who uses it can only be had by a page that does not ask it to.
    fn as_asked(&self, options: &Value) -> Value {
        let mut options = options.clone();
        if !self.verifies {
            for place in ["/publicKey/userVerification", "/publicKey/authenticatorSelection/userVerification"]
            {
                if let Some(asked) = options.pointer_mut(place) {
                    *asked = "discouraged".into();
                }
            }
        }
        options
    }
}
