//! What a bundle carries can be checked again by anybody, and says so when it is not true.

use jiff::Timestamp;
use modelward_proof::{Attestation, Mismatch, Outcome, Prover};

use crate::support::{Ticks, default_bundle, invariants, solver, without};

const ACTIONS: [&str; 2] = ["predict", "downloadWeights"];

#[test]
fn an_attestation_is_got_again_to_the_last_question_and_survives_json() {
    let Some(solver) = solver() else { return };
    let (bundle, clock) = (default_bundle(), Ticks::default());
    let invariants = invariants(&bundle);
    let prove = || Prover::new(Some(&solver), &clock).limited_to(ACTIONS);
    let made =
        Attestation::make(&bundle, &invariants, &prove(), Timestamp::UNIX_EPOCH).expect("an attestation");
    assert!(made.holds());
    assert_eq!(made.solver.as_ref().map(|solver| solver.name.as_str()), Some("cvc5"));

    let json = serde_json::to_string(&made).expect("json");
    let read: Attestation = serde_json::from_str(&json).expect("an attestation");
    assert_eq!(read, made);
    assert!(read.verify(&bundle, &invariants, &prove()).expect("a check").agrees());

    // Without a solver the questions agree, which proves no answer.
    let questions = Prover::new(None, &clock).limited_to(ACTIONS);
    let recheck = read.verify(&bundle, &invariants, &questions).expect("a check");
    assert_eq!(recheck.mismatches, []);
    assert!(!recheck.agrees());
}

#[test]
fn an_attestation_that_was_changed_or_belongs_elsewhere_is_found_out() {
    let Some(solver) = solver() else { return };
    let (bundle, clock) = (default_bundle(), Ticks::default());
    let invariants = invariants(&bundle);
    let prover = Prover::new(Some(&solver), &clock).limited_to(ACTIONS);
    let made =
        Attestation::make(&bundle, &invariants, &prover, Timestamp::UNIX_EPOCH).expect("an attestation");
    let check = |attestation: &Attestation| {
        attestation.verify(&bundle, &invariants, &prover).expect("a check").mismatches
    };

    let mut shorter = made.clone();
    shorter.verdicts.retain(|verdict| !verdict.claim.to_string().starts_with("leaves-to-managed-device"));
    assert!(matches!(check(&shorter).as_slice(), [Mismatch::Missing { .. }, ..]));

    let mut longer = made.clone();
    longer.verdicts[0].environments[0].action = "somethingElse".to_owned();
    let found = check(&longer);
    assert!(found.iter().any(|mismatch| matches!(mismatch, Mismatch::Unexpected { .. })), "{found:?}");

    let mut denied = made.clone();
    denied.verdicts[0].result = Outcome::NotProven { why: "nobody knows".to_owned() };
    assert!(matches!(check(&denied).as_slice(), [Mismatch::Result { .. }, ..]));
    assert!(!denied.holds());

    // Verdicts of a sound bundle do not speak for one with a hole.
    let hole = without(&bundle, "guardrails.cedar", "managed-device");
    let mut borrowed = made.clone();
    borrowed.bundle = hole.digest();
    for solver in [Some(&solver), None] {
        let prover = Prover::new(solver, &clock).limited_to(ACTIONS);
        let found = borrowed.verify(&hole, &invariants, &prover).expect("a check");
        assert!(!found.mismatches.is_empty());
    }
    let found = made.verify(&hole, &invariants[1..], &prover).expect("a check").mismatches;
    assert!(found.contains(&Mismatch::Bundle) && found.contains(&Mismatch::Invariants), "{found:?}");
}

#[test]
fn verdicts_without_a_solver_attest_nothing() {
    let (bundle, clock) = (default_bundle(), Ticks::default());
    let prover = Prover::new(None, &clock).limited_to(["signIn"]);
    let made = Attestation::make(&bundle, &invariants(&bundle), &prover, Timestamp::UNIX_EPOCH);
    assert!(!made.expect("an attestation").holds());
}
