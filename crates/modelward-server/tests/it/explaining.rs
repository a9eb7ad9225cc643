//! What would be enough, who may, what one may, and decisions made again.

use jiff::SignedDuration;
use modelward_policy::BundleFile;
use modelward_server::Wanted;
use serde_json::{Value, json};

use crate::house::{House, Session, declaration};

async fn can(house: &House, who: &Session, action: &str, resource: &str) -> Value {
    house.post("/api/v1/can", who, json!({ "action": action, "resource": resource })).await.ok()
}

fn grant(house: &House, grantee: &str, privilege: &str) -> Value {
    let until = (house.now() + SignedDuration::from_hours(24)).to_string();
    json!({ "grantee": grantee, "privilege": privilege, "scope": "fraud", "not_after": until })
}

/// The decision, as soon as its denial is durable.
async fn recorded(house: &House, path: &str, who: &Session) -> Value {
    let mut answer = house.get(path, who).await;
    while answer.status == 404 || answer.status == 403 {
        tokio::task::yield_now().await;
        answer = house.get(path, who).await;
    }
    answer.ok()
}

#[tokio::test]
async fn a_denial_says_what_would_be_enough_and_how_to_ask_for_it() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    house.post("/api/v1/grants", &dana, grant(&house, "femi", "inference")).await.ok();

    let answer = can(&house, &femi, "download weights", "fraud/3").await;
    assert_eq!(
        answer["smallest"]["sentence"],
        "It would be allowed with a phishing-resistant sign-in, a credential that is bound to its holder, a managed, compliant \
         device and a grant of export on fraud/3 with 2 approvals."
    );
    let template = &answer["smallest"]["access_request"];
    assert_eq!(
        (template["grantee"].as_str(), template["privilege"].as_str(), template["approvals"].as_u64()),
        (Some("femi"), Some("export"), Some(2))
    );
    assert_eq!(template["conditions"], json!({ "environments": ["production"] }));
    let context = &answer["smallest"]["context"];
    assert!(context["reason_user"]["en"].as_str().unwrap().contains("It would be allowed with"), "{context}");
    assert_eq!(context["reason_admin"], Value::Null, "policies are not for everybody");
    assert_eq!(context["access_request"]["template"]["scope"], "fraud/3");

    let better = json!({
        "action": "download weights", "resource": "fraud/3", "strength": 3, "managed_device": true, "bound": true
    });
    let answer = house.post("/api/v1/can", &femi, better).await.ok();
    assert_eq!(
        answer["smallest"]["sentence"],
        "It would be allowed with a grant of export on fraud/3 with 2 approvals."
    );
    let allowed = can(&house, &femi, "predict", "fraud").await;
    assert_eq!((allowed["allowed"].as_bool(), &allowed["smallest"]), (Some(true), &Value::Null));
}

#[tokio::test]
async fn what_is_enough_does_not_tell_that_a_thing_exists() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    for action in ["predict", "download weights", "read card"] {
        let known = can(&house, &femi, action, "fraud").await.to_string().replace("fraud", "X");
        let unknown = can(&house, &femi, action, "no-such").await.to_string().replace("no-such", "X");
        let (mut known, mut unknown): (Value, Value) =
            (serde_json::from_str(&known).unwrap(), serde_json::from_str(&unknown).unwrap());
        for answer in [&mut known, &mut unknown] {
            // Each asking has an id and a time of its own.
            answer["decision"] = Value::Null;
            answer["question"]["at"] = Value::Null;
            answer["facts"] =
                answer["facts"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
            answer["smallest"]["context"]["id"] = Value::Null;
        }
        assert_eq!(known, unknown, "{action}");
    }
}

