//! The answers of the Open Inference Protocol.

use super::Keep;

const TEXT: Keep = Keep::Text;

/// The only parameter that says nothing about the server.
const PARAMETERS: Keep = Keep::Object(&[("content_type", Keep::Text)]);

pub(super) static INFER: Keep = Keep::Object(&[
    ("error", Keep::Failure),
    ("model_name", Keep::SameModel),
    ("model_version", Keep::SameVersion),
    ("id", Keep::Text),
    (
        "outputs",
        Keep::List(&Keep::Output(&[
            ("name", TEXT),
            ("shape", Keep::List(&Keep::Number)),
            ("datatype", TEXT),
            ("parameters", PARAMETERS),
            ("data", Keep::Tensor),
        ])),
    ),
]);

pub(super) static GENERATE: Keep = Keep::Object(&[
    ("error", Keep::Failure),
    ("model_name", Keep::SameModel),
    ("model_version", Keep::SameVersion),
    ("id", Keep::Text),
    ("text_output", Keep::Text),
    ("details", Keep::Object(&[("finish_reason", TEXT)])),
]);

const TENSOR: Keep =
    Keep::Object(&[("name", TEXT), ("datatype", TEXT), ("shape", Keep::List(&Keep::Number))]);

pub(super) static MODEL: Keep = Keep::Object(&[
    ("error", Keep::Failure),
    ("name", Keep::SameModel),
    ("platform", TEXT),
    ("inputs", Keep::List(&TENSOR)),
    ("outputs", Keep::List(&TENSOR)),
]);
