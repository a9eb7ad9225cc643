//! Everything a change of policy has to pass, in one report.
//!
//! A step that fails does not hide the ones after it, unless they need what it would have given: texts that are no bundle
//! cannot be tested. Steps made elsewhere (the semantic difference, a replay) join with [`Report::add`].

use std::collections::BTreeMap;
use std::sync::Arc;

use modelward_decision::bundle::{FileKind, Kind, Place};
use modelward_decision::matrix::{Row, matrix};
use modelward_decision::vocabulary::Name;
use modelward_seal::Digest;
use serde::Serialize;

use crate::coverage::{Coverage, Seen};
use crate::difference::{RowChange, count, difference};
use crate::parts::{Demand, Gate, Header, Parts};
use crate::scenario::{Scenario, TestResult};
use crate::verdict::{Proof, Verdicts};
use crate::{Bundle, Finding, Level, cedar_test, lint, project, scenario};

mod human;
mod json;
mod junit;
mod markdown;
mod sarif;

/// What is checked, and against what.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The files of the bundle, by path relative to its folder.
    pub sources: &'a BTreeMap<String, String>,
    /// The bundle in force; a project bundle is checked together with it.
    pub active: Option<&'a Arc<Bundle>>,
    /// What a solver found out, if one was asked.
    pub verdicts: Option<&'a Verdicts>,
}

/// What came of every step.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub bundle: Option<Identity>,
    /// The bundle in force it was compared with.
    pub active: Option<Digest>,
    pub steps: Vec<Step>,
    pub tests: Vec<TestResult>,
    pub coverage: Option<Coverage>,
    /// Rows of the matrix that change against the bundle in force.
    pub matrix: Vec<RowChange>,
    #[serde(skip)]
    sources: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub name: Name,
    pub version: Name,
    pub digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Such as `lints`: stable, for reports.
    pub name: &'static str,
    pub status: Status,
    /// What was found, in a few words.
    pub summary: String,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Passed,
    Failed,
    /// Not done, and not asked for.
    Skipped,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Step {
    /// A step that fails if one of its findings is an error.
    pub fn new(name: &'static str, summary: impl Into<String>, findings: Vec<Finding>) -> Self {
        let failed = findings.iter().any(Finding::is_error);
        let status = if failed { Status::Failed } else { Status::Passed };
        Self { name, status, summary: summary.into(), findings }
    }

    pub fn skipped(name: &'static str, summary: impl Into<String>) -> Self {
        Self { name, status: Status::Skipped, summary: summary.into(), findings: Vec::new() }
    }
}

impl Report {
    /// Whether the change may go on.
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.status != Status::Failed)
    }

    /// Adds a step that was made elsewhere.
    pub fn add(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.steps.iter().flat_map(|step| &step.findings)
    }

    fn count(&self, level: Level) -> usize {
        self.findings().filter(|finding| finding.level == level).count()
    }
}

/// Checks a bundle by every step.
pub fn check(candidate: Candidate<'_>) -> Report {
    let mut report = Report {
        bundle: None,
        active: candidate.active.map(|bundle| bundle.digest()),
        steps: Vec::new(),
        tests: Vec::new(),
        coverage: None,
        matrix: Vec::new(),
        sources: candidate.sources.clone(),
    };
    let (bundle, parts, tests) = match read(candidate) {
        Ok(read) => read,
        Err(findings) => {
            report.add(Step::new("parse", "the files are no bundle", findings));
            return report;
        }
    };
    report.bundle = identity(candidate.sources);
    let policies = bundle.policies().num_of_policies() + bundle.obligations().num_of_policies();
    report.add(Step::new("parse", format!("{policies} policies, strictly valid"), Vec::new()));
    let findings = lint::check(&bundle, &parts.gate);
    report.add(Step::new("lints", format!("{} rules", lint::LINTS.len()), findings));
    let seen = run_tests(&mut report, &bundle, &tests);
    measure(&mut report, &bundle, &seen, &parts.gate, is_project(candidate));
    compare(&mut report, &bundle, candidate);
    report.add(proofs(candidate.verdicts, parts.gate.proofs));
    report
}

/// What came of the tests of a bundle, without any other step.
pub fn test_results(bundle: &Arc<Bundle>) -> Result<Vec<TestResult>, Vec<Finding>> {
    Ok(Tests::read(bundle.sources())?.run(bundle, None))
}