#[tokio::test]
async fn the_record_of_a_denial_does_not_tell_its_asker_that_a_thing_exists() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    // A guardrail says no to the model that is there; nothing does to the one that is not.
    house.post("/api/v1/people/femi", &dana, json!({ "clearance": "public" })).await.ok();
    let mut told = Vec::new();
    for model in ["fraud", "no-such"] {
        let denied = house.get(&format!("/api/v1/models/{model}"), &femi).await;
        let id = denied.json()["error"]["decision"].as_str().unwrap().to_owned();
        let mut own = recorded(&house, &format!("/api/v1/decisions/{id}"), &femi).await;
        let whole = house.get(&format!("/api/v1/decisions/{id}"), &dana).await.ok();
        assert_eq!(whole["outcome"] == "forbidden", model == "fraud", "{whole}");
        // Each asking has an id, a time and a place of its own.
        for key in ["id", "index", "at", "ledger", "smallest", "facts"] {
            own[key] = Value::Null;
        }
        told.push(own);
        let feed = house.get(&format!("/api/v1/decisions?resource={model}"), &femi).await.ok();
        assert_eq!(feed["items"], json!([]), "{model}");
    }
    assert_eq!(told[0], told[1]);
    let feed = house.get("/api/v1/decisions?action=readCard", &femi).await.ok();
    assert_eq!(feed["items"].as_array().map(Vec::len), Some(2));
    for line in feed["items"].as_array().unwrap() {
        assert_eq!(line["resource"]["name"], "a model you may not know of");
        assert_eq!((&line["outcome"], &line["resource"]["id"]), (&json!("not-permitted"), &Value::Null));
    }
}

