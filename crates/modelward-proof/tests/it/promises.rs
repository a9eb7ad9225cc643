//! The default bundle keeps what it promises, and what is no promise is refused.

use expect_test::expect;
use modelward_proof::{Claim, Invariant, Outcome, Prover, prove};

use crate::support::{Ticks, default_bundle, invariants, solver};

#[test]
fn the_default_bundle_keeps_every_promise_in_every_request_environment() {
    let Some(solver) = solver() else { return };
    let (bundle, clock) = (default_bundle(), Ticks::default());
    let verdicts = prove(&bundle, &invariants(&bundle), &Prover::new(Some(&solver), &clock)).expect("proofs");
    let failed: Vec<String> =
        verdicts.iter().filter(|verdict| !verdict.holds()).map(ToString::to_string).collect();
    assert_eq!(failed, Vec::<String>::new());

    let environments = bundle.schema().request_envs().count();
    let of = |id: &str| {
        let about = verdicts
            .iter()
            .filter(|verdict| matches!(&verdict.claim, Claim::Invariant { id: found, .. } if found == id));
        about.map(|verdict| verdict.environments.len()).sum::<usize>()
    };
    assert_eq!(of("live-grant"), environments);
    assert_eq!(of("own-privilege"), environments);
    assert_eq!(of("verified-provenance"), 4, "promote and rollBack, for people and machines");
}

#[test]
fn without_a_solver_nothing_is_proven() {
    let (bundle, clock) = (default_bundle(), Ticks::default());
    let prover = Prover::new(None, &clock).limited_to(["signIn", "predict"]);
    let verdicts = prove(&bundle, &invariants(&bundle), &prover).expect("verdicts");
    assert!(!verdicts.is_empty());
    for verdict in &verdicts {
        let Outcome::NotProven { why } = &verdict.result else { panic!("{verdict}") };
        assert_eq!(why, "no solver found: install cvc5 or set MODELWARD_CVC5");
    }
    assert!(verdicts.iter().any(|verdict| verdict.query.is_some()), "the questions are written all the same");
}

/// Checks one file of invariants.
fn refused(text: &str) -> String {
    let bundle = default_bundle();
    let parsed = Invariant::parse(bundle.schema(), [("mine.cedar".to_owned(), text.to_owned())]);
    match parsed {
        Err(error) => error.to_string(),
        Ok(invariants) => {
            let clock = Ticks::default();
            let prover = Prover::new(None, &clock).limited_to(["signIn"]);
            prove(&bundle, &invariants, &prover).expect_err("no promise").to_string()
        }
    }
}

#[test]
fn what_is_no_promise_is_refused() {
    let texts = [
        "permit (principal, action, resource)",
        "permit (principal, action, resource);",
        "@id(\"a\") permit (principal, action, resource);",
        "@id(\"a\") @title(\"A\") forbid (principal, action, resource);",
        "@id(\"a\") @title(\"A\") permit (principal, action, resource == Modelward::Platform::\"p\");",
        "@id(\"a\") @title(\"A\") permit (principal == ?principal, action, resource);",
        "@id(\"a\") @title(\"A\") permit (principal, action, resource) when { principal.nobody };",
        "@id(\"a\") @title(\"A\") permit (principal, action == Modelward::Action::\"Self\", resource);",
        "@id(\"a\") @title(\"A\") permit (principal, action, resource);
         @id(\"a\") @title(\"B\") permit (principal, action, resource);",
    ];
    let told: Vec<String> = texts.into_iter().map(refused).collect();
    expect![[r#"
        mine.cedar: unexpected end of input
        mine.cedar: an invariant lacks `@id`
        mine.cedar: an invariant lacks `@title`
        mine.cedar: invariant `a` is a forbid; an invariant says what may be allowed at most: write it as a permit
        mine.cedar: invariant `a` names an entity in its scope; put it into a condition
        mine.cedar: templates are not supported; write the invariant out
        mine.cedar: invariant `a` is not valid: for policy `a`, attribute `nobody` on entity type `Modelward::Machine` not found
        mine.cedar: invariant `a` concerns no request: no action of the schema lies in its scope
        mine.cedar: the invariant id `a` is taken by another one"#]].assert_eq(&told.join("\n"));
}
