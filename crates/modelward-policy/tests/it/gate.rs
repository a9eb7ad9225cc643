//! The gate as a whole: what passes, what fails, and how it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use expect_test::expect;
use modelward_decision::bundle::Kind;
use modelward_policy::claim::{self, Claims};
use modelward_policy::gate::{Candidate, Report, Status, Step, check};
use modelward_policy::verdict::{Proof, Solver, Verdict, Verdicts};
use modelward_policy::{Bundle, Finding, Level};
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
        parse passed: 42 policies, strictly valid
        lints passed: 8 rules
        tests passed: 157 of 157 passed
        coverage passed: 251 of 251 halves of clauses seen, 0 excused
        matrix passed: 471 rows as reviewed
        difference passed: 0 rows change: 0 cells looser, 0 stricter
        proofs skipped: not proven: no solver was asked"#]]
    .assert_eq(&statuses(&DEFAULT));
    assert!(DEFAULT.passed());
    assert!(DEFAULT.matrix.is_empty());
}

/// What stands between two lines of a guide's code block.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let begin = format!("```{language}\n");
    let rest = page.split_once(&begin).expect("a block of that language").1;
    rest.split_once("```").expect("the end of the block").0
}

/// The default bundle with what the guide says to add, so that the house's own accounts neither retrain nor export.
fn barring_own_accounts() -> BTreeMap<String, String> {
    let page = include_str!("../../../../docs/guide/signing-in.md");
    let mut sources = sources();
    for (file, language) in [("guardrails.cedar", "cedar"), ("tests/guardrails.scenario", "text")] {
        let text = sources.get_mut(file).expect("a file of the default bundle");
        text.push('\n');
        text.push_str(block(page, language));
    }
    sources
}

#[test]
fn the_policy_of_the_guide_bars_own_accounts_and_passes_the_gate() {
    let report = report(&barring_own_accounts(), None);
    assert!(report.passed(), "{}", statuses(&report));
    assert!(statuses(&report).contains("43 policies"), "{}", statuses(&report));
}

#[test]
fn a_widened_guardrail_fails_its_test_and_shows_what_it_opens() {
    expect![[r#"
        parse passed: 42 policies, strictly valid
        lints passed: 8 rules
        tests failed: 156 of 157 passed
        coverage failed: 250 of 251 halves of clauses seen, 0 excused
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
        | parse | ✔ passed | 42 policies, strictly valid |
        | lints | ✔ passed | 8 rules |
        | tests | ✘ **failed** | 156 of 157 passed |
        | coverage | ✘ **failed** | 250 of 251 halves of clauses seen, 0 excused |
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

/// A verdict on every claim of these texts, each with this result.
fn verdicts(sources: &BTreeMap<String, String>, result: &Proof) -> Verdicts {
    let whole = Bundle::from_sources(sources.clone()).expect("a bundle");
    let (claims, nothing) = (Claims::of(&whole, Kind::Root).expect("claims"), BTreeSet::new());
    let verdict = |claim: &str| Verdict {
        claim: claim.to_owned(),
        name: format!("{claim} [everywhere]"),
        query: Digest::of(b"query"),
        result: result.clone(),
        time_ms: 1,
        counterexample: Some("dana may download weights without a grant".to_owned()),
        test_case: Some("when dana downloadWeights fraud/3\nthen deny".to_owned()),
    };
    Verdicts {
        subject: claim::subject(sources).expect("a digest"),
        root: None,
        solver: Solver { name: "cvc5".to_owned(), version: "1.0.3".to_owned() },
        checks: claims.missing(&nothing).into_iter().map(verdict).collect(),
    }
}

fn proofs(sources: &BTreeMap<String, String>, verdicts: Option<&Verdicts>) -> Step {
    let report = check(Candidate { sources, active: None, verdicts });
    report.steps.into_iter().find(|step| step.name == "proofs").expect("a step")
}

#[test]
fn what_is_not_proven_fails_where_proofs_are_demanded() {
    let optional = sources();
    let required = changed("bundle.toml", "proofs = \"optional\"", "proofs = \"required\"");
    assert_eq!(proofs(&required, None).status, Status::Failed);
    assert_eq!(proofs(&optional, None).status, Status::Skipped);
    let unproven = Proof::NotProven { reason: "time ran out".to_owned() };
    let step = |sources: &BTreeMap<String, String>, result| {
        proofs(sources, Some(&verdicts(sources, &result))).status
    };
    assert_eq!(step(&required, unproven.clone()), Status::Failed);
    assert_eq!(step(&optional, unproven), Status::Passed);
    assert_eq!(step(&required, Proof::Holds), Status::Passed);
    assert_eq!(step(&optional, Proof::Violated), Status::Failed, "never a yes");
}

#[test]
fn verdicts_answer_the_claims_one_to_one_and_are_about_these_texts() {
    let required = changed("bundle.toml", "proofs = \"optional\"", "proofs = \"required\"");
    let all = verdicts(&required, &Proof::Holds);
    let told = |verdicts: &Verdicts| -> Vec<String> {
        proofs(&required, Some(verdicts)).findings.into_iter().map(|finding| finding.message).collect()
    };
    assert_eq!(told(&all), Vec::<String>::new());

    let mut missing = all.clone();
    missing.checks.retain(|check| check.claim != "invariant/live-grant");
    assert_eq!(told(&missing), ["`invariant/live-grant` is not among the verdicts"]);

    let mut unasked = all.clone();
    unasked.checks[0].claim = "invariant/nobody-wrote-it".to_owned();
    let told_of = told(&unasked);
    assert_eq!(told_of.len(), 2, "one is missing, and one nobody claims: {told_of:?}");

    let stale = Verdicts { subject: Digest::of(b"other texts"), ..all.clone() };
    assert_eq!(told(&stale), ["the verdicts are about other texts than these"]);

    // Proofs rest on what decides; a test more needs no solver.
    let mut tested = required.clone();
    tested.insert("tests/more.scenario".to_owned(), "given group nobody\n".to_owned());
    assert_eq!(proofs(&tested, Some(&all)).status, Status::Passed);
    let mut edited = required.clone();
    edited.get_mut("guardrails.cedar").expect("guardrails").push_str("// a remark\n");
    assert_eq!(proofs(&edited, Some(&all)).status, Status::Failed);
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
    let scope = modelward_decision::vocabulary::ProjectId::from_bits(7);
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
    let failed: Vec<&str> =
        with_root.steps.iter().filter(|step| step.status == Status::Failed).map(|step| step.name).collect();
    assert_eq!(failed, ["envelope", "proofs"], "nobody proved anything: {}", with_root.to_text());
    assert!(with_root.tests.iter().all(modelward_policy::scenario::TestResult::passed));
    let alone = check(Candidate { sources: &project, active: None, verdicts: None });
    assert!(!alone.passed());
}
