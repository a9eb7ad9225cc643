//! One replica: its connections, how busy it is, and whether it is well.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::wire::Connection;
use super::{HealthCheck, Timeouts};

/// What a replica is made with.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) timeouts: Timeouts,
    pub(super) health: HealthCheck,
    pub(super) in_flight: usize,
    pub(super) idle: usize,
}

pub(crate) struct Replica {
    address: Address,
    tls: Option<Arc<rustls::ClientConfig>>,
    settings: Settings,
    idle: Mutex<Vec<(Connection, Instant)>>,
    in_flight: AtomicUsize,
    /// Failures in a row of real requests.
    failures: AtomicU32,
    /// Milliseconds since `started` until which it rests.
    rests_until: AtomicU64,
    /// What the last active check said.
    passes_check: AtomicBool,
    started: Instant,
}

/// A place among the requests in flight at a replica.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Replica>);

impl Replica {
    pub(super) fn new(address: Address, tls: Option<Arc<rustls::ClientConfig>>, settings: Settings) -> Self {
        let tls = tls.filter(|_| address.is_tls());
        Self {
            address,
            tls,
            settings,
            idle: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            rests_until: AtomicU64::new(0),
            passes_check: AtomicBool::new(true),
            started: Instant::now(),
        }
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    pub(super) const fn health(&self) -> &HealthCheck {
        &self.settings.health
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place, unless all are taken.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Turn> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let turn = Turn(Arc::clone(self));
        (before < self.settings.in_flight).then_some(turn)
    }

    /// A quiet connection that is still open, or a new one.
    pub(super) async fn connection(&self) -> io::Result<Connection> {
        while let Some((mut connection, since)) = self.take_idle() {
            if since.elapsed() < self.settings.timeouts.reuse && connection.is_quiet() {
                return Ok(connection);
            }
        }
        let connect = self.connect();
        timeout(self.settings.timeouts.connect, connect).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// A connection of its own, for health checks.
    pub(super) async fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect((self.address.host(), self.address.port())).await?;
        stream.set_nodelay(true)?;
        let Some(config) = &self.tls else { return Ok(Connection::plain(stream)) };
        let name = rustls_pki_types::ServerName::try_from(self.address.host().to_owned())
            .map_err(|_| io::ErrorKind::InvalidInput)?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
        Ok(Connection::tls(stream))
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, connection: Connection) {
        let Ok(mut idle) = self.idle.lock() else { return };
        if idle.len() < self.settings.idle {
            idle.push((connection, Instant::now()));
        }
    }

    fn take_idle(&self) -> Option<(Connection, Instant)> {
        self.idle.lock().ok()?.pop()
    }

    pub(super) fn is_well(&self) -> bool {
        let rests = self.rests_until.load(Ordering::Relaxed) > self.age_ms();
        self.passes_check.load(Ordering::Relaxed) && !rests
    }

    /// A real request found it ill. After a few in a row it rests.
    pub(super) fn failed(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= self.settings.health.failures {
            let rest = u64::try_from(self.settings.health.rest.as_millis()).unwrap_or(u64::MAX);
            self.rests_until.store(self.age_ms().saturating_add(rest), Ordering::Relaxed);
        }
    }

    pub(super) fn answered(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.rests_until.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn checked(&self, passes: bool) {
        if self.passes_check.swap(passes, Ordering::Relaxed) != passes {
            tracing::info!(replica = %self.address, passes, "the health check of an upstream changed");
        }
        if passes {
            self.answered();
        }
    }

    fn age_ms(&self) -> u64 {
        let age: Duration = self.started.elapsed();
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("address", &self.address).finish_non_exhaustive()
    }
}
