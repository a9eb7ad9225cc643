//! Policies that do nothing are found.

use expect_test::expect;
use modelward_proof::{Prover, idle};

use crate::support::{Ticks, appended, default_bundle, solver};

#[test]
fn a_dead_and_a_shadowed_policy_are_found_and_the_others_are_not() {
    let Some(solver) = solver() else { return };
    let bundle = appended(
        &default_bundle(),
        "guardrails.cedar",
        r#"@id("dead") @title("Dead") @owner("nobody") @reason("no") @remedy("step-up")
           forbid (principal, action == Modelward::Action::"predict", resource)
           when { context.risk.value > 5 && context.risk.value < 3 };

           @id("shadowed") @title("Shadowed") @owner("nobody") @reason("no") @remedy("administrator")
           forbid (principal, action == Modelward::Action::"predict", resource)
           when { context.risk.value >= 90 };"#,
    );
    let clock = Ticks::default();
    let prover = Prover::new(Some(&solver), &clock).limited_to(["predict", "downloadWeights"]);
    let told: Vec<String> = idle(&bundle, &prover)
        .expect("idle policies")
        .into_iter()
        .filter(|idle| ["dead", "shadowed"].contains(&idle.policy.as_str()))
        .map(|idle| format!("{} {:?}", idle.policy, idle.why))
        .collect();
    expect![[r#"
        dead Dead
        shadowed ShadowedBy { policy: "risk-high" }"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn no_policy_of_the_default_bundle_is_idle() {
    let Some(solver) = solver() else { return };
    let clock = Ticks::default();
    assert_eq!(idle(&default_bundle(), &Prover::new(Some(&solver), &clock)).expect("idle policies"), []);
}
