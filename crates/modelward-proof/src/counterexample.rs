//! A counterexample: confirmed by the ordinary authorizer, made as small and as ordinary as it gets, and told in one
//! sentence.

use cedar_policy::{PolicySet, Schema};
use cedar_policy_symcc::Env;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::minimal;
use crate::sentence;
use crate::world::World;

/// An answer of the solver that is no use.
pub(crate) const UNCONFIRMED: &str =
    "the solver found a violation, but the authorizer does not confirm its example";

/// One request that shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counterexample {
    pub sentence: String,
    /// As Cedar writes entities: `Modelward::Person::"someone"`.
    pub principal: String,
    pub action: String,
    pub resource: String,
    pub context: Value,
    pub entities: Value,
    /// The policies that allow it, or the one that fails.
    pub policies: Vec<String>,
}

/// What a counterexample shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) shows: Shows<'a>,
    pub(crate) telling: Telling,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Shows<'a> {
    /// One set allows what the other does not.
    Allowed { by: &'a PolicySet, not_by: &'a PolicySet },
    /// A set of one policy, and that policy fails.
    Fails { policy: &'a PolicySet },
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    Could,
    CouldNow,
    CouldNoLonger,
    Fails,
}

/// What the ordinary authorizer says to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    Yes {
        policies: Vec<String>,
        /// Some policy failed on the way, apart from one that is to fail.
        stumbled: bool,
    },
    No,
    /// The request does not fit the schema.
    Misfit,
}

impl Case<'_> {
    pub(crate) fn shown(&self, world: &World) -> Shown {
        match self.shows {
            Shows::Allowed { by, not_by } => match world.judge(self.schema, &[by, not_by]).as_deref() {
                Some([by, not_by]) if by.allowed && !not_by.allowed => {
                    Shown::Yes { policies: by.policies.clone(), stumbled: !by.failed.is_empty() }
                }
                Some(_) => Shown::No,
                None => Shown::Misfit,
            },
            Shows::Fails { policy } => match world.judge(self.schema, &[policy]).as_deref() {
                Some([judged]) if !judged.failed.is_empty() => {
                    Shown::Yes { policies: judged.failed.clone(), stumbled: false }
                }
                Some(_) => Shown::No,
                None => Shown::Misfit,
            },
        }
    }
}

impl Counterexample {
    /// The smallest example the solver's own leads to; the reason where the authorizer does not confirm it.
    pub(crate) fn of(example: &Env, case: &Case<'_>) -> Result<Self, String> {
        let world = World::of(example).ok_or(UNCONFIRMED)?;
        let Shown::Yes { stumbled, .. } = case.shown(&world) else {
            return Err(UNCONFIRMED.to_owned());
        };
        let world = minimal::minimal(world, case, stumbled);
        let Shown::Yes { policies, .. } = case.shown(&world) else {
            return Err(UNCONFIRMED.to_owned());
        };
        let uid = |uid: &crate::world::Uid| format!("{}::{}", uid.kind, json!(uid.id));
        Ok(Self {
            sentence: sentence::sentence(&world, case, &policies),
            principal: uid(&world.principal),
            action: uid(&world.action),
            resource: uid(&world.resource),
            context: world.context,
            entities: Value::Array(world.entities),
            policies,
        })
    }

    /// A test for it, in the shape of Cedar's own test files: it passes once the hole is closed.
    pub fn test_case(&self, name: &str) -> Value {
        json!({
            "name": name,
            "request": {
                "principal": self.principal,
                "action": self.action,
                "resource": self.resource,
                "context": self.context,
            },
            "entities": self.entities,
            "decision": "deny",
            "reason": [],
            "num_errors": 0,
        })
    }
}
