//! Certificates and credentials that are replaced under way: on a signal, or because their files changed.

use std::sync::Arc;
use std::time::Duration;

use modelward_gateway::Gateway;
use tokio_util::sync::CancellationToken;

use crate::exit::chain;
use crate::tls::Certificate;
use crate::upstreams::CredentialFiles;

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// What can be read again while the system runs.
#[derive(Debug, Clone)]
pub struct Reload(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificates: Vec<Arc<Certificate>>,
    /// Of upstreams, with the gateway that shows them.
    credentials: Option<(CredentialFiles, Gateway)>,
}

impl Reload {
    pub(crate) fn new<'c>(
        certificates: impl Iterator<Item = &'c Arc<Certificate>>,
        credentials: CredentialFiles,
        gateway: Gateway,
    ) -> Self {
        let certificates = certificates.map(Arc::clone).collect();
        Self(Arc::new(Inner { certificates, credentials: Some((credentials, gateway)) }))
    }

    /// Where there is no gateway.
    pub(crate) fn of_certificates<'c>(certificates: impl Iterator<Item = &'c Arc<Certificate>>) -> Self {
        Self(Arc::new(Inner { certificates: certificates.map(Arc::clone).collect(), credentials: None }))
    }

    /// Reads what changed, or everything if told to. What cannot be used is logged and left as it was.
    pub async fn now(&self, in_any_case: bool) {
        let inner = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || inner.read(in_any_case));
        if let Err(error) = read.await {
            tracing::error!(%error, "reading certificates and credentials again failed");
        }
    }

    /// Looks at the files until told to stop.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.now(false).await,
                () = stop.cancelled() => return,
            }
        }
    }
}

impl Inner {
    fn read(&self, in_any_case: bool) {
        for certificate in &self.certificates {
            let path = certificate.path().display();
            match certificate.refresh(in_any_case) {
                Ok(true) => tracing::info!(%path, "the certificate was read again"),
                Ok(false) => {}
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(%path, error, "the certificate cannot be used; the one before stays in force");
                }
            }
        }
        if let Some((credentials, gateway)) = &self.credentials {
            credentials.refresh(gateway.upstreams(), in_any_case);
        }
    }
}
