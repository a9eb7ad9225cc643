//! What is not a request: each fault its status, a message as the body, and the request id back.

use modelward_gateway::pdp::Point;

use super::{Desk, question};
use crate::rig::exchange;

const EVALUATION: &str = "/access/v1/evaluation";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_of_wrong_bodies() {
    let desk = Desk::open().await;
    let good = question("ines", "predict", "version:fraud/1");
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let many = format!(r#"{{"evaluations":[{}]}}"#, vec!["{}"; 101].join(","));
    let cases: Vec<(&str, String)> = vec![
        (EVALUATION, String::new()),
        (EVALUATION, "{".to_owned()),
        (EVALUATION, "[]".to_owned()),
        (EVALUATION, "null".to_owned()),
        (EVALUATION, format!("{good} {good}")),
        (EVALUATION, r#"{"action":{"name":"a"},"resource":{"type":"t","id":"i"}}"#.to_owned()),
        (EVALUATION, r#"{"subject":{"type":"t","id":"i"},"resource":{"type":"t","id":"i"}}"#.to_owned()),
        (EVALUATION, r#"{"subject":{"type":"t","id":"i"},"action":{"name":"a"}}"#.to_owned()),
        (EVALUATION, good.replace(r#""type":"user","#, "")),
        (EVALUATION, good.replace(r#","id":"ines""#, "")),
        (EVALUATION, good.replace(r#""name":"predict""#, "")),
        (EVALUATION, good.replace(r#""predict""#, "123")),
        (EVALUATION, good.replace(r#""predict""#, r#""""#)),
        (EVALUATION, good.replace(r#"{"type":"user","id":"ines"}"#, r#""ines""#)),
        (EVALUATION, good.replace(r#""id":"ines""#, r#""id":"ines","properties":[]"#)),
        (EVALUATION, good.replace(r#""id":"ines""#, r#""id":"noel","id":"ines""#)),
        (EVALUATION, format!(r#"{},"context":[]}}"#, good.strip_suffix('}').unwrap())),
        (EVALUATION, format!(r#"{},"context":{{"purpose":7}}}}"#, good.strip_suffix('}').unwrap())),
        (EVALUATION, format!(r#"{},"context":{{"device":true}}}}"#, good.strip_suffix('}').unwrap())),
        (EVALUATION, format!(r#"{},"context":{{"network":"a b"}}}}"#, good.strip_suffix('}').unwrap())),
        (EVALUATION, good.replace(r#""predict""#, r#""predict","properties":{"fields":["x"]}"#)),
        (EVALUATION, format!(r#"{},"context":{deep}}}"#, good.strip_suffix('}').unwrap())),
        ("/access/v1/evaluations", many),
        ("/access/v1/evaluations", format!(r#"{},"evaluations":{{}}}}"#, good.strip_suffix('}').unwrap())),
        ("/access/v1/evaluations", r#"{"subject":"ines","evaluations":[{}]}"#.to_owned()),
        (
            "/access/v1/evaluations",
            r#"{"options":{"evaluations_semantic":"maybe"},"evaluations":[{}]}"#.to_owned(),
        ),
        ("/access/v1/search/subject", r#"{"subject":{"type":"user"},"action":{"name":"a"}}"#.to_owned()),
        (
            "/access/v1/search/subject",
            r#"{"subject":{"type":"user"},"action":{"name":"a"},"resource":{"type":"t"}}"#.to_owned(),
        ),
        (
            "/access/v1/search/subject",
            r#"{"subject":{"type":"user"},"resource":{"type":"t","id":"i"}}"#.to_owned(),
        ),
        (
            "/access/v1/search/resource",
            r#"{"subject":{"type":"user"},"action":{"name":"a"},"resource":{"type":"t"}}"#.to_owned(),
        ),
        ("/access/v1/search/action", r#"{"subject":{"type":"user","id":"ines"}}"#.to_owned()),
    ];
    for (path, body) in cases {
        let answer = desk.ask(path, &body).await;
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(!answer.body.is_empty() && !answer.body.starts_with('{'), "{answer:?}");
    }
    let large = format!(r#"{{"foo":"{}"}}"#, "x".repeat(300 * 1024));
    assert_eq!(desk.ask(EVALUATION, &large).await.status, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_of_wrong_heads() {
    let desk = Desk::open().await;
    let token = desk.token(desk.pep);
    let body = question("ines", "predict", "version:fraud/1");
    let send = async |line: &str, headers: &str| {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: pdp.test\r\nx-request-id: bfe9-{{7}}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        exchange(desk.rig.points[&Point::AuthZen], request.as_bytes()).await
    };
    let json = "content-type: application/json\r\n";
    let auth = format!("authorization: Bearer {token}\r\n");
    let both = format!("{auth}{json}");
    for (line, headers, status) in [
        ("POST /access/v1/evaluation", both.as_str(), 200),
        ("POST /access/v1/evaluation", json, 401),
        ("POST /access/v1/evaluation", auth.as_str(), 400),
        ("POST /access/v1/evaluation", &format!("{auth}content-type: text/plain\r\n"), 400),
        ("POST /access/v1/evaluation", &format!("{both}content-encoding: gzip\r\n"), 400),
        ("POST /access/v1/evaluation", &format!("{both}authorization: Bearer x\r\n"), 400),
        ("POST /access/v1/evaluation?tenant=1", &both, 400),
        ("POST /access/v1/evaluation?access_token=x", &both, 400),
        ("PUT /access/v1/evaluation", &both, 405),
        ("POST /.well-known/authzen-configuration", &both, 405),
        ("POST /access/v1/evaluation/", &both, 400),
        ("POST /access/v1/nothing", &both, 404),
        ("POST /oip/v2/models/fraud/infer", &both, 404),
    ] {
        let answer = send(line, headers).await;
        assert_eq!(answer.status, status, "{line} {headers}: {answer:?}");
        assert_eq!(answer.header("x-request-id"), Some("bfe9-{7}"), "{line}");
    }
}
