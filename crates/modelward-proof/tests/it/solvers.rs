//! Solvers that are missing, slow, wrong or talk nonsense prove nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use expect_test::{Expect, expect};
use modelward_proof::{Outcome, Prover, Solver, prove};
use tempfile::TempDir;

use crate::support::{Ticks, default_bundle, invariants};

/// For programs that answer at once, on however busy a machine.
const PATIENT: Duration = Duration::from_secs(60);

/// A program that says a version and then does as it likes.
fn program(folder: &TempDir, body: &str) -> Option<Solver> {
    let path = folder.path().join("cvc5");
    let version = r#"if [ "$1" = "--version" ]; then echo "This is cvc5 version 9.9"; exit; fi"#;
    fs::write(&path, format!("#!/bin/sh\n{version}\n{body}\n")).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
    Solver::find(Some(path.as_os_str()), None)
}

/// The reasons why nothing about signing in is proven.
fn check(body: &str, limit: Duration, expected: &Expect) {
    let folder = TempDir::new().expect("a folder");
    let solver = program(&folder, body).expect("a solver").with_limit(limit);
    let (bundle, clock) = (default_bundle(), Ticks::default());
    let prover = Prover::new(Some(&solver), &clock).limited_to(["signIn"]);
    let verdicts = prove(&bundle, &invariants(&bundle), &prover).expect("verdicts");
    let mut reasons: Vec<String> = verdicts
        .into_iter()
        .filter(|verdict| verdict.query.is_some())
        .map(|verdict| match verdict.result {
            Outcome::NotProven { why } => why,
            other => format!("{other:?}"),
        })
        .collect();
    reasons.sort();
    reasons.dedup();
    expected.assert_eq(&reasons.join("\n"));
}

#[test]
fn a_solver_that_hangs_is_ended_and_proves_nothing() {
    check("exec sleep 600", Duration::from_millis(50), &expect!["the solver gave no answer within 50 ms"]);
}

#[test]
fn a_solver_that_does_not_know_proves_nothing() {
    check("cat >/dev/null; echo unknown", PATIENT, &expect!["the solver answered that it does not know"]);
}

#[test]
fn a_solver_that_dies_or_talks_nonsense_proves_nothing() {
    check("exit 3", PATIENT, &expect!["the solver ended without an answer; its limit is 60000 ms"]);
    check(
        "echo '(error \"out of memory\")'",
        PATIENT,
        &expect![[r#"the solver answered `(error "out of memory")`"#]],
    );
    check(
        "cat >/dev/null; echo sat",
        PATIENT,
        &expect!["the solver found a violation and gave no example of it"],
    );
    check(
        "cat >/dev/null; echo sat; echo '('; echo ')'",
        PATIENT,
        &expect!["the solver found a violation, but the authorizer does not confirm its example"],
    );
}

#[test]
fn a_solver_is_found_by_name_or_on_the_search_path() {
    let folder = TempDir::new().expect("a folder");
    let solver = program(&folder, "exit 0").expect("a solver");
    assert_eq!((solver.identity().name.as_str(), solver.identity().version.as_str()), ("cvc5", "9.9"));
    let found =
        |chosen: Option<&str>, path: &str| Solver::find(chosen.map(AsRef::as_ref), Some(path.as_ref()));
    let here = folder.path().to_str().expect("text");
    assert!(found(None, &format!("/nowhere:{here}")).is_some());
    assert!(found(Some(""), here).is_some(), "a setting left empty is no setting");
    assert!(
        found(Some("/nowhere/cvc5"), here).is_none(),
        "a solver that was named is not replaced by another one"
    );
    assert!(found(None, "/nowhere").is_none());
    fs::write(folder.path().join("cvc5"), "no program").expect("a file");
    assert!(found(None, here).is_none());
}
