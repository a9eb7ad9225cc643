//! Token exchange (in the manner of RFC 8693): a proof of who asks becomes a narrower, shorter-lived token.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{Name, Privilege, TokenId};
use modelward_seal::source::Ids;
use zeroize::Zeroizing;

use super::claims::{ALG, Act, Claims, DETAILS_TYPE, Details, Header, Methods, Set, Subject};
use super::{
    ACTIONS_MAX, ACTORS_MAX, METHODS_MAX, MODELS_MAX, Profile, SigningKey, TOKEN_BYTES_MAX, TokenBinding,
    is_for_bearers, ttl,
};
use crate::authenticated::{Actor, Authenticated, Epochs};
use crate::rights::{Actions, Models, Rights, Strength};
use crate::session::after;

/// Mints our tokens, each profile under its own key. Minting has one way in: [`Issuer::exchange`].
#[derive(Debug)]
pub struct Issuer {
    iss: String,
    access: Plane,
    control: Plane,
}

#[derive(Debug)]
struct Plane {
    aud: String,
    /// The key that signs; [`Issuer::rotate`] puts another in its place.
    key: ArcSwap<SigningKey>,
}

/// What somebody wants a token for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub profile: Profile,
    pub rights: Rights,
    /// Which program asks, such as `cli` (`client_id`, RFC 8693 section 4.3).
    pub client: Name,
    /// A shorter life than the rights would allow. A longer one is not to be had.
    pub ttl: Option<SignedDuration>,
    /// What the token is to be bound to; whoever asks has shown that they hold it.
    pub binding: Option<TokenBinding>,
}

/// A token just minted, and what came out of the intersection.
#[derive(Debug, Clone)]
pub struct MintedToken {
    pub text: TokenText,
    pub id: TokenId,
    pub rights: Rights,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The compact form of a token. It is a secret: its `Debug` hides it.
#[derive(Clone)]
pub struct TokenText(Zeroizing<String>);

/// Why no token was minted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeRefusal {
    #[error("the credential offered in exchange has ended")]
    Expired,
    #[error("the credential offered in exchange was revoked")]
    Revoked,
    #[error("nothing of what was asked is within both the credential and its holder's rights")]
    NothingLeft,
    #[error("`{0}` and `{1}` may not stand in one token")]
    Joined(Privilege, Privilege),
    #[error("`{0}` needs a token bound to its holder: prove a key (DPoP) or show a client certificate")]
    Unbound(Privilege),
    #[error("the credential offered in exchange is bound to something else than the token asked for")]
    Binding,
    #[error("one token names at most {MODELS_MAX} models")]
    TooManyModels,
    #[error("one token names at most {ACTIONS_MAX} actions")]
    TooManyActions,
    #[error("at most {ACTORS_MAX} may act for another, one for the other")]
    TooManyActors,
    #[error("the life asked for is not positive")]
    Life,
    #[error("the token could not be written: {0}")]
    Unwritable(&'static str),
}

/// A signing key stands for the wrong plane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signing key `{key}` is for {found} tokens, not for {expected} tokens")]
pub struct WrongProfile {
    pub key: super::KeyId,
    pub found: Profile,
    pub expected: Profile,
}

impl Issuer {
    /// `iss` is our own address, the audiences those of gateway and control API; verifiers compare them exactly.
    pub fn new(
        iss: impl Into<String>,
        access_aud: impl Into<String>,
        access_key: SigningKey,
        control_aud: impl Into<String>,
        control_key: SigningKey,
    ) -> Result<Self, WrongProfile> {
        Ok(Self {
            iss: iss.into(),
            access: Plane::new(Profile::Access, access_aud.into(), access_key)?,
            control: Plane::new(Profile::Control, control_aud.into(), control_key)?,
        })
    }

    /// Signs with this key from now on, on the plane it is for. Verifiers must know it before.
    pub fn rotate(&self, key: SigningKey) {
        self.plane(key.profile()).key.store(Arc::new(key));
    }

