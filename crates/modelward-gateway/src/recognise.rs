//! From bytes to one typed operation: which model in which version, which action, which sensitive parts.
//!
//! A request body is read against the form of its route. A key the form does not know is a fault, because an upstream
//! could understand it; a key that asks for a sensitive part is noted and forwarded only when that part is held.

pub(crate) mod bind;
pub(crate) mod form;
pub(crate) mod open_inference;
mod openai;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use modelward_decision::Snapshot;
use modelward_decision::inventory::Endpoint;
use modelward_decision::vocabulary::{Action, Field};

use crate::config::Bounds;
use crate::refusal::{Reason, Refusal};
use crate::routes::{Call, Match};

pub(crate) use bind::Bound;
pub(crate) use form::Filled;
pub(crate) use open_inference::OutputAsk;

/// A request that is understood, and not yet decided.
#[derive(Debug)]
pub(crate) struct Recognised {
    pub(crate) call: Call,
    pub(crate) endpoint: Arc<Endpoint>,
    /// The model it is about; routes about the endpoint have none.
    pub(crate) bound: Option<Bound>,
    pub(crate) form: Option<Filled>,
    /// The output tensors a prediction asks for by name.
    pub(crate) outputs: Vec<OutputAsk>,
    /// Whether the answer comes as a stream of events.
    pub(crate) is_stream: bool,
    /// Sensitive parts asked for.
    pub(crate) asks: BTreeSet<Field>,
    /// The action that is decided, unless the route is a list: then how it may be seen is asked first.
    pub(crate) action: Action,
}

/// Reads the body against the route's form and binds the model.
pub(crate) fn recognise(
    snapshot: &Snapshot,
    endpoint: &Arc<Endpoint>,
    found: &Match<'_>,
    (call, actions): (Call, &'static [Action]),
    body: Bytes,
    bounds: &Bounds,
) -> Result<Recognised, Refusal> {
    let form = match form_of(call) {
        None => None,
        Some(form) => Some(Filled::read(form, body, bounds)?),
    };
    let bound = match (call, &form) {
        (Call::ChatCompletions | Call::Completions | Call::Responses | Call::Embeddings, Some(form)) => {
            let name = form
                .text("model")
                .ok_or_else(|| Refusal::new(Reason::Body, "the key `model` is missing").about("model"))?;
            Some(bind::model(snapshot, endpoint, &name, None)?)
        }
        _ => match found.model {
            None => None,
            Some(name) => Some(bind::model(snapshot, endpoint, name, found.version)?),
        },
    };
    let is_stream = match call {
        Call::GenerateStream => true,
        _ => form.as_ref().is_some_and(|form| form.flag("stream")),
    };
    let mut asks = form.as_ref().map(|form| form.asks().clone()).unwrap_or_default();
    let mut outputs = Vec::new();
    if let (Call::Infer, Some(form), Some(bound)) = (call, &form, &bound) {
        outputs = open_inference::outputs(form)?;
        if open_inference::asks_raw_scores(&outputs, &bound.version) {
            asks.insert(Field::RawScores);
        }
    }
    if call == Call::Embeddings {
        // So that a grant that names other fields does not reach vectors.
        asks.insert(Field::Embeddings);
    }
    let action = match actions {
        [Action::Predict, Action::PredictStream] if is_stream => Action::PredictStream,
        [first, ..] => *first,
        [] => return Err(Refusal::new(Reason::UnknownRoute, "there is no such route")),
    };
    Ok(Recognised { call, endpoint: Arc::clone(endpoint), bound, form, outputs, is_stream, asks, action })
}

const fn form_of(call: Call) -> Option<&'static form::Form> {
    match call {
        Call::Infer => Some(&open_inference::INFER),
        Call::Generate | Call::GenerateStream => Some(&open_inference::GENERATE),
        Call::InferenceIndex => Some(&open_inference::INDEX),
        Call::ChatCompletions => Some(&openai::CHAT),
        Call::Completions => Some(&openai::COMPLETIONS),
        Call::Responses => Some(&openai::RESPONSES),
        Call::Embeddings => Some(&openai::EMBEDDINGS),
        Call::InferenceLive
        | Call::InferenceReady
        | Call::InferenceServer
        | Call::InferenceModels
        | Call::InferenceModel
        | Call::InferenceModelReady
        | Call::Models
        | Call::Model => None,
    }
}

#[cfg(test)]
mod tests;
