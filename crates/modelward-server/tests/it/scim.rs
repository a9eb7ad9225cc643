//! Provisioning over SCIM: who comes, who changes and who goes at the source, and what follows from it here.

use axum::body::Body;
use http::Request;
use jiff::SignedDuration;
use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{GranteeRef, PrincipalRef};
use serde_json::{Value, json};

use crate::federation::Stage;
use crate::house::{Answer, ORIGIN};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A source of people, with the house it provisions.
struct Source {
    stage: Stage,
    secret: String,
}

impl Source {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let secret = add(&stage, json!({ "name": "okta", "issuer": "corporate" })).await;
        Self { stage, secret }
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(method, path, body, &[]).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/scim/v2{path}"))
            .header("authorization", format!("Bearer {}", self.secret))
            .header("content-type", "application/scim+json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.stage.house.send(request.body(body).unwrap()).await
    }

    /// Somebody who comes; their id.
    async fn comes(&self, name: &str) -> String {
        let body = json!({
            "schemas": [USER], "userName": format!("{name}@example.org"), "externalId": format!("{name}-1"),
            "displayName": name, "emails": [{ "value": format!("{name}@example.org"), "primary": true }],
        });
        let answer = self.call("POST", "/Users", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": members });
        let answer = self.call("POST", "/Groups", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn patch(&self, path: &str, operations: Value) -> Answer {
        self.call("PATCH", path, Some(json!({ "schemas": [PATCH], "Operations": operations }))).await
    }

    async fn set_active(&self, id: &str, active: bool) -> Answer {
        let operation = json!([{ "op": "replace", "value": { "active": active } }]);
        self.patch(&format!("/Users/{id}"), operation).await
    }

    async fn person(&self, name: &str) -> Value {
        let people = self.stage.house.get("/api/v1/people", &self.stage.dana).await.ok();
        let found = people["items"].as_array().unwrap().iter().find(|person| person["name"] == name).cloned();
        found.unwrap_or(Value::Null)
    }

    async fn clients(&self) -> Value {
        self.stage.house.get("/api/v1/scim-clients", &self.stage.dana).await.ok()["items"].clone()
    }

    /// What state changes the ledger tells of, from the first on.
    async fn changes(&self) -> Vec<String> {
        let position = self.stage.house.get("/api/v1/ledger", &self.stage.dana).await.ok();
        let mut changes = Vec::new();
        for index in 0..position["size"].as_u64().unwrap() {
            let path = format!("/api/v1/ledger/entries/{index}");
            let entry = self.stage.house.get(&path, &self.stage.dana).await.ok();
            if entry["entry"]["kind"] == "state-change" {
                changes.extend(entry["entry"]["action"].as_str().map(str::to_owned));
            }
        }
        changes
    }
}

async fn add(stage: &Stage, request: Value) -> String {
    let made = stage.house.post("/api/v1/scim-clients", &stage.dana, request).await.ok();
    assert_eq!(made["address"], format!("{ORIGIN}/scim/v2"));
    made["secret"].as_str().unwrap().to_owned()
}

fn kind(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.headers["content-type"], "application/scim+json", "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(body["status"], answer.status.as_str());
    (answer.status.as_u16(), body["scimType"].as_str().unwrap_or("-").to_owned())
}

#[tokio::test]
async fn people_come_and_sign_in_at_their_issuer_and_nowhere_else() {
    let source = Source::new().await;
    let id = source.comes("eli").await;
    let person = source.person("eli").await;
    assert_eq!((&person["id"], &person["active"], &person["groups"]), (&json!(id), &json!(true), &json!([])));
    let session = source.stage.signed_in("eli-1").await;
    let me = source.stage.house.get("/api/v1/whoami", &session).await.ok();
    assert_eq!((&me["principal"]["name"], &me["grants"]), (&json!("eli"), &json!([])));
    let invited =
        source.stage.house.post("/api/v1/enrolments", &source.stage.dana, json!({ "name": "eli" })).await;
    assert_eq!(invited.code(), "conflict", "no password beside the issuer: {}", invited.text);

    let read = source.call("GET", &format!("/Users/{id}"), None).await;
    assert_eq!((read.status.as_u16(), &read.headers["etag"]), (200, &"W/\"1\"".parse().unwrap()));
    let user = read.json();
    assert_eq!(user["meta"]["location"], format!("{ORIGIN}/scim/v2/Users/{id}"));
    assert_eq!((&user["userName"], &user["active"]), (&json!("eli@example.org"), &json!(true)));
    assert!(source.changes().await.iter().any(|what| what == "scim-create"));
}

#[tokio::test]
async fn whoever_goes_at_the_source_loses_everything_here_at_once() {
    let source = Source::new().await;
    let (house, dana) = (&source.stage.house, &source.stage.dana);
    house.furnish(dana).await;
    let id = source.comes("eli").await;
    source.group("fraud", &[&id]).await;
    let until = (house.now() + SignedDuration::from_hours(8)).to_string();
    let grant = json!({ "grantee": "eli", "privilege": "inference", "scope": "fraud", "not_after": until });
    house.post("/api/v1/grants", dana, grant).await.ok();
    let session = source.stage.signed_in("eli-1").await;
    assert!(source.stage.is_in(&session).await);
    let epoch = || {
        let snapshot = house.plane.snapshot();
        let person = snapshot.people().find(|person| person.id.to_string() == id).unwrap().id;
        let own = GranteeRef::Person(person);
        let epoch = snapshot.epoch(EpochScope::Principal(PrincipalRef::Person(person)));
        (epoch, snapshot.grants().filter(|grant| grant.grantee == own).count())
    };
    let (before, grants) = epoch();
    assert_eq!(grants, 1);

    // As Entra says it.
    let gone = source
        .patch(&format!("/Users/{id}"), json!([{ "op": "Replace", "path": "active", "value": "False" }]))
        .await;
    assert_eq!((gone.status.as_u16(), &gone.json()["active"]), (200, &json!(false)));
    assert!(!source.stage.is_in(&session).await, "the session is over");
    let (after, grants) = epoch();
    assert!(after > before, "every token and stream ends");
    assert_eq!(grants, 0, "no grant is left");
    let person = source.person("eli").await;
    assert_eq!((&person["active"], &person["groups"]), (&json!(false), &json!([])));
    house.pass_seconds(1);
    let refused = source.stage.login(&source.stage.claims("cli", "eli-1")).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(source.changes().await.iter().any(|what| what == "scim-end"));

    // Not because it is not said any more.
    let silent = json!({ "schemas": [USER], "userName": "eli@example.org", "externalId": "eli-1" });
    assert_eq!(source.call("PUT", &format!("/Users/{id}"), Some(silent)).await.json()["active"], false);
    source.patch(&format!("/Users/{id}"), json!([{ "op": "remove", "path": "active" }])).await.ok();
    assert_eq!(source.person("eli").await["active"], false);

    // Back again, with what the reviewed mapping gives and nothing else.
    house.pass_seconds(1);
    assert_eq!(source.set_active(&id, true).await.json()["active"], true);
    assert_eq!(source.person("eli").await["groups"], json!(["corp-fraud"]));
    let session = source.stage.signed_in("eli-1").await;
    let me = house.get("/api/v1/whoami", &session).await.ok();
    assert_eq!(me["grants"], json!([]), "grants do not come back");
}

#[tokio::test]
async fn whoever_is_deleted_leaves_nothing_to_sign_in_with_and_their_name() {
    let source = Source::new().await;
    let id = source.comes("eli").await;
    let session = source.stage.signed_in("eli-1").await;
    let path = format!("/Users/{id}");
    assert_eq!(source.call("DELETE", &path, None).await.status, 204);
    assert_eq!(kind(&source.call("GET", &path, None).await), (404, "-".to_owned()));
    assert_eq!(kind(&source.call("DELETE", &path, None).await), (404, "-".to_owned()));
    assert!(!source.stage.is_in(&session).await);
    source.stage.house.pass_seconds(1);
    let stranger = source.stage.login(&source.stage.claims("cli", "eli-1")).await;
    assert_eq!(stranger.code(), "refused", "{}", stranger.text);
    // Another human of the same name is another person.
    let other = source.comes("eli").await;
    assert_ne!(other, id);
    assert_eq!(source.person("eli").await["id"], json!(other));
}

#[tokio::test]
async fn what_somebody_here_decided_the_source_does_not_undo() {
    let source = Source::new().await;
    let (house, dana) = (&source.stage.house, &source.stage.dana);
    let id = source.comes("eli").await;
    house.post("/api/v1/people/eli", dana, json!({ "active": false })).await.ok();
    assert_eq!(source.call("GET", &format!("/Users/{id}"), None).await.json()["active"], false);
    for active in [true, false, true] {
        source.set_active(&id, active).await;
        assert_eq!(source.person("eli").await["active"], false, "nobody but us lets eli back in");
    }
    house.post("/api/v1/people/eli", dana, json!({ "active": true })).await.ok();
    assert_eq!(source.person("eli").await["active"], true);

    // And the other way round: whom the source ended, it lets back in.
    source.set_active(&id, false).await;
    let refused = house.post("/api/v1/people/eli", dana, json!({ "active": true })).await;
    assert_eq!(refused.code(), "refused", "{}", refused.text);
    house.post("/api/v1/scim-clients/okta/revoke", dana, json!({})).await.ok();
    house.post("/api/v1/people/eli", dana, json!({ "active": true })).await.ok();
}

#[tokio::test]
async fn groups_of_the_source_count_as_far_as_the_reviewed_mapping_goes() {
    let source = Source::new().await;
    let (eli, ana) = (source.comes("eli").await, source.comes("ana").await);
    let fraud = source.group("fraud", &[&eli]).await;
    source.group("unmapped", &[&eli, &ana]).await;
    assert_eq!(source.person("eli").await["groups"], json!(["corp-fraud"]));
    assert_eq!(source.person("ana").await["groups"], json!([]));
    let path = format!("/Groups/{fraud}");
    let operation = json!([{ "op": "Add", "path": "members", "value": [{ "value": ana, "$ref": null }] }]);
    let added = source.patch(&path, operation).await;
    assert_eq!(added.json()["members"].as_array().unwrap().len(), 2, "{}", added.text);
    assert_eq!(source.person("ana").await["groups"], json!(["corp-fraud"]));
    let user = source.call("GET", &format!("/Users/{ana}"), None).await.json();
    assert_eq!(user["groups"].as_array().unwrap().len(), 2);

    // A sign-in that names no group takes none away that the source gives.
    let mut claims = source.stage.claims("cli", "eli-1");
    claims["groups"] = json!([]);
    source.stage.login(&claims).await.ok();
    assert_eq!(source.person("eli").await["groups"], json!(["corp-fraud"]));

    let operation = json!([{ "op": "remove", "path": format!("members[value eq \"{eli}\"]") }]);
    source.patch(&path, operation).await.ok();
    assert_eq!(source.person("eli").await["groups"], json!([]));
    // Another name at the source is another group to the mapping.
    source.patch(&path, json!([{ "op": "replace", "path": "displayName", "value": "old" }])).await.ok();
    assert_eq!(source.person("ana").await["groups"], json!(["corp-old"]));
    assert_eq!(source.call("DELETE", &path, None).await.status, 204);
    assert_eq!(source.person("ana").await["groups"], json!([]));
}

#[tokio::test]
async fn threat_25_a_provisioning_secret_opens_nothing_but_provisioning() {
    let source = Source::new().await;
    let (house, dana) = (&source.stage.house, &source.stage.dana);
    let with = |path: &str, secret: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {secret}"));
        house.send(request.body(Body::empty()).unwrap())
    };
    for path in ["/api/v1/whoami", "/api/v1/people", "/api/v1/scim-clients", "/ledger/tile/0/000"] {
        assert_eq!(with(path, &source.secret).await.status, 401, "{path}");
    }
    for secret in
        [dana.secret.as_str(), "", "mwp_", "mwp_0000000000000000000000000000000000000000000000000000"]
    {
        let refused = with("/scim/v2/Users", secret).await;
        assert_eq!(kind(&refused), (401, "-".to_owned()), "{secret}");
        assert!(refused.headers.contains_key("www-authenticate"));
    }
    assert_eq!(house.call("GET", "/scim/v2/Users", None, None).await.status, 401);
    let twice = Request::get("/scim/v2/Users")
        .header("authorization", format!("Bearer {}", source.secret))
        .header("authorization", format!("Bearer {}", source.secret));
    assert_eq!(house.send(twice.body(Body::empty()).unwrap()).await.status, 401);
    assert_eq!(with("/scim/v2/Users", &source.secret).await.status, 200);
    assert!(!source.clients().await.to_string().contains("mwp_"), "a secret is shown once");

    // Renewed, it counts for another day; then it is over.
    let renewed = house.post("/api/v1/scim-clients/okta/rotate", dana, json!({ "days": 10 })).await.ok();
    let renewed = renewed["secret"].as_str().unwrap().to_owned();
    assert_eq!(with("/scim/v2/Users", &source.secret).await.status, 200);
    house.pass_seconds(24 * 3600 + 1);
    assert_eq!(with("/scim/v2/Users", &source.secret).await.status, 401);
    assert_eq!(with("/scim/v2/Users", &renewed).await.status, 200);
    house.pass_seconds(9 * 24 * 3600);
    assert_eq!(with("/scim/v2/Users", &renewed).await.status, 401, "every secret ends by itself");
}

#[tokio::test]
async fn threat_25_a_client_ends_with_its_issuer_and_at_a_word() {
    let source = Source::new().await;
    let (house, dana) = (&source.stage.house, &source.stage.dana);
    let id = source.comes("eli").await;
    house.post("/api/v1/issuers/corporate/distrust", dana, json!({})).await.ok();
    assert_eq!(kind(&source.call("GET", "/Users", None).await), (403, "-".to_owned()));
    house.post("/api/v1/issuers/corporate/trust", dana, json!({})).await.ok();
    assert_eq!(source.set_active(&id, false).await.status, 200);
    house.post("/api/v1/scim-clients/okta/revoke", dana, json!({})).await.ok();
    assert_eq!(kind(&source.call("GET", "/Users", None).await), (401, "-".to_owned()));
    assert_eq!(source.clients().await, json!([]));
    let days = json!({ "name": "long", "issuer": "corporate", "days": 181 });
    assert_eq!(house.post("/api/v1/scim-clients", dana, days).await.code(), "malformed");
    let nobody = json!({ "name": "other", "issuer": "nobody" });
    assert_eq!(house.post("/api/v1/scim-clients", dana, nobody).await.code(), "not-found");
}

#[tokio::test]
async fn threat_25_no_group_of_a_source_makes_an_administrator() {
    let source = Source::new().await;
    let mallory = source.comes("mallory").await;
    // Mapped to `owners`, which is beyond the prefix of the issuer's tier; named like a group of ours; as an attribute.
    for name in ["admins", "owners", "corp-fraud"] {
        source.group(name, &[&mallory]).await;
    }
    let operations = json!([{ "op": "add", "path": "roles", "value": [{ "value": "govern" }] }]);
    source.patch(&format!("/Users/{mallory}"), operations).await.ok();
    let operations = json!([{ "op": "add", "path": "groups", "value": [{ "value": "owners" }] }]);
    let refused = source.patch(&format!("/Users/{mallory}"), operations).await;
    assert_eq!(kind(&refused), (400, "mutability".to_owned()));
    assert_eq!(source.person("mallory").await["groups"], json!([]));
    let session = source.stage.signed_in("mallory-1").await;
    assert_eq!(source.stage.house.get("/api/v1/people", &session).await.code(), "denied");
}

#[tokio::test]
async fn threat_25_nobody_becomes_somebody_else() {
    let source = Source::new().await;
    let eli = source.comes("eli").await;
    let mallory = source.comes("mallory").await;
    let path = format!("/Users/{eli}");
    let moved = json!([{ "op": "replace", "path": "externalId", "value": "attacker" }]);
    assert_eq!(source.patch(&path, moved).await.status, 200);
    let stranger = source.stage.login(&source.stage.claims("cli", "attacker")).await;
    assert_eq!(stranger.code(), "refused", "the link does not move: {}", stranger.text);
    let taken = json!([{ "op": "replace", "path": "externalId", "value": "mallory-1" }]);
    assert_eq!(kind(&source.patch(&path, taken).await), (409, "uniqueness".to_owned()));
    let session = source.stage.signed_in("eli-1").await;
    let me = source.stage.house.get("/api/v1/whoami", &session).await.ok();
    assert_eq!(me["principal"]["id"], json!(eli));

    // Nor does anybody take the name or the place of somebody the source did not bring.
    let dana = source.person("dana").await["id"].as_str().unwrap().to_owned();
    for method in ["GET", "DELETE"] {
        assert_eq!(source.call(method, &format!("/Users/{dana}"), None).await.status, 404);
    }
    let named = source.comes("dana").await;
    assert_ne!(named, dana);
    assert_eq!(source.person("dana").await["id"], json!(dana));
    let foreign = json!({ "schemas": [GROUP], "displayName": "x", "members": [{ "value": dana }] });
    assert_eq!(kind(&source.call("POST", "/Groups", Some(foreign)).await), (400, "invalidValue".to_owned()));

    // Another client sees none of it.
    let request = json!({ "name": "other", "issuer": "corporate" });
    let other = Source { secret: add(&source.stage, request).await, stage: source.stage };
    assert_eq!(other.call("GET", "/Users", None).await.json()["totalResults"], 0);
    assert_eq!(kind(&other.call("GET", &format!("/Users/{mallory}"), None).await), (404, "-".to_owned()));
    let again = json!({ "schemas": [USER], "userName": "eli", "externalId": "eli-1" });
    assert_eq!(kind(&other.call("POST", "/Users", Some(again)).await), (409, "uniqueness".to_owned()));
}

#[tokio::test]
async fn threat_25_too_many_endings_at_once_stop_until_somebody_looked() {
    let source = Source::new().await;
    let (house, dana) = (&source.stage.house, &source.stage.dana);
    let mut people = Vec::new();
    for number in 0..8 {
        people.push(source.comes(&format!("person{number}")).await);
    }
    for id in &people[..2] {
        assert_eq!(source.set_active(id, false).await.status, 200);
    }
    assert_eq!(source.call("DELETE", &format!("/Users/{}", people[2]), None).await.status, 204);
    let stopped = source.set_active(&people[3], false).await;
    assert_eq!(kind(&stopped), (503, "-".to_owned()));
    assert!(stopped.headers.contains_key("retry-after"));
    assert_eq!(source.person("person3").await["active"], true, "nothing of it is made");
    assert!(source.changes().await.iter().any(|what| what == "scim-pause"));

    // Nothing more is taken, not even what would be harmless; reading goes on.
    house.pass_seconds(1200);
    let title = json!([{ "op": "add", "path": "title", "value": "x" }]);
    assert_eq!(source.patch(&format!("/Users/{}", people[4]), title.clone()).await.status, 503);
    assert_eq!(source.call("GET", "/Users", None).await.status, 200);
    let client = source.clients().await[0].clone();
    assert_eq!((&client["state"], &client["people"]), (&json!("paused"), &json!(7)));
    let page = Request::get("/provisioning").header("cookie", format!("mw_sid={}", dana.secret));
    let page = house.send(page.body(Body::empty()).unwrap()).await;
    assert!(page.text.contains("Let it go on") && page.text.contains("paused"), "{}", page.text);

    house.post("/api/v1/scim-clients/okta/resume", dana, json!({})).await.ok();
    for id in &people[3..] {
        assert_eq!(source.set_active(id, false).await.status, 200, "for an hour it may");
    }
    let again = house.post("/api/v1/scim-clients/okta/resume", dana, json!({})).await;
    assert_eq!(again.code(), "conflict");
}

#[tokio::test]
async fn a_change_of_another_version_than_the_one_seen_is_refused() {
    let source = Source::new().await;
    let path = format!("/Users/{}", source.comes("eli").await);
    let title = |title: &str| json!({ "schemas": [PATCH], "Operations": [{ "op": "add", "path": "title", "value": title }] });
    let first = source.send("PATCH", &path, Some(title("one")), &[("if-match", "W/\"1\"")]).await;
    assert_eq!((first.status.as_u16(), &first.headers["etag"]), (200, &"W/\"2\"".parse().unwrap()));
    let stale = source.send("PATCH", &path, Some(title("two")), &[("if-match", "W/\"1\"")]).await;
    assert_eq!(kind(&stale), (412, "-".to_owned()));
    let stale = source.send("DELETE", &path, None, &[("if-match", "W/\"1\"")]).await;
    assert_eq!(stale.status, 412);
    let same = source.send("PATCH", &path, Some(title("one")), &[("if-match", "*")]).await;
    assert_eq!(&same.headers["etag"], "W/\"2\"", "what changes nothing is no other version");
    let known = source.send("GET", &path, None, &[("if-none-match", "W/\"9\", W/\"2\"")]).await;
    assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""));
}