    /// Exchanges a credential for a token.
    ///
    /// The token carries what was asked, what the credential itself may be used for and what its holder has
    /// (`bound`), all three at once: never more than any of them. It lives no longer than the credential and carries
    /// the credential's epochs, so that what ends the one ends the other.
    pub fn exchange(
        &self,
        subject: &Authenticated,
        ask: &Ask,
        bound: &Rights,
        epochs: &(impl Epochs + ?Sized),
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Result<MintedToken, ExchangeRefusal> {
        self.exchange_for(subject, None, ask, bound, epochs, ids, now)
    }

    /// Exchanges a credential for a token with which somebody else acts for its holder (RFC 8693 section 1.1,
    /// delegation).
    ///
    /// `actor` narrows like everything else: what they may not use their own credential for, they may not do for
    /// another. The token ends with either credential.
    #[expect(clippy::too_many_arguments, reason = "a rule takes what it depends on")]
    pub fn exchange_for(
        &self,
        subject: &Authenticated,
        actor: Option<&Authenticated>,
        ask: &Ask,
        bound: &Rights,
        epochs: &(impl Epochs + ?Sized),
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Result<MintedToken, ExchangeRefusal> {
        for offered in [subject].into_iter().chain(actor) {
            // Not until the leeway has run out: a chain of exchanges must not creep past the end.
            if now >= offered.expires_at() {
                return Err(ExchangeRefusal::Expired);
            }
            if !offered.is_unrevoked(epochs) {
                return Err(ExchangeRefusal::Revoked);
            }
            // What is bound stays bound, to the same: an exchange is no way to shed it.
            if offered.token_binding().is_some_and(|binding| ask.binding != Some(binding)) {
                return Err(ExchangeRefusal::Binding);
            }
        }
        // A request for what may not be joined is told so, even where the intersection would have parted them.
        if let Some((one, other)) = ask.rights.conflict() {
            return Err(ExchangeRefusal::Joined(one, other));
        }
        let mut rights = ask.rights.intersection(&subject.rights()).intersection(bound);
        if let Some(actor) = actor {
            rights = rights.intersection(&actor.rights());
        }
        if rights.is_nothing() {
            return Err(ExchangeRefusal::NothingLeft);
        }
        let above = rights.privileges.iter().find(|privilege| !is_for_bearers(**privilege));
        if let (Some(privilege), None) = (above, ask.binding) {
            return Err(ExchangeRefusal::Unbound(*privilege));
        }
        self.mint(subject, actor, ask, rights, ids, now)
    }

    fn mint(
        &self,
        subject: &Authenticated,
        actor: Option<&Authenticated>,
        ask: &Ask,
        rights: Rights,
        ids: &(impl Ids + ?Sized),
        now: Timestamp,
    ) -> Result<MintedToken, ExchangeRefusal> {
        let models = match &rights.models {
            Models::Only(models) if models.len() > MODELS_MAX => return Err(ExchangeRefusal::TooManyModels),
            Models::Only(models) => Some(Set(models.clone())),
            Models::Any => None,
        };
        let actions = match &rights.actions {
            Actions::Only(actions) if actions.len() > ACTIONS_MAX => {
                return Err(ExchangeRefusal::TooManyActions);
            }
            Actions::Only(actions) => Some(Set(actions.clone())),
            Actions::Any => None,
        };
        let actors = chain(subject, actor);
        if actors.len() > ACTORS_MAX {
            return Err(ExchangeRefusal::TooManyActors);
        }
        let longest = ttl(ask.profile, &rights, ask.binding);
        let life = ask.ttl.map_or(longest, |asked| asked.min(longest));
        // Whole seconds, rounded down at both ends: never longer than allowed.
        let issued = now.as_second();
        let offered_until =
            actor.map_or(subject.expires_at(), |actor| actor.expires_at().min(subject.expires_at()));
        let expires = after(now, life).min(offered_until).as_second();
        if expires <= issued {
            return Err(ExchangeRefusal::Life);
        }
        let plane = self.plane(ask.profile);
        let id = TokenId::from_uuid(ids.uuid());
        let session = subject.session();
        let claims = Claims {
            iss: Cow::Borrowed(&self.iss),
            sub: Subject(subject.principal()),
            aud: Cow::Borrowed(&plane.aud),
            client_id: ask.client.clone(),
            iat: issued,
            nbf: issued,
            exp: expires,
            jti: id,
            sid: session.id,
            acr: Cow::Borrowed(Strength::of_level(session.strength).unwrap_or(Strength::Nothing).acr()),
            amr: Methods(session.methods.iter().take(METHODS_MAX).cloned().collect()),
            auth_time: session.authenticated_at.as_second(),
            authorization_details: [Details {
                kind: Cow::Borrowed(DETAILS_TYPE),
                privileges: Set(rights.privileges.clone()),
                models,
                actions,
            }],
            mw_epoch: subject.epoch(),
            cnf: ask.binding,
            act: Act::of(&actors),
        };
        let text = plane.write(ask.profile, &claims)?;
        Ok(MintedToken { text, id, rights, issued_at: second(issued, now), expires_at: second(expires, now) })
    }

    const fn plane(&self, profile: Profile) -> &Plane {
        match profile {
            Profile::Access => &self.access,
            Profile::Control => &self.control,
        }
    }
}

impl Plane {
    fn new(expected: Profile, aud: String, key: SigningKey) -> Result<Self, WrongProfile> {
        if key.profile() != expected {
            return Err(WrongProfile { key: key.id().clone(), found: key.profile(), expected });
        }
        Ok(Self { aud, key: ArcSwap::from_pointee(key) })
    }

    /// The JWS compact serialization (RFC 7515 section 7.1).
    fn write(&self, profile: Profile, claims: &Claims<'_>) -> Result<TokenText, ExchangeRefusal> {
        let key = self.key.load();
        let header = Header {
            alg: Cow::Borrowed(ALG),
            typ: Cow::Borrowed(profile.row().typ),
            kid: Cow::Borrowed(key.id().as_str()),
        };
        let header = serde_json::to_vec(&header).map_err(|_| ExchangeRefusal::Unwritable("header"))?;
        let claims = serde_json::to_vec(claims).map_err(|_| ExchangeRefusal::Unwritable("claims"))?;
        // Sized once: a buffer that grows would leave copies of the token behind.
        let mut text = Zeroizing::new(String::with_capacity(4 * (header.len() + claims.len()) / 3 + 100));
        URL_SAFE_NO_PAD.encode_string(&header, &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(&claims, &mut text);
        let signature = key.sign(text.as_bytes()).ok_or(ExchangeRefusal::Unwritable("signature"))?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut text);
        if text.len() > TOKEN_BYTES_MAX {
            return Err(ExchangeRefusal::Unwritable("size"));
        }
        Ok(TokenText(text))
    }
}

impl TokenText {
    /// The token itself, to be handed to its holder: never into a log, an error or an address.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}

/// Who acts for the subject once `actor` does: whoever acts for the actor, the actor, and those who acted before.
fn chain(subject: &Authenticated, actor: Option<&Authenticated>) -> Vec<Actor> {
    let mut chain = Vec::new();
    if let Some(actor) = actor {
        chain.extend_from_slice(actor.actors());
        chain.push(Actor { principal: actor.principal(), session: actor.session().id, epoch: actor.epoch() });
    }
    chain.extend_from_slice(subject.actors());
    chain
}

fn second(second: i64, otherwise: Timestamp) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(otherwise)
}
