//! Requests in Cedar's own words, for the test files that Cedar's own runner reads.
//!
//! Here alone a request is put to the plain authorizer, with the context and entities somebody wrote down: no grant is
//! looked for and no obligation joined. It says what the policies say, and releases nothing.

use std::collections::BTreeSet;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::Bundle;
use crate::decide::Trial;
use crate::decision::Request;
use crate::snapshot::Snapshot;
use crate::vocabulary::{Field, GrantId};

/// A request as Cedar's tools write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlainRequest {
    pub principal: String,
    pub action: String,
    pub resource: String,
    #[serde(default = "empty")]
    pub context: Value,
}

/// What the plain authorizer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlainAnswer {
    pub allow: bool,
    /// The satisfied forbids if there are any, else the satisfied permits.
    pub reason: BTreeSet<String>,
    /// Policies that could not be evaluated.
    pub errors: BTreeSet<String>,
}

/// The request or its entities do not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {message}")]
pub struct PlainError {
    pub part: &'static str,
    pub message: String,
}

/// Puts a request to Cedar's authorizer, checked against the schema of the bundle.
pub fn authorize(
    bundle: &Bundle,
    request: &PlainRequest,
    entities: &Value,
) -> Result<PlainAnswer, PlainError> {
    let schema = bundle.schema();
    let uid = |part: &'static str, text: &str| {
        text.parse::<EntityUid>().map_err(|error| PlainError { part, message: error.to_string() })
    };
    let principal = uid("principal", &request.principal)?;
    let action = uid("action", &request.action)?;
    let resource = uid("resource", &request.resource)?;
    let context = Context::from_json_value(request.context.clone(), Some((schema, &action)))
        .map_err(|error| chain("context", &error))?;
    let cedar = cedar_policy::Request::new(principal, action, resource, context, Some(schema))
        .map_err(|error| chain("request", &error))?;
    let entities = Entities::from_json_value(entities.clone(), Some(schema))
        .map_err(|error| chain("entities", &error))?;
    let response = Authorizer::new().is_authorized(&cedar, bundle.policies(), &entities);
    let diagnostics = response.diagnostics();
    Ok(PlainAnswer {
        allow: response.decision() == Decision::Allow,
        reason: diagnostics.reason().map(ToString::to_string).collect(),
        errors: diagnostics.errors().map(ToString::to_string).collect(),
    })
}

/// A request of ours as Cedar's tools write it, under one grant or none, with the entities it looks at.
///
/// Nothing when principal, resource or endpoint is unknown.
pub fn restate(
    snapshot: &Snapshot,
    request: &Request,
    held: &[Field],
    grant: Option<GrantId>,
) -> Option<(PlainRequest, Value)> {
    let trial = Trial::new(snapshot, request, &request.facts.ask, held)?;
    let grant = match grant {
        Some(id) => Some(snapshot.grant(id)?),
        None => None,
    };
    let context = trial.context(snapshot, grant)?.to_json_value().ok()?;
    let mut entities = trial.slice.entities.to_json_value().ok()?;
    if let Value::Array(entities) = &mut entities {
        entities.sort_by_key(|entity| entity.get("uid").map(ToString::to_string));
        for parents in entities.iter_mut().filter_map(|entity| entity.get_mut("parents")?.as_array_mut()) {
            parents.sort_by_key(ToString::to_string);
        }
    }
    let uid = |entry: &cedar_policy_core::ast::EntityUIDEntry| entry.uid().map(ToString::to_string);
    Some((
        PlainRequest {
            principal: uid(&trial.slice.principal)?,
            action: uid(&trial.slice.action)?,
            resource: uid(&trial.slice.resource)?,
            context,
        },
        entities,
    ))
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

/// An error with the causes it hides.
fn chain(part: &'static str, error: &dyn std::error::Error) -> PlainError {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    PlainError { part, message }
}
