//! What a caller wants recorded, before the log adds where, when and by whom it was written.

use std::collections::BTreeMap;
use std::fmt;

use modelward_seal::Digest;
use modelward_seal::canonical::CanonicalError;
use serde_json::Value;

use super::{IntentRef, Kind, Phase, PolicyRef, ReleaseClass, Resource, SubjectKind, Verdict};

/// An entry to be. Built with the methods below, then submitted to a [`crate::LedgerSink`].
///
/// Long values are cut to their bound when the draft is sealed, and their digest recorded; a draft with a float
/// or a key that cannot be bounded is refused.
#[derive(Clone)]
pub struct EntryDraft {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) action: Option<String>,
    pub(crate) class: Option<ReleaseClass>,
    pub(crate) decision: Option<Verdict>,
    pub(crate) details: BTreeMap<String, Value>,
    pub(crate) determining: Vec<String>,
    pub(crate) event: Option<String>,
    pub(crate) facts: Option<Vec<u8>>,
    pub(crate) grant: Option<String>,
    pub(crate) intent: Option<IntentRef>,
    pub(crate) obligations: Vec<Value>,
    pub(crate) outcome: Option<String>,
    pub(crate) phase: Option<Phase>,
    pub(crate) policy: Option<PolicyRef>,
    pub(crate) rationale: Option<String>,
    pub(crate) resource: Option<Resource>,
    pub(crate) revision: Option<u64>,
    pub(crate) subject: Option<(SubjectKind, String)>,
    pub(crate) narrowing: bool,
}

/// Why a draft cannot become an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    #[error("the value of `{field}` holds a number that is not an integer")]
    Float { field: String },
    #[error("the key `{key}` is longer than 64 bytes")]
    LongKey { key: String },
    #[error("the value of `{field}` is nested too deep")]
    TooDeep { field: String },
    #[error("`{field}` is empty or longer than {max} bytes and names something, so it cannot be cut")]
    BadName { field: &'static str, max: usize },
    #[error("the entry has no canonical form")]
    Canonical(#[from] CanonicalError),
    #[error("the entry would have {bytes} bytes even with everything cut that can be")]
    TooLarge { bytes: usize },
    #[error("the facts could not be sealed: {reason}")]
    Seal { reason: String },
}

impl EntryDraft {
    /// `id` is the evaluation, event or run this is about: 1 to 128 bytes.
    pub fn new(kind: Kind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            action: None,
            class: None,
            decision: None,
            details: BTreeMap::new(),
            determining: Vec::new(),
            event: None,
            facts: None,
            grant: None,
            intent: None,
            obligations: Vec::new(),
            outcome: None,
            phase: None,
            policy: None,
            rationale: None,
            resource: None,
            revision: None,
            subject: None,
            narrowing: false,
        }
    }

    /// An outcome of the intent with this id that stands at this index.
    pub fn outcome_of(id: impl Into<String>, index: u64, outcome: impl Into<String>) -> Self {
        let id = id.into();
        let draft = Self::new(Kind::Outcome, id.clone()).outcome(outcome);
        Self { intent: Some(IntentRef { id, index }), ..draft }
    }

    /// A change of state. Submitting the same event again gives the receipt of the first time.
    pub fn state_change(event: impl Into<String>) -> Self {
        let event = event.into();
        Self { event: Some(event.clone()), ..Self::new(Kind::StateChange, event) }
    }

    /// Makes this an intent: its outcome will follow, or recovery will call it indeterminate.
    #[must_use]
    pub fn intent(self) -> Self {
        Self { phase: Some(Phase::Intent), ..self }
    }

    /// Makes appending idempotent by this event id: 1 to 128 bytes.
    #[must_use]
    pub fn event(self, event: impl Into<String>) -> Self {
        Self { event: Some(event.into()), ..self }
    }

    /// Says that this entry only takes rights away (a revocation, a lock, a stop). On the control lane such an
    /// entry may use the queue slots and the disk space that nothing else may.
    #[must_use]
    pub fn narrowing(self) -> Self {
        Self { narrowing: true, ..self }
    }

    /// Who acted. Only a pseudonym of the id is written.
    #[must_use]
    pub fn subject(self, kind: SubjectKind, id: impl Into<String>) -> Self {
        Self { subject: Some((kind, id.into())), ..self }
    }

    /// What the decision was made on, as canonical JSON. Written encrypted under a key of the subject's own for
    /// this month, beside its digest; without a subject only the digest is written.
    #[must_use]
    pub fn facts(self, canonical: Vec<u8>) -> Self {
        Self { facts: Some(canonical), ..self }
    }

    #[must_use]
    pub fn action(self, action: impl Into<String>) -> Self {
        Self { action: Some(action.into()), ..self }
    }

    #[must_use]
    pub fn resource(self, resource: Resource) -> Self {
        Self { resource: Some(resource), ..self }
    }

    #[must_use]
    pub fn class(self, class: ReleaseClass) -> Self {
        Self { class: Some(class), ..self }
    }

    #[must_use]
    pub fn decision(self, verdict: Verdict) -> Self {
        Self { decision: Some(verdict), ..self }
    }

    #[must_use]
    pub fn outcome(self, outcome: impl Into<String>) -> Self {
        Self { outcome: Some(outcome.into()), ..self }
    }

    #[must_use]
    pub fn policy(self, bundle: Digest, schema: Digest) -> Self {
        Self { policy: Some(PolicyRef { bundle, schema }), ..self }
    }

    #[must_use]
    pub fn determining(self, policies: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { determining: policies.into_iter().map(Into::into).collect(), ..self }
    }

    #[must_use]
    pub fn obligation(mut self, obligation: Value) -> Self {
        self.obligations.push(obligation);
        self
    }

    #[must_use]
    pub fn rationale(self, code: impl Into<String>) -> Self {
        Self { rationale: Some(code.into()), ..self }
    }

    #[must_use]
    pub fn grant(self, grant: impl Into<String>) -> Self {
        Self { grant: Some(grant.into()), ..self }
    }

    #[must_use]
    pub fn revision(self, revision: u64) -> Self {
        Self { revision: Some(revision), ..self }
    }

    #[must_use]
    pub fn detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }
}

/// Subject and facts stay out of logs.
impl fmt::Debug for EntryDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryDraft")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}
