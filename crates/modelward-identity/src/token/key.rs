//! The Ed25519 keys that sign tokens, by key id, each with its standing.
//!
//! Rotation: add the new key as [`Standing::Active`], set the old one to [`Standing::VerifyOnly`] until its last token
//! has expired, then drop it. Compromise: set it to [`Standing::Revoked`]; its tokens die at once, cached or not.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::jwk::EllipticCurve;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use modelward_seal::source::Ids;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Profile;
use crate::code::Code;

/// The name of a key in the `kid` header: 1 to 64 characters out of `A-Z a-z 0-9 . _ -`, the first a letter or digit.
///
/// A presented one is only ever looked up in memory, never made into a path or a query.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Box<str>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a key id: 1 to 64 characters out of A-Z a-z 0-9 . _ -, the first a letter or digit")]
pub struct KeyIdError {
    pub text: String,
}

/// A secret signing key of one profile. The seed is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct SigningKey {
    public: PublicKey,
    pair: Pair,
}

/// Both halves of an Ed25519 key.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) seed: Zeroizing<[u8; 32]>,
    pub(super) public: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seed makes no Ed25519 key")]
pub struct PairError;

/// What verifies the tokens of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    profile: Profile,
    bytes: [u8; 32],
}

/// What a key may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Signs and verifies.
    Active,
    /// Verifies what it signed before.
    VerifyOnly,
    /// Counts for nothing. It stays listed so that its use is told apart from an unknown key.
    Revoked,
}

/// Every key a verifier knows, by id. A small value: a change makes a new one.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: BTreeMap<KeyId, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    key: PublicKey,
    standing: Standing,
    decoding: DecodingKey,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("key id `{id}` stands for two different keys")]
    Conflict { id: KeyId },
    #[error("more than {max} signing keys are listed")]
    TooMany { max: usize },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the seed of signing key `{id}` makes no Ed25519 key")]
pub struct SigningKeyError {
    pub id: KeyId,
}

/// PKCS#8 version 1 around an Ed25519 seed (RFC 8410 section 7): all of it but the seed is constant.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

impl SigningKey {
    /// A new key under a random id.
    pub fn generate(profile: Profile, ids: &(impl Ids + ?Sized)) -> Result<Self, SigningKeyError> {
        let name = Code::<16, 16>::random(ids).text();
        let mut seed = Zeroizing::new([0; 32]);
        ids.fill(seed.as_mut_slice());
        Self::from_seed(KeyId(name.as_str().into()), profile, seed)
    }

    /// A key read back from where it is kept.
    pub fn from_seed(
        id: KeyId,
        profile: Profile,
        seed: Zeroizing<[u8; 32]>,
    ) -> Result<Self, SigningKeyError> {
        match Pair::new(seed) {
            Ok(pair) => Ok(Self { public: PublicKey { id, profile, bytes: pair.public }, pair }),
            Err(PairError) => Err(SigningKeyError { id }),
        }
    }

    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub const fn id(&self) -> &KeyId {
        &self.public.id
    }

    pub const fn profile(&self) -> Profile {
        self.public.profile
    }

    /// The seed, to be kept in a file only the service can read.
    pub const fn expose_seed(&self) -> &Zeroizing<[u8; 32]> {
        &self.pair.seed
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.pair.sign(message)
    }
}

impl Pair {
    pub(super) fn new(seed: Zeroizing<[u8; 32]>) -> Result<Self, PairError> {
        let derive = DEFAULT_PROVIDER.key_utils.ed_pub_components_from_private_key;
        let public = derive(&pkcs8(&seed), &EllipticCurve::Ed25519).map_err(|_| PairError)?;
        let public = public.try_into().map_err(|_| PairError)?;
        Ok(Self { seed, public })
    }

    /// The 64 bytes of an Ed25519 signature; `None` never happens with a key that could be made.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let key = EncodingKey::from_ed_der(&pkcs8(&self.seed));
        let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::EdDSA, &key).ok()?;
        signer.try_sign(message).ok()
    }
}

impl PublicKey {
    pub const fn new(id: KeyId, profile: Profile, bytes: [u8; 32]) -> Self {
        Self { id, profile, bytes }
    }

    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    pub const fn profile(&self) -> Profile {
        self.profile
    }

    pub const fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The key as others read it (RFC 8037 section 2).
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": self.id.as_str(), "x": URL_SAFE_NO_PAD.encode(self.bytes),
        })
    }
}

impl KeySet {
    /// Most keys a set may hold.
    pub const MAX: usize = 64;

    /// A set of these keys. The same key may be listed twice; its worst standing counts.
    pub fn new(keys: impl IntoIterator<Item = (PublicKey, Standing)>) -> Result<Self, KeySetError> {
        let mut set = BTreeMap::<KeyId, Entry>::new();
        for (key, standing) in keys {
            let decoding = DecodingKey::from_ed_der(&key.bytes);
            match set.get_mut(&key.id) {
                Some(known) if known.key == key => known.standing = known.standing.max(standing),
                Some(_) => return Err(KeySetError::Conflict { id: key.id }),
                None => {
                    set.insert(key.id.clone(), Entry { key, standing, decoding });
                }
            }
            if set.len() > Self::MAX {
                return Err(KeySetError::TooMany { max: Self::MAX });
            }
        }
        Ok(Self { keys: set })
    }

    pub fn standing(&self, id: &KeyId) -> Option<Standing> {
        self.keys.get(id).map(|entry| entry.standing)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&PublicKey, Standing)> {
        self.keys.values().map(|entry| (&entry.key, entry.standing))
    }

    /// The keys that still verify, as a JWK set (RFC 7517 section 5).
    pub fn jwks(&self) -> Value {
        let live = self.keys.values().filter(|entry| entry.standing != Standing::Revoked);
        json!({ "keys": live.map(|entry| entry.key.jwk()).collect::<Vec<_>>() })
    }

    /// The key of that id, if it serves this profile.
    pub(super) fn key(&self, profile: Profile, id: &KeyId) -> Option<(Standing, Check<'_>)> {
        let entry = self.keys.get(id).filter(|entry| entry.key.profile == profile)?;
        Some((entry.standing, Check::new(Algorithm::EdDSA, &entry.decoding)))
    }
}

/// Verifies signatures of one key, by the one algorithm the key is for.
pub(super) struct Check<'a> {
    algorithm: Algorithm,
    key: &'a DecodingKey,
}

impl<'a> Check<'a> {
    pub(super) const fn new(algorithm: Algorithm, key: &'a DecodingKey) -> Self {
        Self { algorithm, key }
    }

    pub(super) fn is_signature(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named, not looked up: no other crate's features can change what verifies here.
        let Ok(verifier) = (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm, self.key) else {
            return false;
        };
        verifier.verify(message, signature).is_ok()
    }
}

impl KeyId {
    pub const MAX: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let mut bytes = text.bytes();
        let starts_well = bytes.next().is_some_and(|first| first.is_ascii_alphanumeric());
        let goes_on_well =
            bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if starts_well && goes_on_well && text.len() <= Self::MAX {
            return Ok(Self(text.into()));
        }
        Err(KeyIdError { text: text.chars().take(Self::MAX).collect() })
    }
}

impl Standing {
    pub const ALL: [Self; 3] = [Self::Active, Self::VerifyOnly, Self::Revoked];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::VerifyOnly => "verify-only",
            Self::Revoked => "revoked",
        }
    }
}

fn pkcs8(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut der = Zeroizing::new(Vec::with_capacity(PKCS8_PREFIX.len() + seed.len()));
    der.extend_from_slice(&PKCS8_PREFIX);
    der.extend_from_slice(seed);
    der
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}
