//! The keys of a foreign issuer (RFC 7517): read once, strictly, and then found by id in memory.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use modelward_seal::canonical::{Limits, parse_strict};
use serde_json::{Map, Value};

use super::algorithm::Family;
use super::web::DOCUMENT_BYTES_MAX;
use super::{Algorithm, Algorithms};

/// Keys that can verify what an issuer signs. Secrets, unknown kinds and keys for encryption are left out.
#[derive(Clone, Default)]
pub struct ForeignKeys(Vec<ForeignKey>);

#[derive(Clone)]
struct ForeignKey {
    id: Option<String>,
    family: Family,
    /// Where the key is for one algorithm only.
    only: Option<Algorithm>,
    check: DecodingKey,
}

/// Why a set of keys does not count. The ones known before stay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    #[error("it is not a JSON Web Key Set: {0}")]
    Form(String),
    #[error("it has more than {} keys", ForeignKeys::MAX)]
    TooMany,
    #[error("it has no key that could verify anything under the algorithms this issuer is trusted with")]
    Nothing,
}

impl ForeignKeys {
    /// Most keys a set may have; a set with more is refused as a whole.
    pub const MAX: usize = 64;
    const RSA_BITS_MIN: usize = 2048;
    const RSA_BITS_MAX: usize = 8192;

    pub fn read(document: &[u8], trusted: &Algorithms) -> Result<Self, JwksError> {
        let limits = Limits { bytes: DOCUMENT_BYTES_MAX, depth: 16, values: 4096 };
        let value = parse_strict(document, limits).map_err(|error| JwksError::Form(error.to_string()))?;
        let listed = value
            .get("keys")
            .and_then(Value::as_array)
            .ok_or_else(|| JwksError::Form("it has no list `keys`".to_owned()))?;
        if listed.len() > Self::MAX {
            return Err(JwksError::TooMany);
        }
        let mut keys: Vec<ForeignKey> = Vec::new();
        for key in listed.iter().filter_map(Value::as_object).filter_map(|key| one(key, trusted)) {
            // Of two keys under one name, the first counts: a second cannot take its place.
            let known = |earlier: &ForeignKey| earlier.id == key.id && earlier.family == key.family;
            if key.id.is_none() || !keys.iter().any(known) {
                keys.push(key);
            }
        }
        if keys.is_empty() { Err(JwksError::Nothing) } else { Ok(Self(keys)) }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids, for people to look at.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|key| key.id.as_deref())
    }

    /// Whether a token that names this key, or none, could be checked with what is here.
    pub fn knows(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        self.find(id, algorithm).is_some()
    }

    /// The one key for a token; a token that names none is checked where only one fits.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&ForeignKey> {
        let fits = |key: &&ForeignKey| {
            key.family == algorithm.family() && key.only.is_none_or(|only| only == algorithm)
        };
        match id {
            Some(id) => self.0.iter().filter(fits).find(|key| key.id.as_deref() == Some(id)),
            None => {
                let mut fitting = self.0.iter().filter(fits);
                fitting.next().filter(|_| fitting.next().is_none())
            }
        }
    }

    /// `None` when no key here is the one.
    pub(super) fn is_signature(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &Vec<u8>,
    ) -> Option<bool> {
        let key = self.find(id, algorithm)?;
        // The provider is named, not looked up: no other crate's features can change what verifies here.
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm.backend(), &key.check).ok()?;
        Some(verifier.verify(message, signature).is_ok())
    }
}

/// A key that can verify something, or nothing: what is not understood is left out, not guessed at.
fn one(key: &Map<String, Value>, trusted: &Algorithms) -> Option<ForeignKey> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let for_signatures = text("use").is_none_or(|purpose| purpose == "sig" || purpose == "jwt-svid")
        && key.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|all| all.iter().any(|each| each == "verify"))
        });
    // Whoever publishes a private key has nothing left that a signature could prove.
    if !for_signatures || key.contains_key("d") || key.contains_key("k") {
        return None;
    }
    let (family, check) = match (text("kty")?, text("crv")) {
        ("RSA", None) => (Family::Rsa, rsa(text("n")?, text("e")?)?),
        ("EC", Some("P-256")) => (Family::P256, point(text("x")?, text("y")?, 32)?),
        ("EC", Some("P-384")) => (Family::P384, point(text("x")?, text("y")?, 48)?),
        ("OKP", Some("Ed25519")) => {
            let x = text("x").filter(|x| decoded(x).is_some_and(|bytes| bytes.len() == 32))?;
            (Family::Ed25519, DecodingKey::from_ed_components(x).ok()?)
        }
        _ => return None,
    };
    let only = match text("alg") {
        Some(alg) => Some(alg.parse::<Algorithm>().ok().filter(|only| only.family() == family)?),
        None => None,
    };
    let usable = only.map_or_else(|| trusted.any_of(family), |only| trusted.contains(only));
    let id = match key.get("kid") {
        Some(id) => Some(id.as_str().filter(|id| is_key_id(id))?.to_owned()),
        None => None,
    };
    usable.then_some(ForeignKey { id, family, only, check })
}

fn rsa(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let bytes = decoded(modulus)?;
    let leading = bytes.iter().take_while(|byte| **byte == 0).count();
    let bits = (bytes.len() - leading) * 8 - usize::try_from(bytes.get(leading)?.leading_zeros()).ok()?;
    let exponent_fits = decoded(exponent).is_some_and(|bytes| (1..=8).contains(&bytes.len()));
    if !(ForeignKeys::RSA_BITS_MIN..=ForeignKeys::RSA_BITS_MAX).contains(&bits) || !exponent_fits {
        return None;
    }
    DecodingKey::from_rsa_components(modulus, exponent).ok()
}

fn point(x: &str, y: &str, length: usize) -> Option<DecodingKey> {
    let fits = |part: &str| decoded(part).is_some_and(|bytes| bytes.len() == length);
    if fits(x) && fits(y) { DecodingKey::from_ec_components(x, y).ok() } else { None }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Letters of base64 in both alphabets and of URNs, 128 at most. An id is looked up in memory and nowhere else.
pub(super) fn is_key_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'_' | b'-' | b'~' | b'+' | b'/' | b'=' | b':')
        })
}

impl fmt::Debug for ForeignKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.id, key.family))).finish()
    }
}
