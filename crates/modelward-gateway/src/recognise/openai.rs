//! The bodies of the OpenAI-compatible API.

use modelward_decision::vocabulary::Field;

use super::form::{Bound, Form, Member, Rule, Shape};

const fn member(key: &'static str, shape: Shape, rule: Rule) -> Member {
    Member { key, shape, rule }
}

const fn pass(key: &'static str, shape: Shape) -> Member {
    member(key, shape, Rule::Pass)
}

const fn ignored(key: &'static str) -> Member {
    member(key, Shape::Any, Rule::Ignored)
}

const TEXT: Shape = Shape::Either(&[Shape::Text, Shape::Null]);
const NUMBER: Shape = Shape::Either(&[Shape::Number, Shape::Null]);
const BOOL: Shape = Shape::Either(&[Shape::Bool, Shape::Null]);
const STOP: Shape = Shape::Either(&[Shape::Null, Shape::Text, Shape::List(&Shape::Text)]);
const STREAM_OPTIONS: Shape = Shape::Either(&[
    Shape::Null,
    Shape::Object(&[
        ("include_usage", Shape::Bool),
        ("include_obfuscation", Shape::Bool),
        ("continuous_usage_stats", Shape::Bool),
    ]),
]);

const STORED: &str = "answers are not stored upstream, because nobody could check who may read them";
const OTHERS: &str = "it refers to something stored upstream, which may be somebody else's";

const TOOL_CALL: Shape = Shape::Object(&[
    ("id", Shape::Text),
    ("type", Shape::Word(&["function"])),
    ("index", Shape::Number),
    ("function", Shape::Object(&[("name", Shape::Text), ("arguments", Shape::Text)])),
]);

const PART: Shape = Shape::Object(&[
    ("type", Shape::Word(&["text", "refusal", "image_url", "input_audio"])),
    ("text", Shape::Text),
    ("refusal", Shape::Text),
    ("image_url", Shape::Object(&[("url", Shape::DataUrl), ("detail", Shape::Text)])),
    ("input_audio", Shape::Object(&[("data", Shape::Text), ("format", Shape::Text)])),
]);

const MESSAGE: Shape = Shape::Object(&[
    ("role", Shape::Word(&["system", "developer", "user", "assistant", "tool"])),
    ("content", Shape::Either(&[Shape::Null, Shape::Text, Shape::List(&PART)])),
    ("name", Shape::Text),
    ("tool_call_id", Shape::Text),
    ("tool_calls", Shape::Either(&[Shape::Null, Shape::List(&TOOL_CALL)])),
    ("refusal", TEXT),
    // What clients hand back of an earlier answer.
    ("reasoning_content", TEXT),
    ("annotations", Shape::Either(&[Shape::Null, Shape::List(&Shape::Any)])),
    ("audio", Shape::Null),
    ("function_call", Shape::Null),
]);

const FUNCTION: Shape = Shape::Object(&[
    ("name", Shape::Text),
    ("description", TEXT),
    ("parameters", Shape::Any),
    ("strict", BOOL),
]);

const TOOL_CHOICE: Shape = Shape::Either(&[
    Shape::Null,
    Shape::Word(&["none", "auto", "required"]),
    Shape::Object(&[
        ("type", Shape::Word(&["function"])),
        ("name", Shape::Text),
        ("function", Shape::Object(&[("name", Shape::Text)])),
    ]),
]);

