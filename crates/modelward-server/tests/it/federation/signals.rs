//! Security events that the played issuer pushes, or has fetched from it.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use modelward_server::outbound::OutboundError;
use serde_json::{Value, json};

use super::{Played, Stage, URL};
use crate::house::{Answer, ORIGIN};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

/// What the played issuer answers where it is asked for events.
pub(super) fn answer(played: &Played, path: &str, body: Option<&String>) -> Result<Value, OutboundError> {
    let asked: Value = body.and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    match path {
        "/poll" => {
            let mut waiting = played.waiting.lock().unwrap();
            for id in asked["ack"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                waiting.remove(id);
                played.told.lock().unwrap().push(format!("ack {id}"));
            }
            for (id, why) in asked["setErrs"].as_object().into_iter().flatten() {
                waiting.remove(id);
                played.told.lock().unwrap().push(format!("{} {id}", why["err"].as_str().unwrap_or_default()));
            }
            Ok(json!({ "sets": &*waiting }))
        }
        _ => {
            let state = asked["state"].as_str().unwrap_or_default().to_owned();
            played.told.lock().unwrap().push(format!("verify {} {state}", asked["stream_id"]));
            Ok(json!({}))
        }
    }
}

impl Stage {
    fn event(&self, id: &str, subject: &Value, uri: &str, payload: &Value) -> Value {
        json!({
            "iss": URL, "aud": ORIGIN, "iat": self.house.now().as_second(), "jti": id, "sub_id": subject,
            "events": { uri: payload },
        })
    }

    async fn push_text(&self, token: String) -> Answer {
        let request = Request::post("/api/v1/issuers/corporate/events")
            .header("content-type", "application/secevent+jwt")
            .body(Body::from(token));
        self.house.send(request.unwrap()).await
    }

    async fn push(&self, id: &str, subject: &Value, uri: &str, payload: &Value) {
        let token = self.played.sign("secevent+jwt", &self.event(id, subject, uri, payload));
        let answer = self.push_text(token).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (202, ""), "{uri}");
    }

    async fn effects(&self) -> Vec<String> {
        let received = self.house.get("/api/v1/signals/received", &self.dana).await.ok();
        let told = |event: &Value| {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            format!("{} of [{}]: {}", text("event"), text("about"), text("effect"))
        };
        received["items"].as_array().unwrap().iter().map(told).collect()
    }

    async fn eli(&self) {
        self.person("eli").await;
        self.link("eli", "eli-1").await.ok();
    }
}

fn subject(sub: &str) -> Value {
    json!({ "format": "iss_sub", "iss": URL, "sub": sub })
}

#[tokio::test]
async fn a_revoked_session_ends_and_the_same_event_again_does_nothing() {
    let stage = Stage::new().await;
    stage.eli().await;
    let eli = stage.signed_in("eli-1").await;
    let event = stage.event("one", &subject("eli-1"), &format!("{CAEP}session-revoked"), &json!({}));
    let token = stage.played.sign("secevent+jwt", &event);
    assert_eq!(stage.push_text(token.clone()).await.status, 202);
    assert!(!stage.is_in(&eli).await);
    let back = stage.signed_in("eli-1").await;
    assert_eq!(stage.push_text(token).await.status, 202, "acknowledged once more");
    assert!(stage.is_in(&back).await, "a copy of an event ends nothing");
    assert_eq!(stage.effects().await, ["session-revoked of [eli]: 1 sessions ended"]);
}

