//! From a permitted operation to the upstream: the request is built from what was recognised, and nothing is copied.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::vocabulary::{Field, Privilege};

use crate::answer::owned;
use crate::disclose::{Duties, Lens};
use crate::json::Scanner;
use crate::recognise::form::Rewrite;
use crate::recognise::open_inference::{self, Scores};
use crate::recognise::{Bound, Recognised};
use crate::refusal::{Reason, Refusal};
use crate::routes::Call;
use crate::strict::push_segment;
use crate::upstream::{Arrived, Content, Fault, Request, Upstream};

/// What goes to the upstream, and how its answer will be seen.
#[derive(Debug)]
pub(crate) struct Outgoing {
    method: &'static str,
    path: String,
    body: Vec<u8>,
    events: bool,
    privilege: Privilege,
    pub(crate) lens: Lens,
}

/// Bytes of an error document that are read, so that the connection can be used again.
const ERROR_BYTES_MAX: usize = 64 * 1024;

/// Builds the request: canonical path, pinned version, known keys, and of the sensitive ones only those held.
pub(crate) fn build(
    recognised: &Recognised,
    bound: &Bound,
    held: BTreeSet<Field>,
    duties: Duties,
    alternatives_max: u64,
) -> Outgoing {
    let scores = Scores::of(&held, duties.top_k);
    let released = match recognised.call {
        Call::Infer => open_inference::released(&recognised.outputs, &bound.version, scores),
        _ => None,
    };
    let top_k = duties.top_k.map_or(alternatives_max, |k| u64::from(k).min(alternatives_max));
    let rewrite = Rewrite { upstream_name: bound.upstream_name(), held: &held, alternatives_max: top_k };
    let mut body = match &recognised.form {
        None => Vec::new(),
        Some(form) => form.forwarded(&rewrite, |out, key, raw| {
            key == "parameters" && open_inference::write_parameters(out, raw)
        }),
    };
    match recognised.call {
        Call::Infer => {
            if let Some(names) = &released {
                append(&mut body, "outputs", |out| {
                    open_inference::write_outputs(out, &recognised.outputs, names, scores);
                });
            }
        }
        // The default of this route is to store.
        Call::Responses => append(&mut body, "store", |out| out.extend_from_slice(b"false")),
        _ => {}
    }
    let lens = Lens {
        public_name: bound.public_name().to_owned(),
        upstream_name: bound.upstream_name().to_owned(),
        version: bound.label().to_owned(),
        released: released.as_ref().map(owned),
        round: duties.round,
        top_k: duties.top_k,
        held,
    };
    let (method, path) = target(recognised.call, bound);
    Outgoing {
        method,
        path,
        body,
        events: recognised.is_stream,
        privilege: recognised.action.privilege(),
        lens,
    }
}

/// Adds one more key to an object that was just written.
fn append(body: &mut Vec<u8>, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    body.pop();
    if body.len() > 1 {
        body.push(b',');
    }
    body.push(b'"');
    body.extend_from_slice(key.as_bytes());
    body.extend_from_slice(b"\":");
    value(body);
    body.push(b'}');
}

fn target(call: Call, bound: &Bound) -> (&'static str, String) {
    let model = |tail: &str| {
        let mut path = String::with_capacity(64);
        path.push_str("/v2/models");
        push_segment(&mut path, bound.upstream_name());
        path.push_str("/versions");
        push_segment(&mut path, bound.label());
        path.push_str(tail);
        path
    };
    match call {
        Call::Infer => ("POST", model("/infer")),
        Call::Generate => ("POST", model("/generate")),
        Call::GenerateStream => ("POST", model("/generate_stream")),
        Call::InferenceModel => ("GET", model("")),
        Call::InferenceModelReady => ("GET", model("/ready")),
        Call::ChatCompletions => ("POST", "/v1/chat/completions".to_owned()),
        Call::Completions => ("POST", "/v1/completions".to_owned()),
        Call::Responses => ("POST", "/v1/responses".to_owned()),
        Call::Embeddings => ("POST", "/v1/embeddings".to_owned()),
        // Answered here, so never sent.
        Call::InferenceLive
        | Call::InferenceReady
        | Call::InferenceServer
        | Call::InferenceModels
        | Call::InferenceIndex
        | Call::Models
        | Call::Model => ("GET", String::new()),
    }
}

