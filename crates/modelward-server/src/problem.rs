//! Why a request was not carried out, before it is written as JSON, as a page or as a token error.

use modelward_decision::Remedy;
use modelward_decision::vocabulary::DecisionId;
use modelward_enforcement::{Denial, NoPermit, Reason, Unavailable};
use modelward_governance::Refusal;
use modelward_governance::inventory::{MergeError, PlanError};
use modelward_governance::own::OwnWidening;
use modelward_identity::token::Nonce;
use modelward_ledger::{LedgerFailed, ReadError, SubmitError};
use modelward_store::{CommitError, LedgeredError, StoreError};

use crate::wire::{ErrorBody, ErrorCode, ErrorDetail, StepUp};

/// A refusal of any kind: stable code, words for people, and what to do next.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub code: ErrorCode,
    pub message: String,
    pub hint: Option<String>,
    pub decision: Option<DecisionId>,
    /// Seconds until another try makes sense.
    pub retry_after: Option<u32>,
    /// What a proof of possession has to be next time.
    pub challenge: Option<Challenge>,
    /// Which sign-in it needs.
    pub step_up: Option<StepUp>,
}

/// A challenge to prove possession of a key (RFC 9449 sections 7.1 and 8).
#[derive(Debug, Clone)]
pub struct Challenge {
    pub error: &'static str,
    /// For the next proof.
    pub nonce: Nonce,
}

impl Problem {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            decision: None,
            retry_after: None,
            challenge: None,
            step_up: None,
        }
    }

    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Malformed, message)
    }

    /// The same for what is not there and what the caller may not know of.
    pub fn not_found(kind: &str, name: &str) -> Self {
        let name: String = name.chars().filter(|char| !char.is_control()).take(160).collect();
        Self::new(ErrorCode::NotFound, format!("there is no {kind} `{name}` you may know of"))
    }

    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "no credential, or one that no longer counts").hint("sign in")
    }

    /// A fault of ours: the log has what happened, the caller only that it did.
    pub fn internal(doing: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(doing, error = chain(error), "a request failed");
        Self::new(ErrorCode::Internal, "this failed on our side; the log of the server has the reason")
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    #[must_use]
    pub fn challenge(self, challenge: Challenge) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorDetail {
                code: self.code,
                message: self.message.clone(),
                hint: self.hint.clone(),
                decision: self.decision,
                retry_after: self.retry_after,
                step_up: self.step_up,
            },
        }
    }
}

