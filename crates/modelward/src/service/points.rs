//! Other enforcement points in this process: their addresses, their callers, and the tasks that serve them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelward_gateway::Gateway;
use modelward_gateway::pdp::{AuthZen, Caller, Point, Points, PointsConfig};
use modelward_seal::Digest;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{ServiceError, bind};
use crate::config::{Asserted, Config, Listener, Points as Configured};
use crate::tls::Certificate;

/// The doors that are on, bound and ready to be served.
#[derive(Debug)]
pub(crate) struct Doors {
    points: Points,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    point: Point,
    listener: TcpListener,
    address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
}

/// Shorter secrets could be guessed.
const SECRET_MIN: usize = 32;
const SECRET_MAX: usize = 1024;

impl Doors {
    pub(crate) async fn open(config: &Config) -> Result<Self, ServiceError> {
        let Configured { authzen, ext_authz, forward_auth, .. } = &config.points;
        let mut open = Vec::new();
        let mut url = String::new();
        for (point, configured) in
            [(Point::AuthZen, authzen), (Point::ExtAuthz, ext_authz), (Point::ForwardAuth, forward_auth)]
        {
            let Some(configured) = configured else { continue };
            let certificate = certificate(configured)?;
            let (listener, address) = bind(point.as_str(), configured.listen).await?;
            if point == Point::AuthZen {
                url = configured.url(address);
            }
            tracing::info!(point = point.as_str(), %address, "an enforcement point is served");
            open.push(Open { point, listener, address, certificate });
        }
        // Secrets of proxies are read only where somebody could show them.
        let callers = if open.is_empty() { Vec::new() } else { callers(&config.points)? };
        let request_form = config.points.access_request_url.as_ref().map(ToString::to_string);
        let authzen = AuthZen { url, drafts: config.points.drafts, request_form };
        Ok(Self { points: Points::new(PointsConfig { callers, authzen }), open })
    }

    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Arc<Certificate>> {
        self.open.iter().filter_map(|open| open.certificate.as_ref())
    }

    pub(crate) fn addresses(&self) -> Vec<(Point, SocketAddr)> {
        self.open.iter().map(|open| (open.point, open.address)).collect()
    }

    pub(crate) fn serve(self, gateway: &Gateway, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
        for open in self.open {
            let (gateway, points) = (gateway.clone(), self.points.clone());
            let stopped = stop.clone().cancelled_owned();
            let tls = open.certificate.as_deref().map(Certificate::tls);
            tasks.spawn(async move {
                gateway.serve_point(open.point, &points, open.listener, tls, stopped).await;
            });
        }
    }
}

fn certificate(listener: &Listener) -> Result<Option<Arc<Certificate>>, ServiceError> {
    let read = listener.tls.clone().map(Certificate::read).transpose()?;
    Ok(read.map(Arc::new))
}

fn callers(points: &Configured) -> Result<Vec<Caller>, ServiceError> {
    points
        .callers
        .iter()
        .map(|(name, caller)| {
            Ok(Caller {
                name: name.clone(),
                principal: caller.principal.clone(),
                subjects: caller.subjects.clone(),
                projects: caller.projects.clone(),
                obligations: caller.obligations,
                asserts_network: caller.asserts.contains(&Asserted::Network),
                asserts_device: caller.asserts.contains(&Asserted::Device),
                endpoint: caller.endpoint.clone(),
                secret: caller.secret_file.as_deref().map(secret).transpose()?,
            })
        })
        .collect()
}

/// Only the digest of the secret is kept.
fn secret(path: &Path) -> Result<Digest, ServiceError> {
    let read = fs::read(path).map(Zeroizing::new);
    let text = read.map_err(|source| ServiceError::Secret { path: PathBuf::from(path), source })?;
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    let secret = text.get(..end).unwrap_or_default();
    if !(SECRET_MIN..=SECRET_MAX).contains(&secret.len()) {
        return Err(ServiceError::SecretLength { path: PathBuf::from(path) });
    }
    Ok(Digest::of(secret))
}
