//! A hole planted for each promise: the proof fails, says why in one sentence, and shows it with a request that the
//! ordinary authorizer confirms.

use std::collections::BTreeSet;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, Request};
use expect_test::expect;
use modelward_decision::Bundle;
use modelward_proof::{Claim, Counterexample, Outcome, Prover, Solver, prove};

use crate::support::{Ticks, appended, default_bundle, edited, invariants, solver, without};

struct Hole {
    /// The promise it breaks, and no other.
    breaks: &'static str,
    bundle: Bundle,
    /// Where it can be seen; looked at together with actions of other privileges.
    action: &'static str,
}

const PRIVILEGES: &str = "privileges.cedar";
const GUARDRAILS: &str = "guardrails.cedar";

fn holes() -> Vec<Hole> {
    let hole = |breaks, action, bundle| Hole { breaks, bundle, action };
    let default = default_bundle();
    let lost = |breaks, action, guardrail| hole(breaks, action, without(&default, GUARDRAILS, guardrail));
    let swapped = |breaks, action, from: &str, to: &str| {
        let file = if default.sources()[PRIVILEGES].contains(from) { PRIVILEGES } else { GUARDRAILS };
        hole(breaks, action, edited(&default, file, |text| text.replace(from, to)))
    };
    vec![
        swapped("live-grant", "readCard", "context.now < context.grant.notAfter", "true"),
        swapped(
            "own-privilege",
            "readCard",
            r#"context.grant.privilege == "read-only""#,
            r#"["read-only", "inference"].contains(context.grant.privilege)"#,
        ),
        hole(
            "personal-grant",
            "createRun",
            edited(&without(&default, GUARDRAILS, "grant-personal"), PRIVILEGES, |text| {
                text.replace("context.grant.personal", "true")
            }),
        ),
        swapped("two-approvals", "downloadWeights", "approvals >= 2", "approvals >= 1"),
        swapped("one-approval", "promote", "approvals >= 1", "approvals >= 0"),
        lost("grant-conditions", "readCard", "grant-region"),
        lost("granted-fields", "readLogprobs", "grant-fields"),
        lost("active-principal", "signIn", "principal-inactive"),
        lost("owned-machine", "predict", "machine-without-owner"),
        lost("cleared-model", "readCard", "clearance-model"),
        lost("cleared-version", "predict", "clearance-version"),
        lost("cleared-dataset", "readRawRows", "clearance-dataset"),
        lost("low-risk", "predict", "risk-high"),
        lost("two-factors", "createRun", "second-factor"),
        swapped("recent-strong-sign-in", "downloadWeights", " && context.session.ageSeconds <= 300", ""),
        lost("bound-to-holder", "promote", "bound-credential"),
        swapped("leaves-to-managed-device", "downloadWeights", "context.device.managed && ", ""),
        swapped("verified-provenance", "promote", "resource.proven && ", ""),
        lost("quarantine-holds", "predict", "quarantine"),
        lost("through-approved-endpoint", "predict", "approved-endpoint"),
        lost("no-way-around", "presignWeights", "presigned-links"),
        lost("no-extraction-pair", "predict", "extraction-pair"),
        lost("held-fields", "predict", "unheld-fields"),
    ]
}

