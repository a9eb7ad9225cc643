use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::disclose::sse::{Event, EventReader, TooLarge};
use crate::refusal::{Reason, Refusal};

fn lens(held: &[Field]) -> Lens {
    Lens {
        held: held.iter().copied().collect(),
        public_name: "fraud".to_owned(),
        upstream_name: "up/fraud".to_owned(),
        version: "3".to_owned(),
        released: Some(BTreeSet::from(["predict".to_owned()])),
        round: None,
        top_k: None,
    }
}

fn filtered(call: Call, lens: &Lens, text: &str) -> String {
    let mut out = Vec::new();
    match document(keep_of(call).unwrap(), lens, text, &mut out) {
        Ok(()) => String::from_utf8(out).unwrap(),
        Err(fault) => {
            assert!(out.is_empty(), "a fault leaves nothing behind");
            format!("fault: {fault}")
        }
    }
}

const CHAT: &str = r#"{
  "id":"c1","object":"chat.completion","created":1,"model":"/srv/models/secret.gguf","system_fingerprint":"b1",
  "choices":[{"index":0,"message":{"role":"assistant","content":"hi \"you\"","reasoning_content":"hm","audio":{}},
    "logprobs":{"content":[{"token":"hi","logprob":-0.123456,"bytes":[104],"top_logprobs":[
      {"token":"hi","logprob":-0.1234},{"token":"ho","logprob":-2.5},{"token":"ha","logprob":-3.5}]}]},
    "finish_reason":"stop","token_ids":[1,2],"routed_experts":[[0,1]]}],
  "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":9}},
  "prompt_logprobs":[null,{"5":{"logprob":-1.5,"rank":1,"decoded_token":"x"}}],
  "kv_transfer_params":{"remote":"10.0.0.3"},"timings":{}
}"#;

