//! Decisions and outcomes as entries of the ledger.
//!
//! An entry names the principal by pseudonym and the facts by digest; the facts themselves, the whole request as the
//! decision point saw it, go beside it sealed under the subject's key, as canonical JSON. With the bundle's digest an
//! auditor can decide it again.

use modelward_decision::vocabulary::{DecisionId, PrincipalRef, ResourceRef};
use modelward_decision::{Decision, Request};
use modelward_ledger::entry::{EntryDraft, Kind, ReleaseClass as EntryClass, Resource, SubjectKind, Verdict};
use modelward_ledger::{LedgerFailed, SubmitError};
use modelward_seal::canonical;
use serde_json::{Value, json};

use crate::core::narrows;
use crate::denial::{Denial, Unavailable};
use crate::ending::{Ending, Status};
use crate::operation::{ReleaseClass, Summary, Trace};
use crate::rejection::Rejection;
use crate::standing::Standing;

/// An allow whose outcome will follow.
pub(crate) fn intent(
    standing: &Standing,
    class: ReleaseClass,
    trace: &Trace,
) -> Result<EntryDraft, Unavailable> {
    let decision = standing.decision();
    let class = match class {
        ReleaseClass::R0 => EntryClass::R0,
        ReleaseClass::R1 => EntryClass::R1,
    };
    let draft = decided(decision, standing.request(), trace)?.decision(Verdict::Allow).class(class).intent();
    let draft = match decision.grant {
        Some(grant) => draft.grant(grant.to_string()),
        None => draft,
    };
    let session = standing.who().session().id.to_string();
    let draft = draft.detail("session", session);
    let acting: Vec<String> = standing.who().actors().iter().map(|actor| actor.session.to_string()).collect();
    let draft = if acting.is_empty() { draft } else { draft.detail("acting_sessions", acting) };
    Ok(if narrows(decision.action) { draft.narrowing() } else { draft })
}

pub(crate) fn denial(denial: &Denial, request: &Request, trace: &Trace) -> Result<EntryDraft, Unavailable> {
    let decision = denial.decision();
    let draft = decided(decision, request, trace)?
        .decision(Verdict::Deny)
        .class(EntryClass::R2)
        .detail("check", denial.reason().as_str());
    Ok(match decision.grant {
        Some(grant) => draft.grant(grant.to_string()),
        None => draft,
    })
}

/// What allows and denials have in common.
fn decided(decision: &Decision, request: &Request, trace: &Trace) -> Result<EntryDraft, Unavailable> {
    let facts = canonical::to_vec(request).map_err(|error| {
        tracing::error!(id = %decision.id, %error, "the facts of a decision have no canonical form");
        Unavailable::Entry
    })?;
    let (kind, subject) = subject(decision.principal);
    let mut draft = EntryDraft::new(Kind::Decision, decision.id.to_string())
        .action(decision.action.as_str())
        .resource(resource(decision.resource))
        .subject(kind, subject)
        .facts(facts)
        .policy(decision.bundle, decision.schema)
        .determining(decision.determining.iter().map(|citation| citation.policy.to_string()))
        .outcome(decision.outcome.as_str())
        .rationale(decision.sentence.clone())
        .revision(decision.revision)
        .detail("request", trace.request.digest.to_string())
        .detail("request_bytes", number(trace.request.bytes));
    for obligation in &decision.obligations {
        draft = draft.obligation(serde_json::to_value(obligation).map_err(|_| Unavailable::Entry)?);
    }
    if !decision.held_fields.is_empty() {
        let held: Vec<&str> = decision.held_fields.iter().map(|field| field.as_str()).collect();
        draft = draft.detail("held_fields", held);
    }
    if let Some(comparison) = decision.comparison.as_ref().filter(|comparison| !comparison.agrees) {
        let other =
            json!({ "bundle": comparison.bundle.to_string(), "outcome": comparison.outcome.as_str() });
        draft = draft.detail("on_trial", other);
    }
    let bundles: Vec<String> = decision.bundles().iter().map(ToString::to_string).collect();
    if !bundles.is_empty() {
        draft = draft.detail("bundles", bundles);
    }
    if decision.covering.len() > 1 {
        draft = draft.detail("covering_grants", decision.covering.len());
    }
    Ok(summarised(draft, &trace.summary))
}

