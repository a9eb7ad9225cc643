//! The strict verifier: one profile, one issuer, one audience, and nothing optional.

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use modelward_decision::vocabulary::{Binding, SessionFacts};
use modelward_seal::Digest;

use super::cache::Cache;
use super::claims::{ALG, Claims, DETAILS_TYPE, Header};
use super::{KeyId, KeySet, LEEWAY, Profile, Standing, TOKEN_BYTES_MAX, ttl};
use crate::authenticated::{Authenticated, Epochs};
use crate::rights::{Models, Rights, Strength};
use crate::session::after;

pub use super::cache::CacheFigures;

/// Verifies the tokens of one profile.
///
/// A verified token is remembered by the SHA-256 of its text until it ends, so that a client pays for one signature
/// check a token. Revocation is never remembered: epochs, the standing of the key and the clock are asked on every use.
#[derive(Debug)]
pub struct Verifier {
    profile: Profile,
    iss: String,
    aud: String,
    keys: ArcSwap<KeySet>,
    cache: Cache,
}

/// A token that passed every check that does not change with time.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    pub(super) who: Authenticated,
    pub(super) key: Arc<KeyId>,
    /// The later of `nbf` and `iat`, less the leeway.
    pub(super) from: Timestamp,
}

/// Why a token does not count. None of it is told apart to the caller: RFC 6750 has one word, `invalid_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenRefusal {
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("the token does not consist of three parts")]
    Parts,
    #[error("a part of the token is not canonical base64url without padding")]
    Encoding,
    #[error("the token's header has a member missing, unknown, doubled or of the wrong kind")]
    Header,
    #[error("the token is of another type")]
    Type,
    #[error("the token names another algorithm")]
    Algorithm,
    #[error("the token is signed by a key that is not known for its type")]
    Key,
    #[error("the token is signed by a revoked key")]
    KeyRevoked,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token's claims have a member missing, unknown, doubled or of the wrong kind")]
    Claims,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token lives longer than its privileges allow")]
    Life,
    #[error("the token joins privileges that may not be joined")]
    Joined,
    #[error("the token was revoked")]
    Revoked,
}

impl Verifier {
    /// Tokens remembered at most, unless told otherwise.
    pub const CACHED_MAX: usize = 65_536;

    pub fn new(profile: Profile, iss: impl Into<String>, aud: impl Into<String>, keys: KeySet) -> Self {
        Self {
            profile,
            iss: iss.into(),
            aud: aud.into(),
            keys: ArcSwap::from_pointee(keys),
            cache: Cache::new(Self::CACHED_MAX),
        }
    }

    /// Remembers at most this many tokens; zero remembers none.
    #[must_use]
    pub fn remembering(self, tokens: usize) -> Self {
        Self { cache: Cache::new(tokens), ..self }
    }

    /// From now on these keys count, for remembered tokens too.
    pub fn replace_keys(&self, keys: KeySet) {
        self.keys.store(Arc::new(keys));
    }

    pub fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// How often the memory of verified tokens helped.
    pub fn cache(&self) -> CacheFigures {
        self.cache.figures()
    }

