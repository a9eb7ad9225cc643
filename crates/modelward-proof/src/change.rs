//! Which policies differ between two bundles, as texts: no solver is needed for this.

use std::collections::BTreeMap;

use cedar_policy::{Policy, PolicySet, SchemaFragment};
use modelward_decision::Bundle;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ProofError;
use crate::environment::set_of;

const SCHEMA: &str = "schema.cedarschema";

/// One policy or obligation rule that is not the same in both bundles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyChange {
    pub policy: String,
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    Added,
    Removed,
    /// Effect, scope or conditions changed.
    Edited,
    /// Only annotations changed: who owns it, what people read, what it obliges to.
    Annotated,
}

/// Every change, in order of id.
pub(crate) fn changes(old: &Bundle, new: &Bundle) -> Result<Vec<PolicyChange>, ProofError> {
    let (before, after) = (all(old)?, all(new)?);
    let mut changes = Vec::new();
    for (policy, was) in &before {
        let how = match after.get(policy) {
            None => How::Removed,
            Some(is) if is.meaning != was.meaning => How::Edited,
            Some(is) if is.annotations != was.annotations => How::Annotated,
            Some(_) => continue,
        };
        changes.push(PolicyChange { policy: policy.clone(), how });
    }
    let added = after.keys().filter(|policy| !before.contains_key(*policy));
    changes.extend(added.map(|policy| PolicyChange { policy: policy.clone(), how: How::Added }));
    changes.sort();
    Ok(changes)
}

/// The policies of `set` that mean something no policy of `other` means. What both have cancels, whatever it is called.
pub(crate) fn only_in(set: &PolicySet, other: &PolicySet) -> Result<PolicySet, ProofError> {
    let mut theirs = other.policies().map(meaning).collect::<Result<Vec<_>, _>>()?;
    theirs.sort();
    let mut alone = Vec::new();
    for policy in set.policies() {
        if theirs.binary_search(&meaning(policy)?).is_err() {
            alone.push(policy);
        }
    }
    set_of(alone)
}

struct Text {
    meaning: String,
    annotations: Vec<(String, String)>,
}

fn all(bundle: &Bundle) -> Result<BTreeMap<String, Text>, ProofError> {
    let policies = bundle.policies().policies().chain(bundle.obligations().policies());
    policies
        .map(|policy| {
            let mut annotations: Vec<_> =
                policy.annotations().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            annotations.sort();
            Ok((policy.id().to_string(), Text { meaning: meaning(policy)?, annotations }))
        })
        .collect()
}

/// Effect, scope and conditions, without names and layout.
fn meaning(policy: &Policy) -> Result<String, ProofError> {
    let mut json = policy.to_json().map_err(|source| ProofError::Json(Box::new(source)))?;
    if let Value::Object(parts) = &mut json {
        parts.remove("annotations");
    }
    Ok(json.to_string())
}

/// What two schemas have in common.
#[derive(Debug)]
pub(crate) enum Schemas {
    Same,
    /// Kinds, facts and groups are the same; these actions are too.
    SameBut {
        actions: Vec<String>,
    },
    Different,
}

/// Compares the schemas of two bundles.
pub(crate) fn schemas(old: &Bundle, new: &Bundle) -> Schemas {
    if old.schema_digest() == new.schema_digest() {
        return Schemas::Same;
    }
    let (Some(before), Some(after)) = (namespaces(old), namespaces(new)) else { return Schemas::Different };
    let rest = |namespaces: &Map<String, Value>| -> Vec<Value> {
        namespaces.values().map(without_actions).collect()
    };
    if before.keys().ne(after.keys()) || rest(&before) != rest(&after) {
        return Schemas::Different;
    }
    let (before, after) = (actions(&before), actions(&after));
    let group = |action: &&Value| action.get("appliesTo").is_none();
    if before.values().filter(group).ne(after.values().filter(group)) {
        return Schemas::Different;
    }
    let same = after.into_iter().filter(|(name, action)| before.get(name) == Some(action));
    Schemas::SameBut { actions: same.map(|(name, _)| name).collect() }
}

fn namespaces(bundle: &Bundle) -> Option<Map<String, Value>> {
    let (fragment, _) = SchemaFragment::from_cedarschema_str(bundle.sources().get(SCHEMA)?).ok()?;
    match fragment.to_json_value().ok()? {
        Value::Object(namespaces) => Some(namespaces),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn without_actions(namespace: &Value) -> Value {
    let mut rest = namespace.clone();
    if let Value::Object(parts) = &mut rest {
        parts.remove("actions");
    }
    rest
}

fn actions(namespaces: &Map<String, Value>) -> BTreeMap<String, Value> {
    let actions = namespaces.values().filter_map(|namespace| namespace.get("actions")?.as_object());
    actions.flatten().map(|(name, action)| (name.clone(), action.clone())).collect()
}
