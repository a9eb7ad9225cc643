//! The OpenAI-compatible API, over HTTP.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use expect_test::expect;
use serde_json::{Value, json};

use crate::client::{self, Client};

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const RESPONSES: &str = "/v1/responses";
const EMBEDDINGS: &str = "/v1/embeddings";

/// A request with the model, and `more` in it.
fn request(more: &Value) -> Value {
    let mut body = json!({ "model": "ward-notes" });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn asking(question: &str, more: &Value) -> Value {
    let mut body = request(more);
    body["messages"] = json!([{ "role": "user", "content": question }]);
    body
}

fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

async fn refused(client: &Client, path: &str, body: &Value) -> (String, Value) {
    let answer = client.post(path, body).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let error = answer.json()["error"].clone();
    assert_eq!(error["type"], "invalid_request_error");
    (error["message"].as_str().unwrap().to_owned(), error["param"].clone())
}

#[tokio::test]
async fn a_question_is_answered_from_what_the_model_learned() {
    let client = client::started().await;
    let answer = client.post(CHAT, &asking("What is the margin?", &json!({ "temperature": 0 }))).await.json();
    expect!["The margin is the raw score behind the probability. It is the weighted sum of the thirty measurements before it is squeezed between nothing and one. A margin of zero is the border. A large positive margin points to malignant, a large negative margin points to benign, and the distance from zero says how far from the border the sample lies."].assert_eq(content(&answer));
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["choices"][0]["logprobs"], Value::Null);
    let usage = &answer["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64(),
        Some(usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap())
    );
}

#[tokio::test]
async fn equal_seeds_give_equal_answers_and_other_seeds_others() {
    let client = client::started().await;
    let ask = async |seed: i64| {
        let body = asking("Tell me about the night ward.", &json!({ "seed": seed, "temperature": 1.3 }));
        content(&client.post(CHAT, &body).await.json()).to_owned()
    };
    assert_eq!(ask(1).await, ask(1).await);
    assert_ne!(ask(1).await, ask(2).await);
    assert_ne!(ask(-1).await, ask(1).await);
}

#[tokio::test]
async fn a_stream_tells_the_same_as_the_whole_answer_and_ends_with_usage() {
    let client = client::started().await;
    let body =
        asking("What does drift mean?", &json!({ "seed": 4, "n": 2, "logprobs": true, "top_logprobs": 2 }));
    let whole = client.post(CHAT, &body).await.json();
    let mut streaming = body;
    streaming["stream"] = json!(true);
    streaming["stream_options"] = json!({ "include_usage": true });
    let answer = client.post(CHAT, &streaming).await;
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
    let chunks = answer.chunks();
    for (index, choice) in whole["choices"].as_array().unwrap().iter().enumerate() {
        let deltas: Vec<&Value> = chunks
            .iter()
            .flat_map(|chunk| chunk["choices"].as_array().unwrap())
            .filter(|delta| delta["index"] == index)
            .collect();
        assert_eq!(deltas[0]["delta"]["role"], "assistant");
        assert_eq!(deltas.last().unwrap()["finish_reason"], choice["finish_reason"]);
        let text: String = deltas.iter().filter_map(|delta| delta["delta"]["content"].as_str()).collect();
        assert_eq!(text, choice["message"]["content"]);
        let logprobs: Vec<Value> = deltas
            .iter()
            .filter_map(|delta| delta["logprobs"]["content"].as_array())
            .flatten()
            .cloned()
            .collect();
        assert_eq!(json!(logprobs), choice["logprobs"]["content"]);
    }
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(last["usage"], whole["usage"]);
    assert_eq!(last["choices"], json!([]));
    assert!(others.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));
}

