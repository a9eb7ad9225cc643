//! The gate as a whole: what passes, what fails, and how it is told.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use expect_test::expect;
use modelward_policy::gate::{Candidate, Report, Status, Step, check, proofs};
use modelward_policy::parts::Demand;
use modelward_policy::verdict::{Proof, Solver, Verdict, Verdicts};
use modelward_policy::{Finding, Level};
use modelward_seal::Digest;

use crate::house::{changed, default_bundle, sources, with};

fn report(sources: &BTreeMap<String, String>, verdicts: Option<&Verdicts>) -> Report {
    check(Candidate { sources, active: Some(&default_bundle()), verdicts })
}

/// The default bundle against itself.
static DEFAULT: LazyLock<Report> = LazyLock::new(|| report(&sources(), None));

/// A guardrail that was widened: risk suspends later.
static LOOSER: LazyLock<Report> = LazyLock::new(|| {
    report(&changed("guardrails.cedar", "context.risk.value >= 80", "context.risk.value >= 95"), None)
});

fn statuses(report: &Report) -> String {
    let lines =
        report.steps.iter().map(|step| format!("{} {}: {}", step.name, step.status.as_str(), step.summary));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_default_bundle_passes() {
    expect![[r#"
        parse passed: 40 policies, strictly valid
        lints passed: 8 rules
        tests passed: 150 of 150 passed
        coverage passed: 243 of 243 halves of clauses seen, 0 excused
        matrix passed: 471 rows as reviewed
        difference passed: 0 rows change: 0 cells looser, 0 stricter
        proofs skipped: not proven: no solver was asked"#]]
    .assert_eq(&statuses(&DEFAULT));
    assert!(DEFAULT.passed());
    assert!(DEFAULT.matrix.is_empty());
}

#[test]
fn a_widened_guardrail_fails_its_test_and_shows_what_it_opens() {
    expect![[r#"
        parse passed: 40 policies, strictly valid
        lints passed: 8 rules
        tests failed: 149 of 150 passed
        coverage failed: 242 of 243 halves of clauses seen, 0 excused
        matrix failed: 328 rows are not as reviewed
        difference passed: 328 rows change: 328 cells looser, 0 stricter
        proofs skipped: not proven: no solver was asked"#]]
    .assert_eq(&statuses(&LOOSER));
    assert!(!LOOSER.passed());
    assert!(LOOSER.matrix.iter().flat_map(|row| &row.cells).all(|cell| cell.is_looser()));
}

#[test]
fn a_review_reads_markdown() {
    let whole = LOOSER.to_markdown();
    let top: Vec<&str> = whole.lines().filter(|line| !line.contains("sha256:")).take(24).collect();
    expect![[r#"
        ## ✘ The policy gate failed


        | step | result | |
        |---|---|---|
        | parse | ✔ passed | 40 policies, strictly valid |
        | lints | ✔ passed | 8 rules |
        | tests | ✘ **failed** | 149 of 150 passed |
        | coverage | ✘ **failed** | 242 of 243 halves of clauses seen, 0 excused |
        | matrix | ✘ **failed** | 328 rows are not as reviewed |
        | difference | ✔ passed | 328 rows change: 328 cells looser, 0 stricter |
        | proofs | · skipped | not proven: no solver was asked |

        ### Findings

        - **error** `tests/guardrails.scenario:53:1` high risk suspends access, but not seeing one's own: expected deny, and it is permitted by inference: You may ask a model for a prediction: fraud/3. (test)
        - **error** `guardrails.cedar:52:8` clause 1 of `risk-high` was never seen true: context.risk.value &gt;= 95 (coverage)
        - **error** `matrix.txt:51:1` the bundle no longer decides as this row says (matrix)
        - **error** `matrix.txt:52:1` the bundle no longer decides as this row says (matrix)
        - **error** `matrix.txt:53:1` the bundle no longer decides as this row says (matrix)
        - **error** `matrix.txt:54:1` the bundle no longer decides as this row says (matrix)
        - **error** `matrix.txt:55:1` the bundle no longer decides as this row says (matrix)

        ### What changes against the bundle in force"#]].assert_eq(&top.join("\n"));
    assert!(whole.contains("cells of the matrix become looser, 0 stricter"), "{whole}");
}

#[test]
fn a_terminal_shows_the_line_and_a_caret() {
    let text = LOOSER.to_text();
    let from = text.find("error[test]").expect("a failed test");
    let shown: Vec<&str> = text.get(from..).unwrap_or_default().lines().take(5).collect();
    expect![[r#"
        error[test]: high risk suspends access, but not seeing one's own: expected deny, and it is permitted by inference: You may ask a model for a prediction: fraud/3.
          --> tests/guardrails.scenario:53:1
           |
        53 | then deny forbidden by risk-high
           | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"#]].assert_eq(&shown.join("\n"));
    assert!(text.contains("\nfailed: "), "{text}");
}

#[test]
fn programs_read_json_sarif_and_junit() {
    let json: serde_json::Value = serde_json::from_str(&LOOSER.to_json().expect("JSON")).expect("JSON");
    assert_eq!(json["format"], "modelward-policy-report/1");
    assert_eq!(json["passed"], false);
    assert_eq!(json["steps"].as_array().map(Vec::len), Some(LOOSER.steps.len()));

    let sarif: serde_json::Value =
        serde_json::from_str(&LOOSER.to_sarif("policies").expect("JSON")).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    for result in run["results"].as_array().expect("results") {
        assert!(rules.contains(&result["ruleId"].as_str().expect("a rule")), "{result}");
        let location = &result["locations"][0]["physicalLocation"];
        let uri = location["artifactLocation"]["uri"].as_str().expect("a path");
        assert!(uri.starts_with("policies/"), "{uri}");
        assert!(location["region"]["startLine"].as_u64().expect("a line") >= 1);
    }

    let junit = LOOSER.to_junit();
    assert!(junit.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites"), "{junit}");
    assert_eq!(junit.matches("<testsuite ").count(), junit.matches("</testsuite>").count());
    let failures = LOOSER.tests.iter().filter(|test| !test.passed()).count();
    let failed_steps = LOOSER.steps.iter().filter(|step| step.status == Status::Failed).count();
    assert_eq!(junit.matches("<failure ").count(), failures + failed_steps);
}

#[test]
fn files_that_are_no_bundle_are_all_named_and_nothing_else_is_tried() {
    let mut sources = changed("guardrails.cedar", "principal.active", "principal.activ");
    sources.insert("signals.toml".to_owned(), "x = 1\n".to_owned());
    sources.insert("tests/own.scenario".to_owned(), "gven\n".to_owned());
    let report = report(&sources, None);
    assert_eq!(report.steps.len(), 1);
    assert!(!report.passed());
    let at: Vec<String> =
        report.findings().filter_map(|finding| Some(finding.at.as_ref()?.to_string())).collect();
    assert_eq!(at, ["guardrails.cedar:13:10", "signals.toml:1:1", "tests/own.scenario:1:1"]);
    let hostile = with("<script>.cedar", "");
    let report = check(Candidate { sources: &hostile, active: None, verdicts: None });
    assert!(!report.to_junit().contains("<script>"), "names are escaped");
}

fn verdicts(result: Proof) -> Verdicts {
    let check = Verdict {
        name: "invariant/export".to_owned(),
        query: Digest::of(b"query"),
        result,
        time_ms: 1,
        counterexample: Some("dana may download weights without a grant".to_owned()),
        test_case: Some("when dana downloadWeights fraud/3\nthen deny".to_owned()),
    };
    Verdicts { solver: Solver { name: "cvc5".to_owned(), version: "1.0.3".to_owned() }, checks: vec![check] }
}

#[test]
fn what_is_not_proven_fails_where_proofs_are_demanded() {
    let step = |verdicts: Option<Verdicts>, demand: Demand| {
        let step = proofs(verdicts.as_ref(), demand);
        (step.status, step.summary)
    };
    let unproven = || verdicts(Proof::NotProven { reason: "time ran out".to_owned() });
    assert_eq!(step(None, Demand::Required), (Status::Failed, "not proven".to_owned()));
    assert_eq!(step(None, Demand::Optional).0, Status::Skipped);
    assert_eq!(step(Some(unproven()), Demand::Required).0, Status::Failed);
    assert_eq!(
        step(Some(unproven()), Demand::Optional),
        (Status::Passed, "0 of 1 hold, by cvc5 1.0.3".to_owned())
    );
    assert_eq!(step(Some(verdicts(Proof::Holds)), Demand::Required).0, Status::Passed);
    assert_eq!(step(Some(verdicts(Proof::Violated)), Demand::Optional).0, Status::Failed, "never a yes");
    let demanding = changed("bundle.toml", "proofs = \"optional\"", "proofs = \"required\"");
    let report = check(Candidate { sources: &demanding, active: None, verdicts: None });
    assert!(!report.passed());
    assert!(report.findings().any(|finding| finding.message.starts_with("not proven")));
}

#[test]
fn steps_made_elsewhere_join_the_report() {
    let mut report = DEFAULT.clone();
    report.add(Step::new(
        "replay",
        "3 flips",
        vec![Finding::error("replay", "dana lost `predict` on fraud")],
    ));
    assert!(!report.passed());
    assert!(report.to_sarif("").expect("JSON").contains("\"replay\""));
    assert!(report.findings().any(|finding| finding.level == Level::Error));
}

#[test]
fn a_project_bundle_is_checked_together_with_its_root() {
    let scope = modelward_decision::vocabulary::ProjectId::from_bits(0x1001);
    let project = BTreeMap::from([
        (
            "bundle.toml".to_owned(),
            format!(
                "name = \"payments\"\nversion = \"1\"\nschema_version = 1\nkind = \"project\"\nproject = \"payments\"\n\
                 scope = \"{scope}\"\n"
            ),
        ),
        (
            "own.cedar".to_owned(),
            format!(
                "@id(\"own\") @title(\"Cards of payments are open to the company\") @owner(\"payments\")\n\
                 permit (principal is Modelward::Person, action == Modelward::Action::\"readCard\", \
                 resource in Modelward::Scope::\"{scope}\");\n"
            ),
        ),
        (
            "tests/own.scenario".to_owned(),
            "given project payments\ngiven model fraud project payments\ngiven person dana\n\
             scenario cards are open\nwhen dana readCard fraud\nthen allow by own\n"
                .to_owned(),
        ),
    ]);
    let with_root = report(&project, None);
    assert!(with_root.passed(), "{}", with_root.to_text());
    let alone = check(Candidate { sources: &project, active: None, verdicts: None });
    assert!(!alone.passed());
}