/// The tests of a bundle, read.
struct Tests {
    scenarios: Vec<Scenario>,
    cedar: Vec<(String, Vec<cedar_test::CedarTest>)>,
}

impl Tests {
    fn read(sources: &BTreeMap<String, String>) -> Result<Self, Vec<Finding>> {
        let mut tests = Self { scenarios: Vec::new(), cedar: Vec::new() };
        let mut findings = Vec::new();
        for (file, text) in sources {
            let wrong = match FileKind::of(file) {
                Some(FileKind::Scenario) => {
                    scenario::parse(file, text).map(|read| tests.scenarios.extend(read)).err()
                }
                Some(FileKind::CedarTest) => {
                    cedar_test::parse(file, text).map(|read| tests.cedar.push((file.clone(), read))).err()
                }
                _ => None,
            };
            findings.extend(wrong);
        }
        if findings.is_empty() { Ok(tests) } else { Err(findings) }
    }

    /// Every one of them. What scenarios see of the clauses is noted where somebody wants to know.
    fn run(&self, bundle: &Arc<Bundle>, mut seen: Option<&mut Seen>) -> Vec<TestResult> {
        let mut results = Vec::new();
        for scenario in &self.scenarios {
            results.extend(scenario.run(bundle, seen.as_deref_mut()));
        }
        for (file, tests) in &self.cedar {
            results.extend(cedar_test::run(file, tests, bundle));
        }
        results
    }
}

fn is_project(candidate: Candidate<'_>) -> bool {
    Header::read(candidate.sources).is_ok_and(|header| header.kind == Kind::Project)
}

/// Everything that has to be readable; all that is wrong is told at once.
fn read(candidate: Candidate<'_>) -> Result<(Arc<Bundle>, Parts, Tests), Vec<Finding>> {
    let mut findings = Vec::new();
    let bundle = match (is_project(candidate), candidate.active) {
        (false, _) => {
            Bundle::from_sources(candidate.sources.clone()).map_err(|error| vec![Finding::from(&error)])
        }
        (true, Some(root)) => project::compose(root, candidate.sources),
        (true, None) => Err(vec![
            Finding::error("project", "a project bundle is checked together with its root bundle")
                .hint("name the bundle in force"),
        ]),
    };
    let bundle = bundle.map_err(|wrong| findings.extend(wrong)).ok();
    let parts = Parts::read(candidate.sources).map_err(|wrong| findings.extend(wrong)).ok();
    let tests = Tests::read(candidate.sources).map_err(|wrong| findings.extend(wrong)).ok();
    match (bundle, parts, tests) {
        (Some(bundle), Some(parts), Some(tests)) if findings.is_empty() => {
            Ok((Arc::new(bundle), parts, tests))
        }
        _ => {
            findings.sort();
            findings.dedup();
            Err(findings)
        }
    }
}

fn identity(sources: &BTreeMap<String, String>) -> Option<Identity> {
    let header = Header::read(sources).ok()?;
    Some(Identity { name: header.name, version: header.version, digest: Bundle::digest_of(sources).ok()? })
}

fn run_tests(report: &mut Report, bundle: &Arc<Bundle>, tests: &Tests) -> Seen {
    let mut seen = Seen::default();
    let results = tests.run(bundle, Some(&mut seen));
    let findings: Vec<Finding> = results.iter().filter_map(TestResult::finding).collect();
    let summary = format!("{} of {} passed", results.len() - findings.len(), results.len());
    report.add(Step::new("tests", summary, findings));
    report.tests = results;
    seen
}

/// A project bundle answers for its own clauses, not for those of the root.
fn measure(report: &mut Report, bundle: &Bundle, seen: &Seen, gate: &Gate, is_project: bool) {
    let mut outline = bundle.outline();
    outline.retain(|policy| !is_project || policy.at.file.starts_with("project."));
    let coverage = Coverage::measure(&outline, seen, &gate.uncovered);
    let mut findings = coverage.findings();
    if gate.coverage == Demand::Optional {
        findings.iter_mut().for_each(|finding| finding.level = Level::Warning);
    }
    let Coverage { halves, covered, excused, .. } = coverage;
    let summary = format!("{covered} of {halves} halves of clauses seen, {excused} excused");
    report.add(Step::new("coverage", summary, findings));
    report.coverage = Some(coverage);
}

