//! The first day of an installation, from the code of `init` to the first denial.

use serde_json::json;

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn the_first_person_enrols_once_and_holds_govern_and_audit() {
    let house = House::new().await;
    let name = || "dana".parse().unwrap();
    let invited = house.plane.initialise(name(), "Dana Osei".to_owned()).await.unwrap();
    assert!(house.plane.initialise(name(), "Dana".to_owned()).await.is_err(), "init works once");
    let code = invited.code.expose();

    let start = json!({ "code": code });
    let started = house.call("POST", "/api/v1/enrol", None, Some(start)).await.ok();
    assert_eq!(started["name"], "dana");
    assert!(started["otpauth"].as_str().unwrap().starts_with("otpauth://totp/"));
    let secret = started["secret"].as_str().unwrap();

    let weak = json!({ "code": code, "password": "password", "totp": house.totp(secret) });
    let refused = house.call("POST", "/api/v1/enrol/confirm", None, Some(weak)).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "refused"));
    house.pass_seconds(60);
    let wrong = json!({ "code": code, "password": PASSWORD, "totp": "000000" });
    let refused = house.call("POST", "/api/v1/enrol/confirm", None, Some(wrong)).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (401, "bad-credentials"));

    house.pass_seconds(60);
    let right = json!({ "code": code, "password": PASSWORD, "totp": house.totp(secret) });
    let enrolled = house.call("POST", "/api/v1/enrol/confirm", None, Some(right.clone())).await.ok();
    assert_eq!(enrolled["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(enrolled["first"], true);
    let again = house.call("POST", "/api/v1/enrol/confirm", None, Some(right)).await;
    assert_eq!(again.status, 401, "a code counts once");

    let session = house.sign_in("dana", secret).await;
    let me = house.get("/api/v1/whoami", &session).await.ok();
    let held: Vec<&str> =
        me["grants"].as_array().unwrap().iter().map(|it| it["privilege"].as_str().unwrap()).collect();
    assert_eq!(held, ["govern", "audit"]);
    assert_eq!(me["bootstrap"]["open"], true);

    // A recovery code signs in once, without the authenticator.
    let recovery = enrolled["recovery_codes"][0].as_str().unwrap();
    let login = json!({ "name": "dana", "password": PASSWORD, "recovery_code": recovery });
    let signed_in = house.call("POST", "/api/v1/login", None, Some(login.clone())).await.ok();
    assert_eq!(signed_in["recovery_codes_left"], 9);
    assert_eq!(house.call("POST", "/api/v1/login", None, Some(login)).await.status, 401);
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_are_one_answer() {
    let house = House::new().await;
    house.first().await;
    house.pass_seconds(60);
    let unknown = json!({ "name": "nobody", "password": PASSWORD, "totp": "000000" });
    let unknown = house.call("POST", "/api/v1/login", None, Some(unknown)).await;
    house.pass_seconds(60);
    let wrong = json!({ "name": "dana", "password": "another long walk", "totp": "000000" });
    let wrong = house.call("POST", "/api/v1/login", None, Some(wrong)).await;
    assert_eq!((unknown.status, &unknown.text), (wrong.status, &wrong.text));
    assert_eq!(unknown.status, 401);

    // Guessing on is slowed down, and the answer says for how long.
    let mut last = None;
    for _ in 0..6 {
        let guess = json!({ "name": "dana", "password": "another long walk", "totp": "000000" });
        last = Some(house.call("POST", "/api/v1/login", None, Some(guess)).await);
    }
    let last = last.unwrap();
    assert_eq!(last.status, 429);
    assert!(last.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn what_was_declared_is_not_declared_again_and_goes_only_when_asked() {
    let house = House::new().await;
    let dana = house.first().await;
    let all = json!({ "declaration": crate::house::declaration() });
    let dry = json!({ "declaration": crate::house::declaration(), "dry_run": true });
    let planned = house.post("/api/v1/apply", &dana, dry).await.ok();
    let applied = house.post("/api/v1/apply", &dana, all.clone()).await.ok();
    assert_eq!(planned["changes"], applied["changes"]);
    assert!(planned["revision"].is_null() && applied["revision"].is_u64());
    let again = house.post("/api/v1/apply", &dana, all).await.ok();
    assert_eq!(again["changes"], json!([]));

    let less = json!({ "declaration": { "environment": [{ "name": "production", "production": true }] } });
    let kept = house.post("/api/v1/apply", &dana, less).await.ok();
    assert_eq!(kept["changes"], json!([]));
    assert!(kept["not_declared"].as_array().unwrap().contains(&json!("model fraud")));
    let pruned = json!({
        "declaration": { "environment": [{ "name": "production", "production": true }] },
        "prune": true
    });
    let pruned = house.post("/api/v1/apply", &dana, pruned).await.ok();
    let gone: Vec<&str> =
        pruned["changes"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(gone.contains(&"fraud") && gone.contains(&"scoring"), "{gone:?}");
}

#[tokio::test]
async fn two_people_in_two_groups_close_the_first_days_for_good() {
    let house = House::new().await;
    let dana = house.first().await;
    house.furnish(&dana).await;
    house.invited(&dana, "femi").await;
    let groups = json!({ "groups": [{ "name": "analysts", "members": ["femi"] }] });
    house.post("/api/v1/groups", &dana, groups).await.ok();
    assert_eq!(house.get("/api/v1/whoami", &dana).await.ok()["bootstrap"]["open"], true);

    let own = json!({ "groups": [{ "name": "owners", "members": ["dana"] }] });
    let refused = house.post("/api/v1/groups", &dana, own.clone()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (422, "refused"),
        "nobody adds themselves"
    );

    let until = (house.now() + jiff::SignedDuration::from_hours(24)).to_string();
    let govern = json!({ "grantee": "femi", "privilege": "govern", "scope": "platform", "not_after": until });
    house.post("/api/v1/grants", &dana, govern).await.ok();
    let femi = {
        let invited = house.get("/api/v1/whoami", &dana).await.ok();
        assert_eq!(invited["bootstrap"]["open"], true);
        house.invited(&dana, "ilse").await
    };
    let refused = house.post("/api/v1/groups", &femi, own).await;
    assert_eq!(refused.status, 403, "ilse holds nothing");
    let joined = json!({ "groups": [{ "name": "owners", "members": ["ilse"] }] });
    house.post("/api/v1/groups", &dana, joined).await.ok();
    assert_eq!(house.get("/api/v1/whoami", &dana).await.ok()["bootstrap"]["open"], false);
    let late = json!({ "grantee": "ilse", "privilege": "read-only", "scope": "fraud", "not_after": until });
    let refused = house.post("/api/v1/grants", &dana, late).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "refused"));
}

#[tokio::test]
async fn what_a_crash_left_before_the_ledger_had_it_is_in_force_after_the_next_start() {
    use modelward_decision::inventory::Project;
    use modelward_decision::vocabulary::{EventId, ProjectId};
    use modelward_governance::inventory::Thing;
    use modelward_store::{Commit, StateChange};

    let house = House::new().await;
    house.first().await;
    let project = Project { id: ProjectId::from_bits(1 << 90), name: "risk".parse().unwrap() };
    let commit = Commit {
        event: EventId::from_bits(1 << 91),
        actor: None,
        at: house.now(),
        detail: json!({ "what": "apply", "lines": ["+ project risk"] }),
        changes: vec![StateChange::Put(Box::new(Thing::Project(project)))],
    };
    house.plane.store().commit(commit).await.unwrap();
    assert!(house.plane.snapshot().project_named("risk").is_none(), "what widens waits for the ledger");
    let house = house.restarted().await;
    assert!(house.plane.snapshot().project_named("risk").is_some());
    assert_eq!(house.plane.store().pending_outbox_len().await.unwrap(), 0);
}
