//! The one way in which credentials become worthless.
//!
//! Whatever the cause, an epoch goes up: tokens of before are refused from then on, streams that rest on them are cut,
//! and the ledger says why. Nothing else in this crate bumps an epoch.

use std::sync::Arc;

use modelward_decision::EpochScope;
use modelward_decision::vocabulary::PrincipalRef;
use modelward_store::StateChange;

use crate::control::ControlPlane;
use crate::problem::Problem;
use crate::turn::{Changed, Settled, Turn};

/// Why something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Somebody who governs took a grant back.
    Revoked,
    /// The holder gave a grant back.
    Dropped,
    /// Somebody ended one session, their own or another's.
    SessionEnded,
    /// Somebody ended every session of a person.
    SessionsEnded,
    /// The issuer says that somebody signed out there.
    SignedOutElsewhere,
    /// The person is not active any more.
    Deactivated,
    /// Their source of people says that somebody is not active any more.
    SourceEnded,
    /// Their source of people knows them no more.
    SourceWithdrew,
    /// An identity of elsewhere is nobody here any more.
    Unlinked,
    /// Nothing of an issuer counts any more.
    Distrusted,
    /// A transmitter told of a security event.
    Signalled,
    /// A refresh handle came back after its use.
    RefreshReused,
    /// Whoever had an access token ended it.
    TokenRevoked,
    /// Whoever had a refresh handle ended it.
    RefreshRevoked,
}

/// What ends, why, and what changes with it.
#[derive(Debug)]
pub(crate) struct Bump {
    actor: Option<PrincipalRef>,
    cause: Cause,
    scopes: Vec<EpochScope>,
    lines: Vec<String>,
    reason: Option<String>,
    changes: Vec<StateChange>,
}

/// What ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bumped {
    pub(crate) settled: Settled,
    /// Sessions that were open until now.
    pub(crate) sessions: u64,
}

impl Cause {
    /// The word in the ledger.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoke",
            Self::Dropped => "drop-grant",
            Self::SessionEnded => "end-session",
            Self::SessionsEnded => "end-sessions",
            Self::SignedOutElsewhere => "sign-out-elsewhere",
            Self::Deactivated => "deactivate",
            Self::SourceEnded => "scim-end",
            Self::SourceWithdrew => "scim-withdraw",
            Self::Unlinked => "unlink-identity",
            Self::Distrusted => "distrust-issuer",
            Self::Signalled => "signal",
            Self::RefreshReused => "refresh-reused",
            Self::TokenRevoked => "revoke-token",
            Self::RefreshRevoked => "revoke-refresh",
        }
    }
}

impl Bump {
    /// By whom, where `None` is the system itself, and why.
    pub(crate) const fn new(actor: Option<PrincipalRef>, cause: Cause) -> Self {
        Self { actor, cause, scopes: Vec::new(), lines: Vec::new(), reason: None, changes: Vec::new() }
    }

    /// Ends everything that rests on this: a principal's credentials, a session's tokens, a grant.
    pub(crate) fn of(mut self, scope: EpochScope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// The same for several.
    pub(crate) fn of_each(self, scopes: impl IntoIterator<Item = EpochScope>) -> Self {
        scopes.into_iter().fold(self, Self::of)
    }

    /// What a reader of the ledger sees. No secret.
    pub(crate) fn line(mut self, line: String) -> Self {
        self.lines.push(line);
        self
    }

    /// Why, in the words of whoever wants it.
    pub(crate) fn because(mut self, reason: impl std::fmt::Display) -> Self {
        self.reason = Some(reason.to_string());
        self
    }

    /// Another change, which happens with it or not at all.
    pub(crate) fn along(mut self, change: StateChange) -> Self {
        self.changes.push(change);
        self
    }

    fn into_changed(self) -> Changed {
        let Self { actor, cause, scopes, mut lines, reason, mut changes } = self;
        for scope in scopes {
            if let EpochScope::Grant(id) = scope {
                changes.push(StateChange::Revoke(id));
            }
            changes.push(StateChange::Bump(scope));
        }
        lines.extend(reason.map(|reason| format!("reason: {reason}")));
        Changed { actor, what: cause.as_str(), lines, changes }
    }
}

impl Turn {
    /// Ends what the bump names, and waits until that is in force and in the ledger.
    ///
    /// Like every change it goes on when the caller goes away. The epoch is what ends credentials; the rows of sessions
    /// follow it, so that lists are true and nobody can be led to believe that one is still open.
    pub(crate) async fn bump(self, bump: Bump) -> Result<Bumped, Problem> {
        let plane = Arc::clone(self.plane());
        let task = tokio::spawn(async move {
            let scopes = bump.scopes.clone();
            let settled = self.make(bump.into_changed()).await?;
            let mut sessions = 0;
            for scope in scopes {
                sessions += close(&plane, scope).await?;
            }
            Ok(Bumped { settled, sessions })
        });
        task.await.map_err(|error| Problem::internal("ending credentials", &error))?
    }
}

/// Closes the sessions that an epoch has ended; says how many were open.
async fn close(plane: &ControlPlane, scope: EpochScope) -> Result<u64, Problem> {
    let now = plane.now();
    Ok(match scope {
        EpochScope::Principal(principal) => plane.store.end_sessions_of(principal, None, now).await?,
        EpochScope::Session(session) => u64::from(plane.store.end_session(session, now).await?),
        EpochScope::Grant(_) | EpochScope::Token(_) => 0,
    })
}
