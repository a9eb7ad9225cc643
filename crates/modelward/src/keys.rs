//! Keys on disk: one file per key with mode 0600, in a folder with mode 0700, one purpose per key.
//!
//! `docs/keys.md` says what each purpose is for and what happens when a key is lost or stolen.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use modelward_seal::Digest;
use modelward_seal::note::{KeyName, Signer as _, SoftwareSigner};
use modelward_seal::source::Ids;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::private::{self, PrivateError};

/// What a key is for. No key serves two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Signs access tokens for the gateway.
    AccessToken,
    /// Signs access tokens for the control API.
    ControlToken,
    /// Signs the checkpoints of the ledger.
    Checkpoint,
    /// Seals the TOTP secrets in the database.
    Totp,
    /// Encrypts the facts of decisions beside the ledger.
    Facts,
    /// Makes pseudonyms of people in ledger entries.
    Pseudonym,
    /// Signs heartbeats to gateways: which state is the newest.
    Snapshot,
    /// Certifies gateways, and the control plane towards them.
    Authority,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    Ed25519,
    /// XChaCha20-Poly1305 under a key derived for each use.
    Xchacha20Poly1305,
    HmacSha256,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// Makes and checks.
    Active,
    /// Checks what it made before, until then.
    Retiring { until: Timestamp },
    /// Neither.
    Revoked { at: Timestamp },
}

/// A key with its secret. `Debug` shows everything but that.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub purpose: Purpose,
    pub created_at: Timestamp,
    pub state: State,
    secret: Zeroizing<[u8; 32]>,
}

/// Every key of an installation.
#[derive(Debug)]
pub struct KeyRing {
    folder: PathBuf,
    /// INVARIANT: sorted by creation, and equal to what the files say.
    keys: Mutex<Vec<Key>>,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Private(#[from] PrivateError),
    #[error("failed to list the keys in `{}`", path.display())]
    List {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the key file `{}` is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("there is no active key for the purpose `{0}`")]
    Missing(Purpose),
    #[error("there is no key `{0}`")]
    Unknown(String),
    #[error("`{0}` keys cannot be replaced while what they protect is in use")]
    Fixed(Purpose),
    #[error("`{0}` is the only active key of its purpose")]
    LastActive(String),
    #[error("the key `{0}` is revoked")]
    AlreadyRevoked(String),
}

/// The file of one key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: u8,
    id: String,
    purpose: Purpose,
    algorithm: Algorithm,
    created_at: Timestamp,
    #[serde(rename = "key_state")]
    state: State,
    /// Base64 of 32 bytes.
    secret: Zeroizing<String>,
}

const FORMAT: u8 = 1;

/// No key file is longer than this.
const MAX_KEY_FILE: u64 = 4096;

/// Bounds the work at start; a key a day for ten years fits.
const MAX_KEYS: usize = 4096;

impl Purpose {
    pub const ALL: [Self; 8] = [
        Self::AccessToken,
        Self::ControlToken,
        Self::Checkpoint,
        Self::Totp,
        Self::Facts,
        Self::Pseudonym,
        Self::Snapshot,
        Self::Authority,
    ];

    /// Those that an installation of an earlier version has no keys of: they protect nothing that exists already.
    const YOUNG: [Self; 2] = [Self::Snapshot, Self::Authority];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access-token",
            Self::ControlToken => "control-token",
            Self::Checkpoint => "checkpoint",
            Self::Totp => "totp",
            Self::Facts => "facts",
            Self::Pseudonym => "pseudonym",
            Self::Snapshot => "snapshot",
            Self::Authority => "authority",
        }
    }

    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::AccessToken | Self::ControlToken | Self::Checkpoint | Self::Snapshot | Self::Authority => {
                Algorithm::Ed25519
            }
            Self::Totp | Self::Facts => Algorithm::Xchacha20Poly1305,
            Self::Pseudonym => Algorithm::HmacSha256,
        }
    }

    /// Whether a key can take the place of another. A checkpoint key is the identity of the ledger, the authority what
    /// gateways pin; the others that cannot hold what could no longer be read without them.
    pub const fn can_rotate(self) -> bool {
        match self {
            Self::AccessToken | Self::ControlToken | Self::Snapshot => true,
            Self::Checkpoint | Self::Totp | Self::Facts | Self::Pseudonym | Self::Authority => false,
        }
    }

    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

