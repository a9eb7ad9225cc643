//! What those ask who look after a gateway: alive, ready, how old the state is, how much of everything.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use modelward_enforcement::{Enforcer, Pulse};
use modelward_ledger::Ledger;
use modelward_seal::source::Clock as _;

use crate::clock::SystemClock;
use crate::house::outpost::Outpost;
use crate::metrics::{Metrics, Reading};
use crate::service::well::{measured, said};

#[derive(Debug, Clone)]
pub(super) struct Outlook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    enforcer: Enforcer,
    ledger: Arc<Ledger>,
    clock: Arc<SystemClock>,
    pulse: Arc<Pulse>,
    metrics: Arc<Metrics>,
}

impl Outlook {
    pub(super) fn new(enforcer: Enforcer, house: &Outpost, pulse: Arc<Pulse>, metrics: Arc<Metrics>) -> Self {
        let (ledger, clock) = (Arc::clone(&house.ledger), Arc::clone(&house.clock));
        Self(Arc::new(Inner { enforcer, ledger, clock, pulse, metrics }))
    }

    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/healthz/live", get(async || said(StatusCode::OK, "alive\n")))
            .route("/healthz/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    fn reading(&self) -> Reading {
        let Inner { enforcer, ledger, clock, pulse, .. } = &*self.0;
        Reading {
            ready: enforcer.ready().is_ok(),
            state_age: pulse.age(clock.monotonic_micros()),
            ..Reading::of(ledger, &enforcer.snapshot(), clock)
        }
    }
}

async fn ready(State(Outlook(inner)): State<Outlook>) -> Response {
    match inner.enforcer.ready() {
        Ok(()) => said(StatusCode::OK, format!("ready, {}\n", inner.enforcer.freshness().as_str())),
        Err(why) => said(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(outlook): State<Outlook>) -> Response {
    let reading = outlook.reading();
    measured(&outlook.0.metrics, reading)
}