    /// Turns a presented token into the proof of who asks.
    pub fn verify(
        &self,
        token: &[u8],
        epochs: &(impl Epochs + ?Sized),
        now: Timestamp,
    ) -> Result<Authenticated, TokenRefusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefusal::TooLong);
        }
        let digest = Digest::of(token);
        let keys = self.keys.load();
        if let Some(verified) = self.cache.find(&digest) {
            let usable = match keys.key(self.profile, &verified.key) {
                Some((Standing::Active | Standing::VerifyOnly, _)) => Ok(()),
                Some((Standing::Revoked, _)) => Err(TokenRefusal::KeyRevoked),
                None => Err(TokenRefusal::Key),
            };
            return usable
                .and_then(|()| verified.at(epochs, now))
                .inspect_err(|_| self.cache.forget(&digest));
        }
        let verified = self.check(&keys, token)?;
        let who = verified.at(epochs, now)?;
        self.cache.insert(digest, verified);
        Ok(who)
    }

    /// Everything about a token that time does not change. The order matters: nothing of the claims is looked at
    /// before the signature over them holds.
    fn check(&self, keys: &KeySet, token: &[u8]) -> Result<Verified, TokenRefusal> {
        let [header, claims, signature] = parts(token)?;
        let signed = token.get(..header.len() + 1 + claims.len()).ok_or(TokenRefusal::Parts)?;
        let header = decode(header)?;
        let claims = decode(claims)?;
        let signature = decode(signature)?;

        let header: Header<'_> = object(&header).ok_or(TokenRefusal::Header)?;
        if header.typ != self.profile.row().typ {
            return Err(TokenRefusal::Type);
        }
        if header.alg != ALG {
            return Err(TokenRefusal::Algorithm);
        }
        let key: KeyId = header.kid.parse().map_err(|_| TokenRefusal::Key)?;
        let (standing, check) = keys.key(self.profile, &key).ok_or(TokenRefusal::Key)?;
        match standing {
            Standing::Active | Standing::VerifyOnly => {}
            Standing::Revoked => return Err(TokenRefusal::KeyRevoked),
        }
        if !check.is_signature(signed, &signature) {
            return Err(TokenRefusal::Signature);
        }

        let claims: Claims<'_> = object(&claims).ok_or(TokenRefusal::Claims)?;
        self.accept(claims, key)
    }

    /// The claims of a token we signed. That we signed it is no reason to believe it is for us, or sound.
    fn accept(&self, claims: Claims<'_>, key: KeyId) -> Result<Verified, TokenRefusal> {
        if claims.iss != self.iss {
            return Err(TokenRefusal::Issuer);
        }
        if claims.aud != self.aud {
            return Err(TokenRefusal::Audience);
        }
        let [details] = claims.authorization_details;
        let strength = Strength::of_acr(&claims.acr).ok_or(TokenRefusal::Claims)?;
        if details.kind != DETAILS_TYPE {
            return Err(TokenRefusal::Claims);
        }
        let rights = Rights {
            privileges: details.privileges.0,
            models: details.models.map_or(Models::Any, |models| Models::Only(models.0)),
        };
        if rights.conflict().is_some() {
            return Err(TokenRefusal::Joined);
        }

        let issued = time(claims.iat)?;
        let begins = time(claims.nbf)?;
        let expires = time(claims.exp)?;
        let authenticated_at = time(claims.auth_time)?;
        if expires <= issued || expires <= begins || issued < authenticated_at {
            return Err(TokenRefusal::Claims);
        }
        if expires.duration_since(issued) > ttl(self.profile, &rights) {
            return Err(TokenRefusal::Life);
        }

        let facts = SessionFacts {
            id: claims.sid,
            strength: strength.level(),
            methods: claims.amr.0,
            authenticated_at,
            binding: Binding::None,
            scope: rights.into_scope().ok_or(TokenRefusal::Claims)?,
        };
        let who = Authenticated::of_token(
            claims.sub.0,
            Arc::new(facts),
            claims.jti,
            expires,
            after(expires, LEEWAY),
            claims.mw_epoch,
        );
        let from = issued.max(begins).checked_sub(LEEWAY).unwrap_or(Timestamp::MIN);
        Ok(Verified { who, key: Arc::new(key), from })
    }
}

impl Verified {
    /// The checks of the moment.
    fn at(&self, epochs: &(impl Epochs + ?Sized), now: Timestamp) -> Result<Authenticated, TokenRefusal> {
        if now >= self.who.accepted_until() {
            return Err(TokenRefusal::Expired);
        }
        if now < self.from {
            return Err(TokenRefusal::NotYet);
        }
        if !self.who.is_unrevoked(epochs) {
            return Err(TokenRefusal::Revoked);
        }
        Ok(self.who.clone())
    }
}

impl TokenRefusal {
    pub const ALL: [Self; 17] = [
        Self::TooLong,
        Self::Parts,
        Self::Encoding,
        Self::Header,
        Self::Type,
        Self::Algorithm,
        Self::Key,
        Self::KeyRevoked,
        Self::Signature,
        Self::Claims,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
        Self::NotYet,
        Self::Life,
        Self::Joined,
        Self::Revoked,
    ];

    /// A stable word for logs, metrics and the ledger.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "token-too-long",
            Self::Parts => "token-parts",
            Self::Encoding => "token-encoding",
            Self::Header => "token-header",
            Self::Type => "token-type",
            Self::Algorithm => "token-algorithm",
            Self::Key => "token-key",
            Self::KeyRevoked => "token-key-revoked",
            Self::Signature => "token-signature",
            Self::Claims => "token-claims",
            Self::Issuer => "token-issuer",
            Self::Audience => "token-audience",
            Self::Expired => "token-expired",
            Self::NotYet => "token-not-yet",
            Self::Life => "token-life",
            Self::Joined => "token-joined",
            Self::Revoked => "token-revoked",
        }
    }

    /// Whether a holder who did nothing wrong can meet it: a fresh token is the remedy, and nobody need be alarmed.
    pub const fn is_ordinary(self) -> bool {
        matches!(self, Self::Expired | Self::Revoked | Self::KeyRevoked)
    }
}

fn parts(token: &[u8]) -> Result<[&[u8]; 3], TokenRefusal> {
    let mut parts = token.split(|byte| *byte == b'.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None) => Ok([header, claims, signature]),
        _ => Err(TokenRefusal::Parts),
    }
}

/// Padding, foreign characters and stray trailing bits are refused: one byte string has one text.
fn decode(part: &[u8]) -> Result<Vec<u8>, TokenRefusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Encoding)
}

/// A JSON object, and not the array that would deserialize to the same struct.
fn object<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    if json.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn time(second: i64) -> Result<Timestamp, TokenRefusal> {
    if second < 0 {
        return Err(TokenRefusal::Claims);
    }
    Timestamp::from_second(second).map_err(|_| TokenRefusal::Claims)
}
