//! Requests of the Authorization API as they arrive: checked for shape, not yet for meaning.
//!
//! Keys the API does not know are ignored, as it demands. Keys it knows must hold what it says; a key that stands twice
//! is a fault, because two readers could take different ones.

use std::collections::BTreeSet;

use bytes::Bytes;
use modelward_decision::vocabulary::{Ask, Field, Name};
use serde_json::{Map, Value};

use super::problem::Problem;
use crate::json::Scanner;

/// Evaluations of one request at most.
pub(super) const EVALUATIONS_MAX: usize = 100;

type Object = Map<String, Value>;

/// A subject or a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) kind: String,
    pub(super) id: String,
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) subject: Entity,
    pub(super) action: String,
    pub(super) resource: Entity,
    pub(super) circumstances: Circumstances,
}

/// What the caller says of the request beside who, what and which.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Circumstances {
    pub(super) ask: Ask,
    pub(super) network: Option<Name>,
    /// Managed and compliant.
    pub(super) device: Option<(bool, bool)>,
    /// The types of obligation the caller can do in this case.
    pub(super) obligations: Option<BTreeSet<String>>,
}

/// When the evaluations of one request end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

#[derive(Debug)]
pub(super) enum Evaluations {
    One(Box<Question>),
    /// Each one well-formed or not.
    Several(Vec<Result<Question, Problem>>, Semantic),
}

/// Reads a body.
pub(super) fn object(body: &Bytes) -> Result<Object, Problem> {
    if body.is_empty() {
        return Err(Problem::malformed("the body is empty"));
    }
    let checked = Scanner::new(body).and_then(|mut scanner| {
        scanner.value()?;
        scanner.end()
    });
    checked.map_err(|fault| Problem::malformed(fault.to_string()))?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::malformed("the body must be a JSON object")),
        Err(error) => Err(Problem::malformed(error.to_string())),
    }
}

pub(super) fn question(request: &Object) -> Result<Question, Problem> {
    read(request, None)
}

pub(super) fn evaluations(request: &Object) -> Result<Evaluations, Problem> {
    let items = match request.get("evaluations") {
        None => &[][..],
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Problem::malformed("`evaluations` must be an array")),
    };
    if items.len() > EVALUATIONS_MAX {
        return Err(Problem::malformed(format!("`evaluations` has more than {EVALUATIONS_MAX} elements")));
    }
    let semantic = semantic(request)?;
    if items.is_empty() {
        return question(request).map(Box::new).map(Evaluations::One);
    }
    // What all of them share is wrong for all of them.
    for key in ["subject", "action", "resource", "context"] {
        part(request, key)?;
    }
    let one = |item: &Value| match item {
        Value::Object(item) => read(item, Some(request)),
        _ => Err(Problem::malformed("an element of `evaluations` must be an object")),
    };
    Ok(Evaluations::Several(items.iter().map(one).collect(), semantic))
}

fn semantic(request: &Object) -> Result<Semantic, Problem> {
    let Some(options) = part(request, "options")? else { return Ok(Semantic::ExecuteAll) };
    match options.get("evaluations_semantic") {
        None => Ok(Semantic::ExecuteAll),
        Some(Value::String(text)) => match text.as_str() {
            "execute_all" => Ok(Semantic::ExecuteAll),
            "deny_on_first_deny" => Ok(Semantic::DenyOnFirstDeny),
            "permit_on_first_permit" => Ok(Semantic::PermitOnFirstPermit),
            _ => Err(Problem::malformed("`options.evaluations_semantic` is none of the three there are")),
        },
        Some(_) => Err(Problem::malformed("`options.evaluations_semantic` must be a string")),
    }
}

/// A question, with `defaults` for what it leaves out.
fn read(request: &Object, defaults: Option<&Object>) -> Result<Question, Problem> {
    let subject = entity(request, defaults, "subject")?;
    let resource = entity(request, defaults, "resource")?;
    let action = required(request, defaults, "action", "name")?;
    let circumstances = circumstances(request, defaults)?;
    Ok(Question { subject, action, resource, circumstances })
}