#[test]
fn every_promise_has_a_hole_that_breaks_it_alone() {
    let Some(solver) = solver() else { return };
    let mut told = String::new();
    let mut broken = BTreeSet::new();
    for hole in holes() {
        let (found, counterexample) = violations(&hole.bundle, &[hole.action], &solver);
        assert_eq!(found, BTreeSet::from([hole.breaks.to_owned()]));
        confirm(&hole.bundle, &counterexample);
        told.push_str(&format!("{}: {}\n", hole.breaks, counterexample.sentence));
        broken.extend(found);
    }
    let promised: BTreeSet<String> =
        invariants(&default_bundle()).into_iter().map(|invariant| invariant.id).collect();
    assert_eq!(broken, promised, "each promise is broken by a hole");
    expect![[r#"
        live-grant: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the grant has ended; allowed by `export`
        own-privilege: Machine with a grant of `inference` could read a model card (`readCard` on Model); allowed by `read-only`
        personal-grant: Machine with a grant of `experiment` could start a tracked run (`createRun` on Project) while the grant is held by a group; allowed by `experiment`
        two-approvals: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the approvals behind the grant are 1; allowed by `export`
        one-approval: Machine with a grant of `deploy` could promote a version (`promote` on Version) while the approvals behind the grant are 0; allowed by `deploy`
        grant-conditions: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the grant is for the regions `elsewhere`; allowed by `export`
        granted-fields: Machine with a grant of `inference-sensitive` could see log probabilities (`readLogprobs` on Version) while the fields of the grant are absent; allowed by `inference-sensitive`
        active-principal: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the account is not active; allowed by `export`
        owned-machine: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the owner of the machine is not active; allowed by `export`
        cleared-model: Machine with a grant of `read-only` could read a model card (`readCard` on Model) while the clearance is 0; allowed by `read-only`
        cleared-version: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the clearance is 0; allowed by `export`
        cleared-dataset: Machine with a grant of `data-export` could read rows of a dataset (`readRawRows` on Dataset) while the clearance is 0; allowed by `data-export`
        low-risk: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the risk is 100; allowed by `export`
        two-factors: Machine with a grant of `experiment` could start a tracked run (`createRun` on Project) while the strength of the sign-in is 1; allowed by `experiment`
        recent-strong-sign-in: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the sign-in is 3600 seconds old; allowed by `export`
        bound-to-holder: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the credential is not bound to its holder; allowed by `export`
        leaves-to-managed-device: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while the device is not managed; allowed by `export`
        verified-provenance: Machine with a grant of `deploy` could promote a version (`promote` on Version) while its provenance is not verified; allowed by `deploy`
        quarantine-holds: Machine with a grant of `export` could download weights (`downloadWeights` on Version) while it is in quarantine; allowed by `export`
        through-approved-endpoint: Machine with a grant of `inference` could ask a model for a prediction (`predict` on Version) while no approved endpoint is used; allowed by `inference`
        no-way-around: Machine with a grant of `export` could make a link that bypasses the gateway (`presignWeights` on Version); allowed by `export`
        no-extraction-pair: Machine with a grant of `inference` could ask a model for a prediction (`predict` on Version) while sensitive parts of its answers are stripped and the fields asked for are `logprobs`, `sampling-control`; allowed by `inference`
        held-fields: Machine with a grant of `inference` could ask a model for a prediction (`predict` on Version) while the fields asked for are `raw-scores`; allowed by `inference`
    "#]].assert_eq(&told);
}

#[test]
fn a_permit_for_everything_breaks_what_grants_promise_and_is_named() {
    let Some(solver) = solver() else { return };
    let open = appended(
        &default_bundle(),
        PRIVILEGES,
        r#"@id("everything") @title("Everything") @owner("nobody") permit (principal, action, resource);"#,
    );
    let (found, counterexample) = violations(&open, &["downloadWeights"], &solver);
    confirm(&open, &counterexample);
    assert!(found.contains("live-grant") && found.contains("own-privilege"), "{found:?}");
    expect!["Machine without a grant could download weights (`downloadWeights` on Version); allowed by `everything`"].assert_eq(&counterexample.sentence);
}

#[test]
fn a_forbid_that_can_fail_is_found() {
    let Some(solver) = solver() else { return };
    let bundle = appended(
        &default_bundle(),
        GUARDRAILS,
        r#"@id("sum") @title("Sum") @owner("nobody") @reason("no") @remedy("clearance")
           forbid (principal, action == Modelward::Action::"predict", resource)
           when { principal.clearance + resource.sensitivity > 5 };"#,
    );
    let (found, counterexample) = violations(&bundle, &["predict"], &solver);
    assert_eq!(found, BTreeSet::from(["forbid `sum` never fails".to_owned()]));
    expect!["`sum` fails where Machine without a grant wants to ask a model for a prediction (`predict` on Version) while the sensitivity is -1 and the clearance is -9223372036854775808"].assert_eq(&counterexample.sentence);
}

#[test]
fn an_obligation_rule_that_can_fail_is_found() {
    let Some(solver) = solver() else { return };
    let bundle = appended(
        &default_bundle(),
        "obligations.cedar",
        r#"@id("sum") @title("Sum") @owner("nobody") @obligation("round:2")
           permit (principal, action == Modelward::Action::"predict", resource)
           when { context.risk.value * 2 > 5 };"#,
    );
    let (found, _) = violations(&bundle, &["predict"], &solver);
    assert_eq!(found, BTreeSet::from(["obligation rule `sum` never fails".to_owned()]));
}

/// What is violated, by id of the promise or by the claim, and the first counterexample.
fn violations(bundle: &Bundle, actions: &[&str], solver: &Solver) -> (BTreeSet<String>, Counterexample) {
    let clock = Ticks::default();
    let actions = actions.iter().copied().chain(["signIn", "predict", "downloadWeights"]);
    let prover = Prover::new(Some(solver), &clock).limited_to(actions);
    let verdicts = prove(bundle, &invariants(bundle), &prover).expect("proofs");
    let mut found = BTreeSet::new();
    let mut first = None;
    for verdict in verdicts {
        match verdict.result {
            Outcome::Holds => {}
            Outcome::NotProven { why } => panic!("{}: {why}", verdict.claim),
            Outcome::Violated { counterexample } => {
                found.insert(match verdict.claim {
                    Claim::Invariant { id, .. } => id,
                    other => other.to_string(),
                });
                first.get_or_insert(*counterexample);
            }
        }
    }
    (found, first.expect("something is violated"))
}

/// The bundle allows the request, as the ordinary authorizer reads it out of the test case.
fn confirm(bundle: &Bundle, counterexample: &Counterexample) {
    let case = counterexample.test_case("hole");
    let request = &case["request"];
    let uid = |name: &str| request[name].as_str().expect("text").parse::<EntityUid>().expect("an entity");
    let action = uid("action");
    let context = Context::from_json_value(request["context"].clone(), Some((bundle.schema(), &action)));
    let entities =
        Entities::from_json_value(case["entities"].clone(), Some(bundle.schema())).expect("entities");
    let request = Request::new(
        uid("principal"),
        action,
        uid("resource"),
        context.expect("a context"),
        Some(bundle.schema()),
    );
    let response =
        Authorizer::new().is_authorized(&request.expect("a request"), bundle.policies(), &entities);
    assert_eq!(response.decision(), Decision::Allow);
    assert_eq!(response.diagnostics().errors().count(), 0);
    assert_eq!(case["decision"], "deny");
}
