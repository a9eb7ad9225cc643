//! What `/metrics` says. Labels come from closed vocabularies: no name of a person, a model or an address.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use modelward_decision::vocabulary::Action;
use modelward_decision::{Outcome, Snapshot};
use modelward_enforcement::denial::Reason;
use modelward_enforcement::{End, Observer, Unavailable};
use modelward_gateway::Observation;
use modelward_ledger::Ledger;
use modelward_server::wire::GatewayState;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::SystemClock;

/// Everything that is measured.
pub struct Metrics {
    registry: Registry,
    decisions: Family<Decided, Counter>,
    decision_time: Histogram,
    comparisons: Family<Compared, Counter>,
    denials: Family<Denied, Counter>,
    rejections: Family<Protocol, Counter>,
    unavailable: Family<Why, Counter>,
    record_time: Histogram,
    disclosures: Family<Done, Counter>,
    unaudited: Counter,
    unrecorded: Family<What, Counter>,
    streams: Gauge,
    cuts: Family<Ended, Counter>,
    time_to_enforce: Histogram,
    requests: Family<Request, Counter>,
    request_time: Histogram,
    upstream_time: Histogram,
    answered_bytes: Counter,
    stream_events: Counter,
    connections: Gauge,
    turned_away: Counter,
    sampled: Sampled,
}

/// What is looked up when somebody asks.
#[derive(Debug, Clone, Default)]
struct Sampled {
    ledger_entries: Gauge,
    ledger_published: Gauge,
    ledger_waiting: Gauge,
    ledger_healthy: Gauge,
    revision: Gauge,
    grants: Gauge,
    clock_lag: Gauge<f64, std::sync::atomic::AtomicU64>,
    ready: Gauge,
    state_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    gateways: Family<InState, Gauge>,
}

/// Readings of the moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    pub ledger_entries: u64,
    pub ledger_published: u64,
    pub ledger_waiting: usize,
    pub ledger_healthy: bool,
    pub revision: u64,
    pub grants: usize,
    pub clock_lag: Duration,
    pub ready: bool,
    /// How old the state in force may be; `None` where nobody ever said.
    pub state_age: Option<Duration>,
    /// How many gateways there are in each state, in the order of [`GatewayState::ALL`].
    pub gateways: [u64; 4],
}

impl Reading {
    /// What ledger, state and clock say; the rest is for whoever asks to add.
    pub(crate) fn of(ledger: &Ledger, snapshot: &Snapshot, clock: &SystemClock) -> Self {
        let status = ledger.status();
        Self {
            ledger_entries: status.size,
            ledger_published: status.published,
            ledger_waiting: status.waiting,
            ledger_healthy: status.failed.is_none(),
            revision: snapshot.revision(),
            grants: snapshot.grants().count(),
            clock_lag: clock.lag(),
            ..Self::default()
        }
    }
}

macro_rules! labels {
    ($($name:ident { $($label:ident: $type:ty),+ })+) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($label: $type),+ }
    )+};
}