fn entity(request: &Object, defaults: Option<&Object>, key: &str) -> Result<Entity, Problem> {
    Ok(Entity {
        kind: required(request, defaults, key, "type")?,
        id: required(request, defaults, key, "id")?,
    })
}

/// A text that must be there. A whole object stands in the place of the default one, but for what must be there.
pub(super) fn required(
    request: &Object,
    defaults: Option<&Object>,
    key: &str,
    inner: &str,
) -> Result<String, Problem> {
    let own = part(request, key)?;
    let shared = defaults.map(|defaults| part(defaults, key)).transpose()?.flatten();
    if own.is_none() && shared.is_none() {
        return Err(Problem::malformed(format!("`{key}` is missing")));
    }
    let found = own.and_then(|own| own.get(inner)).or_else(|| shared.and_then(|shared| shared.get(inner)));
    match found {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) => Err(Problem::malformed(format!("`{key}.{inner}` is empty"))),
        Some(_) => Err(Problem::malformed(format!("`{key}.{inner}` must be a string"))),
        None => Err(Problem::malformed(format!("`{key}.{inner}` is missing"))),
    }
}

/// A member that is an object where it is there at all.
fn part<'r>(request: &'r Object, key: &str) -> Result<Option<&'r Object>, Problem> {
    match request.get(key) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Problem::malformed(format!("`{key}` must be an object"))),
    }
}

/// What `action.properties` and `context` say; whatever else stands there, and in other `properties`, is not read.
pub(super) fn circumstances(request: &Object, defaults: Option<&Object>) -> Result<Circumstances, Problem> {
    let either = |key: &str| match part(request, key)? {
        Some(own) => Ok(Some(own)),
        None => defaults.map_or(Ok(None), |defaults| part(defaults, key)),
    };
    for key in ["subject", "resource"] {
        if let Some(entity) = either(key)? {
            part(entity, "properties")?;
        }
    }
    let mut read = Circumstances::default();
    if let Some(properties) = either("action")?.map_or(Ok(None), |action| part(action, "properties"))? {
        read.ask.fields = fields(properties)?;
        read.ask.bytes = match properties.get("bytes") {
            None => None,
            Some(value) => Some(
                value
                    .as_u64()
                    .ok_or_else(|| Problem::malformed("`action.properties.bytes` must be a count"))?,
            ),
        };
    }
    let Some(context) = either("context")? else { return Ok(read) };
    read.ask.purpose = name(context, "purpose")?;
    read.network = name(context, "network")?;
    if let Some(device) = part(context, "device")? {
        let is = |key: &str| match device.get(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(Problem::malformed(format!("`context.device.{key}` must be true or false"))),
        };
        read.device = Some((is("managed")?, is("compliant")?));
    }
    if let Some(supported) = context.get("obligations_supported") {
        read.obligations = Some(texts(supported, "context.obligations_supported")?.collect());
    }
    Ok(read)
}

fn fields(properties: &Object) -> Result<BTreeSet<Field>, Problem> {
    let Some(value) = properties.get("fields") else { return Ok(BTreeSet::new()) };
    texts(value, "action.properties.fields")?
        .map(|text| text.parse().map_err(|_| Problem::malformed("`action.properties.fields` names no field")))
        .collect()
}

fn texts(value: &Value, key: &str) -> Result<impl Iterator<Item = String>, Problem> {
    let wrong = || Problem::malformed(format!("`{key}` must be an array of strings"));
    let parts = value.as_array().ok_or_else(wrong)?;
    let texts: Option<Vec<String>> = parts.iter().map(|part| part.as_str().map(str::to_owned)).collect();
    Ok(texts.ok_or_else(wrong)?.into_iter())
}

fn name(context: &Object, key: &str) -> Result<Option<Name>, Problem> {
    let wrong = || Problem::malformed(format!("`context.{key}` must be a name"));
    match context.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Name::new(text).map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}
