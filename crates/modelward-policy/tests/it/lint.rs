//! Each rule finds what it is for, and nothing in the default bundle.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use modelward_policy::{Bundle, Parts, lint};

use crate::house::{changed, sources, with};

#[test]
fn the_default_bundle_keeps_every_rule() {
    assert_eq!(findings(sources()), "");
}

#[test]
fn a_leaf_without_a_privilege_is_named() {
    let lonely = "  action lonely appliesTo { principal: [Person], resource: [Platform], context: Circumstances };\n}\n";
    let mut sources = sources();
    let schema = sources.get_mut("schema.cedarschema").expect("a schema");
    *schema = format!("{}{lonely}", schema.trim_end().strip_suffix('}').expect("a namespace"));
    expect![[r#"schema.cedarschema:124:10 error ungrouped-action: the action Modelward::Action::"lonely" belongs to no privilege"#]]
        .assert_eq(&findings(sources));
}

#[test]
fn what_network_or_caller_say_widens_nothing_that_is_at_stake() {
    check(
        "permit (principal in Modelward::Group::\"g\", action in Modelward::Action::\"Export\", resource)
         when { context has grant && context.network.value == \"office\" };",
        &expect!["new.cedar:1:1 error tier-rule: `new` permits export by `context.network`"],
    );
    check(
        "permit (principal in Modelward::Group::\"g\", action, resource)
         when { context has grant && context.ask.fields.isEmpty() && context.place.value == \"eu\" };",
        &expect!["new.cedar:1:1 error tier-rule: `new` permits retraining by `context.ask`, `context.place`"],
    );
    // Reading is not at stake.
    check(
        "permit (principal in Modelward::Group::\"g\", action in Modelward::Action::\"ReadOnly\", resource)
         when { context has grant && context.network.value == \"office\" };",
        &expect![[""]],
    );
}

#[test]
fn permits_without_a_scope_have_a_budget() {
    check(
        "permit (principal, action in Modelward::Action::\"ReadOnly\", resource) when { context has grant };",
        &expect![[r#"
            bundle.toml:1:1 error unscoped-permits: 13 permits name neither a principal nor a resource, and the budget is 12: `audit`, `data-export`, `deploy`, `experiment`, `export`, `govern`, `inference`, `inference-sensitive`, `new`, `read-only`, `registry`, `retraining`, `self`
            privileges.cedar:9:1 warning shadowed-policy: `read-only` applies only where `new` does too"#]],
    );
}

#[test]
fn where_somebody_seems_to_be_is_never_enough_alone() {
    check(
        "permit (principal in Modelward::Group::\"g\", action == Modelward::Action::\"readCard\", resource)
         when { context.place.value == \"eu\" && context.device.managed };",
        &expect![
            "new.cedar:1:1 error weak-condition: `new` permits by `context.device`, `context.place` alone"
        ],
    );
}

#[test]
fn what_can_never_apply_and_what_changes_nothing_is_named() {
    check(
        "forbid (principal, action, resource) when { principal.active && false };",
        &expect![
            "new.cedar:1:1 error dead-policy: `new`: policy is impossible: the policy expression evaluates to false for all valid requests"
        ],
    );
    check(
        "forbid (principal is Modelward::Person, action == Modelward::Action::\"predict\", resource)
         when { context.risk.value >= 80 };",
        &expect!["new.cedar:1:1 warning shadowed-policy: `new` applies only where `risk-high` does too"],
    );
    check(
        "forbid (principal, action, resource) unless { principal.active };",
        &expect![
            "guardrails.cedar:7:1 warning shadowed-policy: `principal-inactive` applies only where `new` does too"
        ],
    );
}

#[test]
fn text_that_does_not_read_as_it_is_is_named() {
    let policy = "@id(\"new\") @title(\"t\") @owner(\"o\") @reason(\"r\") @remedy(\"administrator\")\n\
                  forbid (principal, action, resource) when { context.environment == \"prod\u{202e}uction\" };\n";
    let told = findings(with("new.cedar", policy));
    assert!(told.starts_with("new.cedar:1:1 error confusable-text: `new`: "), "{told}");
}

#[test]
fn guardrails_only_forbid() {
    let permit =
        "permit (principal == Modelward::Person::\"x\", action, resource) when { context has grant };";
    let sources = changed(
        "guardrails.cedar",
        "@id(\"principal-inactive\")",
        &format!("@id(\"hole\") @title(\"t\") @owner(\"o\")\n{permit}\n@id(\"principal-inactive\")"),
    );
    expect![
        "guardrails.cedar:7:1 error permitting-guardrail: `hole` permits, and stands among the guardrails"
    ]
    .assert_eq(&findings(sources));
}

fn findings(sources: BTreeMap<String, String>) -> String {
    let gate = Parts::read(&sources).expect("well-formed tables").gate;
    let bundle = Bundle::from_sources(sources).unwrap_or_else(|error| panic!("{error}"));
    let shown: Vec<String> = lint::check(&bundle, &gate)
        .iter()
        .map(|finding| {
            let at = finding.at.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{at} {} {}: {}", finding.level.as_str(), finding.rule, finding.message)
        })
        .collect();
    shown.join("\n")
}

fn check(policy: &str, expected: &Expect) {
    let text = format!(
        "@id(\"new\") @title(\"t\") @owner(\"o\") @reason(\"r\") @remedy(\"administrator\")\n{policy}\n"
    );
    expected.assert_eq(&findings(with("new.cedar", &text)));
}
