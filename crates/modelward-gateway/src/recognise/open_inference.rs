//! The bodies of the Open Inference Protocol.

use std::collections::BTreeSet;

use modelward_decision::inventory::Version;
use modelward_decision::vocabulary::Field;

use super::form::{Bound, Form, Member, Rule, Shape};
use super::{Filled, Refusal};
use crate::json::{Fault, Scanner, shown, text_of, write_text};
use crate::refusal::Reason;

const DATATYPES: &[&str] = &[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "BF16", "FP32",
    "FP64", "BYTES",
];

/// What may stand beside a tensor. Regions of shared memory are other tenants' memory, and binary data belongs to an
/// extension no filter reads; both are unknown here and so refused.
const TENSOR_PARAMETERS: &[(&str, Shape)] = &[("content_type", Shape::Text)];

const OUTPUT_PARAMETERS: &[(&str, Shape)] = &[
    ("content_type", Shape::Text),
    // Stock clients always send it; the answer is JSON either way.
    ("binary_data", Shape::Bool),
    ("classification", Shape::Number),
];

const INPUT: &[(&str, Shape)] = &[
    ("name", Shape::Text),
    ("shape", Shape::List(&Shape::Number)),
    ("datatype", Shape::Word(DATATYPES)),
    ("parameters", Shape::Object(TENSOR_PARAMETERS)),
    ("data", Shape::Tensor),
];

const OUTPUT: &[(&str, Shape)] = &[("name", Shape::Text), ("parameters", Shape::Object(OUTPUT_PARAMETERS))];

const fn member(key: &'static str, shape: Shape, rule: Rule) -> Member {
    Member { key, shape, rule }
}

pub(super) static INFER: Form = Form {
    members: &[
        member("inputs", Shape::List(&Shape::Object(INPUT)), Rule::Pass),
        member("outputs", Shape::List(&Shape::Object(OUTPUT)), Rule::Rewritten),
        member("id", Shape::Text, Rule::Pass),
        member(
            "parameters",
            Shape::Object(&[("content_type", Shape::Text), ("binary_data_output", Shape::Bool)]),
            Rule::Rewritten,
        ),
    ],
    required: &["inputs"],
};

/// Triton's and KServe's text generation.
pub(super) static GENERATE: Form = Form {
    members: &[
        member("text_input", Shape::Text, Rule::Pass),
        member("id", Shape::Text, Rule::Pass),
        member("max_tokens", Shape::Number, Rule::AtMost(Bound::Tokens)),
        member("stream", Shape::Bool, Rule::Ignored),
        member(
            "parameters",
            Shape::Object(&[
                ("max_tokens", Shape::Count(Bound::Tokens)),
                ("min_tokens", Shape::Number),
                ("temperature", Shape::Number),
                ("top_p", Shape::Number),
                ("top_k", Shape::Number),
                ("seed", Shape::Number),
                ("stop", Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)])),
                ("frequency_penalty", Shape::Number),
                ("presence_penalty", Shape::Number),
                ("repetition_penalty", Shape::Number),
                ("ignore_eos", Shape::Bool),
            ]),
            Rule::Pass,
        ),
    ],
    required: &["text_input"],
};

pub(super) static INDEX: Form =
    Form { members: &[member("ready", Shape::Bool, Rule::Ignored)], required: &[] };

/// One output tensor a caller asked for by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputAsk {
    pub(crate) name: String,
    /// Asks for `value:index:label` of this many classes.
    pub(crate) classification: Option<u64>,
    content_type: Option<String>,
}

/// The outputs a request names; none means all the server has.
pub(super) fn outputs(form: &Filled) -> Result<Vec<OutputAsk>, Refusal> {
    let mut asked: Vec<OutputAsk> = Vec::new();
    let Some(raw) = form.raw("outputs") else { return Ok(asked) };
    let read = read_outputs(raw, &mut asked);
    if read.is_err() || asked.iter().any(|output| output.name.is_empty()) {
        let message = "each of `outputs` needs a name, and `classification` a whole number";
        return Err(Refusal::new(Reason::Body, message).about("outputs"));
    }
    let names: BTreeSet<&str> = asked.iter().map(|output| output.name.as_str()).collect();
    if names.len() < asked.len() {
        let twice = "an output is named twice";
        return Err(Refusal::new(Reason::Body, twice).about("outputs"));
    }
    Ok(asked)
}

