//! Upstreams that are slow, dead, or lie.

use std::time::Duration;

use modelward_gateway::upstream::Timeouts;
use modelward_gateway::{GatewayConfig, Limits};
use tokio::net::TcpListener;

use crate::rig::{Answer, CHAT, CHAT_STREAM, INFER, Rig, Script, Setup, json, within};

const INFER_PATH: &str = "/oip/v2/models/fraud/infer";
const CHAT_PATH: &str = "/llm/v1/chat/completions";

fn impatient() -> Setup {
    let timeouts = Timeouts {
        connect: Duration::from_millis(200),
        first_byte: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        reuse: Duration::from_secs(4),
    };
    let limits = Limits { answer_bytes: 4096, event_bytes: 1024, ..Limits::default() };
    Setup { timeouts, config: GatewayConfig { limits, ..GatewayConfig::default() }, ..Setup::default() }
}

fn check_nothing_leaks(answer: &Answer, rig: &Rig) {
    let shown = format!("{answer:?}");
    let address = rig.upstream.address.to_string();
    for secret in [address.as_str(), "127.0.0.1", "10.0.0.3", "canary", "secret", "/srv/", "up/stream"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_an_upstream_does_the_caller_gets_the_protocols_error() {
    let rig = Rig::with(impatient()).await;
    let raw = |text: &str| Script::Raw(text.as_bytes().to_vec(), false);
    let stays = |text: &str| Script::Raw(text.as_bytes().to_vec(), true);
    let json_head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let cases: Vec<(&str, Script, u16)> = vec![
        ("closes at once", raw(""), 502),
        ("never answers", Script::Hang, 504),
        ("a head and no more", stays("HTTP/1.1 200 OK\r\ncontent-type: app"), 504),
        ("less than it says", raw(&format!("{json_head}content-length: 500\r\n\r\n{{\"outputs\":[]}}")), 502),
        (
            "less than it says, and stays",
            stays(&format!("{json_head}content-length: 500\r\n\r\n{{\"outputs\":[]}}")),
            504,
        ),
        ("two lengths", raw(&format!("{json_head}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")), 502),
        (
            "length and chunks",
            raw(&format!(
                "{json_head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
            )),
            502,
        ),
        (
            "a chunk that lies",
            raw(&format!("{json_head}transfer-encoding: chunked\r\n\r\n2\r\n{{}}xx\r\n0\r\n\r\n")),
            502,
        ),
        (
            "chunks that end early",
            raw(&format!("{json_head}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n")),
            502,
        ),
        ("too much", Script::Json(200, format!("{{\"x\":\"{}\"}}", "a".repeat(5000))), 502),
        (
            "too much in chunks",
            raw(&format!(
                "{json_head}transfer-encoding: chunked\r\n\r\n2000\r\n{}\r\n0\r\n\r\n",
                "a".repeat(8192)
            )),
            502,
        ),
        ("no JSON", Script::Json(200, "Traceback: 10.0.0.3 secret".to_owned()), 502),
        ("half JSON", Script::Json(200, r#"{"outputs":["#.to_owned()), 502),
        ("a doubled key", Script::Json(200, r#"{"outputs":[],"outputs":[]}"#.to_owned()), 502),
        (
            "not UTF-8",
            Script::Raw(
                [json_head.as_bytes(), b"content-length: 9\r\n\r\n{\"id\":\"\xff\"".as_slice()].concat(),
                true,
            ),
            502,
        ),
        ("an error in a 200", Script::Json(200, r#"{"error":"cannot open /srv/model"}"#.to_owned()), 502),
        ("HTML", raw("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"), 502),
        ("gzip", raw(&format!("{json_head}content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{{}}")), 502),
        (
            "a redirect",
            raw("HTTP/1.1 302 Found\r\nlocation: http://10.0.0.3/secret\r\ncontent-length: 0\r\n\r\n"),
            502,
        ),
        ("an upgrade", raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: secret\r\n\r\n"), 502),
        ("interim answers without end", raw(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(10)), 502),
        ("no HTTP", raw("SSH-2.0-secret\r\n\r\n"), 502),
        ("an endless head", stays(&format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(40_000))), 502),
        (
            "refuses our credential",
            Script::Json(401, r#"{"error":"bad key upstream-secret-canary"}"#.to_owned()),
            502,
        ),
        ("knows no such model", Script::Json(404, r#"{"error":"/srv/model"}"#.to_owned()), 502),
        ("fails", Script::Json(500, r#"{"error":"CUDA on 10.0.0.3"}"#.to_owned()), 502),
        ("cannot use the request", Script::Json(400, r#"{"error":"shape at /srv/x"}"#.to_owned()), 400),
        ("is busy", Script::Json(429, "{}".to_owned()), 429),
        ("is not ready", Script::Json(503, "{}".to_owned()), 503),
    ];
    for (name, script, status) in cases {
        rig.upstream.answers(script);
        let answer = rig.post(rig.people.ines, INFER_PATH, INFER).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(answer.body.starts_with("{\"error\":\""), "{name}: {answer:?}");
        check_nothing_leaks(&answer, &rig);
    }
    // And afterwards everything is as before.
    rig.upstream.answers(Script::Plain);
    assert_eq!(rig.post(rig.people.ines, INFER_PATH, INFER).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_ends_with_a_word_of_why() {
    let rig = Rig::with(impatient()).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let one = "data: {\"id\":\"one\"}\n\n";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    for (name, script, code) in [
        ("dies", Script::Raw(format!("{head}{}", chunk(one)).into_bytes(), false), "upstream_failed"),
        ("stops", Script::Raw(format!("{head}{}", chunk(one)).into_bytes(), true), "upstream_timeout"),
        (
            "ends without its last word",
            Script::Raw(format!("{head}{}0\r\n\r\n", chunk(one)).into_bytes(), true),
            "upstream_failed",
        ),
        (
            "turns into noise",
            Script::Raw(format!("{head}{}{}", chunk(one), chunk("data: 10.0.0.3\n\n")).into_bytes(), true),
            "upstream_failed",
        ),
        (
            "reports an error",
            Script::Raw(
                format!("{head}{}{}", chunk(one), chunk("data: {\"error\":\"10.0.0.3\"}\n\n")).into_bytes(),
                true,
            ),
            "upstream_failed",
        ),
        (
            "sends an event without end",
            Script::Raw(
                format!("{head}{}{}", chunk(one), chunk(&"data: secret".repeat(200))).into_bytes(),
                true,
            ),
            "upstream_failed",
        ),
    ] {
        rig.upstream.answers(script);
        let answer = rig.post(rig.people.ines, CHAT_PATH, CHAT_STREAM).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert!(answer.body.starts_with(one) && answer.body.contains(code), "{name}: {answer:?}");
        check_nothing_leaks(&answer, &rig);
    }
    rig.upstream.answers(Script::Json(200, "{}".to_owned()));
    assert_eq!(rig.post(rig.people.ines, CHAT_PATH, CHAT_STREAM).await.status, 502);
    let too_long = r#"{"error":{"code":"context_length_exceeded","message":"/srv"}}"#;
    rig.upstream.answers(Script::Json(400, too_long.to_owned()));
    let answer = rig.post(rig.people.ines, CHAT_PATH, CHAT).await;
    assert!(answer.body.contains("longer than the model takes"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_replica_is_tried_only_while_nothing_was_sent() {
    // Nobody listens there any more.
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let rig = Rig::with(Setup { first: vec![format!("http://{dead}")], ..impatient() }).await;
    for _ in 0..6 {
        assert_eq!(rig.post(rig.people.ines, INFER_PATH, INFER).await.status, 200);
    }
    assert_eq!(rig.upstream.take().len(), 6);
    // Once bytes went out, a failure is final: the request may have been carried out.
    rig.upstream.answers(Script::Raw(Vec::new(), false));
    assert_eq!(rig.post(rig.people.ines, INFER_PATH, INFER).await.status, 502);
    assert_eq!(rig.upstream.take().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_used_again_only_when_its_answer_was_read_to_the_end() {
    let rig = Rig::start().await;
    for _ in 0..5 {
        assert_eq!(rig.post(rig.people.ines, INFER_PATH, INFER).await.status, 200);
        assert_eq!(rig.post(rig.people.ines, CHAT_PATH, CHAT_STREAM).await.status, 200);
    }
    assert_eq!(rig.upstream.connections(), 1);
    // More than it said: the rest could be taken for the next answer.
    let body = format!("{{\"model_name\":\"{}\",\"outputs\":[]}}", crate::rig::UPSTREAM_NAME);
    let poisoned =
        [json(200, &body), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npoisoned!".to_vec()].concat();
    rig.upstream.answers(Script::Raw(poisoned, true));
    assert_eq!(rig.post(rig.people.ines, INFER_PATH, INFER).await.status, 200);
    rig.upstream.answers(Script::Plain);
    let answer = rig.post(rig.people.ines, INFER_PATH, INFER).await;
    assert!(answer.status == 200 && answer.body.contains("label"), "{answer:?}");
    assert_eq!(rig.upstream.connections(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_is_finished_before_the_gateway_stops() {
    let mut rig = Rig::start().await;
    let upstream = rig.upstream.live();
    let mut stream = rig.open(rig.people.ines, CHAT_PATH, CHAT_STREAM).await;
    within(async {
        while rig.upstream.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    rig.tell_to_stop();
    within(async {
        while tokio::net::TcpStream::connect(rig.gateway).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    upstream.send(b"data: {\"id\":\"last\"}\n\ndata: [DONE]\n\n".to_vec()).unwrap();
    let mut whole = Vec::new();
    within(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut whole)).await.unwrap();
    assert!(Answer::parse(&whole).body.contains("last"));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_callers_and_too_many_of_them_are_turned_away() {
    let limits = Limits {
        head: Duration::from_millis(150),
        body: Duration::from_millis(150),
        connections: 2,
        ..Limits::default()
    };
    let setup = Setup { config: GatewayConfig { limits, ..GatewayConfig::default() }, ..Setup::default() };
    let rig = Rig::with(setup).await;
    let token = rig.token(rig.people.ines);
    // A head that never ends, and not even a beginning.
    assert_eq!(rig.raw(b"POST /oip").await.body, "");
    assert_eq!(rig.raw(b"P").await.body, "");
    assert_eq!(rig.raw(b"").await.body, "");
    let half = format!(
        "POST {INFER_PATH} HTTP/1.1\r\nhost: gw.test\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{"
    );
    assert_eq!(rig.raw(half.as_bytes()).await.status, 408);
    let _one = tokio::net::TcpStream::connect(rig.gateway).await.unwrap();
    let _two = tokio::net::TcpStream::connect(rig.gateway).await.unwrap();
    let mut three = tokio::net::TcpStream::connect(rig.gateway).await.unwrap();
    let mut none = Vec::new();
    drop(within(tokio::io::AsyncReadExt::read_to_end(&mut three, &mut none)).await);
    assert!(none.is_empty());
}
