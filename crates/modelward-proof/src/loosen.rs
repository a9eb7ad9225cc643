//! Large sets made small: a thousand permits that differ in whom and what they name are one permit that names nobody.
//!
//! What holds for the permit that names nobody holds for each that does, so that mostly one short question is enough. Where
//! it does not hold, the permits are asked about as they are, some at a time: all of them allow nothing but what an
//! invariant allows exactly if each of them does, under the same forbids.

use std::collections::BTreeMap;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet};
use serde_json::{Value, json};

use crate::ProofError;
use crate::environment::set_of;

/// Permits in one question. The effort grows with the square of the entities they name.
const BATCH: usize = 32;

/// A set whose permits are asked about: as they are, and naming nobody.
pub(crate) struct Narrow<'a> {
    pub(crate) exact: &'a PolicySet,
    /// Absent where the permits name nobody anyway.
    pub(crate) loosened: Option<PolicySet>,
}

impl<'a> Narrow<'a> {
    pub(crate) fn new(exact: &'a PolicySet) -> Result<Self, ProofError> {
        Ok(Self { exact, loosened: loosened(exact)? })
    }
}

/// The set with permits that name no principal and no resource, each once; nothing if that changes nothing.
fn loosened(policies: &PolicySet) -> Result<Option<PolicySet>, ProofError> {
    let mut loose: BTreeMap<String, Policy> = BTreeMap::new();
    let mut changed = false;
    for policy in policies.policies().filter(|policy| policy.effect() == Effect::Permit) {
        let before = policy.to_json().map_err(|source| ProofError::Json(Box::new(source)))?;
        let mut after = before.clone();
        if let Value::Object(parts) = &mut after {
            parts.remove("annotations");
            for side in ["principal", "resource"] {
                parts.get_mut(side).into_iter().for_each(name_nobody);
            }
        }
        changed |= before.get("principal") != after.get("principal");
        changed |= before.get("resource") != after.get("resource");
        let text = after.to_string();
        if !loose.contains_key(&text) {
            let id = PolicyId::new(format!("loosened-{}", loose.len()));
            let policy = Policy::from_json(Some(id), after);
            loose.insert(text, policy.map_err(|source| ProofError::Joint(Box::new(source)))?);
        }
    }
    if !changed {
        return Ok(None);
    }
    set_of(loose.values().chain(forbids(policies))).map(Some)
}

/// The set in parts: some permits each, and all forbids.
pub(crate) fn batches(policies: &PolicySet) -> Result<Vec<PolicySet>, ProofError> {
    let mut permits: Vec<&Policy> =
        policies.policies().filter(|policy| policy.effect() == Effect::Permit).collect();
    permits.sort_by(|a, b| a.id().cmp(b.id()));
    permits.chunks(BATCH).map(|batch| set_of(batch.iter().copied().chain(forbids(policies)))).collect()
}

fn forbids(policies: &PolicySet) -> impl Iterator<Item = &Policy> {
    policies.policies().filter(|policy| policy.effect() == Effect::Forbid)
}

/// `in` and `==` become anything; the kind that `is` asks for stays.
fn name_nobody(constraint: &mut Value) {
    match constraint.get("entity_type").cloned() {
        Some(kind) => *constraint = json!({ "op": "is", "entity_type": kind }),
        None => *constraint = json!({ "op": "All" }),
    }
}
