//! What leaves, when, and how it ends.

use std::time::Duration;

use jiff::SignedDuration;
use modelward_decision::vocabulary::{PrincipalRef, Privilege};
use modelward_decision::{Change, EpochScope};
use modelward_ledger::storage::Fault;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::rig::{Answer, CHAT, CHAT_STREAM, INFER, Rig, Setup, within};

const INFER_PATH: &str = "/oip/v2/models/fraud/infer";
const CHAT_PATH: &str = "/llm/v1/chat/completions";

fn event(content: &str) -> Vec<u8> {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}},\"token_ids\":[1]}}]}}\n\n")
        .into_bytes()
}

/// Reads until the text has arrived.
async fn read_until(stream: &mut TcpStream, so_far: &mut Vec<u8>, text: &str) {
    while !String::from_utf8_lossy(so_far).contains(text) {
        let read = within(stream.read_buf(so_far)).await.unwrap();
        assert!(read > 0, "{text} never came: {}", String::from_utf8_lossy(so_far));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_leave_as_they_come() {
    let rig = Rig::start().await;
    let upstream = rig.upstream.live();
    let mut stream = rig.open(rig.people.ines, CHAT_PATH, CHAT_STREAM).await;
    let mut so_far = Vec::new();
    for word in ["one", "two", "three"] {
        let event = event(word);
        let (first, second) = event.split_at(event.len() / 2);
        upstream.send(first.to_vec()).unwrap();
        upstream.send(second.to_vec()).unwrap();
        // The next event is not sent before this one has left the gateway.
        read_until(&mut stream, &mut so_far, word).await;
    }
    upstream.send(b"data: [DONE]\n\n".to_vec()).unwrap();
    within(stream.read_to_end(&mut so_far)).await.unwrap();
    let answer = Answer::parse(&so_far);
    assert!(answer.body.ends_with("data: [DONE]\n\n") && !answer.body.contains("token_ids"), "{answer:?}");
    let seen = rig.seen.all();
    assert_eq!((seen.len(), seen[0].events, seen[0].refused), (1, 3, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_cuts_a_running_stream_with_a_word_of_why() {
    let revoke = |rig: &Rig| {
        let person = PrincipalRef::Person(rig.people.ines);
        let grant = rig.people.grant;
        vec![vec![Change::Bump(EpochScope::Principal(person))], vec![Change::Revoke(grant)]]
    };
    for way in 0..2 {
        let rig = Rig::start().await;
        let upstream = rig.upstream.live();
        let (path, body, piece) = (
            "/oip/v2/models/fraud/generate_stream",
            r#"{"text_input":"hi"}"#,
            format!("data: {{\"model_name\":\"{}\",\"text_output\":\"one\"}}\n\n", crate::rig::UPSTREAM_NAME),
        );
        let token = rig.token(rig.people.ines);
        let mut stream = rig.open(rig.people.ines, path, body).await;
        let mut so_far = Vec::new();
        upstream.send(piece.into_bytes()).unwrap();
        read_until(&mut stream, &mut so_far, "one").await;
        let changes = revoke(&rig).swap_remove(way);
        rig.system.publish(changes).unwrap();
        within(stream.read_to_end(&mut so_far)).await.unwrap();
        let answer = Answer::parse(&so_far);
        let last = answer.body.trim_end().rsplit("\n\n").next().unwrap().to_owned();
        assert!(last.starts_with("data: {\"error\":\"") && last.contains("(decision de_"), "{answer:?}");
        assert!(so_far.ends_with(b"0\r\n\r\n"), "the stream ends in order");
        let id = answer.header("x-modelward-decision").unwrap().to_owned();
        let entries = rig.system.entries_about(&id, 2).await.unwrap();
        assert_eq!(entries.len(), 2, "an intent and an outcome: {entries:?}");
        // And the next request gets no further.
        let next = rig.raw(crate::rig::request("POST", INFER_PATH, &token, INFER).as_bytes()).await;
        assert_eq!(next.status, [401, 404][way], "{next:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_leaves_before_its_record_is_durable() {
    let rig = Rig::start().await;
    for (path, body) in [(INFER_PATH, INFER), (CHAT_PATH, CHAT_STREAM), ("/llm/v1/models", "")] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        rig.system.disk.hold();
        let request = crate::rig::request(method, path, &rig.token(rig.people.ines), body);
        let mut stream = TcpStream::connect(rig.gateway).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        let mut so_far = Vec::new();
        let early = tokio::time::timeout(Duration::from_millis(300), stream.read_buf(&mut so_far)).await;
        assert!(early.is_err(), "{path}: {}", String::from_utf8_lossy(&so_far));
        if !body.is_empty() {
            // Effect-free, so the upstream has long answered.
            assert_eq!(rig.upstream.take().len(), 1, "{path}");
        }
        rig.system.disk.release();
        within(stream.read_to_end(&mut so_far)).await.unwrap();
        assert_eq!(Answer::parse(&so_far).status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_nothing_can_be_recorded_nothing_leaves() {
    let rig = Rig::start().await;
    assert_eq!(rig.post(rig.people.ines, INFER_PATH, INFER).await.status, 200);
    rig.system.disk.fault(Fault::SyncFails);
    for _ in 0..3 {
        for (path, body) in [(INFER_PATH, INFER), (CHAT_PATH, CHAT), (CHAT_PATH, CHAT_STREAM)] {
            let answer = rig.post(rig.people.ines, path, body).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(!answer.body.contains("label") && !answer.body.contains("choices"), "{answer:?}");
        }
    }
    let ready = b"GET /healthz/ready HTTP/1.1\r\nhost: gw.test\r\nconnection: close\r\n\r\n";
    assert_eq!(rig.raw(ready).await.status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_budget_bounds_documents_and_streams() {
    let setup = Setup {
        world: Box::new(|world, people| {
            let noel = people.noel;
            world.grant(Privilege::Inference, noel, people.fraud.scope()).bytes(100).give();
            world.grant(Privilege::Inference, noel, people.chat.scope()).bytes(250).give();
        }),
        ..Setup::default()
    };
    let rig = Rig::with(setup).await;
    let answer = rig.post(rig.people.noel, INFER_PATH, INFER).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(!answer.body.contains("label"), "{answer:?}");
    let upstream = rig.upstream.live();
    let mut stream = rig.open(rig.people.noel, CHAT_PATH, CHAT_STREAM).await;
    let mut so_far = Vec::new();
    upstream.send(event("one")).unwrap();
    read_until(&mut stream, &mut so_far, "one").await;
    for word in ["two", "three", "four", "five"] {
        drop(upstream.send(event(word)));
    }
    within(stream.read_to_end(&mut so_far)).await.unwrap();
    let answer = Answer::parse(&so_far);
    assert!(answer.body.contains("answer_too_large") && !answer.body.contains("five"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_number_of_uses_is_not_spent_by_looking() {
    let setup = Setup {
        world: Box::new(|world, people| {
            let noel = people.noel;
            world.grant(Privilege::Inference, noel, people.fraud.scope()).uses(1).give();
        }),
        ..Setup::default()
    };
    let rig = Rig::with(setup).await;
    assert_eq!(rig.get(rig.people.noel, "/oip/v2/models").await.body, r#"{"models":["fraud"]}"#);
    assert_eq!(rig.post(rig.people.noel, INFER_PATH, INFER).await.status, 200);
    assert_eq!(rig.post(rig.people.noel, INFER_PATH, INFER).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_asked_to_be_renewed() {
    let rig = Rig::start().await;
    let token = rig.token(rig.people.ines);
    rig.system.clock.advance(SignedDuration::from_mins(20));
    let answer = rig.raw(crate::rig::request("POST", INFER_PATH, &token, INFER).as_bytes()).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(!answer.body.contains(&token));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_takes_its_upstream_with_it() {
    let rig = Rig::start().await;
    let upstream = rig.upstream.live();
    let mut stream = rig.open(rig.people.ines, CHAT_PATH, CHAT_STREAM).await;
    let mut so_far = Vec::new();
    upstream.send(event("one")).unwrap();
    read_until(&mut stream, &mut so_far, "one").await;
    drop(stream);
    within(async {
        while rig.seen.all().is_empty() {
            drop(upstream.send(event("more")));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let id = rig.seen.all()[0].decision.unwrap().to_string();
    let entries = rig.system.entries_about(&id, 2).await.unwrap();
    assert!(format!("{entries:?}").to_ascii_lowercase().contains("disconnected"), "{entries:?}");
}
