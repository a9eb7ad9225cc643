//! What the gateway tells those who measure it: one observation per request, and the access log.

use std::fmt;
use std::time::Duration;

use modelward_decision::vocabulary::{DecisionId, Name, PrincipalRef};

use crate::refusal::Reason;

/// Hears of every request. Every method must return at once.
pub trait Observer: Send + Sync + fmt::Debug {
    /// A request was answered, or its stream has ended.
    fn answered(&self, _observation: &Observation) {}

    /// Open connections, after one came or went.
    fn connections(&self, _open: usize) {}

    /// A connection was closed at once, because there are too many.
    fn turned_away(&self) {}
}

/// One request, from its head to the last byte of its answer. It holds no secret and nothing of a body.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The id of the route's row; none when there is none.
    pub route: Option<&'static str>,
    pub endpoint: Option<Name>,
    pub principal: Option<PrincipalRef>,
    pub decision: Option<DecisionId>,
    pub status: u16,
    /// Why there was no answer, or why it ended early.
    pub refused: Option<Reason>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Events of a stream.
    pub events: u64,
    pub took: Duration,
    /// From the request to the head of the upstream's answer.
    pub upstream: Option<Duration>,
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Writes the access log line and tells the observer.
pub(crate) fn observe(observer: &dyn Observer, observation: &Observation) {
    observer.answered(observation);
    tracing::info!(
        target: "modelward::access",
        route = observation.route,
        endpoint = observation.endpoint.as_ref().map(Name::as_str),
        principal = observation.principal.map(tracing::field::display),
        decision = observation.decision.map(tracing::field::display),
        status = observation.status,
        refused = observation.refused.map(Reason::code),
        bytes = observation.bytes,
        events = observation.events,
        took_us = u64::try_from(observation.took.as_micros()).unwrap_or(u64::MAX),
    );
}
