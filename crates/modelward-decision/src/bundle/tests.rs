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
        changed("bundle.toml", |text| text.replace("schema_version", "skema_version")),
        changed("bundle.toml", |text| format!("kind = \"project\"\n{text}")),
        changed("schema.cedarschema", |text| text.replace("entity Group", "entities Group")),
    ];
    expect_test::expect![[r#"
        guardrails.cedar:12:1: invalid policy effect: forbidden
        guardrails.cedar:13:10: policy `principal-inactive` is not valid: for policy `principal-inactive`, attribute `activ` on entity type `Modelward::Machine` not found
        guardrails.cedar:7:1: policy `principal-inactive`: `magic` is not a remedy
        guardrails.cedar:8:1: a policy lacks `@id`
        privileges.cedar:9:1: the id `read-only` is taken by another policy
        obligations.cedar:17:1: policy `rounded-scores`: `round:two` is not an obligation: use strip:FIELD+FIELD, round:N, top-k:N, label-only, mask:CLASS, row-filter:NAME, cohort:N, answer-bytes:N, rate:N, step-up:STRENGTH:SECONDS, watermark or notify:NAME
        the bundle speaks schema version 2, this program version 1
        bundle.toml:5:1: unknown field `skema_version`, expected one of `name`, `version`, `schema_version`, `kind`, `project`, `scope`, `gate`
        bundle.toml says `kind = "project"`: such a bundle decides nothing alone
        schema.cedarschema:8:3: error parsing schema: unexpected token `entities`"#]].assert_eq(&cases.join("\n"));
}

#[test]
fn any_changed_byte_changes_the_digest() {
    let bundle = Bundle::default_bundle().expect("the default bundle is valid");
    let mut sources = bundle.sources().clone();
    sources.entry("guardrails.cedar".to_owned()).or_default().push('\n');
    let changed = Bundle::from_sources(sources).expect("a blank line is valid");
    assert_ne!(bundle.digest(), changed.digest());
}

#[test]
fn the_default_bundle_is_the_whole_folder() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
            found.insert(name, std::fs::read_to_string(&path).expect("a text"));
        }
    }
    let built_in = Bundle::default_bundle().expect("the default bundle is valid").sources().clone();
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        built_in.keys().collect::<Vec<_>>(),
        "list the file in bundle/files.rs"
    );
    assert_eq!(found, built_in);
}

#[test]
fn a_file_of_no_known_kind_is_rejected() {
    let with = |name: &str| {
        let mut sources = Bundle::default_bundle().expect("the default bundle is valid").sources().clone();
        sources.insert(name.to_owned(), String::new());
        Bundle::from_sources(sources).map(|_| ())
    };
    for known in
        ["more.cedar", "invariants/own.cedar", "tests/more.scenario", "tests/cedar.json", "groups.toml"]
    {
        with(known).unwrap_or_else(|error| panic!("{known}: {error}"));
    }
    for unknown in
        ["notes.txt", "../x.cedar", "/x.cedar", "a/b.cedar", "tests/a/b.scenario", ".cedar", "tests/.json"]
    {
        assert!(matches!(with(unknown), Err(BundleError::UnknownFile { .. })), "{unknown}");
    }
}

#[test]
fn policies_below_the_top_are_carried_and_decide_nothing() {
    let default = Bundle::default_bundle().expect("the default bundle is valid");
    let mut sources = default.sources().clone();
    let hole = "@id(\"hole\") @title(\"t\") @owner(\"o\") permit (principal, action, resource);";
    sources.insert("invariants/hole.cedar".to_owned(), hole.to_owned());
    let bundle = Bundle::from_sources(sources).expect("an invariant more is valid");
    assert!(bundle.policy_text("hole").is_none());
    assert_ne!(bundle.digest(), default.digest());
}

