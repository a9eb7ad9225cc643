//! What a request means: which model, which version, which sensitive parts.

use std::sync::Arc;

use modelward_decision::Change;
use modelward_decision::inventory::{OnSensitiveAsk, Version};
use modelward_decision::vocabulary::Privilege;
use modelward_gateway::{GatewayConfig, Segments};
use modelward_identity::{Models, Rights};

use crate::rig::{CHAT, INFER, Rig, Setup, named};

const PATH: &str = "/oip/v2/models/fraud/infer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upstream_is_asked_for_exactly_what_was_decided() {
    let rig = Rig::start().await;
    let answer = rig.post(rig.people.ines, PATH, INFER).await;
    assert_eq!(
        answer.body,
        r#"{"model_name":"fraud","model_version":"1","outputs":[{"name":"label","shape":[1],"datatype":"INT64","data":[1]}]}"#
    );
    let requests = rig.upstream.take();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(
        request.starts_with("POST /v2/models/up%2Fstream%20model/versions/1/infer HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("authorization: Bearer upstream-secret-canary\r\n"), "{request}");
    assert!(request.contains("\"outputs\":[{\"name\":\"label\"}]}"), "{request}");

    rig.post(rig.people.ines, "/llm/v1/chat/completions", CHAT).await;
    let requests = rig.upstream.take();
    assert!(requests[0].contains(r#"{"model":"up/stream model","messages":"#), "{requests:?}");
    rig.post(rig.people.ines, "/llm/v1/responses", r#"{"model":"chat","input":"hi"}"#).await;
    assert!(rig.upstream.take()[0].ends_with(r#""input":"hi","store":false}"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_alias_moves_what_is_forwarded() {
    let rig = Rig::start().await;
    let fraud = rig.people.fraud.clone();
    let next = Version { label: named("2"), ..fraud.version() };
    rig.system.publish([Change::Version(Arc::new(next))]).unwrap();
    let answer = rig.post(rig.people.ines, PATH, INFER).await;
    assert!(rig.upstream.take()[0].contains("/versions/2/infer"));
    // The upstream still answers for version 1: that is not what was decided.
    assert_eq!(answer.status, 502, "{answer:?}");
    let answer = rig.post(rig.people.ines, "/oip/v2/models/fraud/versions/1/infer", INFER).await;
    assert_eq!((answer.status, rig.upstream.take().len()), (404, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_for_more_without_the_right_is_refused() {
    let rig = Rig::start().await;
    let scores = INFER.replace("]}]}", r#"]}],"outputs":[{"name":"scores"}]}"#);
    let bias = CHAT.replace("}]}", r#"}],"logit_bias":{"5":100}}"#);
    let logprobs = CHAT.replace("}]}", r#"}],"logprobs":true,"top_logprobs":9}"#);
    for (path, body) in [
        (PATH, scores.as_str()),
        ("/llm/v1/chat/completions", logprobs.as_str()),
        ("/llm/v1/chat/completions", bias.as_str()),
        ("/llm/v1/completions", r#"{"model":"chat","prompt":"a","echo":true,"logprobs":0}"#),
        ("/llm/v1/embeddings", r#"{"model":"chat","input":"a"}"#),
    ] {
        let answer = rig.post(rig.people.ines, path, body).await;
        assert_eq!((answer.status, rig.upstream.take().len()), (403, 0), "{body}: {answer:?}");
    }
    // With the right, within the obligations of the default policy: two decimals, five alternatives.
    let answer = rig.post(rig.people.sam, PATH, &scores).await;
    assert!(
        answer.body.contains(r#""name":"scores","shape":[1,2],"datatype":"FP64","data":[0.99,0.01]"#),
        "{answer:?}"
    );
    assert!(!answer.body.contains("label"), "{answer:?}");
    assert!(rig.upstream.take()[0].ends_with(r#""outputs":[{"name":"scores"}]}"#));
    let answer = rig.post(rig.people.sam, "/llm/v1/chat/completions", &logprobs).await;
    assert!(answer.body.contains(r#""logprobs":{"content":[{"token":"hi","logprob":-0.12"#), "{answer:?}");
    assert!(rig.upstream.take()[0].contains(r#""top_logprobs":5"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_strips_answers_without_what_is_not_held() {
    let rig = Rig::with(Setup { on_sensitive_ask: OnSensitiveAsk::Strip, ..Setup::default() }).await;
    let scores = INFER.replace("]}]}", r#"]}],"outputs":[{"name":"scores"},{"name":"label"}]}"#);
    let answer = rig.post(rig.people.ines, PATH, &scores).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("label") && !answer.body.contains("scores"), "{answer:?}");
    assert!(rig.upstream.take()[0].ends_with(r#""outputs":[{"name":"label"}]}"#));
    let logprobs = CHAT.replace("}]}", r#"}],"logprobs":true,"top_logprobs":5,"stream":true}"#);
    let answer = rig.post(rig.people.ines, "/llm/v1/chat/completions", &logprobs).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.contains("logprobs"), "{answer:?}");
    assert!(!rig.upstream.take()[0].contains("logprobs"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_forbidden_to_know_are_told_the_same() {
    let rig = Rig::start().await;
    let hidden = rig.post(rig.people.ines, "/oip/v2/models/vault/infer", INFER).await;
    let absent = rig.post(rig.people.ines, "/oip/v2/models/nothing/infer", INFER).await;
    assert_eq!(hidden.status, 404);
    assert_eq!((hidden.status, hidden.anonymous()), (absent.status, absent.anonymous()));
    assert_eq!(hidden.header("content-type"), absent.header("content-type"));
    for path in
        ["/oip/v2/models/fraud/infer", "/nowhere/v2/models/fraud/infer", "/oip/v2/models/nothing/infer"]
    {
        let answer = rig.post(rig.people.noel, path, INFER).await;
        assert_eq!((answer.status, answer.anonymous()), (404, absent.anonymous()), "{path}");
    }
    // Nor does a guardrail speak up to somebody who holds nothing here.
    let snapshot = rig.system.publisher.latest();
    let fraud = snapshot.model_named("fraud").unwrap().as_ref().clone();
    let quarantined = modelward_decision::inventory::Model { quarantined: true, ..fraud };
    rig.system.publish([Change::Model(Arc::new(quarantined))]).unwrap();
    let answer = rig.post(rig.people.noel, "/oip/v2/models/fraud/infer", INFER).await;
    assert_eq!((answer.status, answer.anonymous()), (404, absent.anonymous()));
    // Not even a route that is always denied, or a body that is always wrong, tells that an endpoint is there.
    for (method, path, body) in
        [("POST", "/oip/v2/repository/models/fraud/load", ""), ("POST", "/oip/v2/models/fraud/infer", "{")]
    {
        let there = rig.ask(method, rig.people.noel, path, body).await;
        let not = rig.ask(method, rig.people.noel, &path.replace("/oip", "/nowhere"), body).await;
        assert_eq!((there.status, there.anonymous()), (not.status, not.anonymous()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_holds_what_its_reader_may_see_or_use() {
    let rig = Rig::start().await;
    let people = &rig.people;
    // Rita reads whatever comes through the endpoint; Ines uses one of its models.
    assert_eq!(rig.get(people.rita, "/oip/v2/models").await.body, r#"{"models":["fraud","vault"]}"#);
    assert_eq!(rig.get(people.ines, "/oip/v2/models").await.body, r#"{"models":["fraud"]}"#);
    let answer = rig.post(people.ines, "/oip/v2/repository/index", "{}").await;
    assert_eq!(answer.body, r#"[{"name":"fraud","version":"1","state":"READY","reason":""}]"#);
    for person in [people.ines, people.rita] {
        let answer = rig.get(person, "/llm/v1/models").await;
        assert_eq!(
            answer.body,
            r#"{"object":"list","data":[{"id":"chat","object":"model","created":0,"owned_by":"modelward"}]}"#
        );
        assert_eq!(rig.get(person, "/llm/v1/models/other").await.status, 404);
    }
    assert_eq!(rig.get(people.noel, "/llm/v1/models").await.status, 404);
    assert_eq!(rig.upstream.requests(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_for_what_it_was_minted_for() {
    let rig = Rig::start().await;
    let read = rig.token_for(rig.people.sam, Rights::new([Privilege::ReadOnly], Models::Any));
    let answer = rig.raw(crate::rig::request("POST", PATH, &read, INFER).as_bytes()).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let other = Rights::new([Privilege::Inference], Models::only([rig.people.chat.model]));
    let other = rig.token_for(rig.people.ines, other);
    let answer = rig.raw(crate::rig::request("POST", PATH, &other, INFER).as_bytes()).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(rig.upstream.requests(), Vec::<String>::new());
    for header in ["api-key: ", "x-api-key: ", "authorization: bearer "] {
        let token = rig.token(rig.people.ines);
        let request =
            crate::rig::request("POST", PATH, &token, INFER).replace("authorization: Bearer ", header);
        assert_eq!(rig.raw(request.as_bytes()).await.status, 200, "{header}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_is_that_of_the_socket_whatever_headers_say() {
    for (segments, status) in [
        (Segments::new([("127.0.0.0/8".parse().unwrap(), named("lab"))]), 200),
        (Segments::new([("10.0.0.0/8".parse().unwrap(), named("lab"))]), 403),
    ] {
        let config = GatewayConfig { segments, ..GatewayConfig::default() };
        let setup = Setup {
            config,
            world: Box::new(|world, people| {
                let noel = people.noel;
                let lab = |grant: &mut modelward_decision::Grant| {
                    grant.conditions.segments = Some(std::collections::BTreeSet::from([named("lab")]));
                };
                world.grant(Privilege::Inference, noel, people.fraud.scope()).with(lab).give();
            }),
            ..Setup::default()
        };
        let rig = Rig::with(setup).await;
        let token = rig.token(rig.people.noel);
        let request = crate::rig::request("POST", PATH, &token, INFER)
            .replace("connection", "x-forwarded-for: 10.0.0.1\r\nforwarded: for=10.0.0.1\r\nconnection");
        assert_eq!(rig.raw(request.as_bytes()).await.status, status);
    }
}
