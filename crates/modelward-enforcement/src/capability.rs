//! Which obligations an enforcement point can do. One it cannot do, handed to it, is a denial.

use std::fmt;

use modelward_decision::Obligation;

/// The kinds of obligation one enforcement point has code for.
///
/// [`Obligation::Rate`] and [`Obligation::StepUp`] are done here, before anything is forwarded, and need not be
/// declared.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u16);

/// An obligation without its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObligationKind {
    StripFields,
    Round,
    TopK,
    LabelOnly,
    MaskColumns,
    RowFilter,
    MinimumCohort,
    AnswerBytes,
    Rate,
    StepUp,
    Watermark,
    Notify,
}

impl Capabilities {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn with(self, kind: ObligationKind) -> Self {
        Self(self.0 | kind.bit())
    }

    pub const fn can_do(self, kind: ObligationKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The first obligation nobody here can do.
    pub(crate) fn missing(self, obligations: &[Obligation]) -> Option<ObligationKind> {
        let done_here = Self::NONE.with(ObligationKind::Rate).with(ObligationKind::StepUp);
        obligations
            .iter()
            .map(ObligationKind::of)
            .find(|kind| !self.can_do(*kind) && !done_here.can_do(*kind))
    }
}

impl ObligationKind {
    pub const ALL: [Self; 12] = [
        Self::StripFields,
        Self::Round,
        Self::TopK,
        Self::LabelOnly,
        Self::MaskColumns,
        Self::RowFilter,
        Self::MinimumCohort,
        Self::AnswerBytes,
        Self::Rate,
        Self::StepUp,
        Self::Watermark,
        Self::Notify,
    ];

    pub const fn of(obligation: &Obligation) -> Self {
        match obligation {
            Obligation::StripFields { .. } => Self::StripFields,
            Obligation::Round { .. } => Self::Round,
            Obligation::TopK { .. } => Self::TopK,
            Obligation::LabelOnly => Self::LabelOnly,
            Obligation::MaskColumns { .. } => Self::MaskColumns,
            Obligation::RowFilter { .. } => Self::RowFilter,
            Obligation::MinimumCohort { .. } => Self::MinimumCohort,
            Obligation::AnswerBytes { .. } => Self::AnswerBytes,
            Obligation::Rate { .. } => Self::Rate,
            Obligation::StepUp { .. } => Self::StepUp,
            Obligation::Watermark => Self::Watermark,
            Obligation::Notify { .. } => Self::Notify,
        }
    }

    /// The word in the vocabulary of obligations, without its figures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StripFields => "strip",
            Self::Round => "round",
            Self::TopK => "top-k",
            Self::LabelOnly => "label-only",
            Self::MaskColumns => "mask",
            Self::RowFilter => "row-filter",
            Self::MinimumCohort => "cohort",
            Self::AnswerBytes => "answer-bytes",
            Self::Rate => "rate",
            Self::StepUp => "step-up",
            Self::Watermark => "watermark",
            Self::Notify => "notify",
        }
    }

    /// What the obligation asks for, in a sentence: "… is not possible here".
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::StripFields => "leaving parts out of the answer",
            Self::Round => "rounding numbers in the answer",
            Self::TopK => "limiting alternatives in the answer",
            Self::LabelOnly => "answering with labels only",
            Self::MaskColumns => "masking columns",
            Self::RowFilter => "filtering rows",
            Self::MinimumCohort => "keeping groups above a minimum size",
            Self::AnswerBytes => "limiting the size of the answer",
            Self::Rate => "limiting the rate of requests",
            Self::StepUp => "asking for a fresh proof of who you are",
            Self::Watermark => "marking the answer with its requester",
            Self::Notify => "telling others of the request",
        }
    }

    const fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(ObligationKind::ALL.into_iter().filter(|kind| self.can_do(*kind))).finish()
    }
}