fn read_outputs(raw: &str, asked: &mut Vec<OutputAsk>) -> Result<(), Fault> {
    Scanner::new(raw.as_bytes())?.list(|scanner| {
        let mut output = OutputAsk { name: String::new(), classification: None, content_type: None };
        scanner.object(|scanner, key| {
            if key != "parameters" {
                output.name = text_of(scanner.value()?).unwrap_or_default().into_owned();
                return Ok(());
            }
            scanner.object(|scanner, key| {
                let value = scanner.value()?;
                match key {
                    "classification" => {
                        let count = value.parse().map_err(|_| Fault::Range { offset: scanner.offset() })?;
                        output.classification = Some(count).filter(|count| *count > 0);
                    }
                    "content_type" => output.content_type = text_of(value).map(std::borrow::Cow::into_owned),
                    _ => {}
                }
                Ok::<(), Fault>(())
            })
        })?;
        asked.push(output);
        Ok(())
    })
}

/// Whether more than labels is asked for: an output that is not declared a label, scores beside a label, or, of a
/// version that declares no label, the default.
pub(super) fn asks_raw_scores(outputs: &[OutputAsk], version: &Version) -> bool {
    let is_more =
        |output: &OutputAsk| output.classification.is_some() || !version.label_outputs.contains(&output.name);
    if outputs.is_empty() { version.label_outputs.is_empty() } else { outputs.iter().any(is_more) }
}

/// How much of what stands behind labels may travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scores {
    /// Labels only.
    None,
    /// At most so many classes with their scores, where the caller asks for classes. A whole tensor of scores holds
    /// more alternatives than that, so it stays behind.
    Classes(u16),
    All,
}

impl Scores {
    pub(crate) fn of(held: &BTreeSet<Field>, top_k: Option<u16>) -> Self {
        match (held.contains(&Field::RawScores), top_k) {
            (false, _) => Self::None,
            (true, Some(classes)) => Self::Classes(classes),
            (true, None) => Self::All,
        }
    }
}

/// The names that may travel. None means all: scores are held and no name was given.
pub(crate) fn released<'a>(
    outputs: &'a [OutputAsk],
    version: &'a Version,
    scores: Scores,
) -> Option<BTreeSet<&'a str>> {
    let labels = || version.label_outputs.iter().map(String::as_str);
    if outputs.is_empty() {
        let asks_all = scores == Scores::All && version.label_outputs.is_empty();
        return if asks_all { None } else { Some(labels().collect()) };
    }
    let is_kept = |output: &&OutputAsk| {
        version.label_outputs.contains(&output.name)
            || match scores {
                Scores::None => false,
                Scores::Classes(_) => output.classification.is_some(),
                Scores::All => true,
            }
    };
    let kept: BTreeSet<&str> = outputs.iter().filter(is_kept).map(|output| output.name.as_str()).collect();
    // Everything asked for was stripped: the plain answer is what is left.
    Some(if kept.is_empty() { labels().collect() } else { kept })
}

/// Writes the forwarded `outputs`: each released name, explicitly.
pub(crate) fn write_outputs(
    out: &mut Vec<u8>,
    outputs: &[OutputAsk],
    released: &BTreeSet<&str>,
    scores: Scores,
) {
    out.push(b'[');
    for (place, name) in released.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"name\":");
        write_text(out, name);
        let asked = outputs.iter().find(|output| output.name == *name);
        let content_type = asked.and_then(|output| output.content_type.as_deref());
        let classification = asked.and_then(|output| output.classification).and_then(|count| match scores {
            Scores::None => None,
            Scores::Classes(max) => Some(count.min(u64::from(max))),
            Scores::All => Some(count),
        });
        if content_type.is_some() || classification.is_some() {
            out.extend_from_slice(b",\"parameters\":{");
            if let Some(count) = classification {
                out.extend_from_slice(format!("\"classification\":{count}").as_bytes());
            }
            if let Some(content_type) = content_type {
                if classification.is_some() {
                    out.push(b',');
                }
                out.extend_from_slice(b"\"content_type\":");
                write_text(out, content_type);
            }
            out.push(b'}');
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// The `content_type` of a request's own `parameters`; nothing else of them is forwarded.
pub(crate) fn write_parameters(out: &mut Vec<u8>, raw: &str) -> bool {
    let mut content_type = None;
    let read: Result<(), Fault> = Scanner::new(raw.as_bytes()).and_then(|mut scanner| {
        scanner.object(|scanner, key| {
            let value = scanner.value()?;
            if key == "content_type" {
                content_type = text_of(value).map(std::borrow::Cow::into_owned);
            }
            Ok(())
        })
    });
    let (Ok(()), Some(content_type)) = (read, content_type) else { return false };
    out.extend_from_slice(b"{\"content_type\":");
    write_text(out, &shown(&content_type));
    out.push(b'}');
    true
}
