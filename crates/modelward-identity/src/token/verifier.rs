//! The strict verifier: one profile, one issuer, one audience, and nothing optional.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use modelward_decision::vocabulary::{Binding, PrincipalRef, SessionFacts, TokenId};
use modelward_seal::Digest;

use super::cache::Cache;
use super::claims::{ALG, Act, Claims, DETAILS_TYPE, Header};
use super::compact::{self, Malformed};
use super::{
    Held, KeyId, KeySet, LEEWAY, Profile, Standing, TOKEN_BYTES_MAX, TokenBinding, is_for_bearers, ttl,
};
use crate::authenticated::{Actor, Authenticated, Epochs, OfToken};
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

/// What a token says. It proves nothing by itself: whoever shows a bound token has still to show that they hold what it
/// is bound to.
#[derive(Debug, Clone)]
pub struct Inspected(Authenticated);

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
    #[error("the token is bound to nothing, and carries a privilege that only a bound token may carry")]
    Unbound,
    #[error("the token is presented under another scheme than its own")]
    Scheme,
    #[error("the token is bound to another client certificate than the connection's")]
    Certificate,
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

    /// Whose tokens these are.
    pub fn issuer(&self) -> &str {
        &self.iss
    }

    /// Whom they are for: the address we are configured to be called by.
    pub fn audience(&self) -> &str {
        &self.aud
    }

    /// How often the memory of verified tokens helped.
    pub fn cache(&self) -> CacheFigures {
        self.cache.figures()
    }

    /// Turns a token that came without any proof into the proof of who asks. One that is bound is refused: see
    /// [`Admission::admit`](super::Admission::admit).
    pub fn verify(
        &self,
        token: &[u8],
        epochs: &(impl Epochs + ?Sized),
        now: Timestamp,
    ) -> Result<Authenticated, TokenRefusal> {
        let Inspected(who) = self.inspect(token, epochs, now)?;
        match who.token_binding() {
            None => Ok(who),
            Some(TokenBinding::Key(_)) => Err(TokenRefusal::Scheme),
            Some(TokenBinding::Certificate(_)) => Err(TokenRefusal::Certificate),
        }
    }

    /// What a token says, if it counts.
    pub fn inspect(
        &self,
        token: &[u8],
        epochs: &(impl Epochs + ?Sized),
        now: Timestamp,
    ) -> Result<Inspected, TokenRefusal> {
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
        let inspected = verified.at(epochs, now)?;
        self.cache.insert(digest, verified);
        Ok(inspected)
    }

    /// What a token offered in exchange proves, given what whoever offers it has shown that they hold.
    pub fn offered(
        &self,
        token: &[u8],
        held: Option<Held>,
        epochs: &(impl Epochs + ?Sized),
        now: Timestamp,
    ) -> Result<Authenticated, TokenRefusal> {
        let Inspected(who) = self.inspect(token, epochs, now)?;
        match who.token_binding() {
            Some(binding) if held.map(Held::binding) != Some(binding) => Err(match binding {
                TokenBinding::Key(_) => TokenRefusal::Scheme,
                TokenBinding::Certificate(_) => TokenRefusal::Certificate,
            }),
            Some(_) | None => Ok(who),
        }
    }

    /// Everything about a token that time does not change. The order matters: nothing of the claims is looked at
    /// before the signature over them holds.
    fn check(&self, keys: &KeySet, token: &[u8]) -> Result<Verified, TokenRefusal> {
        let parts = compact::Parts::split(token).map_err(|malformed| match malformed {
            Malformed::Count => TokenRefusal::Parts,
            Malformed::Encoding => TokenRefusal::Encoding,
        })?;
        let header: Header<'_> = compact::object(&parts.header).ok_or(TokenRefusal::Header)?;
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
        if !check.is_signature(parts.signed, &parts.signature) {
            return Err(TokenRefusal::Signature);
        }

        let claims: Claims<'_> = compact::object(&parts.claims).ok_or(TokenRefusal::Claims)?;
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
        let models = details.models.map_or(Models::Any, |models| Models::Only(models.0));
        let rights = match details.actions {
            None => Rights::new(details.privileges.0, models),
            Some(actions) => {
                let rights = Rights::of_actions(actions.0, models);
                if rights.privileges != details.privileges.0 {
                    return Err(TokenRefusal::Claims);
                }
                rights
            }
        };
        if rights.conflict().is_some() {
            return Err(TokenRefusal::Joined);
        }
        let binding = claims.cnf;
        if binding.is_none() && !rights.privileges.iter().copied().all(is_for_bearers) {
            return Err(TokenRefusal::Unbound);
        }
        let actors = Act::actors(claims.act.as_ref()).ok_or(TokenRefusal::Claims)?;

        let issued = time(claims.iat)?;
        let begins = time(claims.nbf)?;
        let expires = time(claims.exp)?;
        let authenticated_at = time(claims.auth_time)?;
        if expires <= issued || expires <= begins || issued < authenticated_at {
            return Err(TokenRefusal::Claims);
        }
        if expires.duration_since(issued) > ttl(self.profile, &rights, binding) {
            return Err(TokenRefusal::Life);
        }

        let facts = SessionFacts {
            id: claims.sid,
            strength: strength.level(),
            methods: claims.amr.0,
            authenticated_at,
            binding: binding.map_or(Binding::None, TokenBinding::fact),
            scope: rights.into_scope().ok_or(TokenRefusal::Claims)?,
        };
        let token = OfToken {
            id: claims.jti,
            expires_at: expires,
            accepted_until: after(expires, LEEWAY),
            epoch: claims.mw_epoch,
            actors: actors.into(),
            binding,
        };
        let who = Authenticated::of_token(claims.sub.0, Arc::new(facts), token);
        let from = issued.max(begins).checked_sub(LEEWAY).unwrap_or(Timestamp::MIN);
        Ok(Verified { who, key: Arc::new(key), from })
    }
}

