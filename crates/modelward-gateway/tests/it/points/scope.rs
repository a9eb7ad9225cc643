//! Who may ask about whom, and what a caller must be able to do.

use modelward_decision::Change;
use modelward_decision::inventory::Machine;
use modelward_decision::vocabulary::{PrincipalRef, Privilege};
use modelward_enforcement::{Capabilities, ObligationKind};
use modelward_gateway::pdp::Reach;
use modelward_identity::{Models, Rights};

use super::{Desk, json, question};
use crate::rig::named;

const PATH: &str = "/access/v1/evaluation";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_known_or_learns_nothing() {
    let desk = Desk::open().await;
    let body = question("ines", "predict", "version:fraud/1");
    let stranger = desk.rig.token(desk.rig.people.ines);
    assert_eq!(desk.ask_as(&stranger, PATH, &body).await.status, 403);
    let nonsense = desk.ask_as("nonsense", PATH, &body).await;
    assert_eq!(nonsense.status, 401);
    assert!(nonsense.header("www-authenticate").is_some_and(|value| value.starts_with("bearer")));
    // A machine that is no longer active is nobody.
    let token = desk.token(desk.pep);
    let snapshot = desk.rig.system.publisher.latest();
    let machine = Machine { active: false, ..snapshot.machine(desk.pep).unwrap().as_ref().clone() };
    desk.rig.system.publish([Change::Machine(machine.into())]).unwrap();
    assert_eq!(desk.ask_as(&token, PATH, &body).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_reaches_the_groups_and_projects_it_is_given() {
    let only = |name: &str| Reach::Named([named(name)].into());
    let desk = Desk::with(true, move |callers| callers[1].projects = only("claims"), |_, _| ()).await;
    let token = desk.token(desk.narrow);
    let ask = async |subject: &str, resource: &str, action: &str| {
        json(&desk.ask_as(&token, PATH, &question(subject, action, resource)).await)["decision"] == true
    };
    assert!(ask("gus", "version:fraud/1", "predict").await, "of the group, on the project");
    assert!(!ask("ines", "version:fraud/1", "predict").await, "ines is not of the group");
    assert!(!ask("gus", "platform:platform", "readSelf").await, "the platform is in no project");

    let desk = Desk::open().await;
    let token = desk.token(desk.narrow);
    let answer = desk.ask_as(&token, PATH, &question("gus", "predict", "version:fraud/1")).await;
    assert_eq!(json(&answer)["decision"], false, "on another project");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_of_a_caller_bounds_what_it_asks() {
    let desk = Desk::open().await;
    let narrow = Rights::new([Privilege::ReadOnly], Models::Any);
    let token = desk.rig.token_as(PrincipalRef::Machine(desk.pep), narrow);
    let ask = async |subject: &str, action: &str, resource: &str| {
        json(&desk.ask_as(&token, PATH, &question(subject, action, resource)).await)["decision"] == true
    };
    assert!(ask("rita", "readCard", "model:fraud").await);
    assert!(!ask("ines", "predict", "version:fraud/1").await);
}

/// Sam may see raw scores, rounded.
const SCORES: &str = r#"{"subject":{"type":"user","id":"ines"},"action":{"name":"predict","properties":{"fields":["raw-scores"]}},"resource":{"type":"version","id":"fraud/1"}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_is_only_spoken_of_signed_in_with_two_factors() {
    let desk = Desk::open().await;
    assert!(!desk.decides(&SCORES.replace("ines", "sam")).await, "sensitive fields need a second factor");
    assert!(!desk.decides(&question("sam", "readRawScores", "version:fraud/1")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_obligation_nobody_can_do_is_a_denial() {
    use std::sync::Arc;
    let tagged = |world: &mut modelward_testkit::World, people: &crate::rig::People| {
        let model = modelward_decision::inventory::Model {
            id: people.fraud.model,
            project: world.project(),
            name: named("fraud"),
            classification: modelward_decision::vocabulary::Classification::Internal,
            tags: [named("trained-on-personal")].into(),
            quarantined: false,
            on_sensitive_ask: modelward_decision::inventory::OnSensitiveAsk::Strip,
            fail_static: false,
        };
        world.change(Change::Model(Arc::new(model)));
    };
    let plain = question("ines", "predict", "version:fraud/1");
    let desk = Desk::with(true, |_| (), tagged).await;
    let answer = json(&desk.ask(PATH, &plain).await);
    assert_eq!(answer["decision"], true);
    let obligation = &answer["context"]["obligations"][0];
    assert_eq!(obligation["type"], "custom");
    assert_eq!(obligation["obligation"], "label-only");
    // Fields that were asked for, and are not held, must be left out.
    let answer = json(&desk.ask(PATH, SCORES).await);
    assert_eq!(answer["decision"], true, "{answer:#}");
    assert!(answer["context"]["obligations"].to_string().contains("strip:raw-scores"), "{answer:#}");
    // The caller says that it cannot, in this case.
    let body = format!(
        r#"{},"context":{{"obligations_supported":["notification"]}}}}"#,
        plain.strip_suffix('}').unwrap()
    );
    let answer = json(&desk.ask(PATH, &body).await);
    assert_eq!(answer["decision"], false);
    assert!(answer["context"].get("obligations").is_none());

    let desk = Desk::with(false, |_| (), tagged).await;
    assert_eq!(json(&desk.ask(PATH, &plain).await)["decision"], false, "nobody could be told");
    let less = Capabilities::NONE.with(ObligationKind::StripFields);
    let desk = Desk::with(true, move |callers| callers[0].obligations = less, tagged).await;
    let answer = json(&desk.ask(PATH, &plain).await);
    assert_eq!(answer["decision"], false, "the caller cannot");
    let id = answer["context"]["evaluation_id"].as_str().unwrap();
    let entries = desk.rig.system.entries_about(id, 1).await.unwrap();
    assert_eq!(entries[0].outcome.as_deref(), Some("obligation-unmet"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_says_how_to_ask_for_access_where_drafts_are_on() {
    let body = question("noel", "predict", "version:fraud/1");
    let desk = Desk::open().await;
    let answer = json(&desk.ask(PATH, &body).await);
    let request = &answer["context"]["access_request"];
    assert_eq!(request["template"]["privilege"], "inference");
    assert_eq!(request["template"]["subject"]["id"], "noel");
    assert_eq!(request["form_url"], "https://control.test");
    let desk = Desk::with(false, |_| (), |_, _| ()).await;
    assert!(json(&desk.ask(PATH, &body).await)["context"].get("access_request").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_and_device_count_from_those_who_may_say_and_as_claims() {
    let in_lab = |world: &mut modelward_testkit::World, people: &crate::rig::People| {
        let lab = |grant: &mut modelward_decision::Grant| {
            grant.conditions.segments = Some([named("lab")].into());
        };
        world.grant(Privilege::Inference, people.noel, people.fraud.scope()).with(lab).give();
    };
    let body = format!(
        r#"{},"context":{{"network":"lab","device":{{"managed":true,"compliant":true}}}}}}"#,
        question("noel", "predict", "version:fraud/1").strip_suffix('}').unwrap()
    );
    let desk = Desk::with(true, |_| (), in_lab).await;
    assert!(!desk.decides(&body).await, "its word does not count");
    let trusted = |callers: &mut Vec<modelward_gateway::pdp::Caller>| callers[0].asserts_network = true;
    let desk = Desk::with(true, trusted, in_lab).await;
    assert!(desk.decides(&body).await);
    assert!(!desk.decides(&body.replace("lab", "office")).await);
}
