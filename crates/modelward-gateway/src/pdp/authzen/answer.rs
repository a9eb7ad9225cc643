//! What goes with a decision: its id, a sentence for the subject, and, where drafts are on, obligations and the way to
//! ask for access.

use modelward_decision::vocabulary::DecisionId;
use modelward_decision::{Decision, Obligation, Remedy};
use modelward_enforcement::ObligationKind;
use serde_json::{Map, Value, json};

use super::message::Question;
use crate::pdp::config::AuthZen;

/// The vendor of `custom` obligations.
const VENDOR: &str = "modelward";

/// Types of obligation an answer can hold, as the metadata lists them.
pub(super) const OBLIGATION_TYPES: [&str; 2] = ["custom", "notification"];

pub(super) fn allowed(id: DecisionId, obligations: &[Obligation], config: &AuthZen) -> Value {
    let mut context = context(id);
    if config.drafts && !obligations.is_empty() {
        context.insert("obligations".to_owned(), list(obligations));
    }
    Value::Object(context)
}

pub(super) fn denied(decision: &Decision, question: &Question, config: &AuthZen) -> Value {
    let mut context = context(decision.id);
    context.insert("reason_user".to_owned(), json!({ "en": decision.sentence }));
    if config.drafts
        && let Some(request) = access_request(decision, question, config)
    {
        context.insert("access_request".to_owned(), request);
    }
    Value::Object(context)
}

pub(super) fn unmapped(id: DecisionId) -> Value {
    let mut context = context(id);
    context.insert("reason_user".to_owned(), json!({ "en": "There is no such action here." }));
    Value::Object(context)
}

fn context(id: DecisionId) -> Map<String, Value> {
    Map::from_iter([("evaluation_id".to_owned(), json!(id.to_string()))])
}

/// Obligations as objects, each with an id of its own within the answer.
pub(super) fn list(obligations: &[Obligation]) -> Value {
    obligations.iter().zip(1..).map(|(obligation, number)| object(obligation, number)).collect()
}

fn object(obligation: &Obligation, number: usize) -> Value {
    let id = format!("obl-{number}");
    match obligation {
        Obligation::Notify { audience } => {
            json!({ "type": "notification", "id": id, "to": audience, "body": "A model was used; see the decision." })
        }
        Obligation::StripFields { .. }
        | Obligation::Round { .. }
        | Obligation::TopK { .. }
        | Obligation::LabelOnly
        | Obligation::MaskColumns { .. }
        | Obligation::RowFilter { .. }
        | Obligation::MinimumCohort { .. }
        | Obligation::AnswerBytes { .. }
        | Obligation::Rate { .. }
        | Obligation::StepUp { .. }
        | Obligation::Watermark => {
            json!({ "type": "custom", "id": id, "vendor": VENDOR, "obligation": obligation.to_string() })
        }
    }
}

pub(super) const fn obligation_type(kind: ObligationKind) -> &'static str {
    match kind {
        ObligationKind::Notify => "notification",
        ObligationKind::StripFields
        | ObligationKind::Round
        | ObligationKind::TopK
        | ObligationKind::LabelOnly
        | ObligationKind::MaskColumns
        | ObligationKind::RowFilter
        | ObligationKind::MinimumCohort
        | ObligationKind::AnswerBytes
        | ObligationKind::Rate
        | ObligationKind::StepUp
        | ObligationKind::Watermark => "custom",
    }
}

/// What to ask for, in the words of the question: nothing in it tells whether the thing exists.
fn access_request(decision: &Decision, question: &Question, config: &AuthZen) -> Option<Value> {
    let privilege = decision.remedies.iter().find_map(|remedy| match remedy {
        Remedy::Grant { privilege, .. } => Some(*privilege),
        Remedy::Wait { .. }
        | Remedy::StepUp { .. }
        | Remedy::BoundCredential
        | Remedy::WiderCredential { .. }
        | Remedy::Device
        | Remedy::Network { .. }
        | Remedy::Place { .. }
        | Remedy::Environment { .. }
        | Remedy::Purpose { .. }
        | Remedy::WithoutFields { .. }
        | Remedy::Clearance
        | Remedy::Administrator { .. } => None,
    })?;
    let mut request = json!({
        "template": {
            "subject": { "type": question.subject.kind, "id": question.subject.id },
            "action": { "name": question.action },
            "resource": { "type": question.resource.kind, "id": question.resource.id },
            "privilege": privilege.as_str(),
        },
        "display": decision.sentence,
    });
    if let (Some(form), Some(request)) = (&config.request_form, request.as_object_mut()) {
        request.insert("form_url".to_owned(), json!(form));
    }
    Some(request)
}