#[test]
fn a_chat_leaves_with_listed_and_held_fields_only() {
    expect![[r#"{"id":"c1","object":"chat.completion","created":1,"model":"fraud","choices":[{"index":0,"message":{"role":"assistant","content":"hi \"you\""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#]]
        .assert_eq(&filtered(Call::ChatCompletions, &lens(&[]), CHAT));
    let bounded = Lens { round: Some(2), top_k: Some(1), ..lens(&[Field::Logprobs]) };
    expect![[r#"{"id":"c1","object":"chat.completion","created":1,"model":"fraud","choices":[{"index":0,"message":{"role":"assistant","content":"hi \"you\""},"logprobs":{"content":[{"token":"hi","logprob":-0.12,"bytes":[104],"top_logprobs":[{"token":"hi","logprob":-0.12}]}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"prompt_logprobs":[null,{"5":{"logprob":-1.5,"rank":1,"decoded_token":"x"}}]}"#]]
        .assert_eq(&filtered(Call::ChatCompletions, &bounded, CHAT));
    let full = filtered(Call::ChatCompletions, &lens(&Field::ALL), CHAT);
    assert!(full.contains("token_ids") && full.contains("reasoning_content"), "{full}");
    for never in ["routed_experts", "kv_transfer", "10.0.0.3", "secret.gguf", "cached", "timings", "b1"] {
        assert!(!full.contains(never), "{never} in {full}");
    }
}

#[test]
fn what_is_not_the_json_of_the_route_never_leaves() {
    let plain = lens(&[]);
    for (text, fault) in [
        ("", "a value"),
        ("<html>", "a value"),
        ("[]", "not an object"),
        (r#""x""#, "not an object"),
        (r#"{"id":"a","id":"b"}"#, "twice"),
        (r#"{"id":"a""#, "`,` or `}`"),
        (r#"{"id":"a"} trailing"#, "the end"),
        (r#"{"error":{"message":"cannot reach 10.0.0.3"}}"#, "reports an error"),
    ] {
        let shown = filtered(Call::ChatCompletions, &plain, text);
        assert!(shown.starts_with("fault: ") && shown.contains(fault), "{text}: {shown}");
    }
    assert_eq!(filtered(Call::ChatCompletions, &plain, r#"{"error":null,"id":"a"}"#), r#"{"id":"a"}"#);
    // A listed field of another kind could hold anything, so it is dropped.
    assert_eq!(
        filtered(
            Call::ChatCompletions,
            &plain,
            r#"{"id":{"token_ids":[1]},"choices":{"0":1},"created":"x"}"#
        ),
        "{}"
    );
}

#[test]
fn a_prediction_leaves_with_released_outputs_of_the_right_version_only() {
    let answer = r#"{"model_name":"up/fraud","model_version":"3","id":"7","parameters":{"host":"n1"},"outputs":[
        {"name":"predict_proba","shape":[1,2],"datatype":"FP64","data":[0.99999999878,1.2e-9]},
        {"datatype":"INT64","parameters":{"content_type":"np","x":1},"data":[[1],[0]],"shape":[2,1],"name":"predict"},
        {"shape":[1],"data":[1]}]}"#;
    expect![[r#"{"model_name":"fraud","model_version":"3","id":"7","outputs":[{"datatype":"INT64","parameters":{"content_type":"np"},"data":[[1],[0]],"shape":[2,1],"name":"predict"}]}"#]]
        .assert_eq(&filtered(Call::Infer, &lens(&[]), answer));
    let all = Lens { released: None, round: Some(2), ..lens(&[Field::RawScores]) };
    let shown = filtered(Call::Infer, &all, answer);
    assert!(shown.contains(r#""data":[1,0]}"#), "{shown}");
    let other = answer.replace("\"3\"", "\"4\"");
    assert_eq!(filtered(Call::Infer, &lens(&[]), &other), "fault: the answer comes from another version");
    let other = answer.replace("up/fraud", "up/spam");
    assert_eq!(filtered(Call::Infer, &lens(&[]), &other), "fault: the answer comes from another model");
    let unversioned = r#"{"model_name":"up/fraud","model_version":null,"outputs":[]}"#;
    assert_eq!(filtered(Call::Infer, &lens(&[]), unversioned), r#"{"model_name":"fraud","outputs":[]}"#);
}

#[test]
fn a_vector_is_rounded_in_either_spelling() {
    let packed: Vec<u8> = [0.123_456_f32, -1.5].iter().flat_map(|number| number.to_le_bytes()).collect();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &packed);
    let rounded = Lens { round: Some(2), ..lens(&[Field::Embeddings]) };
    let answer = format!(r#"{{"data":[{{"embedding":"{text}"}},{{"embedding":[0.123456,-1.5]}}]}}"#);
    let shown = filtered(Call::Embeddings, &rounded, &answer);
    assert!(shown.contains(r#"{"embedding":[0.12,-1.5]}"#), "{shown}");
    let expected: Vec<u8> = [0.12_f32, -1.5].iter().flat_map(|number| number.to_le_bytes()).collect();
    let expected = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &expected);
    assert!(shown.contains(&expected), "{shown}");
    assert_eq!(filtered(Call::Embeddings, &lens(&[]), &answer), r#"{"data":[{},{}]}"#);
}

fn run(call: Call, held: &[Field], chunks: &[&[u8]]) -> (String, Result<(), EventFault>, bool) {
    let mut filter = EventFilter::new(call, lens(held), 4096);
    let mut out = Vec::new();
    let mut result = Ok(());
    for chunk in chunks {
        result = filter.push(chunk, &mut out);
        if result.is_err() {
            break;
        }
    }
    (String::from_utf8(out).unwrap(), result, filter.is_done())
}

const STREAM: &str = "\u{feff}: hello\n\ndata: {\"id\":\"1\",\"model\":\"x\",\"choices\":[{\"index\":0,\
    \"delta\":{\"content\":\"héé\"},\"logprobs\":{\"content\":[]}}]}\n\nevent: ping\r\nid: 7\r\nretry: 1\r\ndata: {\"id\":\r\n\
    data: \"2\"}\r\n\r\ndata:{\"id\":\"3\",\"secret\":1}\r\rdata: [DONE]\n\ndata: {\"id\":\"late\"}\n\n";

const STREAM_FILTERED: &str = ":\n\ndata: {\"id\":\"1\",\"model\":\"fraud\",\"choices\":[{\"index\":0,\
    \"delta\":{\"content\":\"héé\"}}]}\n\ndata: {\"id\":\"2\"}\n\ndata: {\"id\":\"3\"}\n\ndata: [DONE]\n\n";

#[test]
fn a_stream_is_filtered_event_by_event_wherever_it_is_cut() {
    let whole = STREAM.as_bytes();
    assert_eq!(run(Call::ChatCompletions, &[], &[whole]), (STREAM_FILTERED.to_owned(), Ok(()), true));
    for cut in 0..whole.len() {
        let (first, second) = whole.split_at(cut);
        let (out, _, is_done) = run(Call::ChatCompletions, &[], &[first, second]);
        assert_eq!((out.as_str(), is_done), (STREAM_FILTERED, true), "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = whole.chunks(1).collect();
    assert_eq!(run(Call::ChatCompletions, &[], &bytes).0, STREAM_FILTERED);
}

#[test]
fn an_event_leaves_as_soon_as_it_is_complete() {
    let mut filter = EventFilter::new(Call::ChatCompletions, lens(&[]), 4096);
    let mut out = Vec::new();
    filter.push(b"data: {\"id\":\"1\"}\n", &mut out).unwrap();
    assert!(out.is_empty());
    filter.push(b"\ndata: {", &mut out).unwrap();
    assert_eq!(out, b"data: {\"id\":\"1\"}\n\n");
}

#[test]
fn half_a_character_is_replaced() {
    let (out, result, _) = run(Call::ChatCompletions, &[], &[b"data: {\"id\":\"\xe2\x82\"}\n\n"]);
    assert_eq!((out.as_str(), result), ("data: {\"id\":\"\u{fffd}\"}\n\n", Ok(())));
}

#[test]
fn a_stream_that_goes_wrong_stops_there() {
    let good = b"data: {\"id\":\"1\"}\n\n".as_slice();
    for bad in [
        b"data: {\"id\":\n\n".as_slice(),
        b"data: {\"error\":{\"message\":\"10.0.0.3 is down\"}}\n\n",
        b"event: error\ndata: {\"message\":\"10.0.0.3\"}\n\n",
        b"data: nonsense\n\n",
    ] {
        let (out, result, _) = run(Call::ChatCompletions, &[], &[good, bad]);
        assert!(result.is_err());
        assert_eq!(out.as_bytes(), good);
    }
    let long = format!("data: {{\"id\":\"{}\"}}\n\n", "x".repeat(5000));
    assert_eq!(run(Call::ChatCompletions, &[], &[long.as_bytes()]).1, Err(EventFault::TooLarge));
    let endless: Vec<&[u8]> = std::iter::repeat_n(b"data: xxxxxxxxxxxxxxxx".as_slice(), 500).collect();
    assert_eq!(run(Call::ChatCompletions, &[], &endless).1, Err(EventFault::TooLarge));
    let lines: Vec<&[u8]> = std::iter::repeat_n(b"data: xxxxxxxxxxxxxxxx\n".as_slice(), 500).collect();
    assert_eq!(run(Call::ChatCompletions, &[], &lines).1, Err(EventFault::TooLarge));
}

#[test]
fn a_streamed_response_keeps_its_plain_events() {
    let stream = b"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"x\",\"instructions\":\"s\",\"tools\":[],\"error\":null}}\n\n\
        event: response.reasoning_text.delta\ndata: {\"type\":\"response.reasoning_text.delta\",\"delta\":\"hm\"}\n\n\
        event: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"part\":{\"type\":\"reasoning_text\",\"text\":\"hm\"}}\n\n\
        event: response.mcp_call.completed\ndata: {\"type\":\"response.mcp_call.completed\",\"item_id\":\"x\"}\n\n\
        event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\",\"logprobs\":[],\"obfuscation\":\"zz\"}\n\n\
        event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n";
    let (out, result, is_done) = run(Call::Responses, &[], &[stream]);
    assert_eq!((result, is_done), (Ok(()), true));
    expect![[r#"
        event: response.created
        data: {"type":"response.created","response":{"id":"r","model":"fraud","error":null}}

        event: response.content_part.added
        data: {"type":"response.content_part.added"}

        event: response.output_text.delta
        data: {"type":"response.output_text.delta","delta":"hi"}

        event: response.completed
        data: {"type":"response.completed","response":{"status":"completed"}}

    "#]]
    .assert_eq(&out);
    let (out, _, _) = run(Call::Responses, &[Field::HiddenStates], &[stream]);
    assert_eq!(out.matches("hm").count(), 2);
}

#[test]
fn the_last_word_has_the_shape_of_the_stream() {
    let refusal = Refusal::new(Reason::Cut, "your grant ended");
    let word = |call| {
        let mut out = Vec::new();
        EventFilter::new(call, lens(&[]), 10).last_word(&refusal, &mut out);
        String::from_utf8(out).unwrap()
    };
    expect![[r#"
        data: {"error":{"message":"your grant ended","type":"permission_error","param":null,"code":"access_ended"}}

        event: error
        data: {"type":"error","code":"access_ended","message":"your grant ended","param":null}

        data: {"error":"your grant ended"}

    "#]]
    .assert_eq(&(word(Call::ChatCompletions) + &word(Call::Responses) + &word(Call::GenerateStream)));
}

#[test]
fn obligations_narrow_what_is_held() {
    let held = BTreeSet::from([Field::Logprobs, Field::Tokens]);
    let (done, left) = duties(
        &[
            Obligation::StripFields { fields: BTreeSet::from([Field::Tokens]) },
            Obligation::Round { decimals: 4 },
            Obligation::Round { decimals: 2 },
            Obligation::TopK { k: 5 },
        ],
        &held,
    );
    assert_eq!(done, Duties { round: Some(2), top_k: Some(5), label_only: false });
    assert_eq!(left, BTreeSet::from([Field::Logprobs]));
    assert!(duties(&[Obligation::LabelOnly], &held).1.is_empty());
}

proptest! {
    /// However a stream is cut into chunks, the same events come out of it.
    #[test]
    fn chunking_changes_nothing(cuts in proptest::collection::vec(0..STREAM.len(), 0..8)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut rest = STREAM.as_bytes();
        let mut at = 0;
        let mut chunks = Vec::new();
        for cut in cuts {
            let (first, second) = rest.split_at(cut - at);
            chunks.push(first);
            rest = second;
            at = cut;
        }
        chunks.push(rest);
        prop_assert_eq!(run(Call::ChatCompletions, &[], &chunks).0, STREAM_FILTERED);
    }

    /// Whatever arrives, no byte leaves that is not part of a filtered event.
    #[test]
    fn noise_never_leaves(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut reader = EventReader::new(1024);
        let read: Result<(), TooLarge> = reader.read(&bytes, |event| {
            assert!(matches!(event, Event::Message { .. } | Event::Comment));
            Ok(true)
        });
        prop_assert!(read.is_ok());
        let (out, _, _) = run(Call::ChatCompletions, &[], &[&bytes]);
        for event in out.split("\n\n").filter(|event| !event.is_empty()) {
            let is_whole = event == ":" || event == "data: [DONE]" || event.starts_with("data: {");
            prop_assert!(is_whole, "{}", event);
        }
    }
}
