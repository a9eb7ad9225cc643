//! Grants bite, revocations bite at once, and everybody is told why.

use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use modelward_decision::vocabulary::Classification;
use modelward_identity::Epochs as _;
use serde_json::{Value, json};

use crate::house::{Answer, House, Session};

async fn may(house: &House, who: &Session, action: &str, resource: &str) -> Value {
    house.post("/api/v1/can", who, json!({ "action": action, "resource": resource })).await.ok()
}

fn grant(house: &House, grantee: &str, privilege: &str, hours: i64) -> Value {
    let until = (house.now() + SignedDuration::from_hours(hours)).to_string();
    json!({ "grantee": grantee, "privilege": privilege, "scope": "fraud", "not_after": until })
}

#[tokio::test]
async fn a_grant_is_felt_at_once_and_so_is_its_end() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;

    let before = may(&house, &femi, "predict", "fraud").await;
    assert_eq!(
        (before["allowed"].as_bool(), before["outcome"].as_str()),
        (Some(false), Some("not-permitted"))
    );
    assert_eq!(before["trace"], Value::Null, "nothing is told of what one may not know of");
    let unknown = may(&house, &femi, "predict", "no-such-model").await;
    assert_eq!(before["sentence"], unknown["sentence"], "unknown and forbidden to know are one answer");
    assert_eq!(house.get("/api/v1/models", &femi).await.ok()["items"], json!([]));

    // Only within the limits of a young installation, and never to oneself.
    for (body, why) in [
        (grant(&house, "femi", "export", 24), "above what one word is enough for"),
        (grant(&house, "femi", "inference", 24 * 40), "longer than 30 days"),
        (grant(&house, "dana", "inference", 24), "to oneself"),
    ] {
        assert_eq!(house.post("/api/v1/grants", &dana, body).await.code(), "refused", "{why}");
    }
    let mut dry = grant(&house, "femi", "inference", 24);
    dry["dry_run"] = json!(true);
    let planned = house.post("/api/v1/grants", &dana, dry).await.ok();
    assert_eq!((planned["gains"].as_u64(), planned["revision"].is_null()), (Some(1), true));
    assert_eq!(may(&house, &femi, "predict", "fraud").await["allowed"], false);

    let given = house.post("/api/v1/grants", &dana, grant(&house, "femi", "inference", 24)).await.ok();
    let allowed = may(&house, &femi, "predict", "fraud").await;
    assert_eq!(allowed["allowed"], true, "{allowed}");
    assert_eq!(allowed["question"]["resource"]["name"], "fraud/3");
    assert_eq!(may(&house, &femi, "download weights", "fraud/3").await["allowed"], false);
    let models = house.get("/api/v1/models", &femi).await.ok();
    assert_eq!(models["items"][0]["mine"][0]["letter"], "I");
    assert_eq!(
        house.get("/api/v1/models/fraud", &femi).await.status,
        403,
        "inference does not read the card"
    );

    // An access token for it, and nothing else in it.
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={}&subject_token_type=urn:modelward:params:oauth:token-type:session&scope=inference+export",
        femi.secret
    );
    let request =
        http::Request::post("/api/v1/token").header("content-type", "application/x-www-form-urlencoded");
    let refused = house.send(request.body(form.clone().into()).unwrap()).await;
    assert_eq!(refused.status, 400, "inference and export never stand in one token: {}", refused.text);
    assert_eq!(refused.json()["error"], "access_denied");
    let request =
        http::Request::post("/api/v1/token").header("content-type", "application/x-www-form-urlencoded");
    let minted = house.send(request.body(form.replace("+export", "").into()).unwrap()).await.ok();
    assert_eq!(minted["scope"], "inference");
    let token = minted["access_token"].as_str().unwrap();
    let snapshot = house.plane.snapshot();
    assert!(house.verifier.verify(token.as_bytes(), &snapshot, house.now()).is_ok());

    let id = given["grant"]["id"].as_str().unwrap();
    let path = format!("/api/v1/grants/{id}/revoke");
    let planned = house.post(&path, &dana, json!({ "dry_run": true })).await.ok();
    assert_eq!(planned["effect"], json!({ "principals": 1, "keep_by_other_grants": 0, "streams": 0 }));
    assert_eq!(may(&house, &femi, "predict", "fraud").await["allowed"], true);
    let revoked = house.post(&path, &dana, json!({ "reason": "the project ended" })).await.ok();
    assert!(revoked["time_to_enforce_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(may(&house, &femi, "predict", "fraud").await["allowed"], false);
    assert_eq!(house.post(&path, &dana, json!({})).await.code(), "conflict");
    let one = house.get(&format!("/api/v1/grants/{id}"), &dana).await.ok();
    assert_eq!(one["state"], "revoked");
}

#[tokio::test]
async fn deactivating_a_person_ends_their_sessions_in_the_same_breath() {
    let house = House::new().await;
    let dana = house.first().await;
    let femi = house.invited(&dana, "femi").await;
    house.get("/api/v1/whoami", &femi).await.ok();
    let own = house.post("/api/v1/people/dana", &dana, json!({ "active": false })).await;
    assert_eq!(own.code(), "refused", "nobody locks themselves out");
    house.post("/api/v1/people/femi", &dana, json!({ "active": false })).await.ok();
    assert_eq!(house.get("/api/v1/whoami", &femi).await.status, 401);
    let person = house.plane.snapshot().person_named("femi").unwrap().id;
    let scope = modelward_decision::EpochScope::Principal(
        modelward_decision::vocabulary::PrincipalRef::Person(person),
    );
    assert!(house.plane.snapshot().as_ref().epoch(scope) > 0 || house.plane.snapshot().epoch(scope) > 0);
}

/// Lets two requests come as far as the writer in this order, and then both on.
async fn side_by_side(house: &House, one: impl Future<Output = Answer>, two: impl Future<Output = Answer>) {
    let writer = house.plane.store().writer().await;
    let before = house.ledger_size();
    let second = async {
        house.ledger_grows_to(before + 1).await;
        two.await
    };
    let let_go = async {
        house.ledger_grows_to(before + 2).await;
        drop(writer);
    };
    let (one, two, ()) = tokio::join!(one, second, let_go);
    one.ok();
    two.ok();
}

#[tokio::test]
async fn nothing_written_back_undoes_a_narrowing_that_came_in_between() {
    let house = House::new().await;
    let dana = house.first().await;
    house.post("/api/v1/enrolments", &dana, json!({ "name": "femi", "clearance": "restricted" })).await.ok();
    let lower = house.post("/api/v1/people/femi", &dana, json!({ "clearance": "public" }));
    let rename = house.post("/api/v1/people/femi", &dana, json!({ "display_name": "Femi Ade" }));
    side_by_side(&house, lower, rename).await;
    let femi = house.plane.snapshot().person_named("femi").cloned().unwrap();
    assert_eq!((femi.clearance, femi.display_name.as_str()), (Classification::Public, "Femi Ade"));

    let off = house.post("/api/v1/people/femi", &dana, json!({ "active": false }));
    let join = json!({ "groups": [{ "name": "risk", "members": ["femi"] }] });
    let join = house.post("/api/v1/groups", &dana, join);
    side_by_side(&house, off, join).await;
    let femi = house.plane.snapshot().person_named("femi").cloned().unwrap();
    assert_eq!((femi.active, femi.groups.len()), (false, 1), "a member now, and still not active");
}

#[tokio::test]
async fn of_two_grants_at_once_the_second_sees_the_first() {
    let house = House::new().await;
    let dana = house.first().await;
    for name in ["femi", "ilse"] {
        house.post("/api/v1/enrolments", &dana, json!({ "name": name })).await.ok();
    }
    let govern = |name: &str| {
        let until = "2026-11-25T10:00:00Z";
        json!({ "grantee": name, "privilege": "govern", "scope": "platform", "not_after": until })
    };
    let (femi, ilse) = tokio::join!(
        house.post("/api/v1/grants", &dana, govern("femi")),
        house.post("/api/v1/grants", &dana, govern("ilse")),
    );
    let given = [&femi, &ilse].iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(given, 1, "two people govern by somebody's word at most: {} {}", femi.text, ilse.text);
}

#[tokio::test]
async fn whoever_governs_sees_the_sessions_of_others_and_ends_them() {
    let house = House::new().await;
    let dana = house.first().await;
    let femi = house.invited(&dana, "femi").await;
    let path = "/api/v1/people/femi/sessions";
    let seen = house.get(path, &dana).await.ok();
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    assert_eq!(seen["items"][0]["current"], false);
    assert_eq!(house.get(path, &femi).await.status, 403, "one's own are at another address");
    assert_eq!(house.get("/api/v1/people/nobody/sessions", &dana).await.status, 404);
    house.call("POST", "/api/v1/people/femi/end-sessions", Some(&dana), None).await.ok();
    assert_eq!(house.get(path, &dana).await.ok()["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_sign_in_under_way_when_all_sessions_are_ended_leaves_none() {
    let house = House::new().await;
    let dana = house.first().await;
    let femi = house.invited(&dana, "femi").await;
    let ended = house.call("POST", "/api/v1/people/femi/end-sessions", Some(&dana), None);
    let (answer, ended) = tokio::join!(house.sign_in_answer("femi", &femi), ended);
    ended.ok();
    if let Some(secret) = answer.json()["session_secret"].as_str() {
        let late = Session::with_secret(secret);
        assert_eq!(house.get("/api/v1/whoami", &late).await.status, 401, "the password was being checked");
    }
}

#[tokio::test]
async fn a_session_signed_out_of_is_worth_nothing_afterwards() {
    let house = House::new().await;
    let dana = house.first().await;
    let other = house.again("dana", &dana).await;
    assert_eq!(house.get("/api/v1/sessions", &dana).await.ok()["items"].as_array().unwrap().len(), 2);
    house.call("POST", "/api/v1/logout", Some(&other), None).await.ok();
    assert_eq!(house.get("/api/v1/whoami", &other).await.status, 401);
    house.get("/api/v1/whoami", &dana).await.ok();
    house.pass_seconds(31 * 60);
    assert_eq!(house.get("/api/v1/whoami", &dana).await.status, 401, "half an hour unused");
}

#[tokio::test]
async fn a_denial_is_explained_to_whom_it_concerns_and_to_auditors_only() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    let ilse = house.invited(&dana, "ilse").await;
    let denied = house.get("/api/v1/models/fraud", &femi).await;
    assert_eq!((denied.status.as_u16(), denied.code().as_str()), (403, "denied"));
    let id = denied.json()["error"]["decision"].as_str().unwrap().to_owned();

    // Denials are durable within moments, not before the answer.
    let path = format!("/api/v1/decisions/{id}");
    let mut own = house.get(&path, &femi).await;
    while own.status != 200 {
        tokio::task::yield_now().await;
        own = house.get(&path, &femi).await;
    }
    let own = own.ok();
    assert_eq!((own["allowed"].as_bool(), own["action"].as_str()), (Some(false), Some("readCard")));
    assert_eq!(own["principal"]["name"], "femi");
    assert!(own["ledger"]["leaf_hash"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(house.get(&path, &ilse).await.status, 403, "others' decisions are not hers to see");
    let audited = house.get(&path, &dana).await.ok();
    assert!(audited["trace"]["candidates"].as_array().is_some_and(|it| !it.is_empty()), "{audited}");

    let feed = house.get("/api/v1/decisions?whose=all&verdict=deny", &dana).await.ok();
    let lines = feed["items"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["id"] == id && line["principal"]["name"] == "femi"), "{feed}");
    assert_eq!(house.get("/api/v1/decisions?whose=all", &ilse).await.status, 403);
    let mine = house.get("/api/v1/decisions?own_account=true", &ilse).await.ok();
    assert!(mine["items"].as_array().unwrap().iter().all(|line| line["principal"]["name"] == "ilse"));
}

#[tokio::test]
async fn the_feed_tells_of_a_decision_as_it_is_made() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let request = http::Request::get("/api/v1/decisions/stream?whose=all&action=readCard")
        .header("authorization", format!("Bearer {}", dana.secret));
    let response = house.raw(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    assert_eq!(house.get("/api/v1/models/fraud", &dana).await.status, 403);
    let frame = body.frame().await.unwrap().unwrap();
    let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    assert!(text.contains("event: decision") && text.contains("readCard"), "{text}");

    // The right to watch ends, and so does the feed.
    house.call("POST", "/api/v1/logout", Some(&dana), None).await.ok();
    while let Some(frame) = body.frame().await {
        frame.unwrap();
    }
}

#[tokio::test]
async fn the_matrix_shows_marks_where_grants_are_and_says_the_same_in_every_form() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    house.invited(&dana, "femi").await;
    house.post("/api/v1/grants", &dana, grant(&house, "femi", "read-only", 24)).await.ok();
    let mut elsewhere = grant(&house, "femi", "inference", 24);
    elsewhere["conditions"] = json!({ "environments": ["staging"] });
    let _unknown_environment = house.post("/api/v1/grants", &dana, elsewhere).await;
    let matrix = house.get("/api/v1/matrix?environment=production", &dana).await.ok();
    let femi =
        matrix["rows"].as_array().unwrap().iter().find(|row| row["principal"]["name"] == "femi").unwrap();
    let marks: Vec<(&str, &str)> = femi["cells"]["fraud"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mark| (mark["letter"].as_str().unwrap(), mark["state"].as_str().unwrap()))
        .collect();
    assert_eq!(marks, [("R", "allow"), ("I", "needs")]);
    let text = house.get("/api/v1/matrix?environment=production&format=text", &dana).await.text;
    assert!(text.contains("femi") && text.contains("R (I)"), "{text}");
    let csv = house.get("/api/v1/matrix?environment=production&format=csv", &dana).await.text;
    assert!(csv.contains("femi,person,R (I)\r\n"), "{csv}");
}

#[tokio::test]
async fn an_entry_is_proved_by_what_the_server_hands_out() {
    let house = House::new().await;
    let dana = house.first().await;
    let position = house.get("/api/v1/ledger", &dana).await.ok();
    assert!(position["size"].as_u64().unwrap() > 3);
    let entry = house.get("/api/v1/ledger/entries/1", &dana).await.ok();
    assert_eq!(entry["place"]["index"], 1);
    let mut proof = house.get("/api/v1/ledger/entries/1/proof", &dana).await;
    while proof.status == 503 {
        tokio::task::yield_now().await;
        proof = house.get("/api/v1/ledger/entries/1/proof", &dana).await;
    }
    let proof = proof.ok();
    assert!(proof["tlog_proof"].as_str().unwrap().starts_with("c2sp.org/tlog-proof@v1"), "{proof}");
    let checkpoint = house.call("GET", "/ledger/checkpoint", None, None).await;
    assert!(checkpoint.status.is_success() && checkpoint.text.starts_with("localhost/modelward\n"));
    assert_eq!(house.get("/api/v1/ledger/entries/999999", &dana).await.status, 404);
}

#[tokio::test]
async fn no_person_is_named_in_clear_in_what_can_never_be_changed() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    let femi = house.invited(&dana, "femi").await;
    house.post("/api/v1/grants", &dana, grant(&house, "femi", "read-only", 24)).await.ok();
    house.get("/api/v1/models/fraud", &femi).await.ok();
    house.get("/api/v1/matrix", &femi).await;
    let about_femi = json!({ "principal": "femi", "action": "predict", "resource": "fraud" });
    house.post("/api/v1/can", &dana, about_femi).await.ok();
    house.post("/api/v1/people/femi", &dana, json!({ "active": false })).await.ok();
    let people: Vec<String> = house
        .plane
        .snapshot()
        .people()
        .flat_map(|it| [it.id.to_string(), it.name.to_string(), it.display_name.clone()])
        .collect();
    let size = house.get("/api/v1/ledger", &dana).await.ok()["size"].as_u64().unwrap();
    for index in 0..size {
        let entry = house.get(&format!("/api/v1/ledger/entries/{index}"), &dana).await.ok();
        let text = entry["entry"].to_string();
        for named in &people {
            assert!(!text.contains(named.as_str()), "entry {index} names {named}: {text}");
        }
    }
}

#[tokio::test]
async fn an_answer_about_somebody_else_speaks_of_them() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    house.invited(&dana, "femi").await;
    let asked = json!({ "principal": "femi", "action": "download weights", "resource": "fraud/3" });
    let answer = house.post("/api/v1/can", &dana, asked).await.ok();
    let sentence = answer["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("femi may not") && !sentence.to_lowercase().contains("you"), "{sentence}");
}
