//! Tests of a bundle in a small language that a reviewer reads without learning it.
//!
//! ```text
//! given project payments
//! given model fraud project payments class confidential
//! given person dana cleared confidential
//!
//! scenario a grant of inference never reaches the weights
//! given version fraud/3
//! given grant g to dana inference on fraud
//! when dana downloadWeights fraud/3
//! then deny forbidden by bound-credential
//! ```
//!
//! One statement a line. `given` says what exists, `with` under which circumstances requests are made from here on,
//! `when` makes one, `then` says what is expected of it. Lines before the first `scenario` count for every one of the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::bundle::Place;
use modelward_decision::vocabulary::{Action, DecisionId, GrantId, Name, ProjectId};
use modelward_decision::{Change, Decision, Obligation, Outcome, Request, Snapshot, decide};
use serde::Serialize;
use smol_str::SmolStr;

use crate::coverage::Seen;
use crate::{Bundle, Finding};

mod circumstances;
mod given;
mod line;
mod parse;
mod world;

/// Bytes of one file at most.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Requests of one file at most.
pub const CASES_MAX: usize = 10_000;
/// Statements that hold in one scenario at most.
pub const GIVEN_MAX: usize = 10_000;

/// A world, and what is asked in it.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub title: String,
    pub at: Place,
    pub cases: Vec<Case>,
    world: Vec<Change>,
}

/// One request with what is expected of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The `when` line.
    pub text: String,
    pub at: Place,
    pub request: Request,
    pub expected: Expected,
    pub expected_at: Place,
}

/// What has to be the case; what is not mentioned can be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub allow: bool,
    pub outcome: Option<Outcome>,
    /// Exactly these policies settle it.
    pub by: Option<BTreeSet<SmolStr>>,
    /// The grant an allow rests on.
    pub under: Option<(Name, GrantId)>,
    /// Exactly these obligations.
    pub obliged: Option<BTreeSet<Obligation>>,
}

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestResult {
    /// The scenario, or the file of a test of Cedar's.
    pub suite: String,
    pub name: String,
    pub at: Place,
    /// What was expected and what came instead; nothing where the test passed.
    pub failure: Option<String>,
    pub example: Option<Example>,
}

/// A request and its answer, to show in a handbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    pub action: Action,
    pub allowed: bool,
    pub sentence: String,
}

impl TestResult {
    pub const fn passed(&self) -> bool {
        self.failure.is_none()
    }

    /// The failure as something to show.
    pub fn finding(&self) -> Option<Finding> {
        let failure = self.failure.as_ref()?;
        Some(Finding::error("test", format!("{}: {failure}", self.suite)).at(self.at.clone()))
    }
}

/// Reads one file. The first thing that is wrong in it is told with its place.
pub fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, Finding> {
    parse::parse(file, text, None)
}

/// Reads one file of a project bundle, in which the project of this name is the real one.
pub fn parse_of_project(
    file: &str,
    text: &str,
    project: (Name, ProjectId),
) -> Result<Vec<Scenario>, Finding> {
    parse::parse(file, text, Some(project))
}

impl Scenario {
    /// The world of the scenario, under this bundle.
    pub fn snapshot(&self, bundle: &Arc<Bundle>) -> Snapshot {
        Snapshot::empty(Arc::clone(bundle)).with(self.world.iter().cloned())
    }

    /// Puts every request to the bundle. Where somebody wants to know, it notes which clauses were seen to hold and not to
    /// hold, which takes longer than the requests.
    pub fn run(&self, bundle: &Arc<Bundle>, mut seen: Option<&mut Seen>) -> Vec<TestResult> {
        let (snapshot, title) = (self.snapshot(bundle), SmolStr::from(&self.title));
        let mut results = Vec::new();
        for case in &self.cases {
            // The id of a decision shows nowhere in its answer.
            let decision = decide(&snapshot, &case.request, DecisionId::from_bits(0));
            if let Some(seen) = seen.as_deref_mut() {
                seen.note(&title, &snapshot, &case.request, &decision);
            }
            results.push(self.result(case, decision));
        }
        results
    }

    fn result(&self, case: &Case, decision: Decision) -> TestResult {
        let failure = case.expected.compare(&decision);
        TestResult {
            suite: self.title.clone(),
            name: case.text.clone(),
            at: if failure.is_some() { case.expected_at.clone() } else { case.at.clone() },
            failure,
            example: Some(Example {
                action: decision.action,
                allowed: decision.is_allow(),
                sentence: decision.sentence,
            }),
        }
    }
}

impl Expected {
    /// What is different, in words; nothing where the decision is as expected.
    fn compare(&self, decision: &Decision) -> Option<String> {
        let expected = if self.allow { "allow" } else { "deny" };
        if self.allow != decision.is_allow() {
            return Some(format!("expected {expected}, and it is {}", describe(decision)));
        }
        if self.outcome.is_some_and(|outcome| outcome != decision.outcome) {
            let outcome = self.outcome.map_or("", Outcome::as_str);
            return Some(format!("expected {outcome}, and it is {}", describe(decision)));
        }
        let found: BTreeSet<SmolStr> = decision.determining.iter().map(|each| each.policy.clone()).collect();
        if let Some(by) = self.by.as_ref().filter(|by| **by != found) {
            return Some(format!("expected it by {}, and it is {}", list(by), describe(decision)));
        }
        if let Some((name, id)) = &self.under
            && decision.grant != Some(*id)
        {
            return Some(format!("expected it under `{name}`, and it is under another grant or none"));
        }
        let found: BTreeSet<Obligation> = decision.obligations.iter().cloned().collect();
        let obliged = self.obliged.as_ref().filter(|obliged| **obliged != found)?;
        Some(format!("expected the obligations {}, and they are {}", list(obliged), list(&found)))
    }
}

fn describe(decision: &Decision) -> String {
    let by: BTreeSet<&SmolStr> = decision.determining.iter().map(|each| &each.policy).collect();
    let by = if by.is_empty() { String::new() } else { format!(" by {}", list(by)) };
    format!("{}{by}: {}", decision.outcome.as_str(), decision.sentence)
}

fn list<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    if values.is_empty() { "nothing".to_owned() } else { values.join(",") }
}
