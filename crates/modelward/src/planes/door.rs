//! The listener for gateways, with a certificate that is renewed each day.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use modelward_gateway::Tls;
use modelward_seal::source::Clock;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::authority::Authority;
use super::tls::{self, MutualError};
use crate::exit::chain;

const RENEW_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why gateways cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error("the certificate of the control plane cannot be made")]
    Certificate(#[from] rcgen::Error),
    #[error(transparent)]
    Mutual(#[from] MutualError),
}

/// What the listener serves with.
pub(crate) fn open(authority: &Authority, now: Timestamp) -> Result<Tls, DoorError> {
    Ok(Tls::of(config(authority, now)?))
}

fn config(authority: &Authority, now: Timestamp) -> Result<ServerConfig, DoorError> {
    let (chain, key) = authority.own(now)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    Ok(tls::server(authority.der(), chain, key)?)
}

/// Renews the certificate until told to stop. Where that fails, the one before stays, which lasts a week.
pub(crate) async fn renew(
    authority: Arc<Authority>,
    tls: Tls,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut days = interval(RENEW_EVERY);
    days.tick().await;
    while stop.run_until_cancelled(days.tick()).await.is_some() {
        match config(&authority, clock.now()) {
            Ok(config) => tls.put(config),
            Err(error) => {
                tracing::error!(error = chain(&error), "the certificate towards gateways was not renewed");
            }
        }
    }
}