#[test]
fn an_outline_says_where_each_clause_stands() {
    let bundle = Bundle::default_bundle().expect("the default bundle is valid");
    let outline = bundle.outline();
    let deploy = outline.iter().find(|policy| policy.id == "deploy").expect("a policy");
    let lines: Vec<&str> = bundle.sources()["privileges.cedar"].lines().collect();
    for clause in &deploy.clauses {
        let line: Vec<char> = lines[clause.at.line - 1].chars().collect();
        let there: String = line[clause.at.column - 1..][..clause.at.length].iter().collect();
        assert_eq!(there, clause.text);
    }
    assert_eq!(deploy.clauses.len(), 8);
}

/// Forty permits of the same actions, so that they are judged by a schema of those alone.
fn many(body: impl Fn(u32) -> String) -> Result<Bundle, BundleError> {
    let text: String = (0..40)
        .map(|number| {
            format!(
                "@id(\"many-{number}\") @title(\"t\") @owner(\"o\")\n\
                 permit (principal in Modelward::Group::\"{number}\", action in Modelward::Action::\"Export\", resource)\n\
                 when {{ {} }};\n",
                body(number)
            )
        })
        .collect();
    let mut sources = Bundle::default_bundle().expect("the default bundle is valid").sources().clone();
    sources.insert("many.cedar".to_owned(), text);
    Bundle::from_sources(sources)
}

#[test]
fn policies_of_the_same_actions_are_judged_as_the_whole_schema_judges_them() {
    let told =
        |body: fn(u32) -> String| many(body).map_or_else(|error| error.message(), |_| "valid".to_owned());
    // Export reaches versions alone, which have all of these.
    assert_eq!(told(|_| "resource.proven && context has grant".to_owned()), "valid");
    // Another action may stand in the body.
    assert_eq!(told(|_| "action != Modelward::Action::\"predict\"".to_owned()), "valid");
    assert_eq!(
        told(|number| format!("resource.{}", if number == 7 { "approved" } else { "proven" })),
        "policy `many-7` is not valid: for policy `many-7`, attribute `approved` on entity type \
         `Modelward::Version` not found"
    );
    assert_eq!(
        told(|number| format!(
            "action != Modelward::Action::\"{}\"",
            if number == 7 { "predikt" } else { "predict" }
        )),
        "policy `many-7` is not valid: for policy `many-7`, unrecognized action \
         `Modelward::Action::\"predikt\"`"
    );
    let dead =
        many(|number| (if number == 7 { "principal == resource" } else { "resource.proven" }).to_owned());
    let dead: Vec<String> =
        dead.expect("odd, and valid").warnings().iter().map(|warning| warning.policy.to_string()).collect();
    assert_eq!(dead, ["many-7"]);
}

#[test]
fn ids_that_matter_are_judged_one_by_one() {
    let policy = |number: u32, scope: &str| {
        format!(
            "@id(\"own-{number}\") @title(\"t\") @owner(\"o\")\n\
             permit (principal in {scope}, action == Modelward::Action::\"readCard\", resource) when {{ true }};\n"
        )
    };
    let default = Bundle::default_bundle().expect("the default bundle is valid");
    let bundle = |scopes: [&str; 2]| {
        let mut sources = default.sources().clone();
        let text = policy(0, scopes[0]) + &policy(1, scopes[1]);
        sources.insert("own.cedar".to_owned(), text);
        Bundle::from_sources(sources)
    };
    let good = "Modelward::Group::\"a\"";
    assert!(bundle([good, "Modelward::Group::\"b\""]).expect("valid").warnings().is_empty());
    assert!(bundle([good, "Modelward::Grupe::\"b\""]).is_err(), "a type nobody declared");
    let dead = bundle([good, "Modelward::Dataset::\"b\""]).expect("odd, and valid");
    assert!(!dead.warnings().is_empty());
    assert!(
        dead.warnings().iter().all(|warning| warning.policy == "own-1" && warning.kind == WarningKind::Dead)
    );
    // A Cyrillic letter that looks like a Latin one.
    let confusable = bundle([good, "Modelward::Group::\"\u{430}b\""]).expect("odd, and valid");
    assert_eq!(
        confusable.warnings().iter().map(|warning| warning.kind).collect::<Vec<_>>(),
        [WarningKind::Confusable]
    );
}