impl Algorithm {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Xchacha20Poly1305 => "xchacha20-poly1305",
            Self::HmacSha256 => "hmac-sha256",
        }
    }
}

impl State {
    /// Whether what the key made still counts.
    pub fn verifies(self, now: Timestamp) -> bool {
        match self {
            Self::Active => true,
            Self::Retiring { until } => now < until,
            Self::Revoked { .. } => false,
        }
    }
}

impl Key {
    fn generate(purpose: Purpose, ids: &dyn Ids, now: Timestamp) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        ids.fill(secret.as_mut());
        let id = key_id(purpose, &secret);
        Self { id, purpose, created_at: now, state: State::Active, secret }
    }

    /// The 32 secret bytes: an Ed25519 seed or a symmetric key.
    pub const fn secret(&self) -> &Zeroizing<[u8; 32]> {
        &self.secret
    }

    /// The public half of a signing key.
    pub fn public(&self) -> Option<[u8; 32]> {
        match self.purpose.algorithm() {
            Algorithm::Ed25519 => {
                let name = KeyName::new(self.purpose.as_str()).ok()?;
                Some(SoftwareSigner::from_seed(name, &self.secret).public_key())
            }
            Algorithm::Xchacha20Poly1305 | Algorithm::HmacSha256 => None,
        }
    }

    fn write(&self, folder: &Path) -> Result<(), KeyError> {
        let file = KeyFile {
            format: FORMAT,
            id: self.id.clone(),
            purpose: self.purpose,
            algorithm: self.purpose.algorithm(),
            created_at: self.created_at,
            state: self.state,
            secret: Zeroizing::new(STANDARD.encode(self.secret.as_ref())),
        };
        let path = folder.join(format!("{}.{}.json", self.purpose, self.id));
        let damaged =
            |error: serde_json::Error| KeyError::Damaged { path: path.clone(), reason: error.to_string() };
        let text = Zeroizing::new(serde_json::to_vec_pretty(&file).map_err(damaged)?);
        Ok(private::write(&path, &text)?)
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let damaged = |reason: &str| KeyError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
        let text = Zeroizing::new(private::read(path, MAX_KEY_FILE)?);
        // The parser's own message could quote the secret.
        let file: KeyFile = serde_json::from_slice(&text).map_err(|_| damaged("it is not a key"))?;
        if file.format != FORMAT || file.algorithm != file.purpose.algorithm() {
            return Err(damaged("its format or algorithm is not known to this version"));
        }
        let bytes =
            Zeroizing::new(STANDARD.decode(file.secret.as_bytes()).map_err(|_| damaged("no base64"))?);
        let secret: [u8; 32] = bytes.as_slice().try_into().map_err(|_| damaged("not 32 bytes"))?;
        let secret = Zeroizing::new(secret);
        if file.id != key_id(file.purpose, &secret) {
            return Err(damaged("its id does not belong to its secret"));
        }
        Ok(Self {
            id: file.id,
            purpose: file.purpose,
            created_at: file.created_at,
            state: file.state,
            secret,
        })
    }
}

/// 64 bits of a hash over purpose and secret: tells keys apart and reveals nothing.
fn key_id(purpose: Purpose, secret: &[u8; 32]) -> String {
    let digest = Digest::of_parts(&[b"modelward key id\n", purpose.as_str().as_bytes(), b"\n", secret]);
    digest.to_hex().chars().take(16).collect()
}

impl KeyRing {
    /// Makes the folder and one key of each purpose.
    ///
    /// # Errors
    /// The folder or a key cannot be written.
    pub fn create(folder: &Path, ids: &dyn Ids, now: Timestamp) -> Result<Self, KeyError> {
        Self::create_for(folder, &Purpose::ALL, ids, now)
    }

    /// The same for these purposes alone.
    ///
    /// # Errors
    /// The folder or a key cannot be written.
    pub fn create_for(
        folder: &Path,
        purposes: &[Purpose],
        ids: &dyn Ids,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        private::make_folder(folder)?;
        private::check_folder(folder)?;
        let keys: Vec<Key> = purposes.iter().map(|purpose| Key::generate(*purpose, ids, now)).collect();
        for key in &keys {
            key.write(folder)?;
        }
        Ok(Self { folder: folder.to_owned(), keys: Mutex::new(keys) })
    }