#[tokio::test]
async fn each_event_ends_what_it_is_about_and_nothing_else() {
    let stage = Stage::new().await;
    stage.eli().await;
    let named = |sid: &str| json!({ "format": "complex", "user": subject("eli-1"), "session": { "format": "opaque", "id": sid } });
    let of_caep = |name: &str| format!("{CAEP}{name}");
    let of_risc = |name: &str| format!("{RISC}{name}");
    for (number, (uri, about, payload, ends)) in [
        (of_caep("session-revoked"), named("sid-eli-1"), json!({}), true),
        (of_caep("session-revoked"), named("sid-of-another"), json!({}), false),
        (of_caep("session-revoked"), json!({ "format": "opaque", "id": "sid-eli-1" }), json!({}), true),
        (
            of_caep("session-revoked"),
            json!({ "format": "email", "email": "eli@example.org" }),
            json!({}),
            true,
        ),
        (
            of_caep("session-revoked"),
            json!({ "format": "email", "email": "eli@example.com" }),
            json!({}),
            false,
        ),
        (of_caep("session-revoked"), subject("somebody-else"), json!({}), false),
        (of_caep("token-claims-change"), subject("eli-1"), json!({ "claims": { "groups": [] } }), true),
        (
            of_caep("credential-change"),
            subject("eli-1"),
            json!({ "credential_type": "password", "change_type": "update" }),
            true,
        ),
        (
            of_caep("credential-change"),
            subject("eli-1"),
            json!({ "credential_type": "fido2-platform", "change_type": "create" }),
            false,
        ),
        (
            of_caep("assurance-level-change"),
            subject("eli-1"),
            json!({ "namespace": "NIST-AAL", "current_level": "nist-aal1", "change_direction": "decrease" }),
            true,
        ),
        (of_caep("session-established"), subject("eli-1"), json!({}), false),
        (of_risc("identifier-changed"), subject("eli-1"), json!({}), true),
        (of_risc("sessions-revoked"), subject("eli-1"), json!({}), true),
        (of_risc("credential-compromise"), subject("eli-1"), json!({}), true),
        (of_risc("account-disabled"), subject("eli-1"), json!({}), true),
        (of_risc("opt-in"), subject("eli-1"), json!({}), false),
    ]
    .into_iter()
    .enumerate()
    {
        let eli = stage.signed_in("eli-1").await;
        stage.push(&format!("event-{number}"), &about, &uri, &payload).await;
        assert_eq!(!stage.is_in(&eli).await, ends, "{uri} of {about}");
    }
    assert!(stage.is_in(&stage.dana).await, "nobody else");
}

/// Dana governs; a signal against her is found by her address.
#[tokio::test]
async fn a_risk_stands_until_its_transmitter_takes_it_back() {
    let stage = Stage::new().await;
    let dana = json!({ "format": "email", "email": "dana@example.org" });
    let risk = |level: &str| json!({ "principal": "USER", "current_level": level, "reason_admin": { "en": "odd hours" } });
    let people = async || stage.house.get("/api/v1/people", &stage.dana).await;
    people().await.ok();
    let uri = format!("{CAEP}risk-level-change");

    stage.push("high", &dana, &uri, &risk("HIGH")).await;
    let denied = people().await;
    assert_eq!((denied.status.as_u16(), denied.code().as_str()), (403, "denied"));
    assert!(denied.text.contains("because of a security signal"), "{}", denied.text);
    assert_eq!(stage.house.get("/api/v1/whoami", &stage.dana).await.status, 200, "she can still see and ask");

    stage.house.pass_seconds(2);
    stage.push("medium", &dana, &uri, &risk("MEDIUM")).await;
    let denied = people().await;
    assert!(denied.text.contains("new sign-in with a second factor"), "{}", denied.text);

    stage.house.pass_seconds(2);
    stage.push("low", &dana, &uri, &risk("LOW")).await;
    people().await.ok();
    assert_eq!(
        stage.effects().await,
        [
            "risk-level-change of [dana]: `risk-elevated` stands no more; 0 sessions ended",
            "risk-level-change of [dana]: `risk-elevated` stands; `risk-high` stands no more; 0 sessions ended",
            "risk-level-change of [dana]: `risk-high` stands; 0 sessions ended",
        ]
    );
}

