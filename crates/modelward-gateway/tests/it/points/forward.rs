//! Forward authentication: what passes, what does not, and whose headers count.

use modelward_gateway::pdp::Point;

use super::{Desk, SECRET, STRIPPING_SECRET};
use crate::rig::{Answer, exchange};

/// A question as nginx puts it.
struct Ask<'a> {
    secret: &'a str,
    method: &'a str,
    target: &'a str,
    token: String,
    more: &'a str,
}

async fn ask(desk: &Desk, ask: Ask<'_>) -> Answer {
    let Ask { secret, method, target, token, more } = ask;
    let request = format!(
        "GET /anything HTTP/1.1\r\nhost: auth.test\r\nx-modelward-proxy-secret: {secret}\r\nx-original-uri: {target}\r\nx-original-method: {method}\r\nauthorization: Bearer {token}\r\n{more}connection: close\r\n\r\n"
    );
    exchange(desk.rig.points[&Point::ForwardAuth], request.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_the_path_names_passes() {
    let desk = Desk::open().await;
    let people = &desk.rig.people;
    let (ines, sam, rita, noel) = (people.ines, people.sam, people.rita, people.noel);
    for (secret, who, method, target, status) in [
        // The proxy stands in front of the endpoint `oip`, and does nothing to answers.
        (SECRET, rita, "GET", "/v2/models/fraud/ready", 200),
        (SECRET, rita, "GET", "/v2/models/fraud/versions/1/ready", 200),
        (SECRET, rita, "GET", "/v2/models/fraud/versions/2/ready", 403),
        (SECRET, rita, "POST", "/v2/models/fraud/infer", 403),
        (SECRET, noel, "GET", "/v2/models/fraud/ready", 403),
        // What a body could ask for is asked for, and its rounding is an obligation the proxy cannot do.
        (SECRET, ines, "POST", "/v2/models/fraud/infer", 403),
        (SECRET, sam, "POST", "/v2/models/fraud/infer", 403),
        // This one leaves out what is not held, and names the endpoint in the path.
        (STRIPPING_SECRET, ines, "POST", "/oip/v2/models/fraud/infer", 200),
        (STRIPPING_SECRET, ines, "POST", "/oip/v2/models/fraud/versions/1/infer", 200),
        (STRIPPING_SECRET, rita, "POST", "/oip/v2/models/fraud/infer", 403),
        (STRIPPING_SECRET, ines, "POST", "/v2/models/fraud/infer", 403),
        (STRIPPING_SECRET, ines, "POST", "/nowhere/v2/models/fraud/infer", 403),
        // Routes whose path does not name the model, or whose answer the gateway writes anew.
        (STRIPPING_SECRET, sam, "POST", "/llm/v1/chat/completions", 403),
        (STRIPPING_SECRET, rita, "GET", "/oip/v2/models", 403),
        (STRIPPING_SECRET, rita, "GET", "/oip/v2/models/fraud", 403),
        (STRIPPING_SECRET, rita, "GET", "/oip/v2", 403),
        (STRIPPING_SECRET, rita, "POST", "/oip/v2/repository/models/fraud/load", 403),
        // Paths that can be read in two ways.
        (STRIPPING_SECRET, ines, "POST", "/oip/v2/models/vault/../fraud/infer", 403),
        (STRIPPING_SECRET, ines, "POST", "/oip/v2/models/frau%64/infer", 403),
        (STRIPPING_SECRET, ines, "POST", "/oip//v2/models/fraud/infer", 403),
        (STRIPPING_SECRET, ines, "POST", "/oip/v2/models/fraud/infer?x=1", 403),
        (STRIPPING_SECRET, ines, "POST", "http://other/oip/v2/models/fraud/infer", 403),
        (STRIPPING_SECRET, ines, "P OST", "/oip/v2/models/fraud/infer", 403),
        // No proxy of ours.
        ("a secret that nobody was ever given by us", rita, "GET", "/v2/models/fraud/ready", 403),
        ("", rita, "GET", "/v2/models/fraud/ready", 403),
    ] {
        let token = desk.rig.token(who);
        let answer = ask(&desk, Ask { secret, method, target, token, more: "" }).await;
        assert_eq!(answer.status, status, "{who} {method} {target}: {answer:?}");
        let id = answer.header("x-modelward-decision");
        assert!(id.is_some(), "{target}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.header("x-modelward-model"), Some("fraud"));
            assert_eq!(answer.header("x-modelward-version"), Some("1"));
            assert_eq!(answer.body, "");
        } else {
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            assert!(body["error"].is_string(), "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_credential_is_the_clients_own() {
    let desk = Desk::open().await;
    let ready = |token: &str, more: &'static str| Ask {
        secret: SECRET,
        method: "GET",
        target: "/v2/models/fraud/ready",
        token: token.to_owned(),
        more,
    };
    let token = desk.rig.token(desk.rig.people.rita);
    let answer = ask(&desk, ready("nonsense", "")).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").is_some());
    for (more, status) in [
        ("", 200),
        ("api-key: another\r\n", 403),
        // Both proxies' headers: one of them came from the client.
        ("x-forwarded-uri: /v2/models/vault/ready\r\nx-forwarded-method: GET\r\n", 403),
        ("x-forwarded-uri: /v2/models/fraud/ready\r\n", 403),
        // nginx leaves a header out by making it empty.
        ("x-forwarded-uri:\r\n", 200),
        ("x-original-uri: /v2/models/vault/ready\r\n", 403),
        ("x-original-method: POST\r\n", 403),
        ("x-modelward-proxy-secret: another\r\n", 403),
    ] {
        let answer = ask(&desk, ready(&token, more)).await;
        assert_eq!(answer.status, status, "{more}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traefik_is_understood_and_the_decision_is_recorded() {
    let desk = Desk::open().await;
    let token = desk.rig.token(desk.rig.people.rita);
    let request = format!(
        "GET / HTTP/1.1\r\nhost: auth.test\r\nx-modelward-proxy-secret: {SECRET}\r\nx-forwarded-uri: /v2/models/fraud/ready\r\nx-forwarded-method: GET\r\nx-forwarded-host: models.test\r\nx-forwarded-for: 192.0.2.7\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    let answer = exchange(desk.rig.points[&Point::ForwardAuth], request.as_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.header("x-modelward-decision").unwrap();
    let entries = desk.rig.system.entries_about(id, 2).await.unwrap();
    let entry = serde_json::to_value(&entries[0]).unwrap().to_string();
    assert!(entry.contains(r#""point":"forward-auth""#) && entry.contains(r#""caller":"edge""#), "{entry}");
    assert!(!entry.contains(SECRET) && !entry.contains(&token));
}