#[tokio::test]
async fn log_probabilities_are_those_of_the_model() {
    let client = client::started().await;
    let body =
        asking("What is the radius?", &json!({ "temperature": 0, "logprobs": true, "top_logprobs": 5 }));
    let answer = client.post(CHAT, &body).await.json();
    let tokens = answer["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(tokens.len() as u64, answer["usage"]["completion_tokens"].as_u64().unwrap());
    for token in tokens {
        let top = token["top_logprobs"].as_array().unwrap();
        let ranked: Vec<f64> = top.iter().map(|entry| entry["logprob"].as_f64().unwrap()).collect();
        assert_eq!(ranked.len(), 5);
        assert!(ranked.is_sorted_by(|left, right| left >= right));
        assert!(ranked.iter().map(|logprob| logprob.exp()).sum::<f64>() <= 1.0 + 1e-9);
        // At temperature 0 the most probable token is the one that was chosen.
        assert_eq!(top[0]["token"], token["token"]);
        assert_eq!(top[0]["logprob"], token["logprob"]);
    }
}

#[tokio::test]
async fn a_bias_forces_and_bans_tokens() {
    let client = client::started().await;
    let ids = client.post("/tokenize", &request(&json!({ "prompt": " needle" }))).await.json();
    assert_eq!(ids["count"], 1);
    let needle = ids["tokens"][0].to_string();
    let force = asking("Hello", &json!({ "max_tokens": 3, "logit_bias": { &needle: 100 } }));
    assert_eq!(content(&client.post(CHAT, &force).await.json()), " needle needle needle");
    let plain = json!({ "prompt": "A thin", "temperature": 0, "max_tokens": 1 });
    let complete = async |body: Value| {
        client.post(COMPLETIONS, &request(&body)).await.json()["choices"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(complete(plain.clone()).await, " needle");
    let mut banned = plain;
    banned["logit_bias"] = json!({ &needle: -100 });
    assert_ne!(complete(banned).await, " needle");
}

#[tokio::test]
async fn a_stop_text_ends_the_answer_and_is_not_part_of_it() {
    let client = client::started().await;
    let whole = asking("What is the margin?", &json!({ "temperature": 0 }));
    let whole = content(&client.post(CHAT, &whole).await.json()).to_owned();
    // Inside a word, so that a token is cut.
    let stop = asking("What is the margin?", &json!({ "temperature": 0, "stop": ["obability"] }));
    let stopped = client.post(CHAT, &stop).await.json();
    assert_eq!(content(&stopped), whole.split("obability").next().unwrap());
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    let short = asking("What is the margin?", &json!({ "temperature": 0, "max_completion_tokens": 4 }));
    let short = client.post(CHAT, &short).await.json();
    assert_eq!(short["choices"][0]["finish_reason"], "length");
    assert_eq!(short["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn completions_echo_the_prompt_with_its_log_probabilities() {
    let client = client::started().await;
    let prompt = "The radius is naïve";
    let body = json!({ "prompt": prompt, "max_tokens": 2, "temperature": 0, "echo": true, "logprobs": 2 });
    let answer = client.post(COMPLETIONS, &request(&body)).await.json();
    let choice = &answer["choices"][0];
    assert!(choice["text"].as_str().unwrap().starts_with(prompt), "{choice}");
    let logprobs = &choice["logprobs"];
    let tokens = logprobs["tokens"].as_array().unwrap();
    let values = logprobs["token_logprobs"].as_array().unwrap();
    assert_eq!(tokens[..3], [json!("The"), json!(" radius"), json!(" is")]);
    assert_eq!(values.len(), tokens.len());
    assert_eq!(values[0], Value::Null);
    assert!(values[1..].iter().all(|value| value.as_f64().unwrap() < 0.0));
    // Words that follow each other in the text are far more likely than bytes that do not.
    assert!(values[2].as_f64().unwrap() > values[4].as_f64().unwrap() + 3.0);
    assert_eq!(logprobs["text_offset"][2], 10);
    assert_eq!(logprobs["top_logprobs"][2].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn a_prompt_can_be_scored_without_generating() {
    let client = client::started().await;
    let body = json!({ "prompt": ["The radius", "The area"], "max_tokens": 0, "echo": true, "logprobs": 0 });
    let answer = client.post(COMPLETIONS, &request(&body)).await.json();
    assert_eq!(answer["usage"]["completion_tokens"], 0);
    assert_eq!(answer["choices"][1]["text"], "The area");
    assert!(answer["choices"][1]["logprobs"]["token_logprobs"][1].as_f64().unwrap() < 0.0);
    assert_eq!(answer["choices"][1]["logprobs"]["top_logprobs"][1], Value::Null);
}

#[tokio::test]
async fn completions_stream_and_take_tokens() {
    let client = client::started().await;
    let ids = client.post("/tokenize", &request(&json!({ "prompt": "The symmetry" }))).await.json();
    let body = json!({ "prompt": ids["tokens"], "max_tokens": 6, "temperature": 0, "logprobs": 1 });
    let whole = client.post(COMPLETIONS, &request(&body)).await.json();
    let mut streaming = body;
    streaming["stream"] = json!(true);
    streaming["stream_options"] = json!({ "include_usage": true });
    let answer = client.post(COMPLETIONS, &request(&streaming)).await;
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
    let chunks = answer.chunks();
    let told: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!(told, whole["choices"][0]["text"]);
    let offsets: Vec<&Value> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["logprobs"]["text_offset"].as_array())
        .flatten()
        .collect();
    assert_eq!(json!(offsets), whole["choices"][0]["logprobs"]["text_offset"]);
    assert_eq!(chunks.last().unwrap()["usage"], whole["usage"]);
}

#[tokio::test]
async fn best_of_returns_the_likeliest() {
    let client = client::started().await;
    let body = json!({ "prompt": "The", "max_tokens": 8, "seed": 3, "temperature": 1.5, "best_of": 4, "logprobs": 0 });
    let best = client.post(COMPLETIONS, &request(&body)).await.json();
    assert_eq!(best["choices"].as_array().unwrap().len(), 1);
    let mut four = body;
    four["n"] = json!(4);
    let four = client.post(COMPLETIONS, &request(&four)).await.json();
    let mean = |choice: &Value| {
        let values: Vec<f64> = choice["logprobs"]["token_logprobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_f64().unwrap())
            .collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let likeliest = four["choices"].as_array().unwrap().iter().map(&mean).fold(f64::NEG_INFINITY, f64::max);
    assert!((mean(&best["choices"][0]) - likeliest).abs() < 1e-12);
}

#[tokio::test]
async fn a_response_streams_the_documented_events() {
    let client = client::started().await;
    let body = json!({
        "instructions": "Be brief.",
        "input": [{ "role": "user", "content": [{ "type": "input_text", "text": "What is the texture?" }] }],
        "temperature": 0,
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 1,
    });
    let whole = client.post(RESPONSES, &request(&body)).await.json();
    assert_eq!(
        (&whole["object"], &whole["status"], &whole["store"]),
        (&json!("response"), &json!("completed"), &json!(false))
    );
    let part = &whole["output"][0]["content"][0];
    assert!(part["text"].as_str().unwrap().starts_with("The texture"), "{part}");
    let tokens = part["logprobs"].as_array().unwrap().len();
    assert_eq!(whole["usage"]["output_tokens"], tokens);

    let mut streaming = body;
    streaming["stream"] = json!(true);
    let answer = client.post(RESPONSES, &request(&streaming)).await;
    let events = answer.chunks();
    let named: Vec<&str> = answer.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let typed: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(named, typed);
    assert_eq!(
        typed[..5],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
        ]
    );
    assert_eq!(
        typed[typed.len() - 4..],
        [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert!(events.iter().enumerate().all(|(place, event)| event["sequence_number"] == place));
    let told: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(told, part["text"]);
    assert_eq!(events.last().unwrap()["response"]["usage"], whole["usage"]);
}

#[tokio::test]
async fn a_response_without_asking_has_no_log_probabilities_and_may_be_incomplete() {
    let client = client::started().await;
    let body = json!({ "input": "What is the texture?", "max_output_tokens": 3, "store": false });
    let answer = client.post(RESPONSES, &request(&body)).await.json();
    assert_eq!(answer["status"], "incomplete");
    assert_eq!(answer["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(answer["output"][0]["content"][0]["logprobs"], json!([]));
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("background", json!(true)),
        ("store", json!(true)),
        ("conversation", json!("conv_1")),
        ("tools", json!([{ "type": "web_search" }])),
    ] {
        let (_, param) = refused(&client, RESPONSES, &request(&json!({ "input": "x", name: value }))).await;
        assert_eq!(param, name);
    }
}

#[tokio::test]
async fn close_texts_have_close_vectors() {
    let client = client::started().await;
    let texts = ["the radius of a nucleus", "radius of the nucleus", "the kettle on the ward"];
    let answer = client.post(EMBEDDINGS, &request(&json!({ "input": texts }))).await.json();
    let vectors: Vec<Vec<f64>> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| serde_json::from_value(entry["embedding"].clone()).unwrap())
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert!(vectors.iter().all(|vector| vector.len() == 256 && (dot(vector, vector) - 1.0).abs() < 1e-9));
    assert!(dot(&vectors[0], &vectors[1]) > dot(&vectors[0], &vectors[2]) + 0.2);

    let body = json!({ "input": texts[0], "encoding_format": "base64", "dimensions": 8 });
    let packed = client.post(EMBEDDINGS, &request(&body)).await.json();
    let bytes = BASE64_STANDARD.decode(packed["data"][0]["embedding"].as_str().unwrap()).unwrap();
    assert_eq!(bytes.len(), 8 * 4);
}

#[tokio::test]
async fn models_are_listed_and_unknown_ones_refused() {
    let client = client::started().await;
    let list = client.get("/v1/models").await.json();
    assert_eq!((&list["object"], &list["data"][0]["id"]), (&json!("list"), &json!("ward-notes")));
    assert_eq!(client.get("/v1/models/ward-notes").await.json(), list["data"][0]);
    assert_eq!(client.get("/v1/models/other").await.status, 404);
    let answer = client.post(CHAT, &json!({ "model": "other", "messages": [] })).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(client.get("/v1/files").await.json()["error"]["code"], "unknown_url");
}

#[tokio::test]
async fn bad_requests_are_refused_in_the_shape_of_the_api() {
    let client = client::started().await;
    let cases = [
        (CHAT, request(&json!({ "messages": [] })), "1 to 256 messages"),
        (CHAT, asking("x", &json!({ "temperature": 3 })), "`temperature` must lie between 0 and 2"),
        (CHAT, asking("x", &json!({ "top_logprobs": 2 })), "only allowed when `logprobs` is true"),
        (CHAT, asking("x", &json!({ "logprobs": true, "top_logprobs": 21 })), "between 0 and 20"),
        (CHAT, asking("x", &json!({ "max_tokens": 100_000 })), "`max_tokens` must lie"),
        (CHAT, asking("x", &json!({ "logit_bias": { "word": 1 } })), "not a token id"),
        (CHAT, asking("x", &json!({ "logit_bias": { "300": 101 } })), "between -100 and 100"),
        (CHAT, asking("x", &json!({ "stream_options": {} })), "only allowed when `stream` is true"),
        (CHAT, asking("x", &json!({ "stop": [""] })), "`stop` takes"),
        (CHAT, asking("x", &json!({ "tools": [] })), "unknown parameter: `tools`"),
        (CHAT, asking(&"x ".repeat(5000), &json!({})), "context holds 4096 tokens"),
        (COMPLETIONS, request(&json!({ "prompt": [] })), "1 to 64 texts"),
        (COMPLETIONS, request(&json!({ "prompt": [4_000_000] })), "a token does not exist"),
        (COMPLETIONS, request(&json!({ "prompt": "x", "logprobs": 6 })), "between 0 and 5"),
        (COMPLETIONS, request(&json!({ "prompt": "x", "n": 3, "best_of": 2 })), "at least `n`"),
        (EMBEDDINGS, request(&json!({ "input": "x", "dimensions": 257 })), "between 0 and 256"),
    ];
    for (path, body, expected) in cases {
        let (told, _) = refused(&client, path, &body).await;
        assert!(told.contains(expected), "{told:?} lacks {expected:?}");
    }
}
