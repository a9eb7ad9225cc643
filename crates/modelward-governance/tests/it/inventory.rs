//! What files declare, and what it comes to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::{Expect, expect};
use modelward_decision::Snapshot;
use modelward_decision::vocabulary::ModelId;
use modelward_governance::inventory::{
    Current, Declaration, Description, Edit, MergeError, Merged, Operation, Plan, PlanError, Prune, Thing,
    merge, plan,
};

use crate::world::{apply, id, nothing, world};

const HOUSE: &str = r#"
[projects.risk]

[environments.production]
production = true

[groups.analysts]
people = ["dana"]

[groups.reviewers]
parents = ["firm"]
people = ["kim"]
machines = ["batch"]

[machines.batch]
owner = "kim"

[models.fraud]
project = "risk"
classification = "confidential"
tags = ["cards"]
on_sensitive_ask = "strip"
card = "Scores card payments."

[models.fraud.metrics]
auc = 0.93
slices = { online = 0.9, store = 1 }

[models.fraud.versions.1]

[models.fraud.versions.2]
digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
label_outputs = ["label"]
proven = true

[models.fraud.aliases.champion]
version = "2"
protected = true

[datasets.payments]
project = "risk"
columns = [{ name = "amount", classification = "internal" }, { name = "card" }]

[endpoints.scoring]
protocol = "open-inference"
environment = "production"
upstream = "triton"
approved = true
serves = [
    { model = "fraud", alias = "champion" },
    { model = "fraud", version = "1", public_name = "fraud-old", upstream_name = "fraud_1" },
]
"#;

fn read(text: &str) -> Declaration {
    toml::from_str(text).unwrap()
}

fn one_file(text: &str) -> Merged {
    merge([("house.toml".to_owned(), read(text))]).unwrap()
}

/// A snapshot with what people read about its models beside it.
struct State {
    snapshot: Snapshot,
    descriptions: BTreeMap<ModelId, Description>,
    minted: u128,
}

impl State {
    fn of(snapshot: Snapshot) -> Self {
        Self { snapshot, descriptions: BTreeMap::new(), minted: 0 }
    }

    fn plan(&mut self, text: &str, prune: Prune) -> Result<Plan, PlanError> {
        let current = Current { snapshot: &self.snapshot, descriptions: &self.descriptions };
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            id::<modelward_decision::vocabulary::id::ModelKind>(1000 + *minted).bits()
        };
        plan(&one_file(text), current, prune, &mut mint)
    }

    fn apply(&mut self, text: &str, prune: Prune) {
        let edits = self.plan(text, prune).unwrap().into_edits();
        for edit in &edits {
            if let Edit::Put(thing) = edit
                && let Thing::Description(description) = &**thing
            {
                self.descriptions.insert(description.model, description.clone());
            }
        }
        self.snapshot = apply(&self.snapshot, edits);
    }
}

fn furnished() -> State {
    let mut state = State::of(world());
    state.apply(HOUSE, Prune::Keep);
    state
}

