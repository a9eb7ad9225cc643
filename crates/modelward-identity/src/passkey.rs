//! Passkeys (Web Authentication Level 3): a key in somebody's device or password manager signs a challenge of ours, after
//! the device has verified who holds it. The signature names the page it was made for, so no other page can pass it on.
//!
//! A ceremony has two halves. The first makes a challenge and leaves a [`Ceremony`] to be stored; the second takes that
//! ceremony out of the store, once, and checks the answer against it. The library draws the challenges itself (256 bits).
//!
//! User verification is always required, so that a passkey is two factors by itself. A signature counter that does not
//! go up is a copied key ([`PasskeyRefusal::Copied`]): refused, and for the caller to tell people about.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::PersonId;
use modelward_seal::Digest;
use serde::Deserialize;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::login::Login;
use crate::session::after;

/// How long a challenge can be answered.
pub const CHALLENGE_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// Passkeys of one person.
pub const PASSKEYS_MAX: usize = 16;
/// Of a passkey's name, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Of an answer, in bytes of JSON: an attestation object with certificates has a few thousand.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024;

/// Who asks for passkeys: the host of our pages, and nobody else (WebAuthn section 5.1.2).
pub struct RelyingParty {
    webauthn: Webauthn,
}

/// A challenge that waits for its answer. To be stored under [`Ceremony::challenge`], taken out once, and forgotten after
/// [`CHALLENGE_LIFE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceremony {
    /// Digest of the challenge; the answer says which one it is for.
    pub challenge: Digest,
    /// What the second half needs. It tells nobody how to answer.
    pub state: String,
}

/// The public half of a passkey: what is stored.
#[derive(Debug, Clone)]
pub struct Passkey(webauthn_rs::prelude::Passkey);

/// Somebody who proved they hold a passkey. It exists for the length of one request.
#[derive(Debug)]
pub struct Asserted {
    person: PersonId,
    passkey: Digest,
    counter: u32,
    synced: bool,
    after: Passkey,
}

