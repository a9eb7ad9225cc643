//! What changes for people between two bundles.

use cedar_policy::{Policy, PolicyId, PolicySet};
use expect_test::{Expect, expect};
use modelward_decision::Bundle;
use modelward_proof::{Difference, Direction, Prover, Solver, difference, within_envelope};

use crate::support::{Ticks, default_bundle, edited, solver, without};

const ACTIONS: [&str; 5] = ["predict", "readCard", "downloadWeights", "createRun", "grantAccess"];

/// The difference between two bundles, as lines.
fn check(old: &Bundle, new: &Bundle, solver: &Solver, expected: &Expect) {
    let clock = Ticks::default();
    let prover = Prover::new(Some(solver), &clock).limited_to(ACTIONS);
    expected.assert_eq(&told(&difference(old, new, &prover).expect("a difference")));
}

fn told(difference: &Difference) -> String {
    let mut lines = Vec::new();
    for change in &difference.policies {
        lines.push(format!("{:?} {}", change.how, change.policy));
    }
    for action in difference.changed() {
        lines.push(format!("{} {:?}", action.action, action.direction));
        let examples = action.gained.iter().chain(&action.lost);
        lines.extend(examples.map(|example| format!("  {}", example.sentence)));
    }
    lines.join("\n")
}

#[test]
fn taking_a_guardrail_away_is_looser_and_putting_it_back_is_stricter() {
    let Some(solver) = solver() else { return };
    let default = default_bundle();
    let open = without(&default, "guardrails.cedar", "managed-device");
    check(
        &default,
        &open,
        &solver,
        &expect![[r#"
        Removed managed-device
        downloadWeights Looser
          Machine with a grant of `export` could now download weights (`downloadWeights` on Version) while the device is not managed; allowed by `export`"#]],
    );
    check(
        &open,
        &default,
        &solver,
        &expect![[r#"
        Added managed-device
        downloadWeights Stricter
          Machine with a grant of `export` could no longer download weights (`downloadWeights` on Version) while the device is not managed; allowed before by `export`"#]],
    );
}

#[test]
fn a_permit_that_asks_for_more_is_stricter_and_one_that_says_it_again_changes_nothing() {
    let Some(solver) = solver() else { return };
    let default = default_bundle();
    let strict =
        edited(&default, "privileges.cedar", |text| text.replace("approvals >= 2", "approvals >= 3"));
    check(
        &default,
        &strict,
        &solver,
        &expect![[r#"
            Edited data-export
            Edited export
            Edited retraining
            downloadWeights Stricter
              Machine with a grant of `export` could no longer download weights (`downloadWeights` on Version) while the approvals behind the grant are 2; allowed before by `export`"#]],
    );
    let again = edited(&default, "guardrails.cedar", |text| {
        text.replace("context.risk.value >= 80", "!(context.risk.value < 80)")
    });
    check(&default, &again, &solver, &expect!["Edited risk-high"]);
}

#[test]
fn a_condition_exchanged_for_another_one_is_incomparable() {
    let Some(solver) = solver() else { return };
    let default = default_bundle();
    let other = edited(&default, "guardrails.cedar", |text| {
        text.replace("context.device.managed && context.device.compliant", "context.device.confidence >= 3")
    });
    check(
        &default,
        &other,
        &solver,
        &expect![[r#"
            Edited managed-device
            downloadWeights Incomparable
              Machine with a grant of `export` could now download weights (`downloadWeights` on Version) while the device is not managed; allowed by `export`
              Machine with a grant of `export` could no longer download weights (`downloadWeights` on Version) while the confidence in the device is 1; allowed before by `export`"#]],
    );
}

#[test]
fn names_and_annotations_change_nothing() {
    let Some(solver) = solver() else { return };
    let default = default_bundle();
    let renamed = edited(&default, "guardrails.cedar", |text| {
        text.replace("@id(\"risk-high\")", "@id(\"high-risk\")").replace("platform-security", "security")
    });
    let clock = Ticks::default();
    let prover = Prover::new(Some(&solver), &clock);
    let difference = difference(&default, &renamed, &prover).expect("a difference");
    assert_eq!(difference.changed().count(), 0);
    assert!(difference.policies.len() > 2);
}

#[test]
fn an_action_that_comes_or_goes_is_said_to() {
    let default = default_bundle();
    let more = edited(&default, "schema.cedarschema", |text| {
        text.replace("action readEndpoint in", "action readEndpoint, readWeather in")
    });
    let clock = Ticks::default();
    let prover = Prover::new(None, &clock);
    let of = |old: &Bundle, new: &Bundle| told(&difference(old, new, &prover).expect("a difference"));
    expect!["readWeather Added"].assert_eq(&of(&default, &more));
    expect!["readWeather Removed"].assert_eq(&of(&more, &default));

    let moved = edited(&default, "schema.cedarschema", |text| {
        text.replace(r#"action readEndpoint in ["ReadOnly"]"#, r#"action readEndpoint in ["Inference"]"#)
    });
    expect![[r#"readEndpoint NotProven { why: "the schema says something else about it than before" }"#]]
        .assert_eq(&of(&default, &moved));
}

#[test]
fn without_a_solver_only_what_no_change_can_concern_is_equivalent() {
    let default = default_bundle();
    let open = without(&default, "guardrails.cedar", "managed-device");
    let clock = Ticks::default();
    let difference = difference(&default, &open, &Prover::new(None, &clock)).expect("a difference");
    let open: Vec<&str> = difference.changed().map(|action| action.action.as_str()).collect();
    assert!(open.contains(&"downloadWeights") && !open.contains(&"predict"), "{open:?}");
    for action in difference.changed() {
        assert!(matches!(&action.direction, Direction::NotProven { why } if why.contains("install cvc5")));
    }
    assert_eq!(difference.policies.len(), 1);
}

#[test]
fn a_project_permits_only_what_lies_within_its_envelope() {
    let Some(solver) = solver() else { return };
    let default = default_bundle();
    let envelope = r#"permit (principal, action in Modelward::Action::"Inference", resource)
        when { resource in Modelward::Scope::"project-7" };"#;
    let within = r#"permit (principal, action == Modelward::Action::"predict", resource in Modelward::Scope::"project-7")
        when { context.risk.value < 10 };"#;
    let beyond = r#"permit (principal, action == Modelward::Action::"predict", resource)
        when { context.risk.value < 10 };
        forbid (principal, action, resource) unless { resource in Modelward::Scope::"project-7" };"#;
    let clock = Ticks::default();
    let prover = Prover::new(Some(&solver), &clock).limited_to(ACTIONS);
    let verdicts = |project: &str| {
        let (project, envelope) = (project.parse().expect("policies"), envelope.parse().expect("policies"));
        within_envelope(default.schema(), &project, &envelope, &prover).expect("verdicts")
    };
    assert!(verdicts(within).iter().all(|verdict| verdict.holds()));
    let told: Vec<String> =
        verdicts(beyond).iter().filter(|verdict| !verdict.holds()).map(ToString::to_string).collect();
    expect!["violated    everything permitted lies within the envelope (Machine predict Version and 1 more): Machine without a grant could ask a model for a prediction (`predict` on Version); allowed by `policy0`"].assert_eq(&told.join("\n"));
}

#[test]
fn one_permit_of_many_that_leaves_the_envelope_is_named() {
    let Some(solver) = solver() else { return };
    let default = default_bundle();
    let envelope: PolicySet = r#"permit (principal, action in Modelward::Action::"Inference", resource)
        when { resource in Modelward::Scope::"project-7" };"#
        .parse()
        .expect("policies");
    let permit = |number: usize, scope: &str| {
        let text = format!(
            r#"permit (principal in Modelward::Group::"group-{number}", action == Modelward::Action::"predict",
                       resource in Modelward::Scope::"{scope}");"#
        );
        Policy::parse(Some(PolicyId::new(format!("permit-{number}"))), text).expect("a policy")
    };
    let clock = Ticks::default();
    let prover = Prover::new(Some(&solver), &clock).limited_to(["predict"]);
    let verdicts = |scope: &str| {
        let permits = (0..40).map(|number| permit(number, if number == 37 { scope } else { "project-7" }));
        let project = PolicySet::from_policies(permits).expect("a set");
        within_envelope(default.schema(), &project, &envelope, &prover).expect("verdicts")
    };
    assert!(verdicts("project-7").iter().all(|verdict| verdict.holds()));
    let told: Vec<String> = verdicts("project-8").iter().map(ToString::to_string).collect();
    expect![[r#"
        violated    everything permitted lies within the envelope (Machine predict Version): Machine without a grant could ask a model for a prediction (`predict` on Version) while they stand below Group `group-37` and it stands below Scope `project-8`; allowed by `permit-37`
        violated    everything permitted lies within the envelope (Person predict Version): Person without a grant could ask a model for a prediction (`predict` on Version) while they stand below Group `group-37` and it stands below Scope `project-8`; allowed by `permit-37`"#]].assert_eq(&told.join("\n"));
}
