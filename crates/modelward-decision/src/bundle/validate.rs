//! Strict validation of many policies in reasonable time.
//!
//! The validator types a policy once for every action of the schema, also for those its scope excludes. Policies that name
//! the same actions are therefore validated together against a schema that has no others. That loses nothing: with any
//! other action the scope does not hold, and the body is never evaluated. What such a schema refuses is judged again by the
//! whole one, whose word counts.
//!
//! Nor are policies typed again that differ only in the ids of their scope, as those written out for one group or project
//! after the other do: types are all the validator knows of an entity.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{
    PolicySet, Schema, SchemaFragment, ValidationMode, ValidationResult, ValidationWarning, Validator,
};
use cedar_policy_core::ast;
use cedar_policy_core::validator::{Validator as CoreValidator, ValidatorSchema};
use serde_json::Value;
use smol_str::SmolStr;

use super::error::label;
use super::{BundleError, Place, Warning, WarningKind};
use crate::policy::{Bound, Policy};

/// How many hops from principal or resource a policy may look.
const LEVEL: u32 = 2;

/// So many policies of the same actions make a schema of their own worth its cost.
const WORTH_IT: usize = 32;

pub(super) struct Judge<'a> {
    whole: Validator,
    schema_text: &'a str,
    sources: &'a BTreeMap<String, String>,
}

type Policies = Vec<Arc<Policy>>;

/// A policy with the one of its shape that is judged.
type Alike = (Arc<Policy>, Arc<Policy>);

/// Two policies of one shape are typed alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    principal: Side,
    resource: Side,
    actions: Option<Vec<String>>,
    action_exactly: bool,
    body: Option<String>,
}

/// The type it must be below or equal to, whether equal, and its own type.
type Side = (Option<String>, bool, Option<String>);

impl<'a> Judge<'a> {
    pub(super) fn new(schema: &Schema, schema_text: &'a str, sources: &'a BTreeMap<String, String>) -> Self {
        Self { whole: Validator::new(schema.clone()), schema_text, sources }
    }

    /// The policies as a set under our own ids, strictly valid, with what the validator finds odd.
    pub(super) fn valid(&self, policies: &[Arc<Policy>]) -> Result<(PolicySet, Vec<Warning>), BundleError> {
        let mut warnings = Vec::new();
        let mut wrong = Vec::new();
        for (actions, group) in groups(policies) {
            let (judged, alike) = self.split(&group);
            let set = set(&judged)?;
            let narrow = actions.and_then(|actions| self.only(&actions));
            let narrow = narrow
                .map(|validator| validate(&validator, &set))
                .filter(ValidationResult::validation_passed);
            let result = narrow.unwrap_or_else(|| validate(&self.whole, &set));
            let odd: Vec<Warning> = result.validation_warnings().map(warning).collect();
            for (policy, like) in alike {
                let same = odd.iter().filter(|warning| warning.policy == like.id);
                warnings.extend(same.map(|warning| Warning { policy: policy.id.clone(), ..warning.clone() }));
            }
            warnings.extend(odd);
            wrong.extend(result.validation_errors().cloned());
        }
        // The validator's own order differs from run to run.
        match wrong.iter().min_by_key(|error| (error.policy_id().to_string(), error.to_string())) {
            Some(error) => Err(self.invalid(error, policies)),
            None => {
                warnings.sort();
                Ok((set(policies)?, warnings))
            }
        }
    }

    /// One policy of each shape, and those that are like one of them.
    fn split(&self, policies: &[Arc<Policy>]) -> (Policies, Vec<Alike>) {
        let mut judged = Vec::new();
        let mut alike = Vec::new();
        let mut known: BTreeMap<Shape, Arc<Policy>> = BTreeMap::new();
        for policy in policies {
            let Some(shape) = self.shape(policy) else {
                judged.push(Arc::clone(policy));
                continue;
            };
            match known.entry(shape) {
                Entry::Occupied(like) => alike.push((Arc::clone(policy), Arc::clone(like.get()))),
                Entry::Vacant(shape) => {
                    shape.insert(Arc::clone(policy));
                    judged.push(Arc::clone(policy));
                }
            }
        }
        (judged, alike)
    }