#[derive(Debug, thiserror::Error)]
pub enum PasskeyRefusal {
    /// Unknown passkey, stale challenge, wrong page, bad signature, nobody verified: from outside one answer.
    #[error("the passkey was not accepted")]
    Wrong(#[source] WhyNot),
    /// Everything is right but the counter: two devices hold this key.
    #[error("the passkey was copied: its counter did not go up")]
    Copied,
    #[error("a passkey is stored already under this id")]
    Known,
    /// Our own fault: what was stored cannot be read.
    #[error("a stored passkey cannot be read")]
    Stored(#[source] serde_json::Error),
}

/// For the log; never for the one who asked.
#[derive(Debug, thiserror::Error)]
pub enum WhyNot {
    #[error("the answer is no answer")]
    Shape(#[source] serde_json::Error),
    #[error("the answer names no challenge")]
    NoChallenge,
    #[error("the passkey is not one of this person")]
    NotTheirs,
    #[error("nobody was verified by the device")]
    Unverified,
    #[error("the check failed")]
    Check(#[source] WebauthnError),
}

/// Why there are no passkeys here.
#[derive(Debug, thiserror::Error)]
pub enum NoPasskeys {
    /// A browser makes passkeys for names, never for addresses (WebAuthn section 5.1.2, note on IP addresses).
    #[error("passkeys need a host with a name; `{0}` has none")]
    Unnamed(String),
    #[error("passkeys cannot be made for `{url}`")]
    Unusable {
        url: String,
        #[source]
        source: WebauthnError,
    },
}

/// As much of the client data (WebAuthn section 5.8.1) as tells which challenge an answer is for.
#[derive(Deserialize)]
struct ClientData {
    challenge: String,
}

impl RelyingParty {
    /// For pages at this URL: scheme, host, port. `title` is what devices show.
    pub fn new(external_url: &str, title: &str) -> Result<Self, NoPasskeys> {
        let unnamed = || NoPasskeys::Unnamed(external_url.to_owned());
        let url = Url::parse(external_url).map_err(|_| unnamed())?;
        let host = url.domain().ok_or_else(unnamed)?.to_owned();
        let unusable = |source| NoPasskeys::Unusable { url: external_url.to_owned(), source };
        let webauthn =
            WebauthnBuilder::new(&host, &url).map_err(unusable)?.rp_name(title).build().map_err(unusable)?;
        Ok(Self { webauthn })
    }

    /// First half of making a passkey: what the browser's `navigator.credentials.create` takes, and what to store.
    pub fn begin_registration(
        &self,
        person: PersonId,
        name: &str,
        display_name: &str,
        known: &[Passkey],
    ) -> Result<(Value, Ceremony), PasskeyRefusal> {
        let exclude = known.iter().map(|passkey| passkey.0.cred_id().clone()).collect();
        let (options, state) = self
            .webauthn
            .start_passkey_registration(Uuid::from_u128(person.bits()), name, display_name, Some(exclude))
            .map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(PasskeyRefusal::Stored)?;
        // A passkey is found by the device itself, so nobody has to type a name to sign in, and no list of keys tells
        // which names exist.
        if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection") {
            selection["residentKey"] = json!("required");
            selection["requireResidentKey"] = json!(true);
            selection["userVerification"] = json!("required");
        }
        let ceremony = Ceremony::of(&options, &state)?;
        Ok((options, ceremony))
    }

    /// Second half. That no other person has this passkey is for the caller to see to.
    pub fn finish_registration(&self, answer: &Value, state: &str) -> Result<Passkey, PasskeyRefusal> {
        let answer = RegisterPublicKeyCredential::deserialize(answer).map_err(shape)?;
        let state: PasskeyRegistration = serde_json::from_str(state).map_err(PasskeyRefusal::Stored)?;
        self.webauthn.finish_passkey_registration(&answer, &state).map(Passkey).map_err(refused)
    }

    /// First half of a sign-in: whoever answers says who they are.
    pub fn begin_sign_in(&self) -> Result<(Value, Ceremony), PasskeyRefusal> {
        let (options, state) = self.webauthn.start_discoverable_authentication().map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(PasskeyRefusal::Stored)?;
        // The library means the answer to come while a name is typed; ours comes from a button.
        if let Some(options) = options.as_object_mut() {
            options.remove("mediation");
        }
        if let Some(options) = options.pointer_mut("/publicKey") {
            options["userVerification"] = json!("required");
        }
        let ceremony = Ceremony::of(&options, &state)?;
        Ok((options, ceremony))
    }

    /// Who an answer to [`Self::begin_sign_in`] claims to come from: nothing is proved yet.
    pub fn claimed(&self, answer: &Value) -> Result<PersonId, PasskeyRefusal> {
        let answer = PublicKeyCredential::deserialize(answer).map_err(shape)?;
        let (person, _) = self.webauthn.identify_discoverable_authentication(&answer).map_err(refused)?;
        Ok(PersonId::from_uuid(person))
    }

    /// Second half of a sign-in, with the passkeys of the person the answer claims to come from.
    pub fn finish_sign_in(
        &self,
        answer: &Value,
        state: &str,
        known: &[Passkey],
    ) -> Result<Asserted, PasskeyRefusal> {
        let person = self.claimed(answer)?;
        let answer = PublicKeyCredential::deserialize(answer).map_err(shape)?;
        let state: DiscoverableAuthentication =
            serde_json::from_str(state).map_err(PasskeyRefusal::Stored)?;
        let used = known.iter().find(|passkey| passkey.0.cred_id().as_slice() == answer.get_credential_id());
        let used = used.ok_or(PasskeyRefusal::Wrong(WhyNot::NotTheirs))?;
        let result =
            self.webauthn.finish_discoverable_authentication_v2(&answer, state, &used.0).map_err(refused)?;
        Asserted::of(person, &result, known)
    }

    /// First half of a step-up: one of these passkeys, which are those of the person who is signed in.
    pub fn begin_step_up(&self, known: &[Passkey]) -> Result<(Value, Ceremony), PasskeyRefusal> {
        let keys: Vec<_> = known.iter().map(|passkey| passkey.0.clone()).collect();
        let (options, state) = self.webauthn.start_passkey_authentication(&keys).map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(PasskeyRefusal::Stored)?;
        if let Some(options) = options.pointer_mut("/publicKey") {
            options["userVerification"] = json!("required");
        }
        let ceremony = Ceremony::of(&options, &state)?;
        Ok((options, ceremony))
    }

    /// Second half of a step-up.
    pub fn finish_step_up(
        &self,
        person: PersonId,
        answer: &Value,
        state: &str,
        known: &[Passkey],
    ) -> Result<Asserted, PasskeyRefusal> {
        let answer = PublicKeyCredential::deserialize(answer).map_err(shape)?;
        let state: PasskeyAuthentication = serde_json::from_str(state).map_err(PasskeyRefusal::Stored)?;
        let result = self.webauthn.finish_passkey_authentication(&answer, &state).map_err(refused)?;
        Asserted::of(person, &result, known)
    }
}

impl Ceremony {
    fn of(options: &Value, state: &impl serde::Serialize) -> Result<Self, PasskeyRefusal> {
        let challenge = options.pointer("/publicKey/challenge").and_then(Value::as_str);
        let challenge = challenge.and_then(digest_of_challenge);
        Ok(Self {
            challenge: challenge.ok_or(PasskeyRefusal::Wrong(WhyNot::NoChallenge))?,
            state: serde_json::to_string(state).map_err(PasskeyRefusal::Stored)?,
        })
    }

    /// First moment at which a ceremony begun now is over.
    pub fn ends_at(now: Timestamp) -> Timestamp {
        after(now, CHALLENGE_LIFE)
    }
}

/// Which ceremony an answer belongs to. It is looked up by this; whether it is right is then checked.
pub fn challenge_of(answer: &Value) -> Result<Digest, PasskeyRefusal> {
    let none = || PasskeyRefusal::Wrong(WhyNot::NoChallenge);
    let text = answer.pointer("/response/clientDataJSON").and_then(Value::as_str).ok_or_else(none)?;
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| none())?;
    let data: ClientData = serde_json::from_slice(&bytes).map_err(shape)?;
    digest_of_challenge(&data.challenge).ok_or_else(none)
}

/// Which passkey an answer names: nothing is proved yet. `None` if it names none.
pub fn credential_of(answer: &Value) -> Option<Digest> {
    let id = answer.pointer("/rawId").and_then(Value::as_str)?;
    let bytes = URL_SAFE_NO_PAD.decode(id.trim_end_matches('=')).ok()?;
    Some(Digest::of(&bytes))
}

fn digest_of_challenge(text: &str) -> Option<Digest> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    Some(Digest::of(&bytes))
}

impl Passkey {
    /// What it is found by: the digest of its credential id.
    pub fn id(&self) -> Digest {
        Digest::of(self.0.cred_id())
    }

