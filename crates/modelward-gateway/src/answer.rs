//! The body of an answer: whole, or a stream that is filtered while it passes.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use modelward_enforcement::{Durable, End, Ending, Gate, Status, StreamGuard};
use tokio::time::{Instant, Sleep, sleep};

use crate::disclose::{EventFault, EventFilter};
use crate::observe::{self, Observation, Observer};
use crate::refusal::{Reason, Refusal};
use crate::upstream;

/// What hyper sends.
#[derive(Debug)]
pub(crate) enum Body {
    Whole(Option<Bytes>),
    /// With trailers, as gRPC ends its answers.
    Trailed(Option<Bytes>, Option<HeaderMap>),
    Events(Box<Events>),
}

/// A stream under way. It ends when the upstream's does, when its right does, or when its time is over; dropped before,
/// the upstream's connection is closed with it.
pub(crate) struct Events {
    upstream: Option<upstream::Body>,
    filter: EventFilter,
    gate: Gate,
    cut: Pin<Box<dyn Future<Output = End> + Send>>,
    deadline: Pin<Box<Sleep>>,
    record: Option<Durable>,
    observer: Arc<dyn Observer>,
    observation: Observation,
    started: Instant,
    is_over: bool,
    /// How much the last piece took, as a guess for the next.
    room: usize,
}

/// What a stream is made of.
pub(crate) struct EventParts {
    pub(crate) upstream: upstream::Body,
    pub(crate) filter: EventFilter,
    pub(crate) gate: Gate,
    pub(crate) guard: StreamGuard,
    pub(crate) lasts: Duration,
    pub(crate) record: Durable,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) observation: Observation,
    pub(crate) started: Instant,
}

/// Events that are ready together leave together, up to this many bytes.
const COALESCED_MAX: usize = 64 * 1024;

/// How a stream ended.
enum Over {
    Complete,
    Early(Refusal, Status),
}

impl Events {
    pub(crate) fn new(parts: EventParts) -> Self {
        let EventParts { upstream, filter, gate, mut guard, lasts, record, observer, observation, started } =
            parts;
        Self {
            upstream: Some(upstream),
            filter,
            gate,
            cut: Box::pin(async move { guard.cut().await }),
            deadline: Box::pin(sleep(lasts)),
            record: Some(record),
            observer,
            observation,
            started,
            is_over: false,
            room: 512,
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut out = Vec::new();
        let over = self.poll_over(context, &mut out);
        if !out.is_empty()
            && let Err(limit) = self.gate.pass(&out)
        {
            out.clear();
            let message = format!("{limit}");
            let refusal = Refusal::new(Reason::AnswerTooLarge, message);
            self.finish(Over::Early(refusal, Status::Withheld), &mut out);
        } else if let Some(over) = over {
            self.finish(over, &mut out);
        }
        if out.is_empty() {
            return if self.is_over { Poll::Ready(None) } else { Poll::Pending };
        }
        self.room = out.len().max(256);
        Poll::Ready(Some(Bytes::from(out)))
    }

    /// Filters whatever has arrived, and says whether that was the end.
    fn poll_over(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Option<Over> {
        if let Poll::Ready(end) = self.cut.as_mut().poll(context) {
            let refusal = Refusal::new(Reason::Cut, end.in_words());
            return Some(Over::Early(refusal, Status::Ended(end)));
        }
        if self.deadline.as_mut().poll(context).is_ready() {
            let refusal = Refusal::new(Reason::Deadline, "the stream took longer than it may");
            return Some(Over::Early(refusal, Status::Failed));
        }
        let upstream = self.upstream.as_mut()?;
        loop {
            match upstream.poll_chunk(context) {
                Poll::Pending => return None,
                Poll::Ready(Some(Ok(piece))) => {
                    if out.capacity() == 0 {
                        out.reserve(self.room.max(piece.len()).min(COALESCED_MAX));
                    }
                    if let Err(fault) = self.filter.push(&piece, out) {
                        return Some(broken(&fault));
                    }
                    if self.filter.is_done() {
                        // Reading the end of the body, if it is there, lets the connection be used again.
                        if upstream.poll_chunk(context).is_pending() {
                            tracing::trace!("the end of a stream's body did not come with its last event");
                        }
                        return Some(Over::Complete);
                    }
                    if out.len() >= COALESCED_MAX {
                        // Asked again at once: what is written now leaves first.
                        context.waker().wake_by_ref();
                        return None;
                    }
                }
                Poll::Ready(None) if self.filter.may_end() => return Some(Over::Complete),
                Poll::Ready(None) => {
                    let refusal =
                        Refusal::new(Reason::Upstream, "the model server ended its answer too early");
                    return Some(Over::Early(refusal, Status::Failed));
                }
                Poll::Ready(Some(Err(upstream::Fault::Slow))) => {
                    let refusal = Refusal::new(Reason::UpstreamSlow, "the model server stopped answering");
                    return Some(Over::Early(refusal, Status::Failed));
                }
                Poll::Ready(Some(Err(_))) => {
                    let refusal = Refusal::new(Reason::Upstream, "the model server broke off its answer");
                    return Some(Over::Early(refusal, Status::Failed));
                }
            }
        }
    }

    fn finish(&mut self, over: Over, out: &mut Vec<u8>) {
        self.is_over = true;
        self.upstream = None;
        match over {
            Over::Complete => self.conclude(Status::Done),
            Over::Early(refusal, status) => {
                let refusal = match self.observation.decision {
                    Some(id) => refusal.decided(id),
                    None => refusal,
                };
                self.observation.refused = Some(refusal.reason);
                self.filter.last_word(&refusal, out);
                self.conclude(status);
            }
        }
    }

    fn conclude(&mut self, status: Status) {
        let Some(record) = self.record.take() else { return };
        let delivered = self.gate.delivered();
        let mut ending = Ending::new(status).delivering(delivered);
        if let Some(upstream) = self.observation.upstream {
            ending = ending.after_upstream_ms(u64::try_from(upstream.as_millis()).unwrap_or(u64::MAX));
        }
        record.conclude(&ending);
        self.observation.bytes = delivered.bytes;
        self.observation.events = self.filter.events();
        self.observation.took = self.started.elapsed();
        observe::observe(&*self.observer, &self.observation);
    }
}

fn broken(fault: &EventFault) -> Over {
    tracing::warn!(%fault, "an upstream's event was withheld");
    let refusal = Refusal::new(Reason::Upstream, "the model server sent what cannot be passed on");
    Over::Early(refusal, Status::Withheld)
}

impl Drop for Events {
    fn drop(&mut self) {
        self.conclude(Status::Disconnected);
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(whole) => Poll::Ready(whole.take()),
            Self::Trailed(whole @ Some(_), _) => Poll::Ready(whole.take()),
            Self::Trailed(None, trailers) => {
                return Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            Self::Events(events) => events.poll_next(context),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_none(),
            Self::Trailed(whole, trailers) => whole.is_none() && trailers.is_none(),
            Self::Events(events) => events.is_over,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => {
                let length = whole.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Trailed(..) | Self::Events(_) => SizeHint::default(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("gate", &self.gate).finish_non_exhaustive()
    }
}

/// Names of outputs, owned by the stream or document that is filtered by them.
pub(crate) fn owned(names: &BTreeSet<&str>) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
