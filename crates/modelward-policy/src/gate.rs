//! Everything a change of policy has to pass, in one report.
//!
//! A step that fails does not hide the ones after it, unless they need what it would have given: texts that are no bundle
//! cannot be tested. Steps made elsewhere (the semantic difference, a replay) join with [`Report::add`].

use std::collections::BTreeMap;
use std::sync::Arc;

use modelward_decision::bundle::{FileKind, Kind, Place};
use modelward_decision::matrix::{Row, matrix, matrix_within};
use modelward_decision::vocabulary::{Name, ProjectId};
use modelward_seal::Digest;
use serde::Serialize;

use crate::coverage::{Coverage, Seen};
use crate::difference::{RowChange, count, difference};
use crate::parts::{Demand, Gate, Header, Parts};
use crate::replay::Replay;
use crate::scenario::{Scenario, TestResult};
use crate::verdict::Verdicts;
use crate::{Bundle, Finding, Level, cedar_test, lint, project, scenario};

mod human;
mod json;
mod junit;
mod markdown;
mod proofs;
mod sarif;

/// What is checked, and against what.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The files of the bundle, by path relative to its folder.
    pub sources: &'a BTreeMap<String, String>,
    /// The root bundle in force; a project bundle is checked together with it.
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
    /// Recorded decisions tried under it, where somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
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

    /// Adds recorded decisions that were tried under the bundle.
    pub fn add_replay(&mut self, replay: Replay) {
        self.add(replay.step());
        self.replay = Some(replay);
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
        replay: None,
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
    let of = project::bound(candidate.sources).ok();
    report.add(lints(&bundle, &parts.gate, of.as_ref()));
    let seen = run_tests(&mut report, &bundle, &tests, candidate.active.filter(|_| of.is_some()));
    measure(&mut report, &bundle, &seen, &parts.gate, of.as_ref());
    compare(&mut report, &bundle, candidate, of.as_ref());
    let kind = if of.is_some() { Kind::Project } else { Kind::Root };
    let subject = proofs::Subject { whole: &bundle, kind, verdicts: candidate.verdicts };
    if of.is_some() {
        report.add(subject.envelope());
    }
    // Whoever wrote a project bundle does not say what it can do without.
    let demand = if of.is_some() { Demand::Required } else { parts.gate.proofs };
    report.add(subject.proofs(demand));
    report
}

/// What came of the tests of a bundle, without any other step.
pub fn test_results(bundle: &Arc<Bundle>) -> Result<Vec<TestResult>, Vec<Finding>> {
    Ok(Tests::read(bundle.sources(), None)?.run(bundle, None))
}

/// The project a bundle is for.
type Of = (Name, ProjectId);

/// A project bundle answers for its own files, and not for those of the root.
fn lints(bundle: &Bundle, gate: &Gate, of: Option<&Of>) -> Step {
    let mut findings = lint::check(bundle, gate);
    if let Some((project, _)) = of {
        findings = findings.into_iter().filter_map(|finding| owned(project, finding)).collect();
    }
    Step::new("lints", format!("{} rules", lint::LINTS.len()), findings)
}

/// A finding about the whole, if it is about the project's files or about none.
fn owned(project: &Name, finding: Finding) -> Option<Finding> {
    let prefix = project::composed(project, "");
    let is_own = finding.at.as_ref().is_none_or(|at| at.file.starts_with(&prefix));
    is_own.then(|| project::own(project, finding))
}

/// The tests of a bundle, read.
struct Tests {
    scenarios: Vec<Scenario>,
    cedar: Vec<(String, Vec<cedar_test::CedarTest>)>,
}

