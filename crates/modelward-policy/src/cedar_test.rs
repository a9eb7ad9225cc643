//! Tests in the form Cedar's own tool reads (`cedar run-tests`), in and out.
//!
//! A list of `{name?, request: {principal, action, resource, context}, entities, decision, reason, num_errors}`. Such a test
//! speaks to the plain authorizer, under one given context; ids in `reason` are ours, as `@id` has them.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::bundle::Place;
use modelward_decision::plain::{PlainRequest, authorize, restate};
use modelward_decision::vocabulary::{DecisionId, Field, GrantId};
use modelward_decision::{Snapshot, decide};
use modelward_seal::canonical::{Limits, parse_strict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scenario::{Case, Scenario, TestResult};
use crate::{Bundle, Finding};

/// Bytes of one file at most.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CedarTest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub request: PlainRequest,
    pub entities: Value,
    pub decision: Verdict,
    /// Policies that must be among those that settle it.
    pub reason: BTreeSet<String>,
    pub num_errors: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Deny,
}

/// Reads one file.
pub fn parse(file: &str, text: &str) -> Result<Vec<CedarTest>, Finding> {
    let limits = Limits { bytes: FILE_BYTES_MAX, depth: 64, values: 2_000_000 };
    let wrong = |message: String, at: Place| Finding::error("cedar-test", message).at(at);
    let value = parse_strict(text.as_bytes(), limits).map_err(|error| {
        let at =
            Place { file: file.to_owned(), line: error.line.max(1), column: error.column.max(1), length: 1 };
        wrong(error.kind.to_string(), at)
    })?;
    let Value::Array(tests) = value else {
        return Err(wrong("the file is no list of tests".to_owned(), Place::start(file)));
    };
    let test = |(test, number): (Value, usize)| {
        serde_json::from_value(test)
            .map_err(|error| wrong(format!("test {number}: {error}"), Place::start(file)))
    };
    tests.into_iter().zip(1..).map(test).collect()
}

/// Runs the tests of one file.
pub fn run(file: &str, tests: &[CedarTest], bundle: &Bundle) -> Vec<TestResult> {
    let result = |(test, number): (&CedarTest, usize)| TestResult {
        suite: file.to_owned(),
        name: test.name.clone().unwrap_or_else(|| format!("test {number}")),
        at: Place::start(file),
        failure: failure(test, bundle),
        example: None,
    };
    tests.iter().zip(1..).map(result).collect()
}

fn failure(test: &CedarTest, bundle: &Bundle) -> Option<String> {
    let answer = match authorize(bundle, &test.request, &test.entities) {
        Ok(answer) => answer,
        Err(error) => return Some(error.to_string()),
    };
    let found = verdict(answer.allow);
    if found != test.decision {
        return Some(format!("expected {:?}, and it is {found:?} by {:?}", test.decision, answer.reason));
    }
    let missing: Vec<&String> = test.reason.difference(&answer.reason).collect();
    if !missing.is_empty() {
        return Some(format!("expected it by {missing:?} too, and it is by {:?}", answer.reason));
    }
    let errors = answer.errors.len();
    (errors != test.num_errors)
        .then(|| format!("expected {} errors, and there are {errors}: {:?}", test.num_errors, answer.errors))
}

const fn verdict(allow: bool) -> Verdict {
    if allow { Verdict::Allow } else { Verdict::Deny }
}

/// Scenarios as tests of Cedar's, for its tool to run on the same policies.
///
/// The plain authorizer takes one context, so a request is told once under each grant that covers it, or once without any;
/// an allow only under the grant it rests on. What the plain authorizer would answer otherwise (an obligation that cannot be
/// met, too many grants) is left out.
pub fn export(scenarios: &[Scenario], bundle: &Arc<Bundle>) -> Vec<CedarTest> {
    let mut tests = Vec::new();
    for scenario in scenarios {
        let snapshot = scenario.snapshot(bundle);
        for case in &scenario.cases {
            tests.extend(export_case(scenario, &snapshot, case, bundle));
        }
    }
    tests
}

fn export_case(scenario: &Scenario, snapshot: &Snapshot, case: &Case, bundle: &Bundle) -> Vec<CedarTest> {
    let decision = decide(snapshot, &case.request, DecisionId::from_bits(0));
    let held: Vec<Field> = decision.held_fields.iter().copied().collect();
    let grants: Vec<Option<GrantId>> = match (decision.is_allow(), decision.covering.is_empty()) {
        (true, _) => vec![decision.grant],
        (false, true) => vec![None],
        (false, false) => decision.covering.iter().copied().map(Some).collect(),
    };
    let test = |grant: Option<GrantId>| {
        let (request, entities) = restate(snapshot, &case.request, &held, grant)?;
        let answer = authorize(bundle, &request, &entities).ok()?;
        (answer.allow == decision.is_allow()).then(|| CedarTest {
            name: Some(format!("{}: {}", scenario.title, case.text)),
            request,
            entities,
            decision: verdict(answer.allow),
            reason: answer.reason,
            num_errors: answer.errors.len(),
        })
    };
    grants.into_iter().filter_map(test).collect()
}