/// The matrix as reviewed, and as it changes against the bundle in force.
fn compare(report: &mut Report, bundle: &Arc<Bundle>, candidate: Candidate<'_>) {
    let Ok(rows) = matrix(bundle) else {
        let finding = Finding::error("matrix", "the matrix could not be computed");
        report.add(Step::new("matrix", "not computed", vec![finding]));
        return;
    };
    report.add(golden(&rows, candidate.sources, is_project(candidate)));
    let Some(active) = candidate.active else {
        report.add(Step::skipped("difference", "no bundle in force to compare with"));
        return;
    };
    let before = if active.digest() == bundle.digest() { Ok(rows.clone()) } else { matrix(active) };
    report.matrix = before.map(|before| difference(&before, &rows)).unwrap_or_default();
    let (looser, stricter) = count(&report.matrix);
    let summary = format!("{} rows change: {looser} cells looser, {stricter} stricter", report.matrix.len());
    report.add(Step::new("difference", summary, Vec::new()));
}

const MATRIX: &str = "matrix.txt";
/// Lines of the matrix shown at most.
const LINES_MAX: usize = 5;

fn golden(rows: &[Row], sources: &BTreeMap<String, String>, is_project: bool) -> Step {
    let Some(reviewed) = sources.get(MATRIX) else {
        if is_project {
            return Step::skipped("matrix", "a project bundle has no matrix of its own");
        }
        let finding = Finding::warning("matrix", "the bundle has no `matrix.txt`")
            .hint("write the matrix, so that a change of policy is reviewed as a changed table");
        return Step::new("matrix", "not there", vec![finding]);
    };
    let found = modelward_decision::matrix::render(rows);
    if *reviewed == found {
        return Step::new("matrix", format!("{} rows as reviewed", rows.len()), Vec::new());
    }
    let now: std::collections::BTreeSet<&str> = found.lines().collect();
    let stale: Vec<(usize, &str)> =
        (1..).zip(reviewed.lines()).filter(|(_, line)| !now.contains(line)).collect();
    let shown = stale.iter().take(LINES_MAX).map(|(number, line)| {
        let place =
            Place { file: MATRIX.to_owned(), line: *number, column: 1, length: line.chars().count().max(1) };
        Finding::error("matrix", "the bundle no longer decides as this row says").at(place)
    });
    let mut findings: Vec<Finding> = shown.collect();
    if findings.is_empty() {
        let finding = Finding::error("matrix", "the matrix lacks rows the bundle decides");
        findings.push(finding.at(Place::start(MATRIX)));
    }
    let hint = "look at the difference; if it is meant, write the matrix anew";
    let findings = findings.into_iter().map(|finding| finding.hint(hint)).collect();
    Step::new("matrix", format!("{} rows are not as reviewed", stale.len()), findings)
}

/// What a solver's verdicts mean to a bundle that demands proofs or does not. Only a proof is a yes.
pub fn proofs(verdicts: Option<&Verdicts>, demand: Demand) -> Step {
    let unproven = |message: String| match demand {
        Demand::Required => Finding::error("proof", message),
        Demand::Optional => Finding::warning("proof", message),
    };
    let Some(verdicts) = verdicts.filter(|verdicts| !verdicts.checks.is_empty()) else {
        return match demand {
            Demand::Optional => Step::skipped("proofs", "not proven: no solver was asked"),
            Demand::Required => {
                let finding =
                    unproven("not proven: the bundle demands proofs, and there are none".to_owned());
                let finding = finding
                    .at(Place::start("bundle.toml"))
                    .hint("install cvc5 and run the check with proofs");
                Step::new("proofs", "not proven", vec![finding])
            }
        };
    };
    let mut findings = Vec::new();
    for check in &verdicts.checks {
        let finding = match &check.result {
            Proof::Holds => continue,
            Proof::Violated => {
                let told = check.counterexample.as_deref().unwrap_or("the solver gave no example");
                Finding::error("proof", format!("`{}` does not hold: {told}", check.name))
            }
            Proof::NotProven { reason } => unproven(format!("`{}` is not proven: {reason}", check.name)),
        };
        findings.push(match &check.test_case {
            Some(test) => finding.hint(format!("as a test:\n{test}")),
            None => finding,
        });
    }
    let held = verdicts.checks.len() - findings.len();
    let solver = &verdicts.solver;
    let summary = format!("{held} of {} hold, by {} {}", verdicts.checks.len(), solver.name, solver.version);
    Step::new("proofs", summary, findings)
}
