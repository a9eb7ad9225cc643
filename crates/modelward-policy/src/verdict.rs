//! What a solver found out about a bundle, as the bundle's file carries it.
//!
//! Plain data: `modelward-proof` makes it and can make it again; nothing here believes it.

use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

/// Checks in one file at most.
pub const CHECKS_MAX: usize = 100_000;

/// Everything one run of a solver said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdicts {
    /// What was proved: [`subject`](crate::claim::subject) of the bundle, or of the whole that a project bundle makes with its
    /// root.
    pub subject: Digest,
    /// The root bundle a project bundle was proved with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Digest>,
    pub solver: Solver,
    /// In order of name.
    pub checks: Vec<Verdict>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solver {
    pub name: String,
    pub version: String,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// What was claimed, such as `invariant/live-grant`, as [`crate::claim`] names it.
    pub claim: String,
    /// The same for people, with the kinds of requests it was asked about.
    pub name: String,
    /// Digest of the query as the solver read it.
    pub query: Digest,
    pub result: Proof,
    pub time_ms: u64,
    /// A violation in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterexample: Option<String>,
    /// The violation as a test that can be put into `tests/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_case: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Proof {
    Holds,
    Violated,
    /// No answer: never a yes.
    NotProven {
        reason: String,
    },
}

impl Verdicts {
    /// Whether there is at least one check and every one holds.
    pub fn hold(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.result == Proof::Holds)
    }

    pub fn named(&self, name: &str) -> Option<&Verdict> {
        self.checks.iter().find(|check| check.name == name)
    }
}