/// Sends it, and takes the answer if it is one that can be passed on.
pub(crate) async fn send(upstream: &Arc<Upstream>, outgoing: &Outgoing) -> Result<Arrived, Failure> {
    let request = Request {
        method: outgoing.method,
        path: &outgoing.path,
        body: &outgoing.body,
        events: outgoing.events,
        privilege: outgoing.privilege,
    };
    let arrived = upstream.send(&request).await.map_err(|fault| Failure::of(&fault))?;
    match arrived.status {
        200 => {
            let expected = if outgoing.events { Content::Events } else { Content::Json };
            if arrived.content == expected {
                return Ok(arrived);
            }
            let message = "the model server answered in another form than was asked for";
            Err(Failure::sent(Refusal::new(Reason::Upstream, message)))
        }
        _ => Err(Failure::sent(refused(arrived).await)),
    }
}

/// Whether a model is ready: the protocol's 200, or its 4xx.
pub(crate) async fn is_ready(upstream: &Arc<Upstream>, outgoing: &Outgoing) -> Result<bool, Failure> {
    let request = Request {
        method: outgoing.method,
        path: &outgoing.path,
        body: &[],
        events: false,
        privilege: outgoing.privilege,
    };
    let arrived = upstream.send(&request).await.map_err(|fault| Failure::of(&fault))?;
    let status = arrived.status;
    let document = arrived.body.collect(ERROR_BYTES_MAX).await.unwrap_or_default();
    // Some servers say it in the document alone.
    let denies = String::from_utf8_lossy(&document).replace(' ', "").contains("\"ready\":false");
    match status {
        200 => Ok(!denies),
        400..500 => Ok(false),
        _ => Err(Failure::sent(Refusal::new(Reason::Upstream, "the model server failed"))),
    }
}

/// A request that brought no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) refusal: Refusal,
    /// Not one byte went out, so that nothing was used.
    pub(crate) was_sent: bool,
}

impl Failure {
    const fn sent(refusal: Refusal) -> Self {
        Self { refusal, was_sent: true }
    }

    pub(crate) fn of(fault: &Fault) -> Self {
        let (reason, message, was_sent) = match fault {
            Fault::Busy => (Reason::Closed, "the model server is busy; try again", false),
            Fault::Unreachable => (Reason::Upstream, "the model server cannot be reached", false),
            Fault::Slow => (Reason::UpstreamSlow, "the model server took too long", true),
            Fault::Io(_) => (Reason::Upstream, "the model server broke off its answer", true),
            Fault::Protocol(_) => (Reason::Upstream, "the model server sent what cannot be passed on", true),
            Fault::TooLarge => (Reason::Upstream, "the model server's answer is larger than it may be", true),
        };
        let refusal = Refusal::new(reason, message);
        let refusal = if matches!(fault, Fault::Busy) { refusal.retry_after(1) } else { refusal };
        Self { refusal, was_sent }
    }
}

/// What an answer other than 200 means to the caller. The upstream's own words stay here.
async fn refused(arrived: Arrived) -> Refusal {
    let Arrived { status, body, retry_after_seconds, .. } = arrived;
    let document = body.collect(ERROR_BYTES_MAX).await.unwrap_or_default();
    match status {
        400 | 413 | 422 => {
            let message = if is_too_long(&document) {
                "the input is longer than the model takes"
            } else {
                "the model server cannot use this request; check its shape, types and sizes"
            };
            Refusal::new(Reason::UpstreamRefused, message)
        }
        429 => Refusal::new(Reason::Rate, "the model server is busy; try again")
            .retry_after(retry_after_seconds.unwrap_or(1)),
        503 => Refusal::new(Reason::Closed, "the model server is not ready; try again")
            .retry_after(retry_after_seconds.unwrap_or(1)),
        404 => Refusal::new(Reason::Upstream, "the model server does not serve this model or version now"),
        _ => Refusal::new(Reason::Upstream, "the model server failed"),
    }
}

/// Whether an error document says, in one of the known words, that a prompt does not fit.
fn is_too_long(document: &[u8]) -> bool {
    const WORDS: [&str; 2] = ["\"context_length_exceeded\"", "\"exceed_context_size_error\""];
    let Ok(mut scanner) = Scanner::new(document) else { return false };
    scanner.value().is_ok_and(|text| WORDS.iter().any(|word| text.contains(word)))
}
