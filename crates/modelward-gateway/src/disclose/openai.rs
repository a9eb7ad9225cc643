//! The answers of the OpenAI-compatible API.

use modelward_decision::vocabulary::Field;

use super::Keep;

const TEXT: Keep = Keep::Either(&[Keep::Text, Keep::Null]);
const NUMBER: Keep = Keep::Either(&[Keep::Number, Keep::Null]);

const USAGE: Keep = Keep::Either(&[
    Keep::Null,
    Keep::Object(&[
        ("prompt_tokens", Keep::Number),
        ("completion_tokens", Keep::Number),
        ("total_tokens", Keep::Number),
        ("input_tokens", Keep::Number),
        ("output_tokens", Keep::Number),
        // How much was cached tells of other callers' prompts, so the details of the prompt stay here.
        ("completion_tokens_details", Keep::Object(&[("reasoning_tokens", NUMBER)])),
        ("output_tokens_details", Keep::Object(&[("reasoning_tokens", NUMBER)])),
    ]),
]);

const ALTERNATIVE: Keep = Keep::Object(&[
    ("token", Keep::Text),
    ("logprob", NUMBER),
    ("bytes", Keep::Either(&[Keep::Null, Keep::List(&Keep::Number)])),
]);

const POSITION: Keep = Keep::Object(&[
    ("token", Keep::Text),
    ("logprob", NUMBER),
    ("bytes", Keep::Either(&[Keep::Null, Keep::List(&Keep::Number)])),
    ("top_logprobs", Keep::Alternatives(&ALTERNATIVE)),
]);

const POSITIONS: Keep = Keep::Either(&[Keep::Null, Keep::List(&POSITION)]);

const CHAT_LOGPROBS: Keep = Keep::Held(
    Field::Logprobs,
    &Keep::Either(&[Keep::Null, Keep::Object(&[("content", POSITIONS), ("refusal", POSITIONS)])]),
);

const TEXT_LOGPROBS: Keep = Keep::Held(
    Field::Logprobs,
    &Keep::Either(&[
        Keep::Null,
        Keep::Object(&[
            ("tokens", Keep::List(&Keep::Text)),
            ("token_logprobs", Keep::List(&NUMBER)),
            ("top_logprobs", Keep::Either(&[Keep::Null, Keep::List(&BY_TOKEN)])),
            ("text_offset", Keep::List(&Keep::Number)),
            // llama.cpp answers completions in the shape of chats.
            ("content", POSITIONS),
        ]),
    ]),
);

const BY_TOKEN: Keep = Keep::Either(&[Keep::Null, Keep::AlternativesByKey(&NUMBER)]);

/// vLLM: per position null, or an object from token id to its log probability.
const PROMPT_LOGPROBS: Keep = Keep::Held(
    Field::Logprobs,
    &Keep::Either(&[
        Keep::Null,
        Keep::List(&Keep::Either(&[
            Keep::Null,
            Keep::AlternativesByKey(&Keep::Object(&[
                ("logprob", NUMBER),
                ("rank", NUMBER),
                ("decoded_token", TEXT),
            ])),
        ])),
    ]),
);

const TOKEN_IDS: Keep = Keep::Held(Field::Tokens, &Keep::Either(&[Keep::Null, Keep::List(&Keep::Number)]));

const REASONING: Keep = Keep::Held(Field::HiddenStates, &TEXT);

const TOOL_CALLS: Keep = Keep::Either(&[
    Keep::Null,
    Keep::List(&Keep::Object(&[
        ("index", Keep::Number),
        ("id", TEXT),
        ("type", TEXT),
        ("function", Keep::Object(&[("name", TEXT), ("arguments", TEXT)])),
    ])),
]);

const MESSAGE: Keep = Keep::Either(&[
    Keep::Null,
    Keep::Object(&[
        ("role", TEXT),
        ("content", TEXT),
        ("refusal", TEXT),
        ("tool_calls", TOOL_CALLS),
        ("reasoning_content", REASONING),
        ("reasoning", REASONING),
    ]),
]);

const CHAT_CHOICE: Keep = Keep::Object(&[
    ("index", Keep::Number),
    ("delta", MESSAGE),
    ("message", MESSAGE),
    ("finish_reason", TEXT),
    ("logprobs", CHAT_LOGPROBS),
    ("token_ids", TOKEN_IDS),
]);

/// A chat, whole or one chunk of it.
pub(super) static CHAT: Keep = Keep::Object(&[
    ("error", Keep::Failure),
    ("id", Keep::Text),
    ("object", Keep::Text),
    ("created", Keep::Number),
    ("model", Keep::PublicName),
    ("choices", Keep::List(&CHAT_CHOICE)),
    ("usage", USAGE),
    ("prompt_logprobs", PROMPT_LOGPROBS),
    ("prompt_token_ids", TOKEN_IDS),
]);

