//! Request environments: one for each action and each kind of principal and resource it can concern.

use std::fmt;

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicySet, PrincipalConstraint, RequestEnv, ResourceConstraint,
    Schema,
};
use cedar_policy_symcc::{CompiledSchema, SymEnv};
use serde::{Deserialize, Serialize};

use crate::ProofError;

/// One request environment, by the names people use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Environment {
    pub action: String,
    pub principal: String,
    pub resource: String,
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.principal, self.action, self.resource)
    }
}

/// A request environment with what is needed to tell which policies can concern it.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) name: Environment,
    pub(crate) cedar: RequestEnv,
    /// The same to the symbolic compiler. What all environments have in common is made once and shared.
    pub(crate) symbolic: SymEnv,
    /// The action itself and every group it stands in.
    actions: Vec<EntityUid>,
}

impl Surroundings {
    /// Every request environment of the schema, in order of name.
    pub(crate) fn all(schema: &Schema) -> Result<Vec<Self>, ProofError> {
        let actions = schema.action_entities().map_err(|source| ProofError::Actions(Box::new(source)))?;
        let symbolic = CompiledSchema::new(schema).map_err(|error| ProofError::Schema(error.to_string()))?;
        let mut all = schema
            .request_envs()
            .map(|cedar| {
                let action = cedar.action();
                let groups = actions.ancestors(action).into_iter().flatten();
                Ok(Self {
                    symbolic: symbolic
                        .sym_env(&cedar)
                        .map_err(|error| ProofError::Schema(error.to_string()))?,
                    name: Environment {
                        action: action.id().unescaped().to_owned(),
                        principal: cedar.principal().basename().to_owned(),
                        resource: cedar.resource().basename().to_owned(),
                    },
                    actions: std::iter::once(action).chain(groups).cloned().collect(),
                    cedar,
                })
            })
            .collect::<Result<Vec<Self>, ProofError>>()?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Whether the scope of a policy leaves open that it concerns a request of this environment. One of which this says no
    /// never applies here, so that leaving it out changes nothing.
    pub(crate) fn concerns(&self, policy: &Policy) -> bool {
        let action = match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => action == *self.cedar.action(),
            ActionConstraint::In(actions) => actions.iter().any(|action| self.actions.contains(action)),
        };
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Is(kind) | PrincipalConstraint::IsIn(kind, _) => {
                kind == *self.cedar.principal()
            }
            PrincipalConstraint::Eq(uid) => uid.type_name() == self.cedar.principal(),
            PrincipalConstraint::Any | PrincipalConstraint::In(_) => true,
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Is(kind) | ResourceConstraint::IsIn(kind, _) => {
                kind == *self.cedar.resource()
            }
            ResourceConstraint::Eq(uid) => uid.type_name() == self.cedar.resource(),
            ResourceConstraint::Any | ResourceConstraint::In(_) => true,
        };
        action && principal && resource
    }

    /// The policies that can concern a request of this environment, in order of id.
    pub(crate) fn concerned(&self, policies: &PolicySet) -> Result<PolicySet, ProofError> {
        let mut kept: Vec<&Policy> = policies.policies().filter(|policy| self.concerns(policy)).collect();
        // The order decides the text of the question, and with it its digest.
        kept.sort_by(|a, b| a.id().cmp(b.id()));
        set_of(kept)
    }
}

pub(crate) fn set_of<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Result<PolicySet, ProofError> {
    PolicySet::from_policies(policies.into_iter().cloned())
        .map_err(|source| ProofError::Set(Box::new(source)))
}
