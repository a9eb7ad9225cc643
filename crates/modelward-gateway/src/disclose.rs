//! What may leave: known fields, held fields, within the obligations.
//!
//! An answer is read once and written anew from what a list of fields allows; a field nobody listed never travels,
//! whatever an upstream adds in its next release. The same lists serve whole documents and single events.

mod filter;
mod open_inference;
mod openai;
mod sse;
mod stream;

use std::collections::BTreeSet;

use modelward_decision::Obligation;
use modelward_decision::vocabulary::Field;

use crate::json::Fault;
use crate::routes::Call;

pub(crate) use filter::document;
pub(crate) use stream::{EventFault, EventFilter};

/// Which fields of an answer are kept, and how.
#[derive(Debug)]
pub(crate) enum Keep {
    Text,
    Number,
    Bool,
    Null,
    Object(&'static [(&'static str, Self)]),
    List(&'static Self),
    /// A list of alternatives, cut to the bound in force.
    Alternatives(&'static Self),
    /// Alternatives as keys of an object, cut to the bound in force.
    AlternativesByKey(&'static Self),
    /// Kept only when the field is held.
    Held(Field, &'static Self),
    /// The first whose kind fits.
    Either(&'static [Self]),
    /// Replaced by the name the caller used.
    PublicName,
    /// Must be the model that was asked for; replaced by the name the caller used.
    SameModel,
    /// Must be the version that was decided on.
    SameVersion,
    /// An output tensor, kept only when its `name` was released.
    Output(&'static [(&'static str, Self)]),
    /// An object that is kept only when the field is held, if its `type` is one of these.
    Typed(Field, &'static [&'static str], &'static [(&'static str, Self)]),
    /// Numbers, booleans and texts in lists of lists.
    Tensor,
    /// An embedding: a list of numbers, or the same in base64.
    Vector,
    /// Its presence, unless null, says that the upstream failed.
    Failure,
}

/// Through what one answer is seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lens {
    pub(crate) held: BTreeSet<Field>,
    pub(crate) public_name: String,
    pub(crate) upstream_name: String,
    pub(crate) version: String,
    /// Output tensors that may travel; none means all.
    pub(crate) released: Option<BTreeSet<String>>,
    pub(crate) round: Option<u8>,
    pub(crate) top_k: Option<u16>,
}

/// Why an answer cannot be passed on. The caller learns only that the upstream failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterFault {
    #[error("the answer is not the JSON of this route: {0}")]
    Malformed(#[from] Fault),
    #[error("the answer is not an object")]
    Kind,
    #[error("the answer reports an error")]
    Failed,
    #[error("the answer comes from another model")]
    OtherModel,
    #[error("the answer comes from another version")]
    OtherVersion,
}

/// The figures of the obligations a filter can do; the rest was declared undoable and never arrives here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Duties {
    pub(crate) round: Option<u8>,
    pub(crate) top_k: Option<u16>,
    pub(crate) label_only: bool,
}

/// What is left of the held fields, and what numbers must become.
pub(crate) fn duties(obligations: &[Obligation], held: &BTreeSet<Field>) -> (Duties, BTreeSet<Field>) {
    let mut duties = Duties::default();
    let mut held = held.clone();
    for obligation in obligations {
        match obligation {
            Obligation::StripFields { fields } => held.retain(|field| !fields.contains(field)),
            Obligation::Round { decimals } => {
                duties.round = Some(duties.round.map_or(*decimals, |other| other.min(*decimals)));
            }
            Obligation::TopK { k } => duties.top_k = Some(duties.top_k.map_or(*k, |other| other.min(*k))),
            Obligation::LabelOnly => duties.label_only = true,
            // Done by enforcement before a permit exists, or by the gate every byte passes.
            Obligation::AnswerBytes { .. } | Obligation::Rate { .. } | Obligation::StepUp { .. } => {}
            // INVARIANT: not among the capabilities of this enforcement point, so a permit with one does not exist.
            Obligation::MaskColumns { .. }
            | Obligation::RowFilter { .. }
            | Obligation::MinimumCohort { .. }
            | Obligation::Watermark
            | Obligation::Notify { .. } => {}
        }
    }
    if duties.label_only {
        held.clear();
    }
    (duties, held)
}

/// The fields of a whole answer.
pub(crate) const fn keep_of(call: Call) -> Option<&'static Keep> {
    match call {
        Call::Infer => Some(&open_inference::INFER),
        Call::Generate | Call::GenerateStream => Some(&open_inference::GENERATE),
        Call::InferenceModel => Some(&open_inference::MODEL),
        Call::ChatCompletions => Some(&openai::CHAT),
        Call::Completions => Some(&openai::COMPLETION),
        Call::Responses => Some(&openai::RESPONSE),
        Call::Embeddings => Some(&openai::EMBEDDINGS),
        Call::InferenceLive
        | Call::InferenceReady
        | Call::InferenceServer
        | Call::InferenceModels
        | Call::InferenceIndex
        | Call::InferenceModelReady
        | Call::Models
        | Call::Model => None,
    }
}

#[cfg(test)]
mod tests;