#[expect(clippy::needless_pass_by_value, reason = "as written by the macro")]
fn check(plan: &Plan, expected: Expect) {
    let mut text = String::new();
    for difference in &plan.differences {
        let mark = match difference.operation {
            Operation::Create => '+',
            Operation::Update => '~',
            Operation::Delete => '-',
        };
        writeln!(text, "{mark} {} {}", difference.kind, difference.name).unwrap();
        for field in &difference.fields {
            let show = |side: &Option<String>| side.clone().unwrap_or_else(|| "none".to_owned());
            writeln!(text, "    {}: {} -> {}", field.field, show(&field.before), show(&field.after)).unwrap();
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn a_new_house_is_created_in_an_order_that_works() {
    let plan = State::of(world()).plan(HOUSE, Prune::Keep).unwrap();
    check(
        &plan,
        expect![[r#"
        + environment production
            production: none -> true
        + group reviewers
            parents: none -> firm
        + machine batch
            owner: none -> kim
            clearance: none -> public
            active: none -> true
            groups: none -> reviewers
        ~ person kim
            groups: none -> reviewers
        + model fraud
            project: none -> risk
            classification: none -> confidential
            tags: none -> cards
            on_sensitive_ask: none -> strip
            fail_static: none -> false
            card: none -> Scores card payments.
            metrics: none -> auc = 0.93, slices = {"online":0.9,"store":1}
        + version fraud/1
            proven: none -> false
        + version fraud/2
            digest: none -> sha256:0000000000000000000000000000000000000000000000000000000000000000
            label_outputs: none -> label
            proven: none -> true
        + alias fraud/champion
            version: none -> fraud/2
            protected: none -> true
        + dataset payments
            project: none -> risk
            classification: none -> restricted
            columns: none -> amount (internal), card (restricted)
        + endpoint scoring
            protocol: none -> open-inference
            environment: none -> production
            upstream: none -> triton
            approved: none -> true
            serves: none -> fraud = fraud/champion (upstream fraud), fraud-old = fraud/1 (upstream fraud_1)
    "#]],
    );
}

#[test]
fn applying_twice_changes_nothing() {
    let mut state = furnished();
    assert!(state.plan(HOUSE, Prune::Keep).unwrap().is_empty());
    let with_firm = format!("[groups.firm]\n{HOUSE}");
    state.apply(&with_firm, Prune::Remove);
    assert!(state.plan(&with_firm, Prune::Remove).unwrap().is_empty());
    assert!(state.plan(HOUSE, Prune::Keep).unwrap().is_empty());
}

#[test]
fn a_difference_names_every_field_before_and_after() {
    let changed = HOUSE
        .replace("classification = \"confidential\"", "classification = \"public\"")
        .replace("tags = [\"cards\"]", "tags = [\"cards\", \"personal\"]")
        .replace("auc = 0.93", "auc = 0.94")
        .replace("version = \"2\"\nprotected = true", "version = \"1\"")
        .replace("approved = true", "approved = false")
        .replace("people = [\"dana\"]", "people = [\"kim\"]")
        .replace("name = \"card\"", "name = \"iban\"")
        .replace("Scores card payments.", "Scores payments.")
        .replace("proven = true", "proven = false")
        .replace("production = true", "production = false")
        .replace("owner = \"kim\"", "owner = \"dana\"\nclearance = \"internal\"");
    let plan = furnished().plan(&changed, Prune::Keep).unwrap();
    check(
        &plan,
        expect![[r#"
        ~ environment production
            production: true -> false
        ~ machine batch
            owner: kim -> dana
            clearance: public -> internal
        ~ person dana
            groups: analysts -> none
        ~ person kim
            groups: reviewers -> analysts, reviewers
        ~ model fraud
            classification: confidential -> public
            tags: cards -> cards, personal
            card: Scores card payments. -> Scores payments.
            metrics: auc = 0.93, slices = {"online":0.9,"store":1} -> auc = 0.94, slices = {"online":0.9,"store":1}
        ~ version fraud/2
            proven: true -> false
        ~ alias fraud/champion
            version: fraud/2 -> fraud/1
            protected: true -> false
        ~ dataset payments
            columns: amount (internal), card (restricted) -> amount (internal), iban (restricted)
        ~ endpoint scoring
            approved: true -> false
    "#]],
    );
}

#[test]
fn what_is_not_declared_goes_only_when_asked() {
    let little = "
        [projects.risk]
        [groups.analysts]
        [models.fraud]
        project = \"risk\"
        classification = \"confidential\"
        tags = [\"cards\"]
        on_sensitive_ask = \"strip\"
        [models.fraud.versions.1]
    ";
    let mut state = furnished();
    assert!(state.plan(little, Prune::Keep).unwrap().is_empty());
    let plan = state.plan(little, Prune::Remove).unwrap();
    check(
        &plan,
        expect![[r#"
        ~ machine batch
            active: true -> false
            groups: reviewers -> none
        ~ machine scorer
            active: true -> false
        ~ person ada
            groups: admins -> none
        ~ person kim
            groups: reviewers -> none
        - endpoint scoring
        - alias fraud/champion
        - version fraud/2
        - dataset payments
        - group admins
        - group firm
        - group reviewers
    "#]],
    );
    state.apply(little, Prune::Remove);
    assert!(state.plan(little, Prune::Remove).unwrap().is_empty());
    assert_eq!(state.snapshot.people().count(), 3, "people are not declared, so they do not go");
    assert_eq!(state.descriptions.len(), 1, "a card that is not declared stays");
}

#[test]
fn a_quarantine_is_not_undone_by_a_file() {
    let mut state = furnished();
    let model = state.snapshot.model_named("fraud").unwrap();
    let locked = modelward_decision::inventory::Model { quarantined: true, ..(**model).clone() };
    state.snapshot = state.snapshot.with([modelward_decision::Change::Model(locked.into())]);
    assert!(state.plan(HOUSE, Prune::Keep).unwrap().is_empty());
    state.apply(&HOUSE.replace("\"cards\"", "\"other\""), Prune::Keep);
    assert!(state.snapshot.model_named("fraud").unwrap().quarantined);
}

#[test]
fn a_reference_that_leads_nowhere_names_its_file_and_key() {
    let refused = |from: &str, to: &str| {
        let text = HOUSE.replacen(from, to, 1);
        assert_ne!(text, HOUSE);
        State::of(world()).plan(&text, Prune::Keep).unwrap_err().to_string()
    };
    let errors = [
        refused("project = \"risk\"", "project = \"fun\""),
        refused("people = [\"dana\"]", "people = [\"robin\"]"),
        refused("parents = [\"firm\"]", "parents = [\"moon\"]"),
        refused("machines = [\"batch\"]", "machines = [\"none\"]"),
        refused("owner = \"kim\"", "owner = \"robin\""),
        refused("version = \"2\"\n", "version = \"9\"\n"),
        refused("environment = \"production\"", "environment = \"moon\""),
        refused("model = \"fraud\", alias", "model = \"froud\", alias"),
        refused("alias = \"champion\"", "alias = \"challenger\""),
        refused("alias = \"champion\"", "version = \"9\""),
        refused("{ model = \"fraud\", alias = \"champion\" }", "{ model = \"fraud\" }"),
        refused("alias = \"champion\"", "alias = \"champion\", version = \"1\""),
        refused("public_name = \"fraud-old\"", "public_name = \"fraud\""),
        refused("public_name = \"fraud-old\"", "public_name = \"fraud\\u001bold\""),
        refused("name = \"card\"", "name = \"amount\""),
        refused("parents = [\"firm\"]", "parents = [\"reviewers\"]"),
    ];
    expect![[r#"
        `models.fraud.project` in `house.toml` names the project `fun`, which is neither declared nor known
        `groups.analysts.people` in `house.toml` names the person `robin`, which is neither declared nor known
        `groups.reviewers.parents` in `house.toml` names the group `moon`, which is neither declared nor known
        `groups.reviewers.machines` in `house.toml` names the machine `none`, which is neither declared nor known
        `machines.batch.owner` in `house.toml` names the person `robin`, which is neither declared nor known
        `models.fraud.aliases.champion.version` in `house.toml` names the version `9`, which is neither declared nor known
        `endpoints.scoring.environment` in `house.toml` names the environment `moon`, which is neither declared nor known
        `endpoints.scoring.serves.model` in `house.toml` names the model `froud`, which is neither declared nor known
        `endpoints.scoring.serves.alias` in `house.toml` names the alias `challenger`, which is neither declared nor known
        `endpoints.scoring.serves.version` in `house.toml` names the version `9`, which is neither declared nor known
        `endpoints.scoring.serves` in `house.toml` names 0 of `version` and `alias`, and needs exactly one
        `endpoints.scoring.serves` in `house.toml` names 2 of `version` and `alias`, and needs exactly one
        `endpoints.scoring.serves` in `house.toml` has `fraud` twice
        `endpoints.scoring.serves.public_name` in `house.toml` is not a name of a served model: 1 to 256 printable characters
        `datasets.payments.columns` in `house.toml` has `amount` twice
        `groups.reviewers.parents` in `house.toml` makes the group `reviewers` a part of itself"#]].assert_eq(&errors.join("\n"));
}

#[test]
fn pruning_refuses_what_it_would_leave_dangling() {
    let mut state = furnished();
    let text = format!("[groups.firm]\n{}", HOUSE.replace("[projects.risk]\n", ""));
    assert!(state.plan(&text, Prune::Keep).is_ok(), "known");
    let error = state.plan(&text, Prune::Remove).unwrap_err();
    assert!(matches!(error, PlanError::Dangling { kind: "project", .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn groups_cannot_go_round_in_circles() {
    let text = "
        [groups.a]
        parents = [\"b\"]
        [groups.b]
        parents = [\"c\"]
        [groups.c]
        parents = [\"a\"]
    ";
    assert!(matches!(State::of(nothing()).plan(text, Prune::Keep), Err(PlanError::Cycle { .. })));
    // One half of a circle is known, the other declared.
    let mut state = State::of(nothing());
    state.apply("[groups.a]\n[groups.b]\nparents = [\"a\"]", Prune::Keep);
    let closing = state.plan("[groups.a]\nparents = [\"b\"]", Prune::Keep);
    assert!(matches!(closing, Err(PlanError::Cycle { .. })));
}

#[test]
fn long_texts_are_refused() {
    let card = "x".repeat(Description::CARD_BYTES_MAX + 1);
    let text = HOUSE.replace("Scores card payments.", &card);
    let error = State::of(world()).plan(&text, Prune::Keep).unwrap_err();
    assert!(matches!(error, PlanError::TooLong { max: Description::CARD_BYTES_MAX, .. }));
    let text =
        HOUSE.replace("auc = 0.93", &format!("auc = \"{}\"", "x".repeat(Description::METRICS_BYTES_MAX)));
    assert!(matches!(State::of(world()).plan(&text, Prune::Keep), Err(PlanError::TooLong { .. })));
}

#[test]
fn an_unknown_key_is_an_error() {
    for (text, key) in [
        ("[people.dana]", "people"),
        ("[projects.risk]\nowner = \"dana\"", "owner"),
        ("[models.fraud]\nproject = \"risk\"\nquarantined = false", "quarantined"),
        ("[models.fraud]\nproject = \"risk\"\n[models.fraud.versions.1]\nsha = \"x\"", "sha"),
        ("[environments.test]\nprod = true", "prod"),
    ] {
        let error = toml::from_str::<Declaration>(text).unwrap_err().to_string();
        assert!(error.contains(&format!("unknown field `{key}`")), "{error}");
    }
    assert!(toml::from_str::<Declaration>("[models.'a/b']\nproject = \"risk\"").is_err(), "not a name");
    let bad = "[models.fraud]\nproject = \"risk\"\n[models.fraud.versions.1]\ndigest = \"md5:0\"";
    assert!(toml::from_str::<Declaration>(bad).is_err());
}

#[test]
fn files_add_up_and_do_not_overlap() {
    let first = ("a.toml".to_owned(), read("[projects.risk]"));
    let second = ("b.toml".to_owned(), read("[environments.test]\n[groups.risk]"));
    let merged = merge([first.clone(), second]).unwrap();
    assert_eq!(merged.declaration().projects.len() + merged.declaration().groups.len(), 2);
    let error = merge([first, ("c.toml".to_owned(), read("[projects.risk]"))]).unwrap_err();
    assert!(matches!(error, MergeError::Twice { .. }));
    assert_eq!(error.to_string(), "`projects.risk` is declared in `a.toml` and again in `c.toml`");
}

#[test]
fn a_declaration_survives_being_written() {
    let declaration = read(HOUSE);
    assert_eq!(read(&toml::to_string(&declaration).unwrap()), declaration);
    let json = serde_json::to_string(&declaration).unwrap();
    assert_eq!(serde_json::from_str::<Declaration>(&json).unwrap(), declaration);
}