    /// Whether the key may leave its device, to be synchronised with others.
    pub fn is_synced(&self) -> bool {
        let stored = serde_json::to_value(&self.0).unwrap_or_default();
        // Unknown counts as synced: it is the weaker of the two.
        stored.pointer("/cred/backup_eligible").and_then(Value::as_bool).unwrap_or(true)
    }

    /// The form to store: a public key, counters and flags. Nothing in it is secret.
    pub fn to_stored(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    pub fn from_stored(text: &str) -> Result<Self, PasskeyRefusal> {
        serde_json::from_str(text).map(Self).map_err(PasskeyRefusal::Stored)
    }
}

impl PartialEq for Passkey {
    fn eq(&self, other: &Self) -> bool {
        self.to_stored() == other.to_stored()
    }
}

impl Eq for Passkey {}

impl Asserted {
    fn of(
        person: PersonId,
        result: &webauthn_rs::prelude::AuthenticationResult,
        known: &[Passkey],
    ) -> Result<Self, PasskeyRefusal> {
        if !result.user_verified() {
            return Err(PasskeyRefusal::Wrong(WhyNot::Unverified));
        }
        let used = known.iter().find(|passkey| passkey.0.cred_id() == result.cred_id());
        let mut after = used.cloned().ok_or(PasskeyRefusal::Wrong(WhyNot::NotTheirs))?;
        let passkey = after.id();
        after.0.update_credential(result);
        Ok(Self { person, passkey, counter: result.counter(), synced: result.backup_eligible(), after })
    }

    pub const fn person(&self) -> PersonId {
        self.person
    }

    /// [`Passkey::id`] of the one that was used.
    pub const fn passkey(&self) -> Digest {
        self.passkey
    }

    /// The device's count of signatures, zero where it keeps none. To be stored, together with [`Self::after`], only if
    /// the stored one is still what it was when the passkeys were read: of two answers at once one counts.
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// Whether the key may leave its device, to be synchronised with others.
    pub const fn synced(&self) -> bool {
        self.synced
    }

    /// The passkey as it is to be stored from now on.
    pub const fn after(&self) -> &Passkey {
        &self.after
    }

    /// Both factors were proved: holding the key, and being the one the device knows.
    pub fn login(&self, now: Timestamp) -> Login {
        Login::by_passkey(self.person, self.synced, now)
    }
}

fn refused(error: WebauthnError) -> PasskeyRefusal {
    match error {
        WebauthnError::CredentialPossibleCompromise => PasskeyRefusal::Copied,
        other => PasskeyRefusal::Wrong(WhyNot::Check(other)),
    }
}

fn shape(error: serde_json::Error) -> PasskeyRefusal {
    PasskeyRefusal::Wrong(WhyNot::Shape(error))
}

impl fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelyingParty(…)")
    }
}
