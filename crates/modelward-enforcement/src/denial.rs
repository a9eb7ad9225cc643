//! Why there is no permit: somebody said no, or the machine could not make it safe to say yes.

use std::fmt;

use modelward_decision::vocabulary::{DecisionId, GrantId};
use modelward_decision::{Decision, Outcome, Remedy};

use crate::capability::ObligationKind;
use crate::reservations::Budget;
use crate::standing::End;

/// The answer to a request that gets no permit.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoPermit {
    #[error(transparent)]
    Denied(#[from] Box<Denial>),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A denial with its decision: outcome, sentence and remedies are the caller's to see.
///
/// There is no way from here to a permit.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.decision.sentence)]
pub struct Denial {
    decision: Decision,
    reason: Reason,
}

/// Which check denied. Every kind answers with the same [`Decision`] shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The decision itself.
    Policy,
    /// The credential no longer counts: in HTTP a 401, not a 403.
    Credential(End),
    /// The grant has too little left.
    Budget { grant: GrantId, budget: Budget },
    /// Over the rate an obligation sets.
    Rate { per_minute: u32, retry_after_seconds: u32 },
    /// The caller must prove itself again, in HTTP as RFC 9470 says.
    StepUp { strength: u8, max_age_seconds: u32 },
    /// This enforcement point cannot do what the decision obliges it to.
    Capability(ObligationKind),
    /// The right ended between the decision and the permit.
    Ended(End),
    /// The decision allowed without a live grant of its privilege. It was not believed.
    Unsound,
}

/// The machine cannot enforce, so nothing is released. Not a statement about the caller's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unavailable {
    /// Too many decisions are waiting to be recorded; trying again soon makes sense.
    #[error("too many decisions are waiting to be recorded")]
    LedgerFull,
    /// The ledger takes no entries any more; an operator must look at it.
    #[error("decisions cannot be recorded")]
    LedgerFailed,
    /// The counters of grants cannot be written; an operator must look at them.
    #[error("uses of grants cannot be counted")]
    Counters,
    /// No news of rights and revocations arrives.
    #[error("the state of rights is not known")]
    Snapshot,
    /// News of rights and revocations are too long out for an operation like this one.
    #[error("the state of rights is too old for this")]
    Stale,
    /// The decision could not be put into an entry.
    #[error("the decision could not be put into an entry")]
    Entry,
}

impl Denial {
    /// Makes a denial out of whatever was decided: an allow that fails a later check becomes a decision that denies.
    pub(crate) fn new(mut decision: Decision, reason: Reason) -> Self {
        let Some((outcome, sentence, remedy)) = overruling(&decision, reason) else {
            return Self { decision, reason };
        };
        decision.outcome = outcome;
        decision.sentence = sentence;
        decision.remedies = remedy.into_iter().collect();
        decision.obligations.clear();
        decision.held_fields.clear();
        Self { decision, reason }
    }

    pub const fn id(&self) -> DecisionId {
        self.decision.id
    }

    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Seconds after which the same request can pass, where that is known.
    pub const fn retry_after_seconds(&self) -> Option<u32> {
        match self.reason {
            Reason::Rate { retry_after_seconds, .. } => Some(retry_after_seconds),
            Reason::Policy
            | Reason::Credential(_)
            | Reason::Budget { .. }
            | Reason::StepUp { .. }
            | Reason::Capability(_)
            | Reason::Ended(_)
            | Reason::Unsound => None,
        }
    }
}

/// What a check after the decision makes of it; nothing where the decision itself denied.
fn overruling(decision: &Decision, reason: Reason) -> Option<(Outcome, String, Option<Remedy>)> {
    let privilege = decision.action.privilege();
    let another_grant = || Remedy::Grant { privilege, resource: decision.resource };
    Some(match reason {
        Reason::Policy => return None,
        Reason::Credential(end) | Reason::Ended(end) => {
            (Outcome::NotPermitted, format!("{}.", capitalised(end.in_words())), end.remedy(another_grant))
        }
        Reason::Budget { grant, budget } => (
            Outcome::NotPermitted,
            format!("The grant {} this rests on has too little left: {budget}.", grant.short()),
            Some(another_grant()),
        ),
        Reason::Rate { per_minute, retry_after_seconds } => (
            Outcome::ObligationUnmet,
            format!(
                "At most {per_minute} requests a minute are allowed here; try again in {retry_after_seconds} seconds."
            ),
            None,
        ),
        Reason::StepUp { strength, max_age_seconds } => (
            Outcome::ObligationUnmet,
            "This needs a stronger or more recent proof of who you are; sign in again.".to_owned(),
            Some(Remedy::StepUp { strength, max_age_seconds }),
        ),
        Reason::Capability(kind) => (
            Outcome::ObligationUnmet,
            format!("This is allowed only with {}, which is not possible here.", kind.in_words()),
            None,
        ),
        Reason::Unsound => (
            Outcome::ErrorClosed,
            "This could not be decided; an operator has to look at it.".to_owned(),
            None,
        ),
    })
}

fn capitalised(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

impl Reason {
    /// The word in metrics and entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Credential(_) => "credential",
            Self::Budget { .. } => "budget",
            Self::Rate { .. } => "rate",
            Self::StepUp { .. } => "step-up",
            Self::Capability(_) => "capability",
            Self::Ended(_) => "ended",
            Self::Unsound => "unsound",
        }
    }
}

impl Unavailable {
    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LedgerFull => "ledger-full",
            Self::LedgerFailed => "ledger-failed",
            Self::Counters => "counters",
            Self::Snapshot => "snapshot",
            Self::Stale => "stale",
            Self::Entry => "entry",
        }
    }

    /// Whether it passes by itself.
    pub const fn is_passing(self) -> bool {
        match self {
            Self::LedgerFull | Self::Stale => true,
            Self::LedgerFailed | Self::Counters | Self::Snapshot | Self::Entry => false,
        }
    }
}

impl NoPermit {
    /// The denial, if it is one.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Denied(denial) => Some(denial),
            Self::Unavailable(_) => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