#[tokio::test]
async fn an_older_event_that_comes_late_lifts_nothing() {
    let stage = Stage::new().await;
    let dana = json!({ "format": "email", "email": "dana@example.org" });
    let uri = format!("{CAEP}risk-level-change");
    let low = stage.event("low", &dana, &uri, &json!({ "principal": "USER", "current_level": "LOW" }));
    stage.house.pass_seconds(5);
    stage.push("high", &dana, &uri, &json!({ "principal": "USER", "current_level": "HIGH" })).await;
    assert_eq!(stage.push_text(stage.played.sign("secevent+jwt", &low)).await.status, 202);
    assert_eq!(stage.house.get("/api/v1/people", &stage.dana).await.status, 403);
}

#[tokio::test]
async fn a_device_stands_against_its_person_until_it_is_well_again() {
    let stage = Stage::new().await;
    stage.eli().await;
    let uri = format!("{CAEP}device-compliance-change");
    let change = |from: &str, to: &str| json!({ "previous_status": from, "current_status": to });
    let device = |id: &str| json!({ "format": "complex", "user": subject("eli-1"), "device": { "format": "opaque", "id": id } });
    let standing = async || {
        let list = stage.house.get("/api/v1/signals", &stage.dana).await.ok();
        list["items"].as_array().unwrap().len()
    };
    stage.push("1", &device("laptop"), &uri, &change("compliant", "not-compliant")).await;
    stage.push("2", &device("phone"), &uri, &change("compliant", "not-compliant")).await;
    assert_eq!(standing().await, 2);
    let list = stage.house.get("/api/v1/signals", &stage.dana).await.ok();
    let cut = json!({ "privilege": "inference", "response": "cut" });
    assert_eq!(
        (&list["items"][0]["about"], &list["items"][0]["signal"]),
        (&json!("eli"), &json!("device-compromised"))
    );
    assert!(list["items"][0]["responses"].as_array().unwrap().contains(&cut), "{list}");
    stage.house.pass_seconds(1);
    stage.push("3", &device("phone"), &uri, &change("not-compliant", "compliant")).await;
    assert_eq!(standing().await, 1, "the laptop still is not");

    let lift = json!({ "about": "eli", "signal": "device-compromised", "reason": "replaced" });
    stage.house.post("/api/v1/signals/lift", &stage.dana, lift.clone()).await.ok();
    assert_eq!(standing().await, 0);
    assert_eq!(stage.house.post("/api/v1/signals/lift", &stage.dana, lift).await.status, 404);
}

#[tokio::test]
async fn nobody_lifts_a_signal_that_stands_against_themselves() {
    let stage = Stage::new().await;
    let dana = json!({ "format": "email", "email": "dana@example.org" });
    // A signal that leaves the right to govern with a new sign-in.
    stage.push("1", &dana, &format!("{RISC}recovery-information-changed"), &json!({})).await;
    let list = stage.house.get("/api/v1/whoami", &stage.dana).await;
    assert_eq!(list.status, 200);
    let own = json!({ "about": "dana", "signal": "account-recovered" });
    let refused = stage.house.post("/api/v1/signals/lift", &stage.dana, own).await;
    assert!(matches!(refused.code().as_str(), "refused" | "denied"), "{}", refused.text);
}