pub(super) static CHAT: Form = Form {
    members: &[
        member("model", Shape::Text, Rule::Model),
        pass("messages", Shape::List(&MESSAGE)),
        pass("stream", BOOL),
        pass("stream_options", STREAM_OPTIONS),
        member("max_tokens", NUMBER, Rule::AtMost(Bound::Tokens)),
        member("max_completion_tokens", NUMBER, Rule::AtMost(Bound::Tokens)),
        member("n", NUMBER, Rule::AtMost(Bound::Choices)),
        pass("temperature", NUMBER),
        pass("top_p", NUMBER),
        pass("top_k", NUMBER),
        pass("min_p", NUMBER),
        pass("min_tokens", NUMBER),
        pass("presence_penalty", NUMBER),
        pass("frequency_penalty", NUMBER),
        pass("repetition_penalty", NUMBER),
        pass("seed", NUMBER),
        pass("stop", STOP),
        pass("ignore_eos", BOOL),
        pass(
            "tools",
            Shape::Either(&[
                Shape::Null,
                Shape::List(&Shape::Object(&[("type", Shape::Word(&["function"])), ("function", FUNCTION)])),
            ]),
        ),
        pass("tool_choice", TOOL_CHOICE),
        pass("parallel_tool_calls", BOOL),
        pass(
            "response_format",
            Shape::Either(&[
                Shape::Null,
                Shape::Object(&[
                    ("type", Shape::Word(&["text", "json_object", "json_schema"])),
                    ("json_schema", Shape::Any),
                ]),
            ]),
        ),
        pass("reasoning_effort", TEXT),
        pass("verbosity", TEXT),
        member("logprobs", BOOL, Rule::Asks(Field::Logprobs, &["false", "null"])),
        member("top_logprobs", NUMBER, Rule::AtMost(Bound::Alternatives)),
        member("prompt_logprobs", NUMBER, Rule::AtMost(Bound::Alternatives)),
        member("logprob_token_ids", Shape::Any, Rule::Asks(Field::Logprobs, &["[]", "null"])),
        member("logit_bias", Shape::Any, Rule::Asks(Field::SamplingControl, &["{}", "null"])),
        member("allowed_token_ids", Shape::Any, Rule::Asks(Field::SamplingControl, &["[]", "null"])),
        member("return_token_ids", BOOL, Rule::Asks(Field::Tokens, &["false", "null"])),
        member("return_tokens_as_token_ids", BOOL, Rule::Asks(Field::Tokens, &["false", "null"])),
        member("include_reasoning", BOOL, Rule::Asks(Field::HiddenStates, &["false", "null"])),
        member("echo", BOOL, Rule::Only(&["false", "null"], "a chat's prompt is not given back")),
        member("store", BOOL, Rule::Only(&["false", "null"], STORED)),
        ignored("user"),
        ignored("metadata"),
        ignored("safety_identifier"),
        ignored("prompt_cache_key"),
        ignored("service_tier"),
    ],
    required: &["model", "messages"],
};

pub(super) static COMPLETIONS: Form = Form {
    members: &[
        member("model", Shape::Text, Rule::Model),
        pass("prompt", Shape::Either(&[Shape::Text, Shape::Tensor])),
        pass("suffix", TEXT),
        pass("stream", BOOL),
        pass("stream_options", STREAM_OPTIONS),
        member("max_tokens", NUMBER, Rule::AtMost(Bound::Tokens)),
        member("n", NUMBER, Rule::AtMost(Bound::Choices)),
        member("best_of", NUMBER, Rule::AtMost(Bound::Choices)),
        pass("temperature", NUMBER),
        pass("top_p", NUMBER),
        pass("top_k", NUMBER),
        pass("min_p", NUMBER),
        pass("min_tokens", NUMBER),
        pass("presence_penalty", NUMBER),
        pass("frequency_penalty", NUMBER),
        pass("repetition_penalty", NUMBER),
        pass("seed", NUMBER),
        pass("stop", STOP),
        pass("ignore_eos", BOOL),
        // The prompt itself is the caller's; its log probabilities come with `logprobs`, which is asked for by name.
        pass("echo", BOOL),
        member("logprobs", NUMBER, Rule::AtMost(Bound::Alternatives)),
        member("prompt_logprobs", NUMBER, Rule::AtMost(Bound::Alternatives)),
        member("logprob_token_ids", Shape::Any, Rule::Asks(Field::Logprobs, &["[]", "null"])),
        member("logit_bias", Shape::Any, Rule::Asks(Field::SamplingControl, &["{}", "null"])),
        member("allowed_token_ids", Shape::Any, Rule::Asks(Field::SamplingControl, &["[]", "null"])),
        member("return_token_ids", BOOL, Rule::Asks(Field::Tokens, &["false", "null"])),
        member("return_tokens_as_token_ids", BOOL, Rule::Asks(Field::Tokens, &["false", "null"])),
        ignored("user"),
    ],
    required: &["model", "prompt"],
};

