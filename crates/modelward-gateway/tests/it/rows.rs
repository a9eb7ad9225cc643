//! Every row of every table: the allowed ones allow and deny, the denied ones forward nothing.

use modelward_decision::inventory::Protocol;
use modelward_gateway::routes::{Call, Route, Verb, Verdict, table};

use crate::rig::{CHAT, CHAT_STREAM, INFER, Rig};

fn path(route: &Route) -> String {
    let (endpoint, model) = match route.protocol {
        Protocol::OpenInference => ("oip", "fraud"),
        Protocol::OpenAi => ("llm", "chat"),
    };
    let filled = route.path.replace("{rest*}", "x").replace("{model}", model).replace("{version}", "1");
    format!("/{endpoint}{}", filled.replace("{id}", "i").replace("{repo}", "r"))
}

const fn body(call: Call) -> &'static str {
    match call {
        Call::Infer => INFER,
        Call::Generate | Call::GenerateStream => r#"{"text_input":"hi"}"#,
        Call::InferenceIndex => "{}",
        Call::ChatCompletions => CHAT,
        Call::Completions => r#"{"model":"chat","prompt":"hi"}"#,
        Call::Responses | Call::Embeddings => r#"{"model":"chat","input":"hi"}"#,
        Call::InferenceLive
        | Call::InferenceReady
        | Call::InferenceServer
        | Call::InferenceModels
        | Call::InferenceModel
        | Call::InferenceModelReady
        | Call::Models
        | Call::Model => "",
    }
}

const fn method(route: &Route) -> &'static str {
    match route.method {
        Verb::Get => "GET",
        Verb::Post => "POST",
        Verb::Delete => "DELETE",
        Verb::Any => "PUT",
    }
}

fn all() -> impl Iterator<Item = &'static Route> {
    [Protocol::OpenInference, Protocol::OpenAi].into_iter().flat_map(table)
}

/// Whether the row asks the upstream.
const fn forwards(call: Call) -> bool {
    !matches!(
        call,
        Call::InferenceLive
            | Call::InferenceReady
            | Call::InferenceServer
            | Call::InferenceModels
            | Call::InferenceIndex
            | Call::Models
            | Call::Model
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_allowed_row_serves_who_holds_the_right_and_nobody_else() {
    let rig = Rig::start().await;
    let people = &rig.people;
    for route in all() {
        let Verdict::Allow { actions, call, .. } = route.verdict else { continue };
        let (path, body, method) = (path(route), body(call), method(route));
        let is_read = actions
            .first()
            .is_none_or(|action| action.privilege() == modelward_decision::vocabulary::Privilege::ReadOnly);
        let is_list =
            matches!(call, Call::Models | Call::Model | Call::InferenceModels | Call::InferenceIndex);

        let holder = if is_read { people.rita } else { people.sam };
        let answer = rig.ask(method, holder, &path, body).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", route.id);
        assert_eq!(rig.upstream.take().len(), usize::from(forwards(call)), "{}", route.id);
        for secret in ["upstream-secret", "secret-server", "10.0.0.3", "/srv/", "up/stream"] {
            assert!(!format!("{answer:?}").contains(secret), "{}: {secret} in {answer:?}", route.id);
        }
        if actions.is_empty() {
            continue;
        }
        assert!(
            answer.header("x-modelward-decision").is_some_and(|id| id.starts_with("de_")),
            "{}",
            route.id
        );

        // Somebody who knows the model, but holds another right. Lists are made of what one may use, too.
        if !is_list {
            let other = if is_read { people.ines } else { people.rita };
            let answer = rig.ask(method, other, &path, body).await;
            assert!(matches!(answer.status, 403 | 401), "{}: {answer:?}", route.id);
            assert!(answer.body.contains("de_"), "{}: {answer:?}", route.id);
        }
        // Somebody with no right at all, and nobody.
        let answer = rig.ask(method, people.noel, &path, body).await;
        assert_eq!(answer.status, 404, "{}: {answer:?}", route.id);
        let answer = rig.raw(crate::rig::request(method, &path, "x.y.z", body).as_bytes()).await;
        assert_eq!(answer.status, 401, "{}: {answer:?}", route.id);
        assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("invalid_token")));
        assert_eq!(rig.upstream.take(), Vec::<String>::new(), "{}", route.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_denied_row_is_refused_and_nothing_forwarded() {
    let rig = Rig::start().await;
    for route in all().filter(|route| !route.is_allowed()) {
        let answer = rig.ask(method(route), rig.people.sam, &path(route), "").await;
        assert_eq!(answer.status, 403, "{}: {answer:?}", route.id);
        assert!(answer.body.contains(route.note) && answer.body.contains("de_"), "{}: {answer:?}", route.id);
    }
    for (method, path) in [
        ("GET", "/oip/v3/models"),
        ("DELETE", "/oip/v2/models/fraud/infer"),
        ("POST", "/llm/v1/nonsense"),
        ("OPTIONS", "/llm/v1/models"),
        ("GET", "/oip"),
    ] {
        let answer = rig.ask(method, rig.people.sam, path, "").await;
        assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        assert!(answer.body.contains("no such route"), "{answer:?}");
    }
    assert_eq!(rig.upstream.requests(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stream_row_streams() {
    let rig = Rig::start().await;
    let responses = CHAT_STREAM.replace(r#""messages":[{"role":"user","content":"hi"}]"#, r#""input":"hi""#);
    for (path, body, last) in [
        ("/llm/v1/chat/completions", CHAT_STREAM, "data: [DONE]\n\n"),
        ("/llm/v1/responses", responses.as_str(), "\"status\":\"completed\"}}\n\n"),
        ("/oip/v2/models/fraud/generate_stream", r#"{"text_input":"hi"}"#, "\"text_output\":\"hi\"}\n\n"),
    ] {
        let answer = rig.post(rig.people.ines, path, body).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{answer:?}");
        assert!(answer.body.ends_with(last), "{path}: {answer:?}");
    }
}