impl Tests {
    /// The tests among these files; in those of a project bundle, its project is the real one.
    fn read(sources: &BTreeMap<String, String>, own: Option<&Of>) -> Result<Self, Vec<Finding>> {
        let mut tests = Self { scenarios: Vec::new(), cedar: Vec::new() };
        let mut findings = Vec::new();
        for (file, text) in sources {
            let wrong = match FileKind::of(file) {
                Some(FileKind::Scenario) => {
                    let read = match own.cloned() {
                        Some(own) => scenario::parse_of_project(file, text, own),
                        None => scenario::parse(file, text),
                    };
                    read.map(|read| tests.scenarios.extend(read)).err()
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

/// Everything that has to be readable; all that is wrong is told at once.
fn read(candidate: Candidate<'_>) -> Result<(Arc<Bundle>, Parts, Tests), Vec<Finding>> {
    let mut findings = Vec::new();
    let of = Header::read(candidate.sources).ok().filter(|header| header.kind == Kind::Project);
    let bundle = match (of.is_some(), candidate.active) {
        (false, _) => Bundle::from_sources(candidate.sources.clone())
            .map_err(|error| vec![Finding::from(&error)])
            .and_then(with_envelope),
        (true, Some(root)) => project::compose(root, candidate.sources),
        (true, None) => Err(vec![
            Finding::error("project", "a project bundle is checked together with its root bundle")
                .hint("name the bundle in force"),
        ]),
    };
    let bundle = bundle.map_err(|wrong| findings.extend(wrong)).ok();
    let parts = Parts::read(candidate.sources).map_err(|wrong| findings.extend(wrong)).ok();
    let tests = Tests::read(candidate.sources, project::bound(candidate.sources).ok().as_ref())
        .map_err(|wrong| findings.extend(wrong))
        .ok();
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

/// An envelope is the root bundle's to write, and is read when a project needs it: too late to tell its author.
fn with_envelope(bundle: Bundle) -> Result<Bundle, Vec<Finding>> {
    if bundle.sources().contains_key(project::ENVELOPE) {
        project::envelope(&bundle).map_err(|finding| vec![finding])?;
    }
    Ok(bundle)
}

/// Runs the tests of the bundle; those of the root have to pass in the whole as well.
fn run_tests(report: &mut Report, bundle: &Arc<Bundle>, tests: &Tests, root: Option<&Arc<Bundle>>) -> Seen {
    let mut seen = Seen::default();
    let results = tests.run(bundle, Some(&mut seen));
    let mut findings: Vec<Finding> = results.iter().filter_map(TestResult::finding).collect();
    let mut summary = format!("{} of {} passed", results.len() - findings.len(), results.len());
    if let Some(root) = root {
        match Tests::read(root.sources(), None) {
            Ok(tests) => {
                let results = tests.run(bundle, None);
                let broken: Vec<Finding> = results.iter().filter_map(broken_for_root).collect();
                let passed = results.len() - broken.len();
                summary += &format!(", and {passed} of {} of the root bundle", results.len());
                findings.extend(broken);
            }
            Err(wrong) => findings.extend(wrong.into_iter().map(|finding| Finding { at: None, ..finding })),
        }
    }
    report.add(Step::new("tests", summary, findings));
    report.tests = results;
    seen
}

/// A test of the root bundle that fails in the whole.
fn broken_for_root(result: &TestResult) -> Option<Finding> {
    if result.passed() {
        return None;
    }
    let message = format!("a test of the root bundle fails: {}, {}", result.suite, result.name);
    Some(Finding::error("test", message).hint("the project changes what the root bundle promises"))
}

/// A project bundle answers for its own clauses, not for those of the root.
fn measure(report: &mut Report, bundle: &Bundle, seen: &Seen, gate: &Gate, of: Option<&Of>) {
    let mut outline = bundle.outline();
    if let Some((project, _)) = of {
        let prefix = project::composed(project, "");
        outline.retain(|policy| policy.at.file.starts_with(&prefix));
        let places = outline.iter_mut().flat_map(|policy| {
            std::iter::once(&mut policy.at).chain(policy.clauses.iter_mut().map(|clause| &mut clause.at))
        });
        places.for_each(|at| at.file = at.file.replacen(&prefix, "", 1));
    }
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
fn compare(report: &mut Report, bundle: &Arc<Bundle>, candidate: Candidate<'_>, of: Option<&Of>) {
    let matrix = |bundle: &Arc<Bundle>| match of {
        Some((_, project)) => matrix_within(bundle, *project),
        None => matrix(bundle),
    };
    let Ok(rows) = matrix(bundle) else {
        let finding = Finding::error("matrix", "the matrix could not be computed");
        report.add(Step::new("matrix", "not computed", vec![finding]));
        return;
    };
    report.add(golden(&rows, candidate.sources, of.is_some()));
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