const INPUT_PART: Shape = Shape::Object(&[
    ("type", Shape::Word(&["input_text", "output_text", "text", "refusal", "input_image", "summary_text"])),
    ("text", Shape::Text),
    ("refusal", Shape::Text),
    ("image_url", Shape::DataUrl),
    ("detail", Shape::Text),
    ("annotations", Shape::List(&Shape::Any)),
    ("logprobs", Shape::Either(&[Shape::Null, Shape::List(&Shape::Any)])),
]);

/// References to stored items (`item_reference`, `file_id`) are not in the list.
const INPUT_ITEM: Shape = Shape::Object(&[
    ("type", Shape::Word(&["message", "function_call", "function_call_output", "reasoning"])),
    ("id", Shape::Text),
    ("role", Shape::Word(&["system", "developer", "user", "assistant"])),
    ("content", Shape::Either(&[Shape::Null, Shape::Text, Shape::List(&INPUT_PART)])),
    ("status", TEXT),
    ("call_id", Shape::Text),
    ("name", Shape::Text),
    ("arguments", Shape::Text),
    ("output", Shape::Either(&[Shape::Text, Shape::List(&INPUT_PART)])),
    ("summary", Shape::List(&INPUT_PART)),
    ("encrypted_content", TEXT),
]);

pub(super) static RESPONSES: Form = Form {
    members: &[
        member("model", Shape::Text, Rule::Model),
        pass("input", Shape::Either(&[Shape::Text, Shape::List(&INPUT_ITEM)])),
        pass("instructions", TEXT),
        pass("stream", BOOL),
        pass("stream_options", STREAM_OPTIONS),
        member("max_output_tokens", NUMBER, Rule::AtMost(Bound::Tokens)),
        pass("temperature", NUMBER),
        pass("top_p", NUMBER),
        pass(
            "text",
            Shape::Object(&[
                (
                    "format",
                    Shape::Object(&[
                        ("type", Shape::Word(&["text", "json_object", "json_schema"])),
                        ("name", Shape::Text),
                        ("description", Shape::Text),
                        ("schema", Shape::Any),
                        ("strict", BOOL),
                    ]),
                ),
                ("verbosity", TEXT),
            ]),
        ),
        pass(
            "reasoning",
            Shape::Either(&[Shape::Null, Shape::Object(&[("effort", TEXT), ("summary", TEXT)])]),
        ),
        pass(
            "tools",
            Shape::List(&Shape::Object(&[
                // Hosted tools run code and reach data outside the model.
                ("type", Shape::Word(&["function"])),
                ("name", Shape::Text),
                ("description", TEXT),
                ("parameters", Shape::Any),
                ("strict", BOOL),
            ])),
        ),
        pass("tool_choice", TOOL_CHOICE),
        pass("parallel_tool_calls", BOOL),
        pass("truncation", Shape::Either(&[Shape::Null, Shape::Word(&["auto", "disabled"])])),
        member("top_logprobs", NUMBER, Rule::AtMost(Bound::Alternatives)),
        member(
            "include",
            Shape::Either(&[Shape::Null, Shape::List(&Shape::Text)]),
            Rule::Include(&[
                ("message.output_text.logprobs", Field::Logprobs),
                ("reasoning.encrypted_content", Field::HiddenStates),
            ]),
        ),
        member("store", BOOL, Rule::Only(&["false", "null"], STORED)),
        member("background", BOOL, Rule::Only(&["false", "null"], STORED)),
        member("previous_response_id", TEXT, Rule::Only(&["null"], OTHERS)),
        member("conversation", Shape::Any, Rule::Only(&["null"], OTHERS)),
        member("prompt", Shape::Any, Rule::Only(&["null"], OTHERS)),
        ignored("user"),
        ignored("metadata"),
        ignored("safety_identifier"),
        ignored("prompt_cache_key"),
        ignored("service_tier"),
    ],
    required: &["model", "input"],
};

pub(super) static EMBEDDINGS: Form = Form {
    members: &[
        member("model", Shape::Text, Rule::Model),
        pass("input", Shape::Either(&[Shape::Text, Shape::Tensor])),
        pass("encoding_format", Shape::Word(&["float", "base64"])),
        pass("dimensions", NUMBER),
        ignored("user"),
    ],
    required: &["model", "input"],
};
