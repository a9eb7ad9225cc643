//! The handbook says what is so, and nothing of people.

use expect_test::expect;
use jiff::Timestamp;
use modelward_policy::handbook::{Document, Material, write};
use modelward_policy::scenario::{TestResult, parse};
use modelward_policy::{Bundle, gate};
use std::sync::Arc;

use crate::house::{changed, default_bundle};

const WORLD: &str = "given project payments\n\
    given model fraud project payments class confidential tags trained-on-personal\n\
    given version fraud/3\n\
    given group analysts\n\
    given person dana in analysts\n\
    given grant a to analysts inference on fraud\n\
    given grant b to dana export on fraud/3\n\
    given grant c to dana read-only on platform until 09:00\n\
    scenario w\nwhen dana signIn platform\nthen allow\n";
const NOON: Timestamp = Timestamp::constant(1_795_176_000, 0);

fn results(bundle: &Arc<Bundle>) -> Vec<TestResult> {
    gate::test_results(bundle).expect("readable tests")
}

fn handbook(bundle: &Arc<Bundle>) -> Document {
    let scenarios = parse("tests/w.scenario", WORLD).expect("well-formed");
    let snapshot = scenarios[0].snapshot(bundle);
    let tests = results(bundle);
    write(Material { bundle, world: Some((&snapshot, NOON)), tests: &tests }).expect("a handbook")
}

fn chapter(text: &str, heading: &str) -> String {
    let rest = text.split_once(&format!("\n{heading}\n")).map(|(_, rest)| rest).unwrap_or_default();
    rest.split("\n#").next().unwrap_or_default().to_owned()
}