#[tokio::test]
async fn who_may_and_what_one_may_come_in_pages_and_only_to_whom_they_concern() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let mut last = None;
    for name in ["femi", "ilse", "jonas"] {
        last = Some(house.invited(&dana, name).await);
        house.post("/api/v1/grants", &dana, grant(&house, name, "inference")).await.ok();
    }
    let jonas = last.unwrap();
    let ask = json!({ "action": "predict", "resource": "fraud", "limit": 2 });
    let first = house.post("/api/v1/who-can", &dana, ask.clone()).await.ok();
    let names = |page: &Value| -> Vec<String> {
        let rows = page["allowed"].as_array().unwrap();
        rows.iter().map(|row| row["principal"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["femi", "ilse"]);
    let mut rest = ask.clone();
    rest["after"] = first["next"].clone();
    let second = house.post("/api/v1/who-can", &dana, rest).await.ok();
    assert_eq!((names(&second), &second["next"]), (vec!["jonas".to_owned()], &Value::Null));
    assert_eq!(house.post("/api/v1/who-can", &jonas, ask).await.status, 403);

    let mine = house.post("/api/v1/what-can", &jonas, json!({ "action": "predict" })).await.ok();
    assert_eq!(mine["allowed"][0]["resource"]["name"], "fraud/3", "{mine}");
    let all = house.post("/api/v1/what-can", &jonas, json!({})).await.ok();
    let rows = all["allowed"].as_array().unwrap();
    assert!(rows.len() > 1 && rows.iter().all(|row| row["privilege"] == "inference"), "{all}");
    let of_femi = json!({ "principal": "femi" });
    assert_eq!(house.post("/api/v1/what-can", &jonas, of_femi.clone()).await.status, 403);
    assert_eq!(house.post("/api/v1/what-can", &jonas, json!({ "principal": "nobody" })).await.status, 403);
    let audited = house.post("/api/v1/what-can", &dana, of_femi).await.ok();
    assert!(!audited["allowed"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_decision_is_made_again_after_everything_it_rested_on_has_changed() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    let given = house.post("/api/v1/grants", &dana, grant(&house, "femi", "inference")).await.ok();
    let denied = house.get("/api/v1/models/fraud", &femi).await;
    let denied = denied.json()["error"]["decision"].as_str().unwrap().to_owned();
    let allowed = can(&house, &dana, "predict", "fraud").await["decision"].as_str().unwrap().to_owned();
    house.pass_seconds(5);

    let id = given["grant"]["id"].as_str().unwrap();
    house.post(&format!("/api/v1/grants/{id}/revoke"), &dana, json!({})).await.ok();
    house.post("/api/v1/grants", &dana, grant(&house, "femi", "read-only")).await.ok();
    assert_eq!(house.get("/api/v1/models/fraud", &femi).await.status, 200, "now it is allowed");
    let mut declared = declaration();
    declared["model"][0]["classification"] = json!("restricted");
    declared["model"][0]["tags"] = json!(["trained-on-personal"]);
    house.post("/api/v1/apply", &dana, json!({ "declaration": declared })).await.ok();
    let groups = json!({ "groups": [{ "name": "readers", "members": ["femi"] }] });
    house.post("/api/v1/groups", &dana, groups).await.ok();

    for (decision, who) in [(&denied, &femi), (&denied, &dana), (&allowed, &dana)] {
        let replay = recorded(&house, &format!("/api/v1/decisions/{decision}/replay"), who).await;
        assert_eq!(
            (replay["agrees"].as_bool(), &replay["difference"]),
            (Some(true), &Value::Null),
            "{replay}"
        );
    }
    // Then: a person of that time asks with the state of that time.
    let view = recorded(&house, &format!("/api/v1/decisions/{denied}"), &femi).await;
    assert!(
        view["smallest"]["sentence"].as_str().unwrap().contains("a grant of read-only on fraud"),
        "{view}"
    );
    let ilse = house.invited(&dana, "ilse").await;
    let path = format!("/api/v1/decisions/{denied}/replay");
    assert_eq!(house.get(&path, &ilse).await.status, 403);

    house.erase("femi").await;
    let erased = house.get(&path, &dana).await;
    assert_eq!(erased.code(), "conflict");
    assert!(erased.text.contains("its facts were erased"), "{}", erased.text);
}

/// The newest decisions, however old.
const fn wanted(max: usize) -> Wanted {
    Wanted { max, since: None, before: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_decisions_are_tried_under_another_bundle() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    house.post("/api/v1/grants", &dana, grant(&house, "femi", "read-only")).await.ok();
    for _ in 0..3 {
        house.get("/api/v1/models/fraud", &femi).await.ok();
    }
    house.post("/api/v1/people/femi", &dana, json!({ "active": false })).await.ok();
    let items = house.plane.recorded_decisions(wanted(1_000)).await.unwrap().0;
    assert!(items.len() > 5, "{}", items.len());
    assert_eq!(house.plane.recorded_decisions(wanted(2)).await.unwrap().0.len(), 2);

    let active = house.plane.snapshot().bundle().clone();
    let same = house.plane.replay_many(active.clone(), items.clone(), |_| ()).await.unwrap();
    assert_eq!(
        (same.replayed, same.flips),
        (items.len() as u64, [].into()),
        "the active bundle decides as it did"
    );

    let mut sources = active.sources().clone();
    let forbid = "@id(\"no-cards\") @title(\"t\") @owner(\"o\") @reason(\"r\") @remedy(\"administrator\")
         forbid (principal, action == Modelward::Action::\"readCard\", resource);";
    sources.insert("site.cedar".to_owned(), forbid.to_owned());
    let file = BundleFile::pack(sources.clone()).unwrap();
    let stricter = std::sync::Arc::new(modelward_decision::Bundle::from_sources(sources).unwrap());
    let found = house.plane.replay_many(stricter, items, |_| ()).await.unwrap();
    let (key, flips) = found.flips.iter().next().unwrap();
    assert_eq!((found.flips.len(), flips.len(), key.policy.as_deref()), (1, 3, Some("no-cards")));
    assert_eq!(key.direction, modelward_decision::replay::Direction::Stricter);

    // The same over the wire, for a bundle that nobody proposed, page by page.
    let text = String::from_utf8(file.to_bytes().unwrap()).unwrap();
    let (mut before, mut pages, mut replayed, mut flips) = (None, 0, 0, 0);
    loop {
        let body = json!({ "file": text, "last": 3, "days": 30, "before": before });
        let page = house.post("/api/v1/policy/replay", &dana, body).await.ok();
        pages += 1;
        replayed += page["replayed"].as_u64().unwrap();
        flips += page["flips"].as_u64().unwrap();
        before = page["next"].as_u64();
        if before.is_none() {
            break;
        }
    }
    assert!(pages > 2 && replayed > 5, "{replayed} decisions on {pages} pages");
    assert_eq!(flips, 3);
    let ilse = house.invited(&dana, "ilse").await;
    let refused = house.post("/api/v1/policy/replay", &ilse, json!({ "file": text })).await;
    assert_eq!(refused.status, 403, "it takes the right to read decisions: {}", refused.text);
    let broken = house.post("/api/v1/policy/replay", &dana, json!({ "file": "{}" })).await;
    assert_eq!(broken.code(), "refused", "{}", broken.text);
}
