//! The proof of who asks, and the epochs that end it.

use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::vocabulary::{PrincipalRef, SessionFacts, SessionId, TokenId};
use modelward_decision::{EpochScope, Snapshot};
use serde::{Deserialize, Serialize};

use crate::rights::Rights;
use crate::token::TokenBinding;

/// Somebody who proved who they are, with what their credential says about how.
///
/// It has no public constructor: whoever holds one went through a check. It is a proof for the moment it was made;
/// [`Authenticated::is_current`] asks whether it still holds.
#[derive(Debug, Clone)]
pub struct Authenticated {
    principal: PrincipalRef,
    session: Arc<SessionFacts>,
    token: Option<TokenId>,
    expires_at: Timestamp,
    accepted_until: Timestamp,
    epoch: EpochMark,
    actors: Arc<[Actor]>,
    token_binding: Option<TokenBinding>,
}

/// Somebody who acts for another (RFC 8693 section 4.1), with the credential they proved themselves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    pub principal: PrincipalRef,
    pub session: SessionId,
    pub epoch: EpochMark,
}

/// What an access token says beyond its session.
#[derive(Debug, Clone)]
pub(crate) struct OfToken {
    pub(crate) id: TokenId,
    pub(crate) expires_at: Timestamp,
    pub(crate) accepted_until: Timestamp,
    pub(crate) epoch: EpochMark,
    pub(crate) actors: Arc<[Actor]>,
    pub(crate) binding: Option<TokenBinding>,
}

/// The revocation epochs in force: monotone counters, one per scope, zero until first bumped.
///
/// Raising one makes every credential minted before it worthless, sessions, tokens and running streams alike.
pub trait Epochs {
    fn epoch(&self, scope: EpochScope) -> u64;
}

/// The epochs a credential was made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochMark {
    pub principal: u64,
    pub session: u64,
}

impl Authenticated {
    pub(crate) fn of_session(
        principal: PrincipalRef,
        session: Arc<SessionFacts>,
        expires_at: Timestamp,
        epoch: EpochMark,
    ) -> Self {
        Self {
            principal,
            session,
            token: None,
            expires_at,
            accepted_until: expires_at,
            epoch,
            actors: Arc::default(),
            token_binding: None,
        }
    }

    pub(crate) fn of_handle(
        principal: PrincipalRef,
        session: Arc<SessionFacts>,
        expires_at: Timestamp,
        epoch: EpochMark,
        holder: TokenBinding,
    ) -> Self {
        Self { token_binding: Some(holder), ..Self::of_session(principal, session, expires_at, epoch) }
    }

    pub(crate) fn of_token(principal: PrincipalRef, session: Arc<SessionFacts>, token: OfToken) -> Self {
        let OfToken { id, expires_at, accepted_until, epoch, actors, binding } = token;
        Self {
            principal,
            session,
            token: Some(id),
            expires_at,
            accepted_until,
            epoch,
            actors,
            token_binding: binding,
        }
    }

    pub const fn principal(&self) -> PrincipalRef {
        self.principal
    }

    /// What the decision sees of the credential: strength, methods, age, binding, scope.
    pub const fn session(&self) -> &Arc<SessionFacts> {
        &self.session
    }

    /// The access token behind this, if it was one.
    pub const fn token(&self) -> Option<TokenId> {
        self.token
    }

    /// When the credential ends: `exp` of a token, the nearer of idle and absolute end of a session.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// First moment at which the credential is refused: [`Self::expires_at`], and for a token the leeway for skewed
    /// clocks on top. A running stream is cut here.
    pub const fn accepted_until(&self) -> Timestamp {
        self.accepted_until
    }

    /// Who acts for the principal, the current one first; nobody where the principal acts alone.
    pub fn actors(&self) -> &[Actor] {
        &self.actors
    }

    /// What the token behind this is bound to.
    pub const fn token_binding(&self) -> Option<TokenBinding> {
        self.token_binding
    }

    /// The epochs it was made under.
    pub const fn epoch(&self) -> EpochMark {
        self.epoch
    }

    /// The most it can be used for. What is really allowed is for the decision to say.
    pub fn rights(&self) -> Rights {
        Rights::of_scope(&self.session.scope)
    }

    /// Whether it has neither expired nor been revoked.
    pub fn is_current(&self, epochs: &(impl Epochs + ?Sized), now: Timestamp) -> bool {
        now < self.accepted_until && self.is_unrevoked(epochs)
    }

    pub(crate) fn is_unrevoked(&self, epochs: &(impl Epochs + ?Sized)) -> bool {
        let covers =
            |principal, session, epoch: EpochMark| epoch.covers(EpochMark::read(epochs, principal, session));
        covers(self.principal, self.session.id, self.epoch)
            && self.actors.iter().all(|actor| covers(actor.principal, actor.session, actor.epoch))
            // A token is minted once, so the first bump of its own epoch ends it.
            && self.token.is_none_or(|token| epochs.epoch(EpochScope::Token(token)) == 0)
    }
}

impl EpochMark {
    /// The epochs in force for this principal and session.
    pub fn read(epochs: &(impl Epochs + ?Sized), principal: PrincipalRef, session: SessionId) -> Self {
        Self {
            principal: epochs.epoch(EpochScope::Principal(principal)),
            session: epochs.epoch(EpochScope::Session(session)),
        }
    }

    /// Whether nothing was bumped since the mark was made. A mark ahead of `current` is fine: it was made where a
    /// bump was known that has not arrived here yet, hence after it.
    pub const fn covers(self, current: Self) -> bool {
        current.principal <= self.principal && current.session <= self.session
    }
}

impl Epochs for Snapshot {
    fn epoch(&self, scope: EpochScope) -> u64 {
        Self::epoch(self, scope)
    }
}

impl<E: Epochs + ?Sized> Epochs for Arc<E> {
    fn epoch(&self, scope: EpochScope) -> u64 {
        (**self).epoch(scope)
    }
}
