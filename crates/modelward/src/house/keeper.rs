//! The token keys at work: which one signs, which ones verify, and the change from one to the next.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use modelward_identity::token::{
    Issuer, KeyId, KeyIdError, KeySet, KeySetError, LEEWAY, Profile, SigningKey, SigningKeyError, Standing,
    Verifier, WrongProfile,
};
use modelward_seal::source::Ids;
use modelward_server::wire::{KeyState, KeyView};
use modelward_server::{Keeper, KeeperError};

use crate::keys::{Key, KeyError, KeyRing, Purpose, State};

/// Signs and verifies tokens with the keys of the ring, and follows it when it changes.
pub struct Keys {
    ring: Arc<KeyRing>,
    ids: Arc<dyn Ids>,
    pub issuer: Arc<Issuer>,
    /// Of tokens for the gateway.
    pub access: Arc<Verifier>,
    /// Of tokens for the control API.
    pub control: Arc<Verifier>,
    /// Hears of every change, before anything is signed with a new key.
    listener: OnceLock<Listener>,
}

type Listener = Box<dyn Fn(&Keys) + Send + Sync>;

/// Why tokens cannot be signed or verified.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    #[error(transparent)]
    Ring(#[from] KeyError),
    #[error(transparent)]
    Id(#[from] KeyIdError),
    #[error(transparent)]
    Signing(#[from] SigningKeyError),
    #[error(transparent)]
    Set(#[from] KeySetError),
    #[error(transparent)]
    Profile(#[from] WrongProfile),
}

impl Keys {
    /// `control_url` is the issuer and the audience of control tokens, `gateway_url` that of access tokens.
    ///
    /// # Errors
    /// A key of the ring cannot be used.
    pub fn new(
        ring: Arc<KeyRing>,
        ids: Arc<dyn Ids>,
        control_url: &str,
        gateway_url: &str,
        now: Timestamp,
    ) -> Result<Self, TokenKeyError> {
        let issuer = Issuer::new(
            control_url,
            gateway_url,
            signing_key(&ring.active(Purpose::AccessToken)?, Profile::Access)?,
            control_url,
            signing_key(&ring.active(Purpose::ControlToken)?, Profile::Control)?,
        )?;
        let access =
            Verifier::new(Profile::Access, control_url, gateway_url, key_set(&ring, Profile::Access, now)?);
        let control =
            Verifier::new(Profile::Control, control_url, control_url, key_set(&ring, Profile::Control, now)?);
        Ok(Self {
            ring,
            ids,
            issuer: Arc::new(issuer),
            access: Arc::new(access),
            control: Arc::new(control),
            listener: OnceLock::new(),
        })
    }

    pub const fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// Who hears of changes. There is one at most.
    pub fn listen(&self, listener: impl Fn(&Self) + Send + Sync + 'static) {
        if self.listener.set(Box::new(listener)).is_err() {
            tracing::error!("somebody hears of changes of keys already");
        }
    }

    fn tell(&self) {
        if let Some(listener) = self.listener.get() {
            listener(self);
        }
    }

    /// Makes a new key of this purpose. Where it is at once, it also signs at once.
    ///
    /// # Errors
    /// Keys of this purpose cannot be replaced, or the files cannot be written.
    pub fn replace(&self, purpose: Purpose, at_once: bool, now: Timestamp) -> Result<(), TokenKeyError> {
        let profile = profile_of(purpose);
        let grace = if at_once { Duration::ZERO } else { profile.map_or(SNAPSHOT_GRACE, grace) };
        self.ring.rotate(purpose, &*self.ids, now, grace)?;
        // Verifiers first: nobody may see a token that is not known yet.
        if let Some(profile) = profile {
            self.verifier(profile).replace_keys(key_set(&self.ring, profile, now)?);
        }
        self.tell();
        if at_once { self.sign_anew(purpose) } else { Ok(()) }
    }

    /// Signs tokens with the newest key of this purpose.
    fn sign_anew(&self, purpose: Purpose) -> Result<(), TokenKeyError> {
        if let Some(profile) = profile_of(purpose) {
            self.issuer.rotate(signing_key(&self.ring.active(purpose)?, profile)?);
        }
        Ok(())
    }

    /// Ends a key.
    ///
    /// # Errors
    /// It is unknown, revoked already, or the last of its purpose.
    pub fn end(&self, id: &str, now: Timestamp) -> Result<(), TokenKeyError> {
        let revoked = self.ring.revoke(id, now)?;
        if let Some(profile) = profile_of(revoked.purpose) {
            self.verifier(profile).replace_keys(key_set(&self.ring, profile, now)?);
            self.sign_anew(revoked.purpose)?;
        }
        self.tell();
        Ok(())
    }

    fn verifier(&self, profile: Profile) -> &Verifier {
        match profile {
            Profile::Access => &self.access,
            Profile::Control => &self.control,
        }
    }
}

const fn profile_of(purpose: Purpose) -> Option<Profile> {
    match purpose {
        Purpose::AccessToken => Some(Profile::Access),
        Purpose::ControlToken => Some(Profile::Control),
        Purpose::Checkpoint
        | Purpose::Totp
        | Purpose::Facts
        | Purpose::Pseudonym
        | Purpose::Snapshot
        | Purpose::Authority => None,
    }
}

const fn purpose_of(profile: Profile) -> Purpose {
    match profile {
        Profile::Access => Purpose::AccessToken,
        Profile::Control => Purpose::ControlToken,
    }
}

/// How long beats are signed with the key before too: a gateway that hears of the new one in this time needs nothing
/// else.
const SNAPSHOT_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// As long as anything signed a moment ago can live.
fn grace(profile: Profile) -> Duration {
    let longest = profile.row().ttl_max.saturating_add(LEEWAY);
    Duration::try_from(longest).unwrap_or(Duration::MAX)
}

fn signing_key(key: &Key, profile: Profile) -> Result<SigningKey, TokenKeyError> {
    let id: KeyId = key.id.parse()?;
    Ok(SigningKey::from_seed(id, profile, key.secret().clone())?)
}

/// The newest keys of a profile, with what each may still do.
fn key_set(ring: &KeyRing, profile: Profile, now: Timestamp) -> Result<KeySet, TokenKeyError> {
    let keys = ring.list();
    let newest = keys.iter().rev().filter(|key| key.purpose == purpose_of(profile)).take(KeySet::MAX);
    let listed = newest
        .map(|key| {
            let standing = match key.state {
                State::Active => Standing::Active,
                State::Retiring { until } if now < until => Standing::VerifyOnly,
                State::Retiring { .. } | State::Revoked { .. } => Standing::Revoked,
            };
            Ok((signing_key(key, profile)?.public().clone(), standing))
        })
        .collect::<Result<Vec<_>, TokenKeyError>>()?;
    Ok(KeySet::new(listed)?)
}

impl Keeper for Keys {
    fn keys(&self, now: Timestamp) -> Vec<KeyView> {
        self.ring.list().iter().rev().map(|key| view(key, now)).collect()
    }

    fn rotate(&self, purpose: &str, at_once: bool, now: Timestamp) -> Result<(), KeeperError> {
        let purpose = Purpose::named(purpose).ok_or_else(|| KeeperError::Unknown(purpose.to_owned()))?;
        Ok(self.replace(purpose, at_once, now)?)
    }

    fn sign_with_newest(&self, purpose: &str) -> Result<(), KeeperError> {
        let purpose = Purpose::named(purpose).ok_or_else(|| KeeperError::Unknown(purpose.to_owned()))?;
        Ok(self.sign_anew(purpose)?)
    }

    fn revoke(&self, key: &str, now: Timestamp) -> Result<(), KeeperError> {
        Ok(self.end(key, now)?)
    }
}

fn view(key: &Key, now: Timestamp) -> KeyView {
    let (state, retires_at) = match key.state {
        State::Active => (KeyState::Active, None),
        State::Retiring { until } if now < until => (KeyState::Retiring, Some(until)),
        State::Retiring { .. } | State::Revoked { .. } => (KeyState::Revoked, None),
    };
    KeyView {
        id: key.id.clone(),
        purpose: key.purpose.to_string(),
        algorithm: key.purpose.algorithm().as_str().to_owned(),
        state,
        created_at: key.created_at,
        retires_at,
        public: key.public().map(|public| STANDARD.encode(public)),
    }
}

impl From<TokenKeyError> for KeeperError {
    fn from(error: TokenKeyError) -> Self {
        match error {
            TokenKeyError::Ring(KeyError::Unknown(id)) => Self::Unknown(id),
            TokenKeyError::Ring(
                refused @ (KeyError::Fixed(_) | KeyError::LastActive(_) | KeyError::AlreadyRevoked(_)),
            ) => Self::Refused(refused.to_string()),
            other => Self::Storage(Box::new(other)),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("ring", &self.ring).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemIds;

    const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn keys() -> (tempfile::TempDir, Keys) {
        let folder = tempfile::tempdir().unwrap();
        let ring = Arc::new(KeyRing::create(&folder.path().join("keys"), &SystemIds, NOON).unwrap());
        let keys = Keys::new(ring, Arc::new(SystemIds), "http://control", "http://gateway", NOON).unwrap();
        (folder, keys)
    }

    fn standings(verifier: &Verifier) -> Vec<Standing> {
        let mut standings: Vec<_> = verifier.keys().iter().map(|(_, standing)| standing).collect();
        standings.sort();
        standings
    }

    #[test]
    fn a_rotated_key_still_verifies_and_a_leaked_one_does_not() {
        let (_folder, keys) = keys();
        keys.replace(Purpose::AccessToken, false, NOON).unwrap();
        assert_eq!(standings(&keys.access), [Standing::Active, Standing::VerifyOnly]);
        keys.replace(Purpose::AccessToken, true, NOON + Duration::from_secs(1)).unwrap();
        assert_eq!(standings(&keys.access), [Standing::Active, Standing::VerifyOnly, Standing::Revoked]);
        assert_eq!(standings(&keys.control), [Standing::Active], "the other plane is not touched");
    }

    #[test]
    fn a_key_that_protects_what_is_stored_stays() {
        let (_folder, keys) = keys();
        let refused = keys.replace(Purpose::Totp, false, NOON);
        assert!(matches!(refused, Err(TokenKeyError::Ring(KeyError::Fixed(Purpose::Totp)))));
    }
}