#[test]
fn a_group_reads_what_it_may_and_how_to_get_more() {
    let text = handbook(&default_bundle()).to_markdown();
    expect![[r#"

        Allowed to every member now:

        - **inference** on fraud: predicts through approved endpoints and watches drift

        May ask for:

        - **read-only** (see cards, metrics and lineage) on one project or model, for at most 365 days; given without a question
        - **inference** (predict through approved endpoints) on one project or model or version or alias or endpoint, for at most 90 days; a model owner says yes

        Not allowed, and not to be asked for:

        - **inference-sensitive** (parts of an answer that say more than the answer), because no entitlement gives it to this group
        - **experiment** (tracks runs and metrics), because no entitlement gives it to this group
        - **registry** (registers, describes and tags models), because no entitlement gives it to this group
        - **retraining** (changes what a model knows), because no entitlement gives it to this group
        - **export** (takes weights out), because no entitlement gives it to this group
        - **data-export** (takes rows out: training data, traces, stored prompts), because no entitlement gives it to this group
        - **deploy** (decides what production serves), because no entitlement gives it to this group
        - **govern** (changes who may do what), because no entitlement gives it to this group
        - **audit** (reads what happened and who may do what), because no entitlement gives it to this group
    "#]].assert_eq(&chapter(&text, "### analysts"));
}

#[test]
fn a_model_says_who_holds_what_without_naming_people() {
    let text = handbook(&default_bundle()).to_markdown();
    expect![[r#"

        A model of project payments, classified confidential. Tags: trained-on-personal.

        Allowed now:

        - **inference**: members of analysts
        - **export**: 1 person

        Not allowed to anybody now:

        - **read-only**, because nobody holds it here; members of analysts, auditors, data-scientists, ml-engineers, model-owners may ask for it
        - **inference-sensitive**, because nobody holds it here; members of data-scientists, ml-engineers may ask for it
        - **registry**, because nobody holds it here; members of ml-engineers, model-owners may ask for it
        - **retraining**, because nobody holds it here; members of data-scientists, ml-engineers may ask for it
        - **data-export**, because nobody holds it here; members of data-scientists may ask for it
        - **deploy**, because nobody holds it here; members of ml-engineers, model-owners may ask for it
    "#]].assert_eq(&chapter(&text, "### fraud"));
    let world = text.split_once("## Privileges").map(|(before, _)| before).expect("chapters");
    assert!(!world.contains("dana"), "people are counted, not named");
}

#[test]
fn a_privilege_comes_with_its_guardrails_and_examples_that_passed() {
    let text = handbook(&default_bundle()).to_markdown();
    expect![[r#"

        Takes weights out.

        What it is:

        - download weights (`downloadWeights`)
        - convert weights to another form (`convertWeights`)
        - copy weights to another store (`replicateWeights`)
        - decrypt sealed weights (`decryptWeights`)
        - make a link that bypasses the gateway (`presignWeights`)

        What stops it, whatever grants there are:

        - Above inference on models and data, a credential must be bound to its holder (`bound-credential`)
        - Nobody reaches a dataset above their clearance (`clearance-dataset`)
        - Nobody reaches a model above their clearance (`clearance-model`)
        - Nobody reaches a version above their clearance (`clearance-version`)
        - A credential is good for what it was minted for (`credential-scope`)
        - A grant counts in the environments it names (`grant-environment`)
        - Above inference a grant is held by one person or one machine (`grant-personal`)
        - A grant counts for the purposes it names (`grant-purpose`)
        - A grant counts in the regions it names (`grant-region`)
        - A grant counts in the network segments it names (`grant-segment`)
        - A grant counts inside its time windows (`grant-window`)
        - A machine whose owner left does nothing (`machine-without-owner`)
        - Weights and rows leave only to a managed, compliant device (`managed-device`)
        - No link to weights bypasses the gateway (`presigned-links`)
        - Whoever is not active does nothing (`principal-inactive`)
        - A quarantined version serves nobody (`quarantine`)
        - High risk suspends access (`risk-high`)
        - After a security signal one proves oneself again (`risk-step-up`)
        - Whatever changes or takes something out needs two factors (`second-factor`)
        - Retraining, export and data export need a phishing-resistant sign-in of the last five minutes (`strong-sign-in`)

        For example:

        - `dana downloadWeights fraud/3 device compliant`: You may download weights: fraud/3.
        - `dana downloadWeights fraud/3`: You may download weights: fraud/3.
        - `dana downloadWeights fraud/3 strength 2`: You may not download weights (fraud/3): this needs a phishing-resistant sign-in from the last five minutes.
        - `dana downloadWeights fraud/3 device managed`: You may not download weights (fraud/3): this needs a managed and compliant device.
    "#]].assert_eq(&chapter(&text, "### X export"));
}

#[test]
fn html_holds_no_markup_but_its_own() {
    let hostile = changed(
        "guardrails.cedar",
        "Nobody reaches a model above their clearance",
        "<script>alert(1)</script> & `<b>` **bold**",
    );
    let bundle = Arc::new(Bundle::from_sources(hostile).expect("a valid bundle"));
    let document = handbook(&bundle);
    let html = document.to_html();
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains(
        "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <code>&lt;b&gt;</code> <strong>bold</strong>"
    ));
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    let tags =
        |tag: &str| (html.matches(&format!("<{tag}>")).count(), html.matches(&format!("</{tag}>")).count());
    for tag in ["ul", "li", "p", "h2", "h3", "code", "strong"] {
        let (open, close) = tags(tag);
        assert_eq!(open, close, "{tag}");
    }
    assert!(
        !document.to_markdown().contains("<script"),
        "Markdown passes HTML through, so it is escaped there too"
    );
}

#[test]
fn without_a_world_it_speaks_of_groups_and_privileges() {
    let bundle = default_bundle();
    let document = write(Material { bundle: &bundle, world: None, tests: &[] }).expect("a handbook");
    let text = document.to_markdown();
    assert!(text.contains("### ml\\-engineers") || text.contains("### ml-engineers"), "{text}");
    assert!(!text.contains("## Models"));
}
