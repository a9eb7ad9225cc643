//! Invariants: what a bundle promises, written as ordinary Cedar permits.
//!
//! Each stands by itself and reads "whatever the bundle allows within this scope, fulfils these conditions". Its scope
//! names actions and kinds alone, so that "within this scope" is a question of the request environment, and a new action
//! cannot slip past an invariant whose scope is open.

use std::collections::BTreeSet;

use cedar_policy::{
    Effect, Policy, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint, Schema, ValidationMode,
    Validator,
};

use serde_json::{Value, json};

use crate::ProofError;

/// How many hops from principal or resource an invariant may look: as far as a policy.
const LEVEL: u32 = 2;

/// One promise.
#[derive(Debug, Clone)]
pub struct Invariant {
    pub id: String,
    pub title: String,
    pub file: String,
    pub(crate) policy: Policy,
}

impl Invariant {
    /// The invariants of `policies/`, built into the program.
    pub fn defaults(schema: &Schema) -> Result<Vec<Self>, ProofError> {
        Self::parse(schema, Self::DEFAULT_FILES.map(|(file, text)| (file.to_owned(), text.to_owned())))
    }

    /// The files [`Self::defaults`] reads, by name.
    pub const DEFAULT_FILES: [(&'static str, &'static str); 2] = [
        ("invariants/grants.cedar", include_str!("../../../policies/invariants/grants.cedar")),
        ("invariants/guardrails.cedar", include_str!("../../../policies/invariants/guardrails.cedar")),
    ];

    /// Reads and checks files of invariants, given as name and text.
    pub fn parse(
        schema: &Schema,
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<Self>, ProofError> {
        let validator = Validator::new(schema.clone());
        let mut ids = BTreeSet::new();
        let mut invariants = Vec::new();
        for (file, text) in files {
            let wrong = |message: String| ProofError::Invariant { file: file.clone(), message };
            let parsed: PolicySet = text.parse().map_err(|error| wrong(format!("{error}")))?;
            if parsed.templates().next().is_some() {
                return Err(wrong("templates are not supported; write the invariant out".to_owned()));
            }
            for policy in parsed.policies() {
                let invariant = Self::check(&file, policy)?;
                invariant.validate(&validator)?;
                if !ids.insert(invariant.id.clone()) {
                    return Err(ProofError::DuplicateInvariant { file, id: invariant.id });
                }
                invariants.push(invariant);
            }
        }
        invariants.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(invariants)
    }

    /// One permit with the conditions of all of them, for an environment that lies in the scope of each.
    pub(crate) fn jointly(invariants: &[&Self]) -> Result<PolicySet, ProofError> {
        let mut conditions = Vec::new();
        for invariant in invariants {
            let json = invariant.policy.to_json().map_err(|error| invariant.wrong(&error.to_string()))?;
            conditions.extend(json.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default());
        }
        let any = json!({ "op": "All" });
        let permit = json!({
            "effect": "permit", "principal": any, "action": any, "resource": any, "conditions": conditions,
        });
        let permit = Policy::from_json(Some(PolicyId::new("invariants")), permit)
            .map_err(|error| ProofError::Joint(Box::new(error)))?;
        crate::environment::set_of([&permit])
    }

    fn check(file: &str, policy: &Policy) -> Result<Self, ProofError> {
        let annotation = |name: &str| {
            policy.annotation(name).map(str::to_owned).ok_or_else(|| ProofError::Invariant {
                file: file.to_owned(),
                message: format!("an invariant lacks `@{name}`"),
            })
        };
        let id = annotation("id")?;
        let invariant = Self {
            title: annotation("title")?,
            file: file.to_owned(),
            policy: policy.new_id(PolicyId::new(&id)),
            id,
        };
        if policy.effect() != Effect::Permit {
            return Err(invariant
                .wrong("is a forbid; an invariant says what may be allowed at most: write it as a permit"));
        }
        let principal =
            matches!(policy.principal_constraint(), PrincipalConstraint::Any | PrincipalConstraint::Is(_));
        let resource =
            matches!(policy.resource_constraint(), ResourceConstraint::Any | ResourceConstraint::Is(_));
        if !principal || !resource {
            return Err(invariant.wrong("names an entity in its scope; put it into a condition"));
        }
        Ok(invariant)
    }

    fn validate(&self, validator: &Validator) -> Result<(), ProofError> {
        let set = crate::environment::set_of([&self.policy])?;
        let result = validator.validate_with_level(&set, ValidationMode::Strict, LEVEL);
        match result.validation_errors().map(ToString::to_string).min() {
            Some(message) => Err(self.wrong(&format!("is not valid: {message}"))),
            None => Ok(()),
        }
    }

    pub(crate) fn wrong(&self, message: &str) -> ProofError {
        ProofError::InvariantShape {
            file: self.file.clone(),
            id: self.id.clone(),
            message: message.to_owned(),
        }
    }
}
