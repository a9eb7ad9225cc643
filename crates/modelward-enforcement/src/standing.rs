//! What a permit rests on, and whether it still stands.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::signal::Response;
use modelward_decision::vocabulary::{GrantId, PrincipalRef, Privilege, ResourceRef};
use modelward_decision::{Decision, EpochScope, Remedy, Request, Snapshot, decide};
use modelward_identity::Authenticated;

use crate::freshness::Freshness;

/// The facts an allow rests on: credential, grant, request, and the epochs they were seen under.
#[derive(Debug, Clone)]
pub struct Standing(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    who: Authenticated,
    request: Request,
    decision: Decision,
    /// The chosen grant and its epoch when it was chosen.
    grant: Option<(GrantId, u64)>,
    ends_at: Timestamp,
    ends_by: End,
}

/// Why a right that stood stands no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    CredentialExpired,
    /// All credentials of the principal were ended.
    PrincipalRevoked,
    SessionEnded,
    /// This access token alone was ended.
    TokenRevoked,
    /// The person or machine, or the machine's owner, is no longer active.
    Deactivated,
    GrantRevoked,
    GrantExpired,
    Quarantined,
    /// A security signal stands against the caller or the session, and the bundle has it end this.
    Signalled,
    /// A fresh decision no longer allows it, or obliges to more.
    NoLongerAllowed,
    /// Nobody tells of revocations any more.
    Unavailable,
}

impl Standing {
    pub(crate) fn new(
        who: &Authenticated,
        request: Request,
        decision: Decision,
        snapshot: &Snapshot,
    ) -> Self {
        let grant = decision.grant.map(|id| (id, snapshot.epoch(EpochScope::Grant(id))));
        let grant_end = decision.grant.and_then(|id| snapshot.grant(id)).map(|grant| grant.not_after);
        let accepted_until = who.accepted_until();
        let (ends_at, ends_by) = match grant_end {
            Some(end) if end < accepted_until => (end, End::GrantExpired),
            Some(_) | None => (accepted_until, End::CredentialExpired),
        };
        Self(Arc::new(Facts { who: who.clone(), request, decision, grant, ends_at, ends_by }))
    }

    pub fn decision(&self) -> &Decision {
        &self.0.decision
    }

    pub fn who(&self) -> &Authenticated {
        &self.0.who
    }

    pub(crate) fn request(&self) -> &Request {
        &self.0.request
    }

    /// When it ends by itself: the credential's end or the grant's, whichever comes first.
    pub fn ends_at(&self) -> Timestamp {
        self.0.ends_at
    }

    pub(crate) fn ends_by(&self) -> End {
        self.0.ends_by
    }

    /// Whether the snapshot is the one it was decided on, or later. An earlier one says nothing about it.
    pub(crate) fn is_older_than(&self, snapshot: &Snapshot) -> bool {
        self.0.decision.revision <= snapshot.revision()
    }

    /// Whether news are too long out for what it is about.
    pub(crate) fn is_too_old(&self, snapshot: &Snapshot, freshness: Freshness) -> bool {
        let Request { action, resource, .. } = self.0.request;
        !freshness.permits(action.privilege(), resource, snapshot)
    }

    /// Whether it has ended, by a handful of lookups: times, epochs, the grant, activity, quarantine.
    pub fn end(&self, snapshot: &Snapshot, now: Timestamp) -> Option<End> {
        credential_end(&self.0.who, snapshot, now)
            .or_else(|| (now >= self.0.ends_at).then_some(self.0.ends_by))
            .or_else(|| self.grant_end(snapshot))
            .or_else(|| (!self.is_active(snapshot)).then_some(End::Deactivated))
            .or_else(|| self.is_quarantined(snapshot).then_some(End::Quarantined))
            .or_else(|| self.is_cut_by_signal(snapshot, now).then_some(End::Signalled))
    }

    /// Whether whoever asked and whoever is decided about, mostly one and the same, are active.
    fn is_active(&self, snapshot: &Snapshot) -> bool {
        let (asker, subject) = (self.0.who.principal(), self.0.request.principal);
        is_active(snapshot, asker) && (asker == subject || is_active(snapshot, subject))
    }

    fn grant_end(&self, snapshot: &Snapshot) -> Option<End> {
        let (id, epoch) = self.0.grant?;
        let is_bumped = snapshot.epoch(EpochScope::Grant(id)) > epoch;
        (is_bumped || snapshot.grant(id).is_none()).then_some(End::GrantRevoked)
    }

    fn is_quarantined(&self, snapshot: &Snapshot) -> bool {
        let request = &self.0.request;
        if !quarantine_ends(request.action.privilege()) {
            return false;
        }
        let version_is = match request.resource {
            ResourceRef::Version(id) => snapshot.version(id).is_none_or(|version| version.quarantined),
            ResourceRef::Platform
            | ResourceRef::Project(_)
            | ResourceRef::Model(_)
            | ResourceRef::Endpoint(_)
            | ResourceRef::Dataset(_) => false,
        };
        let model = snapshot.model_of(request.resource).and_then(|id| snapshot.model(id));
        version_is || model.is_some_and(|model| model.quarantined)
    }

