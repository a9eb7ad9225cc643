//! What a solver says about a bundle, in the form that bundle files carry and the gate reads.

use std::env;
use std::sync::Arc;

use modelward_policy::gate::Step;
use modelward_policy::verdict::{Proof, Solver as SolverName, Verdict, Verdicts};
use modelward_policy::{Bundle, Finding, claim, project};
use modelward_proof::{
    Claim, Direction, Invariant, Outcome, Prover, Solver, difference, prove, within_envelope,
};
use modelward_seal::Digest;

use super::whole::Read;
use crate::clock::SystemClock;
use crate::exit::{Exit, Failure};

/// The solver of this machine.
pub(super) fn solver() -> Option<Solver> {
    Solver::find(env::var_os("MODELWARD_CVC5").as_deref(), env::var_os("PATH").as_deref())
}

/// Proves all that a bundle promises, as far as there is a solver: of a project bundle, that the whole it makes with its
/// root keeps the root's promises, and that it stays within the root's envelope.
pub(super) fn verdicts(read: &Read, whole: &Bundle, solver: Option<&Solver>) -> Result<Verdicts, Failure> {
    let clock = SystemClock::unmarked();
    let prover = Prover::new(solver, &clock);
    let files = whole.sources().iter().filter(|(name, _)| claim::is_invariant(name));
    let files = files.map(|(name, text)| (name.clone(), text.clone()));
    let invariants = Invariant::parse(whole.schema(), files).map_err(|error| failed(&error))?;
    let mut proven = prove(whole, &invariants, &prover).map_err(|error| failed(&error))?;
    if let Some(root) = &read.root {
        proven.extend(within(root, read, whole, &prover)?);
    }
    let identity = solver.map(Solver::identity);
    let mut checks: Vec<Verdict> = proven.iter().map(carried).collect();
    checks.sort_by(|a, b| (&a.name, a.query).cmp(&(&b.name, b.query)));
    Ok(Verdicts {
        subject: claim::subject(whole.sources()).map_err(|error| failed(&error))?,
        root: read.root.as_ref().map(|root| root.digest()),
        solver: SolverName {
            name: identity.map_or_else(|| "none".to_owned(), |it| it.name.clone()),
            version: identity.map_or_else(String::new, |it| it.version.clone()),
        },
        checks,
    })
}

/// That a project permits nothing outside of the envelope of its root; nothing to prove where there is none, which the gate
/// tells.
fn within(
    root: &Bundle,
    read: &Read,
    whole: &Bundle,
    prover: &Prover<'_>,
) -> Result<Vec<modelward_proof::Verdict>, Failure> {
    if !root.sources().contains_key(project::ENVELOPE) {
        return Ok(Vec::new());
    }
    let wrong = |finding: Finding, files| Failure::new(Exit::Failure, finding.render(files));
    let envelope = project::envelope(root).map_err(|finding| wrong(finding, root.sources()))?;
    let permits = project::permits(read.file.files()).map_err(|finding| wrong(finding, read.file.files()))?;
    within_envelope(whole.schema(), &permits, &envelope, prover).map_err(|error| failed(&error))
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::of(Exit::Failure, error)
}

fn claimed(claim: &Claim) -> String {
    match claim {
        Claim::Invariant { id, .. } => claim::invariant(id),
        Claim::ForbidNeverErrs { policy } => claim::forbid(policy),
        Claim::ObligationNeverErrs { policy } => claim::obligation(policy),
        Claim::WithinEnvelope => claim::ENVELOPE.to_owned(),
    }
}

fn carried(verdict: &modelward_proof::Verdict) -> Verdict {
    let places: Vec<String> = verdict.environments.iter().map(ToString::to_string).collect();
    let (result, example) = match &verdict.result {
        Outcome::Holds => (Proof::Holds, None),
        Outcome::Violated { counterexample } => (Proof::Violated, Some(counterexample)),
        Outcome::NotProven { why } => (Proof::NotProven { reason: why.clone() }, None),
    };
    Verdict {
        claim: claimed(&verdict.claim),
        name: format!("{} [{}]", verdict.claim, places.join(", ")),
        // What needed no solver has the digest of no text.
        query: verdict.query.unwrap_or(Digest::ZERO),
        result,
        time_ms: verdict.millis,
        counterexample: example.map(|example| example.sentence.clone()),
        test_case: example.map(|example| example.test_case("counterexample").to_string()),
    }
}

/// Whether the verdicts that a file carries are the ones that come out again.
pub(super) fn recheck(carried: &Verdicts, again: &Verdicts) -> Vec<String> {
    let kind = |verdict: &Verdict| match verdict.result {
        Proof::Holds => "holds",
        Proof::Violated => "violated",
        Proof::NotProven { .. } => "not proven",
    };
    let mut differences = Vec::new();
    for now in &again.checks {
        match carried.named(&now.name) {
            None => differences.push(format!("`{}` is missing from the file", now.name)),
            Some(then) if then.query != now.query => {
                differences.push(format!("`{}` was asked otherwise", now.name));
            }
            Some(then) if kind(then) != kind(now) => differences.push(format!(
                "`{}` is {} in the file and {} now",
                now.name,
                kind(then),
                kind(now)
            )),
            Some(_) => {}
        }
    }
    let unasked = carried.checks.iter().filter(|then| again.named(&then.name).is_none());
    differences
        .extend(unasked.map(|then| format!("`{}` is in the file, and nothing asks for it", then.name)));
    differences
}

/// What changes for people against the bundle in force, as a step of the gate. A change is no failure: it is for the
/// reviewers to see.
pub(super) fn changes(
    active: &Arc<Bundle>,
    bundle: &Arc<Bundle>,
    solver: Option<&Solver>,
) -> Result<Step, Failure> {
    let clock = SystemClock::unmarked();
    let prover = Prover::new(solver, &clock);
    let found = difference(active, bundle, &prover).map_err(|error| Failure::of(Exit::Failure, &error))?;
    let mut findings = Vec::new();
    let mut unknown = 0_usize;
    for action in found.changed() {
        let word = match &action.direction {
            Direction::Equivalent => continue,
            Direction::Stricter => "stricter",
            Direction::Looser => "looser",
            Direction::Incomparable => "looser for some and stricter for others",
            Direction::Added => "new",
            Direction::Removed => "gone",
            Direction::NotProven { .. } => {
                unknown += 1;
                continue;
            }
        };
        let examples = action.gained.iter().chain(&action.lost).map(|example| example.sentence.as_str());
        let told: Vec<&str> = examples.collect();
        findings.push(Finding::note("change", format!("`{}` is {word}: {}", action.action, told.join(" "))));
    }
    let summary = match (findings.len(), unknown) {
        (0, 0) => "equivalent for every action".to_owned(),
        (0, _) => "not proven: no solver, or no answer".to_owned(),
        (changed, 0) => format!("{changed} actions change"),
        (changed, _) => format!("{changed} actions change, {unknown} not proven"),
    };
    Ok(Step::new("changes", summary, findings))
}
