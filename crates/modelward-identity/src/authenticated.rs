//! The proof of who asks, and the epochs that end it.

use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::vocabulary::{PrincipalRef, SessionFacts, SessionId, TokenId};
use modelward_decision::{EpochScope, Snapshot};
use serde::{Deserialize, Serialize};

use crate::rights::Rights;

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
    pub(crate) const fn of_session(
        principal: PrincipalRef,
        session: Arc<SessionFacts>,
        expires_at: Timestamp,
        epoch: EpochMark,
    ) -> Self {
        Self { principal, session, token: None, expires_at, accepted_until: expires_at, epoch }
    }

    pub(crate) const fn of_token(
        principal: PrincipalRef,
        session: Arc<SessionFacts>,
        token: TokenId,
        expires_at: Timestamp,
        accepted_until: Timestamp,
        epoch: EpochMark,
    ) -> Self {
        Self { principal, session, token: Some(token), expires_at, accepted_until, epoch }
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
        self.epoch.covers(EpochMark::read(epochs, self.principal, self.session.id))
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
