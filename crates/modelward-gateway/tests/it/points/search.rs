//! The searches: what they find is what an evaluation allows, page by page.

use serde_json::{Value, json};

use super::{Desk, json, question};

async fn found(desk: &Desk, path: &str, body: &Value) -> Value {
    let answer = desk.ask(path, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    json(&answer)
}

fn names(found: &Value, key: &str) -> Vec<String> {
    let results = found["results"].as_array().unwrap();
    let mut names: Vec<_> = results.iter().map(|one| one[key].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn predictors() -> Value {
    json!({
        "subject": { "type": "user", "id": "ignored" },
        "action": { "name": "predict" },
        "resource": { "type": "version", "id": "fraud/1" },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_three_searches() {
    let desk = Desk::open().await;
    let subjects = found(&desk, "/access/v1/search/subject", &predictors()).await;
    assert_eq!(names(&subjects, "id"), ["gus", "ines", "sam"]);
    assert_eq!(subjects["page"], json!({ "next_token": "", "count": 3 }));
    assert!(subjects["results"][0].get("context").is_none() && subjects["results"][0]["type"] == "user");

    let body = json!({
        "subject": { "type": "user", "id": "gus" },
        "action": { "name": "predict" },
        "resource": { "type": "version" },
    });
    let resources = found(&desk, "/access/v1/search/resource", &body).await;
    assert_eq!(names(&resources, "id"), ["chat/1", "fraud/1", "vault/1"], "all of the project");

    let body = json!({ "subject": { "type": "user", "id": "rita" }, "resource": { "type": "model", "id": "fraud" } });
    let actions = names(&found(&desk, "/access/v1/search/action", &body).await, "name");
    assert!(actions.contains(&"readCard".to_owned()), "{actions:?}");
    for action in &actions {
        assert!(desk.decides(&question("rita", action, "model:fraud")).await, "{action}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_of_what_is_unknown() {
    let desk = Desk::open().await;
    for (path, body) in [
        (
            "subject",
            json!({ "subject": { "type": "spaceship" }, "action": { "name": "predict" }, "resource": { "type": "version", "id": "fraud/1" } }),
        ),
        (
            "subject",
            json!({ "subject": { "type": "user" }, "action": { "name": "fly" }, "resource": { "type": "version", "id": "fraud/1" } }),
        ),
        (
            "subject",
            json!({ "subject": { "type": "user" }, "action": { "name": "predict" }, "resource": { "type": "version", "id": "none/1" } }),
        ),
        (
            "resource",
            json!({ "subject": { "type": "user", "id": "nobody" }, "action": { "name": "predict" }, "resource": { "type": "version" } }),
        ),
        (
            "resource",
            json!({ "subject": { "type": "user", "id": "ines" }, "action": { "name": "predict" }, "resource": { "type": "spaceship" } }),
        ),
        (
            "action",
            json!({ "subject": { "type": "user", "id": "nobody" }, "resource": { "type": "version", "id": "fraud/1" } }),
        ),
    ] {
        let answer = found(&desk, &format!("/access/v1/search/{path}"), &body).await;
        assert_eq!(answer["results"], json!([]), "{path} {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_and_belong_to_one_search() {
    let desk = Desk::open().await;
    let mut body = predictors();
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        body["page"] = json!({ "limit": 1, "token": token });
        let page = found(&desk, "/access/v1/search/subject", &body).await;
        assert!(page["results"].as_array().unwrap().len() <= 1);
        seen.extend(names(&page, "id"));
        token = page["page"]["next_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
        assert!(seen.len() < 4, "{seen:?}");
        for (key, other) in [
            ("action", json!({ "name": "readServing" })),
            ("resource", json!({ "type": "version", "id": "chat/1" })),
        ] {
            let mut changed = body.clone();
            changed["page"]["token"] = json!(token);
            changed[key] = other;
            let answer = desk.ask("/access/v1/search/subject", &changed.to_string()).await;
            assert_eq!(answer.status, 400, "the search changed on the way");
        }
    }
    seen.sort();
    assert_eq!(seen, ["gus", "ines", "sam"]);
    for wrong in [
        json!({ "limit": 0 }),
        json!({ "limit": "1" }),
        json!({ "token": 7 }),
        json!({ "token": "nonsense" }),
        json!([]),
    ] {
        body["page"] = wrong;
        assert_eq!(desk.ask("/access/v1/search/subject", &body.to_string()).await.status, 400, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scope_of_a_caller_bounds_what_it_finds() {
    let desk =
        Desk::with(true, |callers| callers[1].projects = modelward_gateway::pdp::Reach::All, |_, _| ()).await;
    let token = desk.token(desk.narrow);
    let answer = desk.ask_as(&token, "/access/v1/search/subject", &predictors().to_string()).await;
    assert_eq!(names(&json(&answer), "id"), ["gus"]);
    assert!(desk.rig.system.publisher.latest().person(desk.gus).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_is_one_entry() {
    let desk = Desk::open().await;
    found(&desk, "/access/v1/search/subject", &predictors()).await;
    let searches = || {
        let entries = desk.rig.system.entries().unwrap();
        entries
            .iter()
            .map(|entry| serde_json::to_value(entry).unwrap().to_string())
            .filter(|entry| entry.contains(r#""search":"subject""#))
            .collect::<Vec<_>>()
    };
    assert_eq!(searches().len(), 1, "{:?}", searches());
    assert!(searches()[0].contains(r#""results":"3""#) && searches()[0].contains("readSelf"));
}