    /// All that typing a policy can depend on; nothing where the ids in its scope matter too.
    fn shape(&self, policy: &Policy) -> Option<Shape> {
        let core: &ast::Policy = policy.cedar.as_ref();
        // Types and ids that are not in the schema, and ids out of a closed list.
        let whole: &ValidatorSchema = self.whole.schema().as_ref();
        if CoreValidator::validate_entity_types_and_literals(whole, core.template()).next().is_some() {
            return None;
        }
        let bounds = [&policy.principal, &policy.resource];
        // Ids that are not plain letters can look like others, which is worth a warning of their own.
        let is_plain = |bound: &&Bound| bound.below.as_ref().is_none_or(|uid| uid.to_string().is_ascii());
        if !bounds.iter().all(is_plain) {
            return None;
        }
        let side = |bound: &Bound| {
            let below = bound.below.as_ref().map(|uid| uid.entity_type().to_string());
            (below, bound.exactly, bound.is.as_ref().map(ToString::to_string))
        };
        Some(Shape {
            principal: side(&policy.principal),
            resource: side(&policy.resource),
            actions: policy.actions.as_ref().map(|uids| uids.iter().map(ToString::to_string).collect()),
            action_exactly: policy.action_exactly,
            body: policy.body.as_ref().map(ToString::to_string),
        })
    }

    /// A validator that knows no other actions than these and the groups they are in.
    fn only(&self, actions: &BTreeSet<String>) -> Option<Validator> {
        let schema = self.whole.schema();
        let entities = schema.action_entities().ok()?;
        let leaves: BTreeSet<cedar_policy::EntityUid> =
            schema.request_envs().map(|env| env.action().clone()).collect();
        let named: Vec<_> = schema.actions().filter(|uid| actions.contains(&uid.to_string())).collect();
        let is_reached = |leaf: &cedar_policy::EntityUid| {
            named.iter().any(|uid| *uid == leaf || entities.is_ancestor_of(uid, leaf))
        };
        let dropped: BTreeSet<String> =
            leaves.iter().filter(|leaf| !is_reached(leaf)).map(ToString::to_string).collect();
        let mut json = SchemaFragment::from_cedarschema_str(self.schema_text).ok()?.0.to_json_value().ok()?;
        for (namespace, content) in json.as_object_mut()? {
            let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}::") };
            if let Some(declared) = content.get_mut("actions").and_then(Value::as_object_mut) {
                declared.retain(|id, _| !dropped.contains(&format!("{prefix}Action::\"{id}\"")));
            }
        }
        // A schema that does not stand without them is no schema.
        Some(Validator::new(Schema::from_json_value(json).ok()?))
    }

    fn invalid(&self, error: &cedar_policy::ValidationError, policies: &[Arc<Policy>]) -> BundleError {
        let id = error.policy_id().to_string();
        let policy = policies.iter().find(|policy| policy.id == id);
        let file = policy.map(|policy| policy.file.to_string()).unwrap_or_default();
        let text = self.sources.get(&file).map(String::as_str).unwrap_or_default();
        let whole = || policy.map_or_else(|| Place::start(&file), |policy| policy.place(text));
        BundleError::Invalid {
            at: label(&file, text, error).unwrap_or_else(whole),
            id,
            message: error.to_string(),
            hint: miette::Diagnostic::help(error).map(|help| help.to_string()),
        }
    }
}

/// Policies by the actions they name, where enough name the same; all others without.
fn groups(policies: &[Arc<Policy>]) -> Vec<(Option<BTreeSet<String>>, Policies)> {
    let mut by_actions: BTreeMap<Option<BTreeSet<String>>, Policies> = BTreeMap::new();
    for policy in policies {
        let actions = policy.actions.as_ref().map(|uids| uids.iter().map(ToString::to_string).collect());
        by_actions.entry(actions).or_default().push(Arc::clone(policy));
    }
    let mut rest = by_actions.remove(&None).unwrap_or_default();
    let mut groups = Vec::new();
    for (actions, group) in by_actions {
        if group.len() < WORTH_IT {
            rest.extend(group);
        } else {
            groups.push((actions, group));
        }
    }
    groups.push((None, rest));
    groups
}

fn set(policies: &[Arc<Policy>]) -> Result<PolicySet, BundleError> {
    PolicySet::from_policies(policies.iter().map(|policy| policy.cedar.clone()))
        .map_err(|source| BundleError::Set { source: Box::new(source) })
}

fn validate(validator: &Validator, set: &PolicySet) -> ValidationResult {
    validator.validate_with_level(set, ValidationMode::Strict, LEVEL)
}

fn warning(warning: &ValidationWarning) -> Warning {
    let kind = match warning {
        ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
            WarningKind::Dead
        }
        _ => WarningKind::Confusable,
    };
    let whole = warning.to_string();
    let prefix = format!("for policy `{}`, ", warning.policy_id());
    let message = whole.strip_prefix(&prefix).unwrap_or(&whole).to_owned();
    Warning { policy: SmolStr::new(warning.policy_id()), kind, message }
}
