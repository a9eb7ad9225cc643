//! Policy bundles from the command line, without a server.

use std::path::Path;
use std::process::Command;

use crate::stage::{Said, Stage};

/// The default bundle, copied to where a test may change it.
fn folder(stage: &Stage) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let status = Command::new("cp").arg("-r").arg(source).arg(stage.path("policies")).status().unwrap();
    assert!(status.success());
    "policies".to_owned()
}

fn change(stage: &Stage, file: &str, from: &str, to: &str) {
    let path = stage.path("policies").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

fn check(stage: &Stage, more: &[&str]) -> Said {
    stage.run(&[&["policy", "check", "policies", "--no-proofs"], more].concat())
}

#[test]
fn the_default_bundle_passes_and_the_reports_are_written() {
    let stage = Stage::new();
    folder(&stage);
    let said = check(&stage, &["--sarif", "r.sarif", "--junit", "r.xml", "--markdown", "r.md"]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("passed: 0 errors"), "{}", said.stdout);
    let sarif: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(stage.path("r.sarif")).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(std::fs::read_to_string(stage.path("r.xml")).unwrap().starts_with("<?xml"));
    assert!(!std::fs::read_to_string(stage.path("r.md")).unwrap().is_empty());
}

#[test]
fn a_wrong_file_is_shown_with_its_place_and_fails_the_gate() {
    let stage = Stage::new();
    folder(&stage);
    change(&stage, "guardrails.cedar", "context.risk.value >= 80", "context.risk.valeu >= 80");
    let said = check(&stage, &[]);
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("guardrails.cedar:") && said.stdout.contains('^'), "{}", said.stdout);
}

#[test]
fn a_weaker_guardrail_is_noticed_by_tests_and_matrix() {
    let stage = Stage::new();
    folder(&stage);
    change(
        &stage,
        "guardrails.cedar",
        "context.session.ageSeconds <= 300",
        "context.session.ageSeconds <= 7200",
    );
    let said = check(&stage, &[]);
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("✘ tests") && said.stdout.contains("✘ matrix"), "{}", said.stdout);
}

#[test]
fn a_bundle_is_built_signed_and_verified_without_a_server() {
    let stage = Stage::new();
    folder(&stage);
    let mut reviewers = String::new();
    for (name, group) in [("ben", "platform"), ("eve", "security")] {
        let key = format!("{name}.key");
        let said = stage.run(&["policy", "key", name, "--group", group, "--output", &key]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert_ne!(
            stage.run(&["policy", "key", name, "--output", &key]).code,
            0,
            "a key is never overwritten"
        );
        reviewers += &said.stdout;
    }
    let path = stage.path("policies/reviewers.toml");
    std::fs::write(path, reviewers).unwrap();
    let force = stage.run(&["policy", "build", "policies", "--output", "force.mwb"]);
    assert_eq!(force.code, 0, "{}", force.stderr);
    let previous = force.stdout.trim().to_owned();
    assert!(previous.starts_with("sha256:"));

    change(&stage, "bundle.toml", "version = \"0.1.0\"", "version = \"0.2.0\"");
    let next = stage.run(&["policy", "build", "policies", "--output", "next.mwb"]);
    assert_ne!(next.stdout.trim(), previous);
    let verify = ["policy", "verify", "next.mwb", "--previous", "force.mwb"];
    let unsigned = stage.run(&verify);
    assert!(unsigned.code == 1 && unsigned.stderr.contains("0 of 2 reviewers"), "{}", unsigned.stderr);
    for (name, role) in [("ben", "platform"), ("eve", "security")] {
        let key = format!("{name}.key");
        let sign = ["policy", "sign", "next.mwb", "--key", &key, "--author", "ada", "--role", role];
        let without = stage.run(&sign);
        assert!(without.stderr.contains("needs `--previous`"), "{}", without.stderr);
        let said = stage.run(&[&sign[..], &["--previous", &previous]].concat());
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    let verified = stage.run(&verify);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert!(verified.stderr.contains("signed by ben and eve"), "{}", verified.stderr);

    // One byte of the texts changes, and it is another bundle.
    let text = std::fs::read_to_string(stage.path("next.mwb")).unwrap();
    stage.write("next.mwb", &text.replacen("0.2.0", "0.2.1", 1));
    let forged = stage.run(&verify);
    assert!(forged.code == 1 && forged.stderr.contains("its texts are"), "{}", forged.stderr);
}