/// An error with everything it rests on, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<NoPermit> for Problem {
    fn from(no: NoPermit) -> Self {
        match no {
            NoPermit::Denied(denial) => {
                let decision = denial.decision();
                let step_up = step_up(&denial);
                let code = match denial.reason() {
                    _ if step_up.is_some() => ErrorCode::StepUp,
                    Reason::Credential(_) | Reason::Ended(_) => ErrorCode::Unauthenticated,
                    Reason::Rate { .. } => ErrorCode::TooManyTries,
                    Reason::Policy
                    | Reason::Budget { .. }
                    | Reason::StepUp { .. }
                    | Reason::Capability(_)
                    | Reason::Unsound => ErrorCode::Denied,
                };
                let hint = decision.remedies.first().map(remedy_hint);
                Self {
                    code,
                    message: decision.sentence.clone(),
                    hint,
                    decision: Some(denial.id()),
                    retry_after: denial.retry_after_seconds(),
                    challenge: None,
                    step_up,
                }
            }
            NoPermit::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

/// The sign-in that would change the answer, where that is what is missing.
fn step_up(denial: &Denial) -> Option<StepUp> {
    match (denial.reason(), denial.decision().remedies.first()) {
        (Reason::StepUp { strength, max_age_seconds }, _) => {
            Some(StepUp { strength, max_age: max_age_seconds })
        }
        (Reason::Policy, Some(Remedy::StepUp { strength, max_age_seconds })) => {
            Some(StepUp { strength: *strength, max_age: *max_age_seconds })
        }
        _ => None,
    }
}

/// The first remedy, as a hint that needs no names looked up.
fn remedy_hint(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Grant { privilege, .. } => {
            format!("it needs a grant of {privilege}; ask somebody who governs")
        }
        Remedy::Wait { until: Some(until), .. } => format!("wait until {until}"),
        Remedy::Wait { until: None, .. } => "wait for the grant's time window".to_owned(),
        Remedy::StepUp { strength, max_age_seconds } => {
            format!(
                "sign in again with {}, at most {} before",
                crate::words::strength(*strength),
                crate::words::span(*max_age_seconds)
            )
        }
        Remedy::BoundCredential => "use a credential that is bound to its holder".to_owned(),
        Remedy::WiderCredential { privilege } => format!("use a credential that covers {privilege}"),
        Remedy::Device => "use a managed, compliant device".to_owned(),
        Remedy::Network { .. } => "come from a network the grant names".to_owned(),
        Remedy::Place { .. } => "come from a region the grant names".to_owned(),
        Remedy::Environment { .. } => "use an environment the grant names".to_owned(),
        Remedy::Purpose { .. } => "state one of the grant's purposes".to_owned(),
        Remedy::WithoutFields { .. } => "ask without the fields you may not see".to_owned(),
        Remedy::Clearance => "it needs a higher clearance".to_owned(),
        Remedy::Administrator { reason } => format!("only an administrator can change it: {reason}"),
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        let problem = Self::new(ErrorCode::Unavailable, format!("nothing was done: {unavailable}"));
        if unavailable.is_passing() { problem.retry_after(1) } else { problem }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLong { .. } => Self::malformed(error.to_string()),
            other => Self::internal("reading or writing state", &other),
        }
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => error.into(),
            CommitError::TooMany { .. } | CommitError::Twice { .. } | CommitError::TooLong { .. } => {
                Self::malformed(error.to_string())
            }
            CommitError::NameTaken { .. }
            | CommitError::Dangling { .. }
            | CommitError::InUse { .. }
            | CommitError::Missing { .. }
            | CommitError::GrantExists(_)
            | CommitError::BootstrapBackwards
            | CommitError::PolicyMoved
            | CommitError::EventReused(_) => Self::new(ErrorCode::Conflict, error.to_string()),
        }
    }
}

impl From<LedgeredError> for Problem {
    fn from(error: LedgeredError) -> Self {
        Self::internal("noting the ledger's place of a change", &error)
    }
}

impl From<LedgerFailed> for Problem {
    fn from(error: LedgerFailed) -> Self {
        tracing::error!(%error, "a change is not in the ledger yet; what widens waits for it");
        Self::new(
            ErrorCode::Unavailable,
            "the change could not be recorded, so what it widens is not in force",
        )
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        tracing::error!(%error, "the ledger did not take a change; what widens waits for it");
        Self::new(
            ErrorCode::Unavailable,
            "the change could not be recorded, so what it widens is not in force",
        )
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutsideLog { .. } | ReadError::Path(_) | ReadError::NoSuchTile { .. } => {
                Self::new(ErrorCode::NotFound, error.to_string())
            }
            ReadError::NotPublished { .. } => {
                Self::new(ErrorCode::Unavailable, error.to_string()).retry_after(1)
            }
            ReadError::Io { .. } | ReadError::Damaged { .. } | ReadError::Entry { .. } => {
                Self::internal("reading the ledger", &error)
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = Self::new(ErrorCode::Refused, refusal.to_string());
        match refusal.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

impl From<OwnWidening> for Problem {
    fn from(widening: OwnWidening) -> Self {
        Self::new(ErrorCode::Refused, widening.to_string()).hint(OwnWidening::HINT)
    }
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Self {
        let problem = Self::new(ErrorCode::Refused, error.to_string());
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

impl From<MergeError> for Problem {
    fn from(error: MergeError) -> Self {
        Self::new(ErrorCode::Refused, error.to_string())
    }
}
