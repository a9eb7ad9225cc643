//! Which clauses the tests have seen to hold and not to hold.
//!
//! A clause that was never false may as well not be there; one that was never true may make its policy dead. Only what was
//! looked at counts: a clause after one that does not hold says nothing.

use std::collections::BTreeMap;

use modelward_decision::bundle::Place;
use modelward_decision::explain::ClauseResult;
use modelward_decision::observe::observe;
use modelward_decision::outline::PolicyOutline;
use modelward_decision::vocabulary::Field;
use modelward_decision::{Decision, Request, Snapshot};
use serde::Serialize;
use smol_str::SmolStr;

use crate::Finding;
use crate::parts::{Uncovered, Value};

/// What tests have seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// For each policy whose scope has held: for each clause, by whom it was seen true and false.
    policies: BTreeMap<SmolStr, Vec<Sightings>>,
}

/// The titles of the scenarios that saw a clause to hold and not to hold, in the order they ran.
#[derive(Debug, Clone, Default)]
struct Sightings {
    to_hold: Vec<SmolStr>,
    not_to_hold: Vec<SmolStr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Both {
    pub seen_true: bool,
    pub seen_false: bool,
}

/// The scenarios that saw one of the two values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SeenIn {
    pub scenarios: usize,
    /// The titles of the first of them, at most [`Self::TITLES_MAX`].
    pub titles: Vec<SmolStr>,
}

impl SeenIn {
    pub const TITLES_MAX: usize = 10;

    fn new(titles: &[SmolStr]) -> Self {
        Self { scenarios: titles.len(), titles: titles.iter().take(Self::TITLES_MAX).cloned().collect() }
    }
}

/// The coverage of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Coverage {
    pub policies: Vec<PolicyCoverage>,
    /// Halves of clauses, two to each; a policy without clauses has one: that its scope has held.
    pub halves: usize,
    pub covered: usize,
    /// Not covered, and excused by the bundle.
    pub excused: usize,
    /// Excuses for what is covered or does not exist.
    pub needless: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyCoverage {
    pub policy: SmolStr,
    pub at: Place,
    /// Whether a request was ever within its scope.
    pub reached: bool,
    pub clauses: Vec<ClauseCoverage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClauseCoverage {
    pub text: String,
    pub at: Place,
    #[serde(flatten)]
    pub both: Both,
    pub true_in: SeenIn,
    pub false_in: SeenIn,
    /// The values nothing brought about and nothing excuses.
    pub missing: Vec<Value>,
}

impl Seen {
    /// Notes what one decided request of a scenario says about every clause.
    pub fn note(&mut self, scenario: &SmolStr, snapshot: &Snapshot, request: &Request, decision: &Decision) {
        let held: Vec<Field> = decision.held_fields.iter().copied().collect();
        for observed in observe(snapshot, request, &held) {
            let clauses = self.policies.entry(observed.policy).or_default();
            for (index, result) in observed.clauses.into_iter().enumerate() {
                if clauses.len() <= index {
                    clauses.push(Sightings::default());
                }
                let Some(sightings) = clauses.get_mut(index) else { continue };
                let titles = match result {
                    ClauseResult::Holds => &mut sightings.to_hold,
                    ClauseResult::DoesNotHold => &mut sightings.not_to_hold,
                    // An error is no value; the proofs say whether there can be one.
                    ClauseResult::Errs => continue,
                };
                // Scenarios run one after the other, so each stands here once.
                if titles.last() != Some(scenario) {
                    titles.push(scenario.clone());
                }
            }
        }
    }
}

impl Coverage {
    /// Compares what was seen with all there is.
    pub fn measure(outline: &[PolicyOutline], seen: &Seen, excuses: &[Uncovered]) -> Self {
        let mut coverage = Self::default();
        let mut used = vec![false; excuses.len()];
        for policy in outline {
            let known = seen.policies.get(&policy.id);
            let mut clauses = Vec::new();
            for (index, clause) in policy.clauses.iter().enumerate() {
                let sightings = known.and_then(|clauses| clauses.get(index)).cloned().unwrap_or_default();
                let (true_in, false_in) =
                    (SeenIn::new(&sightings.to_hold), SeenIn::new(&sightings.not_to_hold));
                let both = Both { seen_true: true_in.scenarios > 0, seen_false: false_in.scenarios > 0 };
                let mut missing = Vec::new();
                for (value, is_seen) in [(Value::True, both.seen_true), (Value::False, both.seen_false)] {
                    coverage.halves += 1;
                    let excuse = excuses.iter().position(|excuse| {
                        excuse.policy.as_str() == policy.id
                            && excuse.clause == index + 1
                            && excuse.value == value
                    });
                    match (is_seen, excuse) {
                        (true, _) => coverage.covered += 1,
                        (false, Some(excuse)) => {
                            coverage.excused += 1;
                            used.get_mut(excuse).into_iter().for_each(|used| *used = true);
                        }
                        (false, None) => missing.push(value),
                    }
                }
                clauses.push(ClauseCoverage {
                    text: clause.text.clone(),
                    at: clause.at.clone(),
                    both,
                    true_in,
                    false_in,
                    missing,
                });
            }
            if policy.clauses.is_empty() {
                coverage.halves += 1;
                coverage.covered += usize::from(known.is_some());
            }
            let (policy, at) = (policy.id.clone(), policy.at.clone());
            coverage.policies.push(PolicyCoverage { policy, at, reached: known.is_some(), clauses });
        }
        let needless = excuses.iter().zip(used).filter(|(_, used)| !used);
        coverage.needless = needless
            .map(|(excuse, _)| {
                format!("`{}`, clause {}, {}", excuse.policy, excuse.clause, excuse.value.as_str())
            })
            .collect();
        coverage
    }

    /// Everything no test has seen, and every excuse that excuses nothing.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for policy in &self.policies {
            if !policy.reached {
                findings.push(
                    Finding::error(
                        "coverage",
                        format!("no test comes within the scope of `{}`", policy.policy),
                    )
                    .at(policy.at.clone())
                    .hint("add a request it applies to"),
                );
                continue;
            }
            for (clause, number) in policy.clauses.iter().zip(1..) {
                for value in &clause.missing {
                    findings.push(missing(&policy.policy, number, *value, clause));
                }
            }
        }
        let needless = self.needless.iter().map(|excuse| {
            Finding::error("coverage", format!("excused, and covered or not there: {excuse}"))
                .at(Place::start("bundle.toml"))
                .hint("remove the excuse from `[[gate.uncovered]]`")
        });
        findings.extend(needless);
        findings
    }

    pub const fn is_complete(&self) -> bool {
        self.covered + self.excused == self.halves && self.needless.is_empty()
    }
}

fn missing(policy: &str, number: usize, value: Value, clause: &ClauseCoverage) -> Finding {
    let value = value.as_str();
    Finding::error(
        "coverage",
        format!("clause {number} of `{policy}` was never seen {value}: {}", clause.text),
    )
    .at(clause.at.clone())
    .hint("add a test, or excuse it in `[[gate.uncovered]]` with the reason")
}