const TEXT_CHOICE: Keep = Keep::Object(&[
    ("index", Keep::Number),
    ("text", Keep::Text),
    ("finish_reason", TEXT),
    ("logprobs", TEXT_LOGPROBS),
    ("prompt_logprobs", PROMPT_LOGPROBS),
    ("token_ids", TOKEN_IDS),
    ("prompt_token_ids", TOKEN_IDS),
]);

/// A completion, whole or one chunk of it.
pub(super) static COMPLETION: Keep = Keep::Object(&[
    ("error", Keep::Failure),
    ("id", Keep::Text),
    ("object", Keep::Text),
    ("created", Keep::Number),
    ("model", Keep::PublicName),
    ("choices", Keep::List(&TEXT_CHOICE)),
    ("usage", USAGE),
]);

pub(super) static EMBEDDINGS: Keep = Keep::Object(&[
    ("error", Keep::Failure),
    ("object", Keep::Text),
    ("model", Keep::PublicName),
    (
        "data",
        Keep::List(&Keep::Object(&[
            ("object", Keep::Text),
            ("index", Keep::Number),
            ("embedding", Keep::Held(Field::Embeddings, &Keep::Vector)),
        ])),
    ),
    ("usage", USAGE),
]);

/// What a model keeps to itself comes as a part of its own kind.
const PART: Keep = Keep::Typed(
    Field::HiddenStates,
    &["reasoning_text", "summary_text"],
    &[
        ("type", Keep::Text),
        ("text", Keep::Text),
        ("refusal", Keep::Text),
        ("annotations", Keep::List(&Keep::Null)),
        ("logprobs", Keep::Held(Field::Logprobs, &POSITIONS)),
    ],
);

const ITEM: Keep = Keep::Object(&[
    ("type", Keep::Text),
    ("id", Keep::Text),
    ("role", Keep::Text),
    ("status", TEXT),
    ("content", Keep::List(&PART)),
    ("call_id", Keep::Text),
    ("name", Keep::Text),
    ("arguments", Keep::Text),
    ("summary", Keep::Held(Field::HiddenStates, &Keep::List(&PART))),
    ("encrypted_content", REASONING),
]);

const RESPONSE_MEMBERS: &[(&str, Keep)] = &[
    ("id", Keep::Text),
    ("object", Keep::Text),
    ("created_at", Keep::Number),
    ("completed_at", NUMBER),
    ("status", Keep::Text),
    ("incomplete_details", Keep::Either(&[Keep::Null, Keep::Object(&[("reason", TEXT)])])),
    ("model", Keep::PublicName),
    ("output", Keep::List(&ITEM)),
    ("parallel_tool_calls", Keep::Bool),
    ("temperature", NUMBER),
    ("top_p", NUMBER),
    ("max_output_tokens", NUMBER),
    ("truncation", TEXT),
    ("usage", USAGE),
    // What went wrong upstream is for its operator; `status` says that it did.
    ("error", Keep::Null),
];

pub(super) static RESPONSE: Keep = Keep::Object(RESPONSE_MEMBERS);

/// Any event of a streamed response whose type is let through.
pub(super) static RESPONSE_EVENT: Keep = Keep::Object(&[
    ("type", Keep::Text),
    ("sequence_number", Keep::Number),
    ("response", Keep::Object(RESPONSE_MEMBERS)),
    ("output_index", Keep::Number),
    ("content_index", Keep::Number),
    ("summary_index", Keep::Number),
    ("item_id", Keep::Text),
    ("item", ITEM),
    ("part", PART),
    ("delta", Keep::Text),
    ("text", Keep::Text),
    ("refusal", Keep::Text),
    ("name", Keep::Text),
    ("arguments", Keep::Text),
    ("logprobs", Keep::Held(Field::Logprobs, &POSITIONS)),
]);

/// Events that end a streamed response.
pub(super) const RESPONSE_ENDS: &[&str] = &["response.completed", "response.incomplete", "response.failed"];

/// Events of a streamed response that carry the plain answer.
pub(super) const RESPONSE_PLAIN: &[&str] = &[
    "response.output_text.delta",
    "response.created",
    "response.queued",
    "response.in_progress",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.output_item.added",
    "response.output_item.done",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.done",
    "response.refusal.delta",
    "response.refusal.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
];

/// Events of a streamed response that carry what the model keeps to itself.
pub(super) const RESPONSE_REASONING: &[&str] = &[
    "response.reasoning_text.delta",
    "response.reasoning_text.done",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
];
