//! The streams of transmitters: fetched where they are not pushed (RFC 8936), and asked for a sign of life.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use modelward_identity::federation::{Stream, WebUrl};
use serde::Deserialize;
use serde_json::json;

use super::{Untaken, take, transmitter};
use crate::control::ControlPlane;
use crate::federation::Issuer;
use crate::problem::Problem;
use crate::wire::ErrorCode;

/// How often a stream that is polled is asked for more.
const POLL_EVERY: Duration = Duration::from_secs(5);
/// Events asked for at once, and rounds without a pause.
const EVENTS_AT_ONCE: usize = 32;
const ROUNDS_MAX: usize = 32;
/// A transmitter is asked for a sign of life so many times before its silence is alarming.
const ASKED_IN_SILENCE: i32 = 3;

/// Follows every stream that is configured.
pub(crate) fn follow(plane: &Arc<ControlPlane>) {
    for issuer in plane.federation.issuers() {
        if issuer.trusted.signals.as_ref().is_some_and(|signals| signals.stream.is_some()) {
            drop(tokio::spawn(follow_one(Arc::downgrade(plane), Arc::clone(issuer))));
        }
    }
}

async fn follow_one(plane: Weak<ControlPlane>, issuer: Arc<Issuer>) {
    let mut again = tokio::time::interval(POLL_EVERY);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut was_silent = false;
    loop {
        again.tick().await;
        let Some(plane) = plane.upgrade() else { return };
        let name = &issuer.trusted.name;
        if let Err(problem) = fetch(&plane, &issuer).await {
            tracing::warn!(transmitter = %name, problem = %problem.message, "security events were not fetched");
        }
        match listen(&plane, &issuer).await {
            Ok(silent) => {
                if silent && !was_silent {
                    tracing::error!(transmitter = %name, "nothing is heard of a transmitter of security events");
                }
                was_silent = silent;
            }
            Err(problem) => {
                tracing::warn!(transmitter = %name, problem = %problem.message, "a sign of life was not asked for");
            }
        }
    }
}

/// Whether a stream has said nothing for longer than it may.
pub(super) fn is_silent(stream: &Stream, heard_at: Option<Timestamp>, now: Timestamp) -> bool {
    heard_at.is_none_or(|heard| now.duration_since(heard) > stream.silence)
}

/// Asks for a sign of life when it is time to; whether the transmitter is silent.
async fn listen(plane: &Arc<ControlPlane>, issuer: &Arc<Issuer>) -> Result<bool, Problem> {
    let Some(stream) = transmitter(issuer)?.stream.as_ref() else { return Ok(false) };
    let now = plane.now();
    let heard_at = plane.store.last_received(issuer.trusted.name.as_str()).await?;
    let due = stream.silence / ASKED_IN_SILENCE;
    let was_quiet = heard_at.max(issuer.asked_at()).is_none_or(|since| now.duration_since(since) >= due);
    if stream.verify.is_some() && was_quiet {
        ask(plane, issuer).await?;
    }
    Ok(is_silent(stream, heard_at, now))
}

/// Asks a transmitter to send a verification event (SSF 1.0 section 8.1.4.2).
pub(super) async fn ask(plane: &Arc<ControlPlane>, issuer: &Arc<Issuer>) -> Result<(), Problem> {
    let stream = transmitter(issuer)?.stream.as_ref();
    let Some((stream, url)) = stream.and_then(|stream| Some((stream, stream.verify.clone()?))) else {
        return Err(Problem::new(ErrorCode::Refused, "this transmitter cannot be asked for a sign of life")
            .hint("name `signals_verify_url` and `signals_stream_id` in its configuration"));
    };
    let state = plane.ids.uuid().to_string();
    issuer.asks(state.clone(), plane.now());
    plane.federation.tell(issuer, url, &json!({ "stream_id": stream.id, "state": state })).await?;
    Ok(())
}

/// What a transmitter answers to whoever fetches events.
#[derive(Debug, Deserialize)]
struct Events {
    #[serde(default)]
    sets: BTreeMap<String, String>,
    #[serde(default, rename = "moreAvailable")]
    more_available: bool,
}

/// Fetches what waits, until nothing does.
async fn fetch(plane: &Arc<ControlPlane>, issuer: &Arc<Issuer>) -> Result<(), Problem> {
    let Some(url) = transmitter(issuer)?.stream.as_ref().and_then(|stream| stream.poll.clone()) else {
        return Ok(());
    };
    let mut done = Done::default();
    for _ in 0..ROUNDS_MAX {
        let events = poll(plane, issuer, url.clone(), &done).await?;
        let more = events.more_available;
        done = Done::default();
        for (id, token) in events.sets.into_iter().take(EVENTS_AT_ONCE) {
            match take(plane, issuer, &token).await {
                Ok(()) => done.taken.push(id),
                Err(Untaken::Refused(refusal, problem)) => {
                    done.refused.insert(
                        id,
                        json!({ "err": refusal.delivery_code(), "description": problem.message }),
                    );
                }
                // Not acknowledged, so it comes again.
                Err(Untaken::Failed(problem)) => return Err(problem),
            }
        }
        if done.is_nothing() && !more {
            return Ok(());
        }
    }
    Ok(())
}

/// What the transmitter is told of the events it gave.
#[derive(Debug, Default)]
struct Done {
    taken: Vec<String>,
    refused: BTreeMap<String, serde_json::Value>,
}

impl Done {
    fn is_nothing(&self) -> bool {
        self.taken.is_empty() && self.refused.is_empty()
    }
}

async fn poll(plane: &ControlPlane, issuer: &Issuer, url: WebUrl, done: &Done) -> Result<Events, Problem> {
    let asked = json!({
        "maxEvents": EVENTS_AT_ONCE,
        "returnImmediately": true,
        "ack": done.taken,
        "setErrs": done.refused,
    });
    let answer = plane.federation.tell(issuer, url, &asked).await?;
    serde_json::from_slice(&answer)
        .map_err(|_| Problem::new(ErrorCode::Unavailable, "the transmitter answers in another form"))
}