impl Verified {
    /// The checks of the moment.
    fn at(&self, epochs: &(impl Epochs + ?Sized), now: Timestamp) -> Result<Inspected, TokenRefusal> {
        if now >= self.who.accepted_until() {
            return Err(TokenRefusal::Expired);
        }
        if now < self.from {
            return Err(TokenRefusal::NotYet);
        }
        if !self.who.is_unrevoked(epochs) {
            return Err(TokenRefusal::Revoked);
        }
        Ok(Inspected(self.who.clone()))
    }
}

impl Inspected {
    /// Whom the token speaks of, for lists and logs.
    pub const fn principal(&self) -> PrincipalRef {
        self.0.principal()
    }

    pub const fn session(&self) -> &Arc<SessionFacts> {
        self.0.session()
    }

    pub fn token(&self) -> Option<TokenId> {
        self.0.token()
    }

    pub const fn expires_at(&self) -> Timestamp {
        self.0.expires_at()
    }

    pub fn rights(&self) -> Rights {
        self.0.rights()
    }

    pub fn actors(&self) -> &[Actor] {
        self.0.actors()
    }

    pub const fn binding(&self) -> Option<TokenBinding> {
        self.0.token_binding()
    }

    /// Once its holder has shown what the token is bound to.
    pub(super) fn held(self) -> Authenticated {
        self.0
    }
}

impl TokenRefusal {
    pub const ALL: [Self; 20] = [
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
        Self::Unbound,
        Self::Scheme,
        Self::Certificate,
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
            Self::Unbound => "token-unbound",
            Self::Scheme => "token-scheme",
            Self::Certificate => "token-certificate",
        }
    }

    /// Whether a holder who did nothing wrong can meet it: a fresh token is the remedy, and nobody need be alarmed.
    pub const fn is_ordinary(self) -> bool {
        matches!(self, Self::Expired | Self::Revoked | Self::KeyRevoked)
    }
}

fn time(second: i64) -> Result<Timestamp, TokenRefusal> {
    if second < 0 {
        return Err(TokenRefusal::Claims);
    }
    Timestamp::from_second(second).map_err(|_| TokenRefusal::Claims)
}
