//! The gateway of this process: bound before there is anything to enforce, served once there is.

use std::net::SocketAddr;
use std::sync::Arc;

use modelward_enforcement::Enforcer;
use modelward_gateway::{Gateway, Upstreams};
use modelward_identity::token::Verifier;
use modelward_seal::source::Ids;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::points::Doors;
use super::{Reload, ServiceError, bind, gateway_config};
use crate::config::{Config, Environment, Role};
use crate::metrics::Metrics;
use crate::tls::Certificate;
use crate::upstreams::{self, CredentialFiles};

#[derive(Debug)]
pub(crate) struct Front {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    upstreams: Upstreams,
    credentials: CredentialFiles,
    pub(crate) doors: Doors,
}

/// What decides, what knows tokens, what makes random numbers, and what measures.
pub(crate) struct Enforcing {
    pub(crate) enforcer: Enforcer,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Front {
    pub(crate) async fn open(config: &Config, environment: &Environment) -> Result<Self, ServiceError> {
        let certificate = config.gateway.tls.clone().map(Certificate::read).transpose()?.map(Arc::new);
        let (upstreams, credentials) = upstreams::build(&config.upstreams, environment)?;
        let (listener, address) = bind("gateway", config.gateway.listen).await?;
        let doors = Doors::open(config).await?;
        Ok(Self { listener, address, certificate, upstreams, credentials, doors })
    }

    /// Serves; what can be read again includes a certificate of somebody else.
    pub(crate) fn serve(
        self,
        config: &Config,
        Enforcing { enforcer, verifier, ids, metrics }: Enforcing,
        other: Option<&Arc<Certificate>>,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Result<Reload, ServiceError> {
        let Self { listener, address: _, certificate, upstreams, credentials, doors } = self;
        let alone = config.role == Role::All && config.planes.listen.is_none();
        let config = gateway_config(config);
        let observer = metrics;
        let parts = modelward_gateway::Parts { config, enforcer, verifier, ids, upstreams, observer, alone };
        let data_plane = Gateway::new(parts).map_err(ServiceError::Gateway)?;
        let certificates = other.into_iter().chain(&certificate).chain(doors.certificates());
        let reload = Reload::new(certificates, credentials, data_plane.clone());
        doors.serve(&data_plane, tasks, stop);
        let tls = certificate.as_deref().map(Certificate::tls);
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(async move { data_plane.serve(listener, tls, stopped).await });
        Ok(reload)
    }
}
