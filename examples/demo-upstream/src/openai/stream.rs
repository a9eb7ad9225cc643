//! Server-sent events at a steady pace.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use futures_util::stream;
use serde_json::Value;

/// One event, ready to send.
#[derive(Debug)]
pub(super) struct Event(String);

impl Event {
    pub(super) fn data(data: &Value) -> Self {
        Self(format!("data: {data}\n\n"))
    }

    pub(super) fn named(name: &str, data: &Value) -> Self {
        Self(format!("event: {name}\ndata: {data}\n\n"))
    }

    /// How chat and completions end.
    pub(super) fn done() -> Self {
        Self("data: [DONE]\n\n".to_owned())
    }
}

/// The first event at once, each further one `pace` after the one before.
pub(super) fn respond(events: Vec<Event>, pace: Duration) -> Response {
    let paced = stream::unfold((events.into_iter(), true), move |(mut events, first)| async move {
        let Event(text) = events.next()?;
        if !first && !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
        Some((Ok::<_, Infallible>(text), (events, false)))
    });
    let mut response = Response::new(Body::from_stream(paced));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
