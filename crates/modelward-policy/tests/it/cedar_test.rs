//! Tests in Cedar's own form.

use modelward_decision::bundle::FileKind;
use modelward_policy::cedar_test::{export, parse, run};
use modelward_policy::scenario;

use crate::house::default_bundle;

#[test]
fn every_scenario_survives_the_way_out_and_back() {
    let bundle = default_bundle();
    let mut requests = 0;
    let mut scenarios = Vec::new();
    for (file, text) in
        bundle.sources().iter().filter(|(file, _)| FileKind::of(file) == Some(FileKind::Scenario))
    {
        scenarios.extend(scenario::parse(file, text).expect("well-formed"));
    }
    requests += scenarios.iter().map(|scenario| scenario.cases.len()).sum::<usize>();
    let tests = export(&scenarios, &bundle);
    assert!(tests.len() >= requests, "{} tests of {requests} requests", tests.len());
    let text = serde_json::to_string_pretty(&tests).expect("JSON");
    let back = parse("tests/cedar.json", &text).expect("well-formed");
    assert_eq!(back, tests);
    for result in run("tests/cedar.json", &back, &bundle) {
        assert_eq!(result.failure, None, "{}", result.name);
    }
}

#[test]
fn a_test_that_does_not_hold_says_why() {
    let bundle = default_bundle();
    let text = "given person dana\nscenario s\nwhen dana signIn platform\nthen allow\n";
    let scenarios = scenario::parse("tests/x.scenario", text).expect("well-formed");
    let mut tests = export(&scenarios, &bundle);
    tests[0].reason.insert("audit".to_owned());
    tests.push(tests[0].clone());
    tests[1].decision = modelward_policy::cedar_test::Verdict::Deny;
    tests.push(tests[0].clone());
    tests[2].request.context = serde_json::json!({ "now": 1 });
    let told: Vec<String> =
        run("tests/cedar.json", &tests, &bundle).into_iter().filter_map(|result| result.failure).collect();
    assert_eq!(told[0], r#"expected it by ["audit"] too, and it is by {"self"}"#);
    assert_eq!(told[1], r#"expected Deny, and it is Allow by {"self"}"#);
    assert!(told[2].starts_with("context: "), "{}", told[2]);
}

#[test]
fn a_broken_file_is_refused_with_its_place() {
    let at = |text: &str| {
        let finding = parse("tests/x.json", text).expect_err("a broken file");
        format!("{}: {}", finding.at.expect("a place"), finding.message)
    };
    assert!(at("[{]").starts_with("tests/x.json:1:"));
    assert_eq!(at("{}"), "tests/x.json:1:1: the file is no list of tests");
    assert!(at("[{\"request\": 1}]").starts_with("tests/x.json:1:1: test 1: "));
}
