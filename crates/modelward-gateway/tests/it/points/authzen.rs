//! Evaluation, evaluations and metadata, as the certification scenario of the API has them.

use modelward_decision::vocabulary::Privilege;
use modelward_gateway::pdp::Point;
use serde_json::json;

use super::{Desk, json, question};
use crate::rig::exchange;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_question_one_decision() {
    let desk = Desk::open().await;
    for (subject, action, resource, decision) in [
        ("ines", "predict", "version:fraud/1", true),
        ("gus", "predict", "version:fraud/1", true),
        ("noel", "predict", "version:fraud/1", false),
        ("ines", "downloadWeights", "version:fraud/1", false),
        ("rita", "readCard", "model:fraud", true),
        ("rita", "predict", "version:fraud/1", false),
        ("rita", "readEndpoint", "endpoint:oip", true),
        ("noel", "readSelf", "platform:platform", true),
        ("noel", "approve", "platform:platform", false),
        ("machine:pep", "predict", "version:fraud/1", false),
        // Nobody, nothing, no such action, no such type.
        ("nobody", "predict", "version:fraud/1", false),
        ("ines", "predict", "version:fraud/9", false),
        ("ines", "predict", "version:nothing/1", false),
        ("ines", "fly", "version:fraud/1", false),
        ("ines", "predict", "spaceship:fraud", false),
        ("robot:ines", "predict", "version:fraud/1", false),
        // An action that does not apply to such a thing.
        ("ines", "predict", "platform:platform", false),
        ("noel", "readSelf", "platform:other", false),
    ] {
        let found = desk.decides(&question(subject, action, resource)).await;
        assert_eq!(found, decision, "{subject} {action} {resource}");
    }
    let by_id = question(
        &desk.rig.people.ines.to_string(),
        "predict",
        &format!("version:{}", desk.rig.people.fraud.version),
    );
    assert!(desk.decides(&by_id).await, "ids name people and things too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn properties_and_context_never_take_the_place_of_what_is_stored() {
    let desk = Desk::open().await;
    let body = r#"{
        "subject": {"type":"user","id":"noel","properties":{"active":true,"clearance":"restricted","groups":["staff"],"role":"admin"}},
        "action": {"name":"predict","properties":{"method":"GET"}},
        "resource": {"type":"version","id":"fraud/1","properties":{"quarantined":false,"project":"elsewhere"}},
        "context": {"time":"2025-06-27T18:03-07:00","session":{"strength":3},"risk":0,"grant":{"privilege":"inference"}},
        "foo": "bar"
    }"#;
    assert!(!desk.decides(body).await);
    assert!(desk.decides(&body.replace("noel", "ines")).await, "what is unknown is ignored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_not_to_be_known_read_alike() {
    let desk = Desk::open().await;
    let mut seen = Vec::new();
    for resource in ["version:vault/1", "version:nothing/1", "version:fraud/1"] {
        let answer = desk.ask("/access/v1/evaluation", &question("noel", "predict", resource)).await;
        let mut answer = json(&answer);
        assert!(answer["context"]["evaluation_id"].is_string());
        answer["context"]["evaluation_id"] = json!("");
        answer["context"]["access_request"]["template"]["resource"] = json!("");
        seen.push(answer);
    }
    assert!(seen.windows(2).all(|two| two[0] == two[1]), "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_questions_in_three_ways() {
    let desk = Desk::open().await;
    let ask = async |semantic: &str, subjects: &[&str]| {
        let items: Vec<_> =
            subjects.iter().map(|subject| json!({ "subject": { "type": "user", "id": subject } })).collect();
        let mut body = json!({
            "action": { "name": "predict" },
            "resource": { "type": "version", "id": "fraud/1" },
            "evaluations": items,
        });
        if !semantic.is_empty() {
            body["options"] = json!({ "evaluations_semantic": semantic });
        }
        let answer = desk.ask("/access/v1/evaluations", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = json(&answer);
        assert!(answer.get("decision").is_none());
        let decisions = answer["evaluations"].as_array().unwrap();
        decisions.iter().map(|one| one["decision"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    let all = ["ines", "noel", "sam", "nobody"];
    assert_eq!(ask("", &all).await, [true, false, true, false]);
    assert_eq!(ask("execute_all", &all).await, [true, false, true, false]);
    assert_eq!(ask("deny_on_first_deny", &all).await, [true, false]);
    assert_eq!(ask("permit_on_first_permit", &["noel", "ines", "sam"]).await, [false, true]);
    assert_eq!(ask("permit_on_first_permit", &["noel", "nobody"]).await, [false, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_question_leaves_out_comes_from_the_whole() {
    let desk = Desk::open().await;
    let body = r#"{
        "subject": {"type":"user","id":"ines"}, "action": {"name":"predict"}, "resource": {"type":"version"},
        "context": {"purpose":"audit"},
        "evaluations": [
            {"resource": {"id":"fraud/1"}},
            {"resource": {"id":"fraud/1"}, "context": {"purpose":"billing"}},
            {},
            {"resource": "fraud"},
            7,
            {"resource": {"type":"model","id":"fraud"}, "action": {"name":"readCard"}, "subject": {"id":"rita"}}
        ]
    }"#;
    let answer = json(&desk.ask("/access/v1/evaluations", body).await);
    let evaluations = answer["evaluations"].as_array().unwrap();
    let decisions: Vec<_> = evaluations.iter().map(|one| one["decision"].as_bool().unwrap()).collect();
    assert_eq!(decisions, [true, true, false, false, false, true], "{answer:#}");
    for wrong in [2, 3, 4] {
        assert_eq!(evaluations[wrong]["context"]["error"]["status"], 400, "{answer:#}");
    }
    for empty in ["", r#","evaluations":[]"#] {
        let one = question("ines", "predict", "version:fraud/1");
        let body = format!("{}{empty}}}", one.strip_suffix('}').unwrap());
        assert_eq!(json(&desk.ask("/access/v1/evaluations", &body).await)["decision"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metadata_needs_no_credential_and_names_every_endpoint() {
    let desk = Desk::open().await;
    let get = b"GET /.well-known/authzen-configuration HTTP/1.1\r\nhost: pdp.test\r\nx-request-id: 7\r\nconnection: close\r\n\r\n";
    let answer = exchange(desk.rig.points[&Point::AuthZen], get).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (200, Some("7")));
    assert_eq!(
        json(&answer),
        json!({
            "policy_decision_point": "https://pdp.test",
            "access_evaluation_endpoint": "https://pdp.test/access/v1/evaluation",
            "access_evaluations_endpoint": "https://pdp.test/access/v1/evaluations",
            "search_subject_endpoint": "https://pdp.test/access/v1/search/subject",
            "search_resource_endpoint": "https://pdp.test/access/v1/search/resource",
            "search_action_endpoint": "https://pdp.test/access/v1/search/action",
            "obligations_supported": ["custom", "notification"],
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_evaluation_is_a_decision_in_the_ledger() {
    let desk = Desk::open().await;
    for (subject, outcome, entries) in [("ines", "permitted", 2), ("noel", "not-permitted", 1)] {
        let answer =
            desk.ask("/access/v1/evaluation", &question(subject, "predict", "version:fraud/1")).await;
        let id = json(&answer)["context"]["evaluation_id"].as_str().unwrap().to_owned();
        let entries = desk.rig.system.entries_about(&id, entries).await.unwrap();
        assert_eq!(entries[0].action.as_deref(), Some("predict"));
        assert_eq!(entries[0].outcome.as_deref(), Some(outcome));
        let detail = serde_json::to_value(&entries[0]).unwrap().to_string();
        assert!(detail.contains(r#""point":"authzen""#) && detail.contains(r#""caller":"pep""#), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowed_question_uses_up_a_grant() {
    let desk = Desk::with(
        true,
        |_| (),
        |world, people| {
            world.grant(Privilege::Inference, people.noel, people.fraud.scope()).uses(2).give();
            let gil = world.person("gil");
            world.grant(Privilege::Inference, gil, people.fraud.scope()).bytes(1_000_000).give();
        },
    )
    .await;
    let noel = question("noel", "predict", "version:fraud/1");
    assert!(desk.decides(&noel).await);
    assert!(desk.decides(&noel).await);
    assert!(!desk.decides(&noel).await, "two uses are gone");
    assert!(
        !desk.decides(&question("gil", "predict", "version:fraud/1")).await,
        "bytes that leave elsewhere cannot be counted"
    );
}