#[tokio::test]
async fn people_are_found_ordered_and_replaced() {
    let source = Source::new().await;
    for name in ["eli", "ana", "bo"] {
        source.comes(name).await;
    }
    let names = async |query: &str| {
        let answer = source.call("GET", &format!("/Users?{query}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let list = answer.json();
        list["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["displayName"].clone())
            .collect::<Value>()
    };
    assert_eq!(names("filter=userName%20eq%20%22ELI@example.org%22").await, json!(["eli"]));
    assert_eq!(names("filter=userName+eq+%22nobody%22").await, json!([]));
    assert_eq!(names("filter=externalId%20eq%20%22ana-1%22").await, json!(["ana"]));
    assert_eq!(names("sortBy=userName&startIndex=2&count=1").await, json!(["bo"]));
    assert_eq!(names("filter=emails%5Bvalue%20sw%20%22bo%22%5D").await, json!(["bo"]));
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "displayName eq \"ana\"",
    });
    let found = source.call("POST", "/.search", Some(search.clone())).await.json();
    assert_eq!(found["Resources"][0]["userName"], "ana@example.org");
    assert_eq!(source.call("POST", "/Users/.search", Some(search)).await.json()["totalResults"], 1);

    let id = found["Resources"][0]["id"].as_str().unwrap();
    let replaced = json!({ "schemas": [USER], "userName": "ana.lima@example.org", "title": "Lead" });
    let answer = source.call("PUT", &format!("/Users/{id}"), Some(replaced)).await;
    let user = answer.json();
    assert_eq!((&user["title"], user.get("emails"), user.get("externalId")), (&json!("Lead"), None, None));
    let person = source.person("ana.lima").await;
    assert_eq!((&person["id"], &person["display_name"]), (&json!(id), &json!("ana.lima@example.org")));
    source.stage.signed_in("ana-1").await;
}

#[tokio::test]
async fn every_refusal_has_the_protocols_shape() {
    let source = Source::new().await;
    let id = source.comes("eli").await;
    let user = |name: &str| json!({ "schemas": [USER], "userName": name });
    let cases: Vec<(&str, String, Option<Value>, u16, &str)> = vec![
        ("GET", "/Nothing".into(), None, 404, "-"),
        ("GET", String::new(), None, 404, "-"),
        ("GET", "/Users/pe_0/more".into(), None, 404, "-"),
        ("GET", "/Users/..%2fGroups".into(), None, 404, "-"),
        ("POST", format!("/Users/{id}"), Some(user("x")), 405, "-"),
        ("DELETE", "/Users".into(), None, 405, "-"),
        ("PUT", "/ServiceProviderConfig".into(), Some(json!({})), 405, "-"),
        ("GET", "/ResourceTypes/Robot".into(), None, 404, "-"),
        ("POST", "/Users".into(), Some(user("ELI@example.org")), 409, "uniqueness"),
        ("POST", "/Users".into(), Some(json!([1])), 400, "invalidSyntax"),
        (
            "POST",
            "/Users".into(),
            Some(json!({ "schemas": [USER], "userName": "a", "userType": {} })),
            400,
            "invalidValue",
        ),
        ("GET", "/Users?filter=userName".into(), None, 400, "invalidFilter"),
        ("GET", "/Users?startIndex=x".into(), None, 400, "invalidValue"),
        ("GET", format!("/Users/{id}?filter=x"), None, 400, "invalidSyntax"),
    ];
    for (method, path, body, status, expected) in cases {
        let answer = source.call(method, &path, body).await;
        assert_eq!(kind(&answer), (status, expected.to_owned()), "{method} {path}: {}", answer.text);
    }
    let raw = |content_type: &str, body: &str| {
        let request = Request::post("/scim/v2/Users")
            .header("authorization", format!("Bearer {}", source.secret))
            .header("content-type", content_type)
            .body(Body::from(body.to_owned()));
        source.stage.house.send(request.unwrap())
    };
    assert_eq!(kind(&raw("text/plain", "{}").await), (415, "-".to_owned()));
    assert_eq!(kind(&raw("application/json", "{\"a\":1,\"a\":2}").await), (400, "invalidSyntax".to_owned()));
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    assert_eq!(kind(&raw("application/scim+json", &deep).await), (400, "invalidSyntax".to_owned()));
    let large = "x".repeat(3 * 1024 * 1024);
    assert_eq!(kind(&raw("application/scim+json", &large).await), (413, "-".to_owned()));
}