    fn is_cut_by_signal(&self, snapshot: &Snapshot, now: Timestamp) -> bool {
        let Request { principal, action, ref facts, .. } = self.0.request;
        let strictest = snapshot.signalled(principal, facts.session.id, action.privilege(), now);
        strictest.is_some_and(|(response, _)| response == Response::Cut)
    }

    /// Decides once more, at this moment: whether what was allowed would still be, with no more obliged.
    pub(crate) fn end_by_decision(&self, snapshot: &Snapshot, now: Timestamp) -> Option<End> {
        let Facts { request, decision, .. } = &*self.0;
        let mut request = request.clone();
        // How fresh the sign-in was counts when something begins, so the age stands still while it runs.
        let age = request.facts.now.duration_since(request.facts.session.authenticated_at);
        let session = Arc::make_mut(&mut request.facts.session);
        session.authenticated_at = now.checked_sub(age).unwrap_or(now);
        request.facts.now = now;
        let again = decide(&snapshot.for_what_runs(), &request, decision.id);
        let still_stands = again.is_allow()
            && decision.held_fields.is_subset(&again.held_fields)
            && again.obligations.iter().all(|obligation| decision.obligations.contains(obligation))
            && decision.grant.is_none_or(|grant| again.covering.contains(&grant));
        (!still_stands).then_some(End::NoLongerAllowed)
    }
}

/// Whether a credential has ended: by time or by an epoch.
pub(crate) fn credential_end(who: &Authenticated, snapshot: &Snapshot, now: Timestamp) -> Option<End> {
    if who.is_current(snapshot, now) {
        return None;
    }
    let session_epoch = snapshot.epoch(EpochScope::Session(who.session().id));
    let is_token_revoked = who.token().is_some_and(|token| snapshot.epoch(EpochScope::Token(token)) > 0);
    Some(if now >= who.accepted_until() {
        End::CredentialExpired
    } else if session_epoch > who.epoch().session {
        End::SessionEnded
    } else if is_token_revoked {
        End::TokenRevoked
    } else {
        End::PrincipalRevoked
    })
}

fn is_active(snapshot: &Snapshot, principal: PrincipalRef) -> bool {
    match principal {
        PrincipalRef::Person(id) => snapshot.person(id).is_some_and(|person| person.active),
        PrincipalRef::Machine(id) => snapshot.machine(id).is_some_and(|machine| {
            machine.active && snapshot.person(machine.owner).is_some_and(|owner| owner.active)
        }),
    }
}

/// Whether a quarantine of the thing ends what is under way. Reading about it, and lifting it, go on.
const fn quarantine_ends(privilege: Privilege) -> bool {
    match privilege {
        Privilege::Inference
        | Privilege::InferenceSensitive
        | Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport => true,
        Privilege::SelfService
        | Privilege::ReadOnly
        | Privilege::Experiment
        | Privilege::Registry
        | Privilege::Deploy
        | Privilege::Govern
        | Privilege::Audit => false,
    }
}

impl End {
    /// The word in metrics and entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialExpired => "credential-expired",
            Self::PrincipalRevoked => "principal-revoked",
            Self::SessionEnded => "session-ended",
            Self::TokenRevoked => "token-revoked",
            Self::Deactivated => "deactivated",
            Self::GrantRevoked => "grant-revoked",
            Self::GrantExpired => "grant-expired",
            Self::Quarantined => "quarantined",
            Self::Signalled => "signalled",
            Self::NoLongerAllowed => "no-longer-allowed",
            Self::Unavailable => "unavailable",
        }
    }

    /// For the caller, without a capital and a full stop.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::CredentialExpired => "your credential has expired; get a new one",
            Self::PrincipalRevoked => "your credentials were ended; sign in again",
            Self::SessionEnded => "your session was ended; sign in again",
            Self::TokenRevoked => "your token was ended; get a new one",
            Self::Deactivated => "your account is not active",
            Self::GrantRevoked => "the grant this rests on was revoked",
            Self::GrantExpired => "the grant this rests on has expired",
            Self::Quarantined => "the model was put under quarantine",
            Self::Signalled => "a security signal ended it",
            Self::NoLongerAllowed => "this is no longer allowed",
            Self::Unavailable => "the state of rights is not known",
        }
    }

    pub(crate) fn remedy(self, another_grant: impl FnOnce() -> Remedy) -> Option<Remedy> {
        match self {
            Self::CredentialExpired | Self::PrincipalRevoked | Self::SessionEnded | Self::TokenRevoked => {
                Some(Remedy::StepUp { strength: 1, max_age_seconds: 0 })
            }
            Self::GrantRevoked | Self::GrantExpired => Some(another_grant()),
            Self::Deactivated | Self::Quarantined | Self::Signalled => {
                Some(Remedy::Administrator { reason: self.as_str().into() })
            }
            Self::NoLongerAllowed | Self::Unavailable => None,
        }
    }
}

/// How long from now, never negative.
pub(crate) fn until(end: Timestamp, now: Timestamp) -> std::time::Duration {
    let left: SignedDuration = end.duration_since(now);
    left.try_into().unwrap_or_default()
}
