//! What is claimed of a bundle, and what came of each claim.

use std::fmt;

use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::counterexample::Counterexample;
use crate::environment::Environment;

/// A claim, over the request environments whose questions to the solver read the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub claim: Claim,
    pub environments: Vec<Environment>,
    /// The digest of the SMT-LIB text that decided it; nothing where the symbolic compiler could tell without a solver.
    pub query: Option<Digest>,
    pub result: Outcome,
    /// Time spent on these environments together.
    pub millis: u64,
}

/// What is claimed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Claim {
    /// Whatever the bundle allows fulfils the invariant.
    Invariant { id: String, title: String, file: String },
    /// This forbid never fails: one that fails forbids nothing to an ordinary authorizer.
    ForbidNeverErrs { policy: String },
    /// This obligation rule never fails: one that fails closes the request.
    ObligationNeverErrs { policy: String },
    /// Whatever a project bundle permits, its envelope allows.
    WithinEnvelope,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    Holds,
    Violated {
        /// In the first of the environments.
        counterexample: Box<Counterexample>,
    },
    NotProven {
        why: String,
    },
}

impl Verdict {
    pub const fn holds(&self) -> bool {
        matches!(self.result, Outcome::Holds)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invariant { id, title, .. } => write!(f, "{id}: {title}"),
            Self::ForbidNeverErrs { policy } => write!(f, "forbid `{policy}` never fails"),
            Self::ObligationNeverErrs { policy } => write!(f, "obligation rule `{policy}` never fails"),
            Self::WithinEnvelope => f.write_str("everything permitted lies within the envelope"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = match self.environments.as_slice() {
            [one] => one.to_string(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => "no request".to_owned(),
        };
        match &self.result {
            Outcome::Holds => write!(f, "holds       {} ({places})", self.claim),
            Outcome::Violated { counterexample } => {
                write!(f, "violated    {} ({places}): {}", self.claim, counterexample.sentence)
            }
            Outcome::NotProven { why } => write!(f, "not proven  {} ({places}): {why}", self.claim),
        }
    }
}
