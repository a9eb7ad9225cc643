//! The live feed: server-sent events, one per decision, cut when the right to see them ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use http::Request;
use modelward_enforcement::{Ending, Status};
use tokio::sync::mpsc;

use super::{Answer, Plane, incoming};
use crate::ops::decisions::{self, Feed};
use crate::problem::Problem;
use crate::wire::{DecisionFilter, DecisionLine, ErrorCode};

/// Lines written ahead of a slow reader; a slower one is let go and comes back.
const AHEAD: usize = 64;
/// Entries read from the ledger at once.
const AT_ONCE: usize = 256;
const STILL_HERE: Duration = Duration::from_secs(15);

pub(super) async fn decisions(State(plane): State<Plane>, request: Request<Body>) -> Answer {
    let incoming = incoming(&plane, request).await?;
    let caller = incoming.caller(&plane).await?;
    let filter: DecisionFilter = incoming.query()?;
    let feed = decisions::follow(&plane, &caller, filter).await?;
    feed_events(&plane, feed, |line| {
        crate::control::json(line).ok().and_then(|bytes| String::from_utf8(bytes).ok())
    })
}

/// Follows the feed; `write` makes one event's data out of one line.
pub(crate) fn feed(
    plane: &Plane,
    feed: Feed,
    write: impl Fn(&DecisionLine) -> Option<String> + Send + Sync + 'static,
) -> Answer {
    feed_events(plane, feed, write)
}

fn feed_events(
    plane: &Plane,
    feed: Feed,
    write: impl Fn(&DecisionLine) -> Option<String> + Send + Sync + 'static,
) -> Answer {
    let Some(growth) = plane.figures.growth() else {
        return Err(Problem::new(ErrorCode::Unavailable, "the ledger is not followed yet").retry_after(1));
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    let weak = Arc::downgrade(plane);
    let (opened, record) = feed.pass.into_parts();
    let mut guard = plane.enforcer().register(opened.standing());
    // The record is durable: from here on lines may leave. The gate counts them, and its outcome says how many bytes.
    let disclosure = opened
        .answer(feed.wanted)
        .disclose(&record)
        .map_err(|error| Problem::internal("disclosing a feed", &error))?;
    drop(tokio::spawn(async move {
        let (wanted, mut gate) = disclosure.into_parts();
        let mut growth = growth;
        let mut next = feed.from;
        let mut status = Status::Disconnected;
        'following: loop {
            let Some(plane) = weak.upgrade() else { break };
            let reading = Arc::clone(&plane);
            let wanted_now = wanted.clone();
            let read = decisions::blocking(move || {
                let entries = reading.reader().range(next, AT_ONCE)?;
                let after = entries.last().map_or(next, |(index, _)| index + 1);
                let snapshot = reading.snapshot();
                let lines: Vec<DecisionLine> = entries
                    .iter()
                    .filter(|(_, entry)| wanted_now.matches(entry))
                    .filter_map(|(index, entry)| wanted_now.line(&reading, &snapshot, *index, entry))
                    .collect();
                Ok((after, lines))
            })
            .await;
            drop(plane);
            let Ok((after, lines)) = read else {
                status = Status::Failed;
                break;
            };
            let caught_up = after == next;
            next = after;
            for line in &lines {
                let Some(data) = write(line) else { continue };
                if gate.pass(data.as_bytes()).is_err() {
                    break 'following;
                }
                let event = Event::default().event("decision").id(line.index.to_string()).data(data);
                tokio::select! {
                    sent = sender.send(event) => if sent.is_err() { break 'following },
                    end = guard.cut() => {
                        status = Status::Ended(end);
                        break 'following;
                    }
                }
            }
            if !caught_up {
                continue;
            }
            tokio::select! {
                grown = growth.changed() => if grown.is_err() { break },
                end = guard.cut() => {
                    status = Status::Ended(end);
                    break;
                }
                () = sender.closed() => break,
            }
        }
        let delivered = gate.delivered();
        drop(gate);
        record.conclude(&Ending::new(status).delivering(delivered));
    }));
    let events = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|event| (Ok::<Event, Infallible>(event), receiver))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(STILL_HERE)).into_response())
}