/// What RFC 8935 section 2.4 has a receiver answer.
#[tokio::test]
async fn what_is_no_event_for_us_is_refused_in_the_words_of_the_standard() {
    let stage = Stage::new().await;
    let good = stage.event("x", &subject("eli-1"), &format!("{CAEP}session-revoked"), &json!({}));
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let err = |answer: &Answer| (answer.status.as_u16(), answer.json()["err"].as_str().unwrap().to_owned());
    for (claims, typ, expected) in [
        (changed("aud", json!("https://another.example")), "secevent+jwt", "invalid_audience"),
        (changed("iss", json!("https://another.example")), "secevent+jwt", "invalid_issuer"),
        (changed("sub", json!("eli-1")), "secevent+jwt", "invalid_request"),
        (changed("exp", json!(4_000_000_000_u64)), "secevent+jwt", "invalid_request"),
        (good.clone(), "JWT", "invalid_request"),
    ] {
        let answer = stage.push_text(stage.played.sign(typ, &claims)).await;
        assert_eq!(err(&answer), (400, expected.to_owned()));
        assert!(answer.json()["description"].is_string());
        assert_eq!(answer.headers["content-language"], "en-US");
    }
    let token = stage.played.sign("secevent+jwt", &good);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(signature.len()));
    assert_eq!(err(&stage.push_text(forged).await).1, "invalid_key");
    let as_json = Request::post("/api/v1/issuers/corporate/events")
        .header("content-type", "application/json")
        .body(Body::from(token.clone()));
    assert_eq!(err(&stage.house.send(as_json.unwrap()).await).1, "invalid_request");
    let to_nobody = Request::post("/api/v1/issuers/nobody/events")
        .header("content-type", "application/secevent+jwt")
        .body(Body::from(token.clone()));
    assert_eq!(err(&stage.house.send(to_nobody.unwrap()).await).1, "access_denied");
    assert!(stage.effects().await.is_empty(), "none of them was taken");

    stage.house.post("/api/v1/issuers/corporate/distrust", &stage.dana, json!({})).await.ok();
    assert_eq!(err(&stage.push_text(token).await).1, "access_denied", "nothing of a distrusted one counts");
}

#[tokio::test]
async fn events_are_fetched_and_each_is_answered_for() {
    let stage = Stage::new().await;
    stage.eli().await;
    let eli = stage.signed_in("eli-1").await;
    let good = stage.event("good", &subject("eli-1"), &format!("{CAEP}session-revoked"), &json!({}));
    let mut bad = good.clone();
    bad["aud"] = json!("https://another.example");
    {
        let mut waiting = stage.played.waiting.lock().unwrap();
        waiting.insert("good".to_owned(), stage.played.sign("secevent+jwt", &good));
        waiting.insert("bad".to_owned(), stage.played.sign("secevent+jwt", &bad));
    }
    stage.told("ack good").await;
    stage.told("invalid_audience bad").await;
    assert!(!stage.is_in(&eli).await);
}

#[tokio::test]
async fn a_transmitter_is_asked_for_a_sign_of_life() {
    let stage = Stage::new().await;
    let path = "/api/v1/signals/transmitters/corporate/verify";
    let asked = stage.house.post(path, &stage.dana, json!({})).await.ok();
    assert_eq!((&asked["silent"], &asked["polled"]), (&json!(true), &json!(true)), "nothing was heard yet");
    let verify = stage.told("verify \"s-1\" ").await;
    let state = verify.rsplit(' ').next().unwrap().to_owned();
    let stream = json!({ "format": "opaque", "id": "s-1" });
    stage.push("v", &stream, &format!("{SSF}verification"), &json!({ "state": state })).await;
    stage.push("w", &stream, &format!("{SSF}verification"), &json!({ "state": "of-nobody" })).await;
    assert_eq!(
        stage.effects().await,
        [
            "verification of []: a sign of life that was not asked for",
            "verification of []: the sign of life that was asked for",
        ]
    );
    let list = stage.house.get("/api/v1/signals/transmitters", &stage.dana).await.ok();
    assert_eq!(list["items"][0]["silent"], false);
    stage.house.pass_seconds(16 * 60);
    let list = stage.house.get("/api/v1/signals/transmitters", &stage.dana).await.ok();
    assert_eq!(list["items"][0]["silent"], true);
}

impl Stage {
    /// Waits until the played issuer was told something that begins so; the last such thing.
    async fn told(&self, begins: &str) -> String {
        loop {
            let told =
                self.played.told.lock().unwrap().iter().rfind(|told| told.starts_with(begins)).cloned();
            if let Some(told) = told {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
