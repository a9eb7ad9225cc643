//! What a project's own bundle may hold.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use modelward_decision::vocabulary::ProjectId;
use modelward_policy::project::compose;

use crate::house::default_bundle;

const HEAD: &str = "@id(\"own\") @title(\"t\") @owner(\"payments\")\n";

fn project(policies: &str) -> BTreeMap<String, String> {
    let scope = ProjectId::from_bits(7);
    let manifest = format!(
        "name = \"payments\"\nversion = \"1\"\nschema_version = 1\nkind = \"project\"\nproject = \"payments\"\nscope = \"{scope}\"\n"
    );
    let policies = policies.replace("OWN", &scope.to_string());
    BTreeMap::from([
        ("bundle.toml".to_owned(), manifest),
        ("own.cedar".to_owned(), format!("{HEAD}{policies}")),
    ])
}

#[test]
fn permits_bound_to_the_project_join_the_root_bundle() {
    let permit = "permit (principal, action in Modelward::Action::\"ReadOnly\", resource in Modelward::Scope::\"OWN\");";
    let composed = compose(&default_bundle(), &project(permit)).expect("a project bundle");
    assert!(composed.policy_text("own").is_some());
    assert!(composed.policy_text("principal-inactive").is_some(), "every guardrail stays");
    assert_ne!(composed.digest(), default_bundle().digest());
}

#[test]
fn whatever_else_is_refused() {
    check(
        "forbid (principal, action, resource in Modelward::Scope::\"OWN\");",
        &expect![["own.cedar:1:1: `own` forbids, and a project bundle only permits"]],
    );
    check(
        "permit (principal, action, resource);",
        &expect![["own.cedar:1:1: `own` is not bound to the project"]],
    );
    check(
        "permit (principal, action, resource in Modelward::Scope::\"pr_00000000000000000000000008\");",
        &expect![["own.cedar:1:1: `own` is not bound to the project"]],
    );
    check(
        "permit (principal, action, resource) when { resource in Modelward::Scope::\"OWN\" };",
        &expect![["own.cedar:1:1: `own` is not bound to the project"]],
    );
    check(
        "permit (principal, action, resource in Modelward::Scope::\"OWN\") when { principal.nothing };",
        &expect![
            "own.cedar:2:98: policy `own` is not valid: for policy `own`, attribute `nothing` on entity type `Modelward::Machine` not found"
        ],
    );
    for file in ["schema.cedarschema", "obligations.cedar", "reviewers.toml", "invariants/envelope.cedar"] {
        let mut sources = project("permit (principal, action, resource in Modelward::Scope::\"OWN\");");
        sources.insert(file.to_owned(), String::new());
        let findings = compose(&default_bundle(), &sources).expect_err("not a project's to say");
        assert_eq!(findings[0].message, format!("a project bundle has no `{file}`"));
    }
}

fn check(policies: &str, expected: &Expect) {
    let findings = compose(&default_bundle(), &project(policies)).expect_err("the bundle is refused");
    let shown: Vec<String> = findings
        .iter()
        .map(|finding| format!("{}: {}", finding.at.as_ref().expect("a place"), finding.message))
        .collect();
    expected.assert_eq(&shown.join("\n"));
}
