//! What those ask who look after the process: alive, ready, how much of everything.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use modelward_ledger::Ledger;
use modelward_server::ControlPlane;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::house::House;
use crate::metrics::{Metrics, Reading};

/// How long the database may take to give a sign of life.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// What probes look at.
#[derive(Debug, Clone)]
pub(super) struct Well(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plane: Arc<ControlPlane>,
    ledger: Arc<Ledger>,
    clock: Arc<SystemClock>,
    metrics: Arc<Metrics>,
    stopping: CancellationToken,
}

/// What is missing.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("stopping")]
    Stopping,
    /// In the ledger's own words, which name its files and nothing that is in them.
    #[error("decisions cannot be recorded, so nothing is released: {0}")]
    Ledger(Arc<str>),
    #[error("decisions cannot be made or recorded; see the log")]
    Enforcement,
    #[error("the database does not answer")]
    Database,
}

impl Well {
    pub(super) fn new(
        plane: &Arc<ControlPlane>,
        house: &House,
        metrics: Arc<Metrics>,
        stopping: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            plane: Arc::clone(plane),
            ledger: Arc::clone(&house.ledger),
            clock: Arc::clone(&house.clock),
            metrics,
            stopping,
        }))
    }

    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/healthz/live", get(live))
            .route("/healthz/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    async fn ready(&self) -> Result<(), NotReady> {
        let Inner { plane, ledger, stopping, .. } = &*self.0;
        if stopping.is_cancelled() {
            return Err(NotReady::Stopping);
        }
        if let Some(reason) = ledger.status().failed {
            return Err(NotReady::Ledger(reason));
        }
        if plane.enforcer().ready().is_err() {
            let trouble = ledger.status().trouble;
            return Err(trouble.map_or(NotReady::Enforcement, NotReady::Ledger));
        }
        match timeout(DATABASE_TIMEOUT, plane.store().ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotReady::Database),
        }
    }

    async fn reading(&self) -> Reading {
        let ready = self.ready().await.is_ok();
        let Inner { plane, ledger, clock, .. } = &*self.0;
        Reading {
            ready,
            // Changes come from this very process.
            state_age: Some(Duration::ZERO),
            gateways: plane.gateways_by_state().await.unwrap_or_default(),
            ..Reading::of(ledger, &plane.snapshot(), clock)
        }
    }
}

async fn live() -> Response {
    said(StatusCode::OK, "alive\n")
}

async fn ready(State(well): State<Well>) -> Response {
    match well.ready().await {
        Ok(()) => said(StatusCode::OK, "ready\n"),
        Err(why) => said(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(well): State<Well>) -> Response {
    let reading = well.reading().await;
    measured(&well.0.metrics, reading)
}

pub(crate) fn measured(metrics: &Metrics, reading: Reading) -> Response {
    match metrics.text(reading) {
        Ok(text) => ([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
    }
}

pub(crate) fn said(status: StatusCode, text: impl Into<Body>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (status, headers, text.into()).into_response()
}