labels! {
    Decided { action: &'static str, outcome: &'static str }
    Compared { action: &'static str, agrees: bool }
    Denied { action: &'static str, reason: &'static str }
    Protocol { protocol: String }
    Why { why: &'static str }
    Done { action: &'static str }
    What { what: &'static str }
    Ended { end: &'static str }
    InState { state: &'static str }
    Request { route: &'static str, status: u16, refused: &'static str }
}

impl Metrics {
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("modelward"),
            decisions: Family::default(),
            decision_time: Histogram::new(exponential_buckets(2e-6, 2.0, 14)),
            comparisons: Family::default(),
            denials: Family::default(),
            rejections: Family::default(),
            unavailable: Family::default(),
            record_time: Histogram::new(exponential_buckets(50e-6, 2.0, 16)),
            disclosures: Family::default(),
            unaudited: Counter::default(),
            unrecorded: Family::default(),
            streams: Gauge::default(),
            cuts: Family::default(),
            time_to_enforce: Histogram::new(exponential_buckets(50e-6, 2.0, 16)),
            requests: Family::default(),
            request_time: Histogram::new(exponential_buckets(200e-6, 2.0, 18)),
            upstream_time: Histogram::new(exponential_buckets(200e-6, 2.0, 18)),
            answered_bytes: Counter::default(),
            stream_events: Counter::default(),
            connections: Gauge::default(),
            turned_away: Counter::default(),
            sampled: Sampled::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register("decisions", "Decisions by action and outcome", self.decisions.clone());
        registry.register_with_unit(
            "decision",
            "Time one decision took",
            Unit::Seconds,
            self.decision_time.clone(),
        );
        registry.register(
            "comparisons",
            "Decisions a bundle on trial was asked about too, by action and whether it agreed",
            self.comparisons.clone(),
        );
        registry.register(
            "denials",
            "Requests that got no permit, by action and reason",
            self.denials.clone(),
        );
        registry.register("rejections", "Malformed requests, by protocol", self.rejections.clone());
        registry.register(
            "unavailable",
            "Requests that were refused because enforcement could not make it safe to go on",
            self.unavailable.clone(),
        );
        registry.register_with_unit(
            "record",
            "Time from the queue of the ledger to the disk",
            Unit::Seconds,
            self.record_time.clone(),
        );
        registry.register("disclosures", "Answers released, by action", self.disclosures.clone());
        registry.register(
            "unaudited_releases",
            "Answers that were about to leave without their own durable record; stays 0",
            self.unaudited.clone(),
        );
        registry.register(
            "unrecorded",
            "Outcomes, denials and rejections that could not be recorded",
            self.unrecorded.clone(),
        );
        registry.register("open_streams", "Streams under way", self.streams.clone());
        registry.register("streams_cut", "Streams that were told to end, by reason", self.cuts.clone());
        registry.register_with_unit(
            "time_to_enforce",
            "Time from the publication of a change to the cut of a stream it ends",
            Unit::Seconds,
            self.time_to_enforce.clone(),
        );
        registry.register(
            "gateway_requests",
            "Requests at the gateway, by row of the route table, status and code of refusal",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "gateway_request",
            "Time from the head of a request to the end of its answer",
            Unit::Seconds,
            self.request_time.clone(),
        );
        registry.register_with_unit(
            "gateway_upstream",
            "Time from the request to the head of the answer of an upstream",
            Unit::Seconds,
            self.upstream_time.clone(),
        );
        registry.register_with_unit(
            "gateway_answered",
            "Bytes of bodies answered by the gateway",
            Unit::Bytes,
            self.answered_bytes.clone(),
        );
        registry.register("gateway_stream_events", "Events of streams relayed", self.stream_events.clone());
        registry.register("gateway_connections", "Open connections of the gateway", self.connections.clone());
        registry.register(
            "gateway_turned_away",
            "Connections closed at once because there were too many",
            self.turned_away.clone(),
        );
        let sampled = &self.sampled;
        registry.register("ledger_entries", "Durable entries", sampled.ledger_entries.clone());
        registry.register(
            "ledger_published",
            "Entries under the last published checkpoint",
            sampled.ledger_published.clone(),
        );
        registry.register(
            "ledger_waiting",
            "Entries in the queue of the ledger",
            sampled.ledger_waiting.clone(),
        );
        registry.register(
            "ledger_healthy",
            "1 while the ledger takes entries",
            sampled.ledger_healthy.clone(),
        );
        registry.register("snapshot_revision", "Revision of the state in force", sampled.revision.clone());
        registry.register("grants", "Grants in the state in force", sampled.grants.clone());
        registry.register_with_unit(
            "clock_lag",
            "How far the wall clock is behind the highest time seen",
            Unit::Seconds,
            sampled.clock_lag.clone(),
        );
        registry.register("ready", "1 while requests are taken", sampled.ready.clone());
        registry.register_with_unit(
            "state_age",
            "How long ago the state in force was known to be the newest; infinite where it never was",
            Unit::Seconds,
            sampled.state_age.clone(),
        );
        registry.register(
            "gateways",
            "Gateways in processes of their own, by state",
            sampled.gateways.clone(),
        );
        self
    }

    /// The text of `/metrics`, in OpenMetrics form.
    ///
    /// # Errors
    /// Never with the labels above; the encoder's signature allows it.
    pub fn text(&self, reading: Reading) -> Result<String, fmt::Error> {
        self.sampled.take(reading);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// The content type of [`Self::text`].
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Sampled {
    fn take(&self, reading: Reading) {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let size = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.ledger_entries.set(count(reading.ledger_entries));
        self.ledger_published.set(count(reading.ledger_published));
        self.ledger_waiting.set(size(reading.ledger_waiting));
        self.ledger_healthy.set(i64::from(reading.ledger_healthy));
        self.revision.set(count(reading.revision));
        self.grants.set(size(reading.grants));
        self.clock_lag.set(reading.clock_lag.as_secs_f64());
        self.ready.set(i64::from(reading.ready));
        self.state_age.set(reading.state_age.map_or(f64::INFINITY, |age| age.as_secs_f64()));
        for (state, number) in GatewayState::ALL.into_iter().zip(reading.gateways) {
            self.gateways.get_or_create(&InState { state: state.as_str() }).set(count(number));
        }
    }
}

impl Observer for Metrics {
    fn decided(&self, action: Action, outcome: Outcome, took: Duration) {
        let labels = Decided { action: action.as_str(), outcome: outcome.as_str() };
        self.decisions.get_or_create(&labels).inc();
        self.decision_time.observe(took.as_secs_f64());
    }

    fn compared(&self, action: Action, agrees: bool) {
        self.comparisons.get_or_create(&Compared { action: action.as_str(), agrees }).inc();
    }

    fn denied(&self, action: Action, _outcome: Outcome, reason: Reason) {
        let labels = Denied { action: action.as_str(), reason: word_of_reason(reason) };
        self.denials.get_or_create(&labels).inc();
    }

    fn rejected(&self, protocol: &str) {
        self.rejections.get_or_create(&Protocol { protocol: protocol.to_owned() }).inc();
    }

    fn unavailable(&self, why: Unavailable) {
        self.unavailable.get_or_create(&Why { why: word_of_unavailable(why) }).inc();
    }

    fn recorded(&self, took: Duration) {
        self.record_time.observe(took.as_secs_f64());
    }

    fn disclosed(&self, action: Action) {
        self.disclosures.get_or_create(&Done { action: action.as_str() }).inc();
    }

    fn unaudited_release(&self) {
        self.unaudited.inc();
        tracing::error!("an answer was about to leave without its own durable record");
    }

    fn unrecorded(&self, what: &'static str) {
        self.unrecorded.get_or_create(&What { what }).inc();
    }

    fn streams(&self, open: usize) {
        self.streams.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    fn cut(&self, end: End, published_at: Option<Timestamp>, cut_at: Timestamp) {
        self.cuts.get_or_create(&Ended { end: word_of_end(end) }).inc();
        if let Some(published_at) = published_at {
            self.time_to_enforce.observe(cut_at.duration_since(published_at).as_secs_f64().max(0.0));
        }
    }
}

impl modelward_gateway::Observer for Metrics {
    fn answered(&self, observation: &Observation) {
        let labels = Request {
            route: observation.route.unwrap_or("none"),
            status: observation.status,
            refused: observation.refused.map_or("none", modelward_gateway::Reason::code),
        };
        self.requests.get_or_create(&labels).inc();
        self.request_time.observe(observation.took.as_secs_f64());
        if let Some(upstream) = observation.upstream {
            self.upstream_time.observe(upstream.as_secs_f64());
        }
        self.answered_bytes.inc_by(observation.bytes);
        self.stream_events.inc_by(observation.events);
    }

    fn connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    fn turned_away(&self) {
        self.turned_away.inc();
    }
}

const fn word_of_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Policy => "policy",
        Reason::Credential(_) => "credential",
        Reason::Budget { .. } => "budget",
        Reason::Rate { .. } => "rate",
        Reason::StepUp { .. } => "step-up",
        Reason::Capability(_) => "capability",
        Reason::Ended(_) => "ended",
        Reason::Unsound => "unsound",
    }
}

const fn word_of_unavailable(why: Unavailable) -> &'static str {
    match why {
        Unavailable::LedgerFull => "ledger-full",
        Unavailable::LedgerFailed => "ledger-failed",
        Unavailable::Counters => "counters",
        Unavailable::Snapshot => "snapshot",
        Unavailable::Stale => "stale",
        Unavailable::Entry => "entry",
    }
}

const fn word_of_end(end: End) -> &'static str {
    match end {
        End::CredentialExpired => "credential-expired",
        End::PrincipalRevoked => "principal-revoked",
        End::SessionEnded => "session-ended",
        End::TokenRevoked => "token-revoked",
        End::Deactivated => "deactivated",
        End::GrantRevoked => "grant-revoked",
        End::GrantExpired => "grant-expired",
        End::Quarantined => "quarantined",
        End::Signalled => "signalled",
        End::NoLongerAllowed => "no-longer-allowed",
        End::Unavailable => "unavailable",
    }
}

const HEAD: &str = "\
# Metrics

<!-- Made from the metrics in crates/modelward/src/metrics.rs; a test keeps both equal. -->

`GET /metrics` on the control listener answers in OpenMetrics text form. Labels come from closed vocabularies: no metric
names a person, a model or an address. Counters end in `_total`; histograms have `_bucket`, `_sum` and `_count`.

| metric | kind | meaning |
|---|---|---|
";

/// A request of no meaning, so that the metrics of requests show.
const NOTHING: Observation = Observation {
    route: None,
    endpoint: None,
    principal: None,
    decision: None,
    status: 200,
    refused: None,
    bytes: 0,
    events: 0,
    took: Duration::ZERO,
    upstream: None,
};

/// The text of `docs/reference/metrics.md`.
///
/// # Errors
/// As [`Metrics::text`].
pub fn reference() -> Result<String, fmt::Error> {
    let metrics = Metrics::new();
    // A metric with labels shows once it has a value.
    metrics.decided(Action::Predict, Outcome::Permitted, Duration::ZERO);
    metrics.compared(Action::Predict, true);
    metrics.denied(Action::Predict, Outcome::NotPermitted, Reason::Policy);
    metrics.rejected("open-inference");
    metrics.unavailable(Unavailable::LedgerFull);
    metrics.disclosed(Action::Predict);
    metrics.unrecorded("outcome");
    modelward_gateway::Observer::answered(&metrics, &NOTHING);
    metrics.cut(End::GrantRevoked, None, Timestamp::UNIX_EPOCH);
    let text = metrics.text(Reading::default())?;
    let mut page = HEAD.to_owned();
    page.push_str(&rows(&text));
    Ok(page)
}

/// A row per metric, joining its TYPE and HELP lines.
fn rows(text: &str) -> String {
    let described = |kind: &str, name: &str| {
        let prefix = format!("# {kind} {name} ");
        text.lines().find_map(|line| line.strip_prefix(prefix.as_str())).unwrap_or_default()
    };
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names
        .map(|name| {
            let meaning = described("HELP", name).trim_end_matches('.');
            format!("| `{name}` | {} | {meaning} |\n", described("TYPE", name))
        })
        .collect()
}

// The registry cannot be shown; nothing in it is secret.
impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_observed_shows() {
        let metrics = Metrics::new();
        metrics.decided(Action::Predict, Outcome::Permitted, Duration::from_micros(12));
        metrics.denied(Action::DownloadWeights, Outcome::NotPermitted, Reason::Policy);
        let reading = Reading { ledger_entries: 7, ready: true, ..Reading::default() };
        let text = metrics.text(reading).unwrap();
        for line in [
            "modelward_decisions_total{action=\"predict\",outcome=\"permitted\"} 1",
            "modelward_denials_total{action=\"downloadWeights\",reason=\"policy\"} 1",
            "modelward_decision_seconds_count 1",
            "modelward_ledger_entries 7",
            "modelward_ready 1",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
    }
}