/// How a permitted operation ended; `index` is where its allow stands, `narrows` whether it only took rights away.
pub(crate) fn outcome(id: DecisionId, index: u64, ending: &Ending, narrows: bool) -> EntryDraft {
    let mut draft = EntryDraft::outcome_of(id.to_string(), index, ending.status.as_str())
        .detail("bytes", number(ending.bytes));
    if let Some(digest) = ending.digest {
        draft = draft.detail("digest", digest.to_string());
    }
    if let Some(milliseconds) = ending.upstream_ms {
        draft = draft.detail("upstream_ms", number(milliseconds));
    }
    if ending.masked > 0 {
        draft = draft.detail("masked", number(ending.masked));
    }
    if let Status::Ended(end) = ending.status {
        draft = draft.detail("end", end.as_str());
    }
    let draft = if narrows { draft.narrowing() } else { draft };
    summarised(draft, &ending.summary)
}

/// A request nobody proved to have sent, or that no parser accepted.
pub(crate) fn rejection(id: DecisionId, rejection: &Rejection) -> EntryDraft {
    let mut draft = EntryDraft::new(Kind::RejectedRequest, id.to_string())
        .subject(SubjectKind::Anonymous, rejection.peer.as_str())
        .class(EntryClass::R2)
        .decision(Verdict::Deny)
        .outcome(rejection.kind.as_str())
        .rationale(rejection.reason.clone())
        .detail("protocol", rejection.protocol);
    if let Some(request) = rejection.request {
        draft = draft
            .detail("request", request.digest.to_string())
            .detail("request_bytes", number(request.bytes));
    }
    draft
}

fn summarised(draft: EntryDraft, summary: &Summary) -> EntryDraft {
    if summary.is_empty() {
        return draft;
    }
    let summary: serde_json::Map<String, Value> =
        summary.iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
    draft.detail("summary", summary)
}

/// Entries hold no integer beyond what canonical JSON writes exactly; a larger one is written as text.
fn number(value: u64) -> Value {
    if value <= canonical::INTEGER_MAX { json!(value) } else { json!(value.to_string()) }
}

fn subject(principal: PrincipalRef) -> (SubjectKind, String) {
    let kind = match principal {
        PrincipalRef::Person(_) => SubjectKind::Human,
        PrincipalRef::Machine(_) => SubjectKind::Service,
    };
    (kind, principal.to_string())
}

fn resource(resource: ResourceRef) -> Resource {
    let kind = match resource {
        ResourceRef::Platform => "platform",
        ResourceRef::Project(_) => "project",
        ResourceRef::Model(_) => "model",
        ResourceRef::Version(_) => "version",
        ResourceRef::Endpoint(_) => "endpoint",
        ResourceRef::Dataset(_) => "dataset",
    };
    Resource::new(kind, resource.to_string())
}

/// What a refusal to take an entry means for the request.
pub(crate) fn not_taken(error: &SubmitError) -> Unavailable {
    match error {
        SubmitError::QueueFull | SubmitError::Backlog => Unavailable::LedgerFull,
        SubmitError::Draft(error) => {
            tracing::error!(%error, "a decision does not fit into an entry");
            Unavailable::Entry
        }
        SubmitError::Failed(error) => lost(error),
    }
}

/// What the loss of a queued entry means for the request.
pub(crate) fn lost(error: &LedgerFailed) -> Unavailable {
    tracing::error!(%error, "a decision was not recorded; nothing is released on it");
    Unavailable::LedgerFailed
}
