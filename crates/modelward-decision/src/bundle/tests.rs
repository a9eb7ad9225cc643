use super::*;
use crate::vocabulary::Action;

#[test]
fn the_default_bundle_passes_every_check() {
    let bundle = Bundle::default_bundle().expect("the default bundle is valid");
    assert_eq!(bundle.manifest().name.as_str(), "modelward-default");
}

#[test]
fn every_action_of_the_vocabulary_stands_in_the_schema_under_its_privilege_alone() {
    let bundle = Bundle::default_bundle().expect("the default bundle is valid");
    let mut leaves = BTreeSet::new();
    for action in bundle.schema().actions().map(ToString::to_string) {
        leaves.insert(action);
    }
    for action in Action::ALL {
        let uid = format!("Modelward::Action::\"{action}\"");
        assert!(leaves.remove(&uid), "{uid} is missing in the schema");
        let kinds: BTreeSet<String> =
            action.resources().iter().map(|kind| format!("Modelward::{}", kind.as_str())).collect();
        let in_schema: BTreeSet<String> = bundle
            .schema()
            .request_envs()
            .filter(|env| env.action().to_string() == uid)
            .map(|env| env.resource().to_string())
            .collect();
        assert_eq!(kinds, in_schema, "{uid}");
    }
    let groups: BTreeSet<String> = crate::vocabulary::Privilege::ALL
        .map(|privilege| format!("Modelward::Action::\"{}\"", privilege.group()))
        .into_iter()
        .collect();
    assert_eq!(leaves, groups);
}

#[test]
fn a_broken_policy_is_rejected_with_its_place() {
    let changed = |file: &str, change: fn(&str) -> String| {
        let sources = Bundle::default_bundle().expect("the default bundle is valid").sources().clone();
        let sources = sources
            .into_iter()
            .map(|(name, text)| if name == file { (name, change(&text)) } else { (name, text) });
        Bundle::from_sources(sources.collect::<Vec<_>>())
            .expect_err("the change breaks the bundle")
            .to_string()
    };
    let cases = [
        changed("guardrails.cedar", |text| text.replacen("forbid (", "forbidden (", 1)),
        changed("guardrails.cedar", |text| text.replace("principal.active", "principal.activ")),
        changed("guardrails.cedar", |text| {
            text.replacen("@remedy(\"administrator\")", "@remedy(\"magic\")", 1)
        }),
        changed("guardrails.cedar", |text| text.replacen("@id(\"principal-inactive\")", "", 1)),
        changed("guardrails.cedar", |text| text.replacen("principal-inactive", "read-only", 1)),
        changed("obligations.cedar", |text| text.replacen("round:2", "round:two", 1)),
        changed("bundle.toml", |text| text.replace("schema_version = 1", "schema_version = 2")),
    ];
    expect_test::expect![[r#"
        guardrails.cedar:12:1: invalid policy effect: forbidden
        guardrails.cedar: policy `principal-inactive` is not valid: for policy `principal-inactive`, attribute `activ` on entity type `Modelward::Machine` not found
        guardrails.cedar: policy `principal-inactive`: `magic` is not a remedy
        guardrails.cedar: a policy lacks `@id`
        privileges.cedar: the id `read-only` is taken by another policy
        obligations.cedar: policy `rounded-scores`: `round:two` is not an obligation: use strip:FIELD+FIELD, round:N, top-k:N, label-only, mask:CLASS, row-filter:NAME, cohort:N, answer-bytes:N, rate:N, step-up:STRENGTH:SECONDS, watermark or notify:NAME
        the bundle speaks schema version 2, this program version 1"#]].assert_eq(&cases.join("\n"));
}

#[test]
fn any_changed_byte_changes_the_digest() {
    let bundle = Bundle::default_bundle().expect("the default bundle is valid");
    let mut sources = bundle.sources().clone();
    sources.entry("guardrails.cedar".to_owned()).or_default().push('\n');
    let changed = Bundle::from_sources(sources).expect("a blank line is valid");
    assert_ne!(bundle.digest(), changed.digest());
}