    /// Reads every key of the folder.
    ///
    /// # Errors
    /// The folder or a file is not private, a file is damaged, or a purpose has no active key.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        Self::open_for(folder, &Purpose::ALL)
    }

    /// Reads every key of the folder, and makes those that an earlier version did not know of.
    ///
    /// # Errors
    /// As [`Self::open`], or a key cannot be written.
    pub fn open_grown(folder: &Path, ids: &dyn Ids, now: Timestamp) -> Result<Self, KeyError> {
        let ring = Self::open_for(folder, &[])?;
        for purpose in Purpose::YOUNG {
            let mut keys = ring.keys();
            if keys.iter().all(|key| key.purpose != purpose) {
                let fresh = Key::generate(purpose, ids, now);
                fresh.write(folder)?;
                keys.push(fresh);
            }
        }
        for purpose in Purpose::ALL {
            ring.active(purpose)?;
        }
        Ok(ring)
    }

    /// The same where only these purposes are needed.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_for(folder: &Path, purposes: &[Purpose]) -> Result<Self, KeyError> {
        private::check_folder(folder)?;
        let listed = |source| KeyError::List { path: folder.to_owned(), source };
        let mut keys = Vec::new();
        for entry in fs::read_dir(folder).map_err(listed)?.take(MAX_KEYS) {
            let path = entry.map_err(listed)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                keys.push(Key::read(&path)?);
            }
        }
        keys.sort_by(|a: &Key, b: &Key| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let ring = Self { folder: folder.to_owned(), keys: Mutex::new(keys) };
        for purpose in purposes {
            ring.active(*purpose)?;
        }
        Ok(ring)
    }

    fn keys(&self) -> MutexGuard<'_, Vec<Key>> {
        // A panic elsewhere leaves the list whole: every change is one assignment.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All keys, oldest first.
    pub fn list(&self) -> Vec<Key> {
        self.keys().clone()
    }

    /// The newest active key of a purpose.
    ///
    /// # Errors
    /// There is none.
    pub fn active(&self, purpose: Purpose) -> Result<Key, KeyError> {
        self.keys()
            .iter()
            .rfind(|key| key.purpose == purpose && key.state == State::Active)
            .cloned()
            .ok_or(KeyError::Missing(purpose))
    }

    /// The keys of a purpose whose work still counts.
    pub fn verifying(&self, purpose: Purpose, now: Timestamp) -> Vec<Key> {
        let keys = self.keys();
        keys.iter().filter(|key| key.purpose == purpose && key.state.verifies(now)).cloned().collect()
    }

    /// Puts a new key in the place of the active one, which counts for `grace` more.
    ///
    /// # Errors
    /// Keys of this purpose cannot be replaced, or the files cannot be written.
    pub fn rotate(
        &self,
        purpose: Purpose,
        ids: &dyn Ids,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Key, KeyError> {
        if !purpose.can_rotate() {
            return Err(KeyError::Fixed(purpose));
        }
        let fresh = Key::generate(purpose, ids, now);
        // First the new key, so that a crash between the two leaves two active keys and never none.
        fresh.write(&self.folder)?;
        let mut keys = self.keys();
        let until = now.checked_add(grace).unwrap_or(Timestamp::MAX);
        let state = if grace.is_zero() { State::Revoked { at: now } } else { State::Retiring { until } };
        let replaced = keys.iter_mut().filter(|key| key.purpose == purpose && key.state == State::Active);
        for key in replaced {
            let ended = Key { state, ..key.clone() };
            ended.write(&self.folder)?;
            *key = ended;
        }
        keys.push(fresh.clone());
        Ok(fresh)
    }

    /// Ends a key. What it made counts no more.
    ///
    /// # Errors
    /// It is unknown, revoked already, the last active one of its purpose, or cannot be written.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<Key, KeyError> {
        let mut keys = self.keys();
        let found =
            keys.iter().find(|key| key.id == id).cloned().ok_or_else(|| KeyError::Unknown(id.to_owned()))?;
        if matches!(found.state, State::Revoked { .. }) {
            return Err(KeyError::AlreadyRevoked(id.to_owned()));
        }
        let others = keys
            .iter()
            .filter(|key| key.purpose == found.purpose && key.id != id && key.state == State::Active);
        if found.state == State::Active && others.count() == 0 {
            return Err(KeyError::LastActive(id.to_owned()));
        }
        let revoked = Key { state: State::Revoked { at: now }, ..found };
        revoked.write(&self.folder)?;
        for key in keys.iter_mut().filter(|key| key.id == id) {
            key.clone_from(&revoked);
        }
        Ok(revoked)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("created_at", &self.created_at)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
