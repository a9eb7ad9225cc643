//! What those ask who look after the process: alive, ready, how much of everything.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
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

    /// `Err` says in a word what is missing.
    async fn ready(&self) -> Result<(), &'static str> {
        let Inner { plane, stopping, .. } = &*self.0;
        if stopping.is_cancelled() {
            return Err("stopping");
        }
        if plane.enforcer().ready().is_err() {
            return Err("enforcement");
        }
        match timeout(DATABASE_TIMEOUT, plane.store().ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err("database"),
        }
    }

    async fn reading(&self) -> Reading {
        let ready = self.ready().await.is_ok();
        let Inner { plane, ledger, clock, .. } = &*self.0;
        let snapshot = plane.snapshot();
        let status = ledger.status();
        Reading {
            ledger_entries: status.size,
            ledger_published: status.published,
            ledger_waiting: status.waiting,
            ledger_healthy: status.failed.is_none(),
            revision: snapshot.revision(),
            grants: snapshot.grants().count(),
            clock_lag: clock.lag(),
            ready,
        }
    }
}

async fn live() -> Response {
    said(StatusCode::OK, "alive\n")
}

async fn ready(State(well): State<Well>) -> Response {
    match well.ready().await {
        Ok(()) => said(StatusCode::OK, "ready\n"),
        Err("stopping") => said(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        Err("database") => said(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
        Err(_) => {
            said(StatusCode::SERVICE_UNAVAILABLE, "decisions cannot be made or recorded; see the log\n")
        }
    }
}

async fn metrics(State(well): State<Well>) -> Response {
    let reading = well.reading().await;
    match well.0.metrics.text(reading) {
        Ok(text) => ([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
    }
}

fn said(status: StatusCode, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (status, headers, text).into_response()
}
