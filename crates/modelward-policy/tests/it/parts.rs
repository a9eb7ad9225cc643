//! The tables around the policies: what is read, and how what is wrong is told.

use expect_test::{Expect, expect};
use modelward_decision::vocabulary::Privilege;
use modelward_policy::Parts;
use modelward_policy::parts::Response;

use crate::house::{sources, with};

#[test]
fn the_tables_of_the_default_bundle_are_well_formed() {
    let parts = Parts::read(&sources()).expect("well-formed tables");
    let missing: Vec<Privilege> = Privilege::ALL
        .into_iter()
        .filter(|privilege| !parts.entitlements.entitlements.iter().any(|each| each.privilege == *privilege))
        .collect();
    assert_eq!(missing, [Privilege::SelfService], "every other privilege can be asked for");
    assert_eq!(parts.signals.response("credential-stolen", Privilege::Export), Some(Response::Cut));
    assert_eq!(parts.signals.response("credential-stolen", Privilege::SelfService), None);
    assert!(parts.reviewers.is_empty());
}

#[test]
fn what_is_wrong_is_shown_with_a_caret() {
    check(
        "signals.toml",
        "[signal.odd]\ntitle = \"x\"\nresponses = { inference = \"throtle\" }\n",
        &expect![[r#"
            error[bundle]: unknown variant `throtle`, expected one of `throttle`, `step-up`, `suspend`, `cut`
             --> signals.toml:3:27
              |
            3 | responses = { inference = "throtle" }
              |                           ^^^^^^^^^
        "#]],
    );
    check(
        "groups.toml",
        "[[mapping]]\nprovider = \"corp\"\nexternal = \"a\"\ngroup = \"analysts\"\nrole = \"x\"\n",
        &expect![[r#"
            error[bundle]: unknown field `role`, expected one of `provider`, `external`, `group`
             --> groups.toml:5:1
              |
            5 | role = "x"
              | ^^^^
              hint: a key that is not known is refused, so that a misspelt one is noticed
        "#]],
    );
    check(
        "bundle.toml",
        "name = \"n\"\nversion = \"1\"\nschema_version = 1\nproject = \"payments\"\n",
        &expect![[r#"
            error[bundle]: a project bundle, and no other, names its `project` and `scope`
             --> bundle.toml:1:1
              |
            1 | name = "n"
              | ^
              hint: write `kind = "project"`, `project = "NAME"` and `scope = "pr_…"`, or none of the three
        "#]],
    );
    check(
        "reviewers.toml",
        "[[reviewer]\n",
        &expect![[r#"
            error[bundle]: unclosed array table, expected `]`
             --> reviewers.toml:1:12
              |
            1 | [[reviewer]
              |            ^
        "#]],
    );
}

#[test]
fn export_without_two_people_is_no_entitlement() {
    let rule = "[approval.one]\ntitle = \"one\"\nslots = [{ name = \"owner\", groups = [\"owners\"] }]\n\n";
    let entitlement = "[[entitlement]]\nname = \"out\"\ntitle = \"t\"\nprivilege = \"export\"\ngroups = [\"g\"]\n\
                       scopes = [\"version\"]\nhours_max = 8\napproval = \"one\"\n";
    check(
        "entitlements.toml",
        &format!("{rule}{entitlement}"),
        &expect![[r#"
            error[bundle]: `out` gives export with 1 approvals, and export takes 2
             --> entitlements.toml:5:1
              |
            5 | [[entitlement]]
              | ^^^^^^^^^^^^^^^
              hint: name a rule with more slots
        "#]],
    );
    check(
        "entitlements.toml",
        &rule.replace("]\n\n", ", { name = \"again\", groups = [\"owners\"] }]\n\n"),
        &expect![[r#"
            error[bundle]: the rule `one` has more slots than groups, so it can never be met
             --> entitlements.toml:1:1
              |
            1 | [approval.one]
              | ^^^^^^^^^^^^^^
              hint: each slot is filled out of a group of its own
        "#]],
    );
}

#[test]
fn every_wrong_table_is_named_at_once() {
    let mut sources = with("groups.toml", "x = 1\n");
    sources.insert("signals.toml".to_owned(), "y = 1\n".to_owned());
    let findings = Parts::read(&sources).expect_err("two wrong tables");
    let files: Vec<&str> =
        findings.iter().filter_map(|finding| Some(finding.at.as_ref()?.file.as_str())).collect();
    assert_eq!(files, ["groups.toml", "signals.toml"]);
}

fn check(file: &str, text: &str, expected: &Expect) {
    let sources = with(file, text);
    let findings = Parts::read(&sources).expect_err("the table is wrong");
    let shown: Vec<String> = findings.iter().map(|finding| finding.render(&sources)).collect();
    expected.assert_eq(&shown.join("\n"));
}
