use expect_test::expect;
use modelward_decision::vocabulary::{ModelId, Name, VersionId};

use super::*;
use form::{Form, Rewrite};
use modelward_decision::inventory::Version;
use open_inference::Scores;

/// Reads `body` by the form of `call`; shows the asks and what would be forwarded to whoever holds `held`.
fn read(call: Call, body: &str, held: &[Field]) -> String {
    let form: &'static Form = form_of(call).unwrap();
    match Filled::read(form, Bytes::copy_from_slice(body.as_bytes()), &Bounds::default()) {
        Err(refusal) => {
            format!("{:?} {} [{}]", refusal.reason, refusal.message, refusal.param.unwrap_or_default())
        }
        Ok(filled) => {
            let held = held.iter().copied().collect();
            let rewrite = Rewrite { upstream_name: "up/stream", held: &held, alternatives_max: 5 };
            let forwarded = filled.forwarded(&rewrite, |_, _, _| false);
            let asks: Vec<_> = filled.asks().iter().map(|field| field.as_str()).collect();
            format!("asks {asks:?} forwards {}", String::from_utf8(forwarded).unwrap())
        }
    }
}

fn check(call: Call, cases: &[(&str, &[Field])], expected: &expect_test::Expect) {
    let lines: Vec<String> = cases.iter().map(|(body, held)| read(call, body, held) + "\n").collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn a_chat_is_forwarded_with_known_keys_only() {
    check(
        Call::ChatCompletions,
        &[
            (
                r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"user":"u","store":false}"#,
                &[],
            ),
            (r#"{"messages":[],"m\u006fdel":"m"}"#, &[]),
            (r#"{"model":"m","messages":[],"logprobs":true,"top_logprobs":20,"logit_bias":{"5":1}}"#, &[]),
            (
                r#"{"model":"m","messages":[],"logprobs":true,"top_logprobs":20,"logit_bias":{"5":1}}"#,
                &[Field::Logprobs],
            ),
            (r#"{"model":"m","messages":[],"logprobs":false,"top_logprobs":null,"logit_bias":{}}"#, &[]),
            (
                r#"{"model":"m","messages":[],"return_token_ids":true,"include_reasoning":true}"#,
                &[Field::Tokens],
            ),
        ],
        &expect![[r#"
            asks [] forwards {"model":"up/stream","messages":[{"role":"user","content":"hi"}],"stream":true}
            asks [] forwards {"messages":[],"model":"up/stream"}
            asks ["logprobs", "sampling-control"] forwards {"model":"up/stream","messages":[]}
            asks ["logprobs", "sampling-control"] forwards {"model":"up/stream","messages":[],"logprobs":true,"top_logprobs":5}
            asks [] forwards {"model":"up/stream","messages":[]}
            asks ["hidden-states", "tokens"] forwards {"model":"up/stream","messages":[],"return_token_ids":true}
        "#]],
    );
}

#[test]
fn a_chat_that_does_not_fit_is_refused_and_the_key_named() {
    check(
        Call::ChatCompletions,
        &[
            (r"[]", &[]),
            (r#"{"model":"m"}"#, &[]),
            (r#"{"model":"m","messages":[],"logprobs":false,"logprobs":true}"#, &[]),
            (r#"{"model":"m","messages":[],"kv_transfer_params":{}}"#, &[]),
            (r#"{"model":"m","messages":[],"chat_template":"x"}"#, &[]),
            (r#"{"model":"m","messages":[{"role":"user","content":"x","weight":1}]}"#, &[]),
            (r#"{"model":["m"],"messages":[]}"#, &[]),
            (r#"{"model":"m","messages":[],"n":9}"#, &[]),
            (r#"{"model":"m","messages":[],"n":1e0}"#, &[]),
            (r#"{"model":"m","messages":[],"max_tokens":-1}"#, &[]),
            (r#"{"model":"m","messages":[],"top_logprobs":-1}"#, &[]),
            (r#"{"model":"m","messages":[],"store":true}"#, &[]),
            (
                r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://169.254.169.254/"}}]}]}"#,
                &[],
            ),
            (r#"{"model":"m","messages":[],"tools":[{"type":"web_search"}]}"#, &[]),
            (r#"{"model":"m","messages":[]} {}"#, &[]),
        ],
        &expect![[r#"
            Body the body must be a JSON object []
            Body the key `messages` is missing [messages]
            Body the key `logprobs` stands twice in one object []
            Body the key `kv_transfer_params` is not taken here [kv_transfer_params]
            Body the key `chat_template` is not taken here [chat_template]
            Body the key `messages.weight` is not taken here [messages.weight]
            Body the value of `model` is not of the kind this key takes [model]
            Body `n` is a whole number of at most 8 here [n]
            Body `n` is a whole number of at most 8 here [n]
            Body `max_tokens` is a whole number of at most 65536 here [max_tokens]
            Body `top_logprobs` is a whole number of at most 20 here [top_logprobs]
            Body `store`: answers are not stored upstream, because nobody could check who may read them [store]
            Body `messages`: only `data:` URLs are taken; nothing is fetched on a caller's behalf [messages]
            Body the value of `tools` is not of the kind this key takes [tools]
            Body the JSON is malformed at byte 28: the end was expected []
        "#]],
    );
}

#[test]
fn completions_and_embeddings() {
    check(
        Call::Completions,
        &[
            (r#"{"model":"m","prompt":["a",[1,2]],"echo":true}"#, &[]),
            (r#"{"model":"m","prompt":"a","echo":true,"logprobs":0}"#, &[]),
            (r#"{"model":"m","prompt":"a","echo":true,"logprobs":0}"#, &[Field::Logprobs]),
            (r#"{"model":"m","prompt":"a","prompt_logprobs":1}"#, &[]),
            (r#"{"model":"m","prompt":"a","best_of":100}"#, &[]),
        ],
        &expect![[r#"
            asks [] forwards {"model":"up/stream","prompt":["a",[1,2]],"echo":true}
            asks ["logprobs"] forwards {"model":"up/stream","prompt":"a","echo":true}
            asks ["logprobs"] forwards {"model":"up/stream","prompt":"a","echo":true,"logprobs":0}
            asks ["logprobs"] forwards {"model":"up/stream","prompt":"a"}
            Body `best_of` is a whole number of at most 8 here [best_of]
        "#]],
    );
    check(
        Call::Embeddings,
        &[
            (r#"{"model":"m","input":"x","encoding_format":"base64"}"#, &[]),
            (r#"{"model":"m","input":"x","encoding_format":"int8"}"#, &[]),
        ],
        &expect![[r#"
            asks [] forwards {"model":"up/stream","input":"x","encoding_format":"base64"}
            Body the value of `encoding_format` is not of the kind this key takes [encoding_format]
        "#]],
    );
}

#[test]
fn responses_never_touch_what_is_stored() {
    check(
        Call::Responses,
        &[
            (r#"{"model":"m","input":"x","store":null,"background":false,"previous_response_id":null}"#, &[]),
            (
                r#"{"model":"m","input":"x","include":["message.output_text.logprobs","reasoning.encrypted_content"]}"#,
                &[Field::HiddenStates],
            ),
            (r#"{"model":"m","input":"x","include":["file_search_call.results"]}"#, &[]),
            (r#"{"model":"m","input":"x","store":true}"#, &[]),
            (r#"{"model":"m","input":"x","background":true}"#, &[]),
            (r#"{"model":"m","input":"x","previous_response_id":"resp_1"}"#, &[]),
            (r#"{"model":"m","input":"x","conversation":"conv_1"}"#, &[]),
            (r#"{"model":"m","input":"x","prompt":{"id":"pmpt_1"}}"#, &[]),
            (r#"{"model":"m","input":[{"type":"item_reference","id":"x"}]}"#, &[]),
            (r#"{"model":"m","input":"x","tools":[{"type":"code_interpreter"}]}"#, &[]),
        ],
        &expect![[r#"
            asks [] forwards {"model":"up/stream","input":"x"}
            asks ["logprobs", "hidden-states"] forwards {"model":"up/stream","input":"x","include":["reasoning.encrypted_content"]}
            Body the key `include: file_search_call.results` is not taken here [include: file_search_call.results]
            Body `store`: answers are not stored upstream, because nobody could check who may read them [store]
            Body `background`: answers are not stored upstream, because nobody could check who may read them [background]
            Body `previous_response_id`: it refers to something stored upstream, which may be somebody else's [previous_response_id]
            Body `conversation`: it refers to something stored upstream, which may be somebody else's [conversation]
            Body `prompt`: it refers to something stored upstream, which may be somebody else's [prompt]
            Body the value of `input` is not of the kind this key takes [input]
            Body the value of `tools` is not of the kind this key takes [tools]
        "#]],
    );
}

#[test]
fn predictions_carry_plain_tensors_only() {
    check(
        Call::Infer,
        &[
            (r#"{"id":"1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1.5,2]]}]}"#, &[]),
            (r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[null]}]}"#, &[]),
            (
                r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"shared_memory_region":"r"}}]}"#,
                &[],
            ),
            (
                r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}"#,
                &[],
            ),
            (r#"{"inputs":[],"parameters":{"sequence_id":4}}"#, &[]),
            (r#"{"inputs":[],"parameters":{"binary_data_output":true}}"#, &[]),
            (r#"{"inputs":[{"name":"x","shape":[1],"datatype":"RAW","data":[1]}]}"#, &[]),
        ],
        &expect![[r#"
            asks [] forwards {"id":"1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1.5,2]]}]}
            Body the value of `inputs` is not of the kind this key takes [inputs]
            Body the key `inputs.shared_memory_region` is not taken here [inputs.shared_memory_region]
            Body the key `inputs.binary_data_size` is not taken here [inputs.binary_data_size]
            Body the key `parameters.sequence_id` is not taken here [parameters.sequence_id]
            asks [] forwards {"inputs":[]}
            Body the value of `inputs` is not of the kind this key takes [inputs]
        "#]],
    );
}

fn version(labels: &[&str]) -> Version {
    Version {
        id: VersionId::from_bits(7),
        model: ModelId::from_bits(8),
        label: Name::new("3").unwrap(),
        digest: None,
        label_outputs: labels.iter().map(|label| (*label).to_owned()).collect(),
        proven: true,
        quarantined: false,
    }
}

/// Whether scores are asked for, and which outputs are forwarded without and with the right to them.
fn outputs_of(labels: &[&str], outputs: &str) -> String {
    let body = format!(r#"{{"inputs":[],"outputs":{outputs}}}"#);
    let form = Filled::read(&open_inference::INFER, Bytes::from(body), &Bounds::default()).unwrap();
    let version = version(labels);
    let asked = match open_inference::outputs(&form) {
        Ok(asked) => asked,
        Err(refusal) => return format!("{}\n", refusal.message),
    };
    let shown = |scores: Scores| match open_inference::released(&asked, &version, scores) {
        None => "everything".to_owned(),
        Some(names) => {
            let mut out = Vec::new();
            open_inference::write_outputs(&mut out, &asked, &names, scores);
            String::from_utf8(out).unwrap()
        }
    };
    let asks = open_inference::asks_raw_scores(&asked, &version);
    let (without, two, with) = (shown(Scores::None), shown(Scores::Classes(2)), shown(Scores::All));
    format!("asks {asks}; without {without}; two classes {two}; with {with}\n")
}

#[test]
fn only_labels_travel_unless_scores_are_held() {
    let lines = [
        outputs_of(&["predict"], "[]"),
        outputs_of(&["predict"], r#"[{"name":"predict","parameters":{"binary_data":false}}]"#),
        outputs_of(&["predict"], r#"[{"name":"predict_proba"}]"#),
        outputs_of(&["predict"], r#"[{"name":"predict"},{"name":"predict_proba"}]"#),
        outputs_of(&["predict"], r#"[{"name":"predict","parameters":{"classification":3}}]"#),
        outputs_of(
            &["predict"],
            r#"[{"name":"predict","parameters":{"classification":0,"content_type":"np"}}]"#,
        ),
        outputs_of(&["predict"], r#"[{"name":"predict"},{"name":"predict"}]"#),
        outputs_of(&["predict"], r#"[{"parameters":{}}]"#),
        outputs_of(&[], "[]"),
    ];
    expect![[r#"
        asks false; without [{"name":"predict"}]; two classes [{"name":"predict"}]; with [{"name":"predict"}]
        asks false; without [{"name":"predict"}]; two classes [{"name":"predict"}]; with [{"name":"predict"}]
        asks true; without [{"name":"predict"}]; two classes [{"name":"predict"}]; with [{"name":"predict_proba"}]
        asks true; without [{"name":"predict"}]; two classes [{"name":"predict"}]; with [{"name":"predict"},{"name":"predict_proba"}]
        asks true; without [{"name":"predict"}]; two classes [{"name":"predict","parameters":{"classification":2}}]; with [{"name":"predict","parameters":{"classification":3}}]
        asks false; without [{"name":"predict","parameters":{"content_type":"np"}}]; two classes [{"name":"predict","parameters":{"content_type":"np"}}]; with [{"name":"predict","parameters":{"content_type":"np"}}]
        an output is named twice
        each of `outputs` needs a name, and `classification` a whole number
        asks true; without []; two classes []; with everything
    "#]]
    .assert_eq(&lines.concat());
}
