//! The scenario language, and the default bundle's own scenarios with their coverage.

use expect_test::{Expect, expect};
use modelward_decision::bundle::FileKind;
use modelward_policy::coverage::{Coverage, Seen};
use modelward_policy::parts::{Uncovered, Value};
use modelward_policy::scenario::{TestResult, parse};

use crate::house::{default_bundle, name};

#[test]
fn the_scenarios_of_the_default_bundle_pass_and_cover_every_clause_both_ways() {
    let bundle = default_bundle();
    let mut seen = Seen::default();
    let mut results = Vec::new();
    for (file, text) in
        bundle.sources().iter().filter(|(file, _)| FileKind::of(file) == Some(FileKind::Scenario))
    {
        let scenarios =
            parse(file, text).unwrap_or_else(|finding| panic!("{}", finding.render(bundle.sources())));
        results.extend(scenarios.iter().flat_map(|scenario| scenario.run(&bundle, Some(&mut seen))));
    }
    let failures: Vec<String> = results
        .iter()
        .filter_map(TestResult::finding)
        .map(|finding| finding.render(bundle.sources()))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(results.len() > 120, "{} requests", results.len());
    let coverage = Coverage::measure(&bundle.outline(), &seen, &[]);
    let missing: Vec<String> =
        coverage.findings().iter().map(|finding| finding.render(bundle.sources())).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(coverage.is_complete());
}

#[test]
fn what_was_not_seen_is_named_and_can_be_excused_only_while_it_is_so() {
    let bundle = default_bundle();
    let text = format!(
        "{WORLD}scenario s\ngiven grant g to dana read-only on fraud\nwhen dana readCard fraud\nthen allow\n"
    );
    let mut seen = Seen::default();
    for scenario in parse("tests/x.scenario", &text).expect("well-formed") {
        scenario.run(&bundle, Some(&mut seen));
    }
    let outline: Vec<_> =
        bundle.outline().into_iter().filter(|policy| policy.id == "clearance-model").collect();
    let measure = |excuses: &[Uncovered]| {
        let messages: Vec<String> = Coverage::measure(&outline, &seen, excuses)
            .findings()
            .iter()
            .map(|each| each.message.clone())
            .collect();
        messages
    };
    let excuse =
        |value| Uncovered { policy: name("clearance-model"), clause: 1, value, reason: "r".to_owned() };
    assert_eq!(
        measure(&[]),
        [
            "clause 1 of `clearance-model` was never seen true: unless { principal.clearance >= resource.sensitivity }"
        ]
    );
    assert!(measure(&[excuse(Value::True)]).is_empty());
    assert_eq!(
        measure(&[excuse(Value::True), excuse(Value::False)]),
        ["excused, and covered or not there: `clearance-model`, clause 1, false"]
    );
}

const WORLD: &str =
    "given project payments\ngiven model fraud project payments\ngiven version fraud/3\ngiven person dana\n";

#[test]
fn a_wrong_line_is_shown_with_a_caret() {
    check_wrong(
        "gven person dana",
        &expect![[r#"
        error[scenario]: `gven` is not a statement
         --> tests/x.scenario:5:1
          |
        5 | gven person dana
          | ^^^^
          hint: a line starts with scenario, given, with, when or then
    "#]],
    );
    check_wrong(
        "given persn erin",
        &expect![[r#"
        error[scenario]: `persn` is not a kind of thing
         --> tests/x.scenario:5:7
          |
        5 | given persn erin
          |       ^^^^^
          hint: write group, person, machine, project, model, version, alias, environment, endpoint, dataset or grant
    "#]],
    );
    check_wrong(
        "given grant g to dana inference on froud",
        &expect![[r#"
        error[scenario]: there is no model `froud`
         --> tests/x.scenario:5:36
          |
        5 | given grant g to dana inference on froud
          |                                    ^^^^^
          hint: known so far: fraud
    "#]],
    );
    check_wrong(
        "given grant g to dana",
        &expect![[r#"
        error[scenario]: a privilege is missing
         --> tests/x.scenario:5:22
          |
        5 | given grant g to dana
          |                      ^
    "#]],
    );
    check_wrong(
        "scenario s\nwhen dana predikt fraud/3",
        &expect![[r#"
        error[scenario]: an action: `predikt` is not an action
         --> tests/x.scenario:6:11
          |
        6 | when dana predikt fraud/3
          |           ^^^^^^^
    "#]],
    );
    check_wrong(
        "scenario s\nwhen dana readCard fraud risk 101",
        &expect![[r#"
        error[scenario]: a risk is a number from 0 to 100
         --> tests/x.scenario:6:31
          |
        6 | when dana readCard fraud risk 101
          |                               ^^^
    "#]],
    );
    check_wrong(
        "scenario s\nwhen dana readCard fraud\nwhen dana readCard fraud",
        &expect![[r#"
        error[scenario]: a `then` is missing after this `when`
         --> tests/x.scenario:6:1
          |
        6 | when dana readCard fraud
          | ^^^^^^^^^^^^^^^^^^^^^^^^
          hint: write `then allow` or `then deny` below `dana readCard fraud`
    "#]],
    );
    check_wrong(
        "when dana readCard fraud",
        &expect![[r#"
        error[scenario]: a `when` stands in a scenario
         --> tests/x.scenario:5:1
          |
        5 | when dana readCard fraud
          | ^^^^^^^^^^^^^^^^^^^^^^^^
          hint: write `scenario TITLE` before it
    "#]],
    );
    check_wrong(
        "scenario s\nwhen dana readCard fraud\nthen deny under g",
        &expect![[r#"
        error[scenario]: `under` is not known here
         --> tests/x.scenario:7:11
          |
        7 | then deny under g
          |           ^^^^^
          hint: known here: forbidden, not-permitted, error-closed, obligation-unmet, by POLICIES
    "#]],
    );
}

fn check_wrong(lines: &str, expected: &Expect) {
    let text = format!("{WORLD}{lines}\n");
    let finding = parse("tests/x.scenario", &text).expect_err("a line is wrong");
    expected.assert_eq(&finding.render(&[("tests/x.scenario".to_owned(), text)].into()));
}

#[test]
fn an_expectation_that_is_not_met_says_what_came_instead() {
    let told = |then: &str| {
        let grant = "given grant g to dana read-only on fraud\ngiven grant h to dana read-only on platform\n";
        let text = format!("{WORLD}scenario s\n{grant}when dana readCard fraud\nthen {then}\n");
        let scenarios = parse("tests/x.scenario", &text).expect("well-formed");
        let results = scenarios[0].run(&default_bundle(), None);
        results[0].failure.clone().unwrap_or_else(|| "passed".to_owned())
    };
    let told = [
        "allow",
        "allow by read-only under g obliged nothing",
        "deny",
        "allow by self",
        "allow under h",
        "allow obliged watermark",
    ]
    .map(told);
    expect![[r#"
        passed
        passed
        expected deny, and it is permitted by read-only: You may read a model card: fraud.
        expected it by self, and it is permitted by read-only: You may read a model card: fraud.
        expected it under `h`, and it is under another grant or none
        expected the obligations watermark, and they are nothing"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn half_a_file_is_read_or_refused_with_a_place_inside_it() {
    let bundle = default_bundle();
    let text = &bundle.sources()["tests/guardrails.scenario"];
    for (at, _) in text.char_indices().step_by(7) {
        let half = text.get(..at).expect("a boundary of characters");
        if let Err(finding) = parse("tests/x.scenario", half) {
            let place = finding.at.expect("a place");
            assert!(place.line <= half.lines().count().max(1), "{place}: {}", finding.message);
        }
    }
}
