//! Model servers behind the gateway: replicas, connections, health, and the credentials only we hold.
//!
//! The client is our own and small (HTTP/1.1, one request at a time on a connection), for three reasons: an answer is
//! read in the task that writes it, without a channel between; a request is known to have been sent or not, which
//! decides whether another replica may be tried; and nothing of an upstream reaches a caller by way of a library's
//! error text.

mod address;
mod health;
mod pool;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use modelward_decision::vocabulary::{Name, Privilege};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

pub use address::{Address, AddressError};
pub(crate) use pool::Replica;
pub(crate) use wire::{Body, Content, Fault};

use wire::Outgoing;

/// One named upstream and all there is to say about reaching it.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    pub name: Name,
    /// At least one.
    pub replicas: Vec<Address>,
    pub trust: Trust,
    pub credentials: Credentials,
    pub balance: Balance,
    pub timeouts: Timeouts,
    pub health: HealthCheck,
    /// Requests in flight at one replica.
    pub in_flight: usize,
    /// Quiet connections kept to one replica.
    pub idle: usize,
}

/// Whose certificates an upstream reached by TLS may show.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// The authorities the machine trusts.
    #[default]
    System,
    /// Only these, as PEM.
    Authorities(Vec<u8>),
}

/// Which of the replicas that are well gets the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    #[default]
    LeastInFlight,
    RoundRobin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// From the request's last byte to the answer's head.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// How long a quiet connection is used again.
    pub reuse: Duration,
}

/// How illness is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked for; none asks for nothing and relies on real requests alone.
    pub path: Option<String>,
    pub every: Duration,
    pub timeout: Duration,
    /// Failures in a row after which a replica rests.
    pub failures: u32,
    /// How long it rests before real requests try it again.
    pub rest: Duration,
}

/// What we prove ourselves with to an upstream; a caller's credential never goes there.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    by_privilege: BTreeMap<Privilege, Credential>,
    otherwise: Option<Credential>,
}

/// A header and its secret value.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    value: SecretString,
}

/// All configured upstreams, by name.
#[derive(Debug)]
pub struct Upstreams {
    by_name: BTreeMap<Name, Arc<Upstream>>,
}

#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("upstream `{name}` has no replica")]
    NoReplica { name: Name },
    #[error("upstream `{name}` is configured twice")]
    Twice { name: Name },
    #[error("the certificate authorities of upstream `{name}` cannot be used: {why}")]
    Authorities { name: Name, why: String },
    #[error("the credential's header or value cannot stand in an HTTP header")]
    Credential,
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// One upstream at run time.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) replicas: Vec<Arc<Replica>>,
    credentials: ArcSwap<Credentials>,
    balance: Balance,
    timeouts: Timeouts,
    next: std::sync::atomic::AtomicUsize,
}

/// One request to an upstream, built by us from parts that were checked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    /// Canonical, below the replica's base path.
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) events: bool,
    /// Whose credential class is used.
    pub(crate) privilege: Privilege,
}

/// The head of an answer, with the body still to be read.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) status: u16,
    pub(crate) content: Content,
    pub(crate) retry_after_seconds: Option<u32>,
    pub(crate) body: Body,
}

impl Upstreams {
    pub fn new(configs: impl IntoIterator<Item = UpstreamConfig>) -> Result<Self, UpstreamError> {
        let mut by_name = BTreeMap::new();
        for config in configs {
            let name = config.name.clone();
            if by_name.insert(name.clone(), Arc::new(Upstream::new(config)?)).is_some() {
                return Err(UpstreamError::Twice { name });
            }
        }
        Ok(Self { by_name })
    }

    pub(crate) fn named(&self, name: &Name) -> Option<&Arc<Upstream>> {
        self.by_name.get(name)
    }

    /// Health checks of every replica that is asked actively. They run until the future is dropped.
    pub(crate) async fn watch(&self) {
        let checks = self.by_name.values().flat_map(|upstream| {
            upstream.replicas.iter().map(move |replica| health::watch(replica, &upstream.credentials))
        });
        futures_util::future::join_all(checks).await;
    }

    /// From now on requests to this upstream carry these credentials. Answers whether there is one of that name.
    pub fn replace_credentials(&self, name: &Name, credentials: Credentials) -> bool {
        let upstream = self.by_name.get(name);
        if let Some(upstream) = upstream {
            upstream.credentials.store(Arc::new(credentials));
        }
        upstream.is_some()
    }

    /// Whether each upstream has a replica that is well.
    pub fn health(&self) -> impl Iterator<Item = (&Name, bool)> {
        self.by_name.iter().map(|(name, upstream)| (name, upstream.is_well()))
    }
}

impl Upstream {
    fn new(config: UpstreamConfig) -> Result<Self, UpstreamError> {
        if config.replicas.is_empty() {
            return Err(UpstreamError::NoReplica { name: config.name });
        }
        let tls = if config.replicas.iter().any(Address::is_tls) {
            Some(Arc::new(client_config(&config.trust, &config.name)?))
        } else {
            None
        };
        let replicas = config
            .replicas
            .into_iter()
            .map(|address| {
                let settings = pool::Settings {
                    timeouts: config.timeouts,
                    health: config.health.clone(),
                    in_flight: config.in_flight,
                    idle: config.idle,
                };
                Arc::new(Replica::new(address, tls.clone(), settings))
            })
            .collect();
        Ok(Self {
            replicas,
            credentials: ArcSwap::from_pointee(config.credentials),
            balance: config.balance,
            timeouts: config.timeouts,
            next: std::sync::atomic::AtomicUsize::new(0),
        })
    }

    pub(crate) fn is_well(&self) -> bool {
        self.replicas.iter().any(|replica| replica.is_well())
    }

    /// Sends one request. Another replica is tried only as long as not one byte was sent.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<Arrived, Fault> {
        let mut fault = Fault::Busy;
        for replica in self.in_order() {
            let Some(turn) = replica.enter() else { continue };
            let connection = match replica.connection().await {
                Ok(connection) => connection,
                Err(why) => {
                    replica.failed();
                    tracing::warn!(replica = %replica.address(), %why, "an upstream cannot be reached");
                    fault = Fault::Unreachable;
                    continue;
                }
            };
            let credentials = self.credentials.load();
            let outgoing = Outgoing {
                method: request.method,
                address: replica.address(),
                path: request.path,
                body: request.body,
                events: request.events,
                credential: credentials.of(request.privilege),
            };
            let sent = wire::exchange(connection, &outgoing, self.timeouts).await;
            return match sent {
                Ok((head, connection)) => {
                    if head.status >= 500 {
                        replica.failed();
                    } else {
                        replica.answered();
                    }
                    Ok(Arrived {
                        status: head.status,
                        content: head.content,
                        retry_after_seconds: head.retry_after_seconds,
                        body: Body::new(head, connection, replica, turn, self.timeouts.idle),
                    })
                }
                Err(why) => {
                    replica.failed();
                    tracing::warn!(replica = %replica.address(), %why, "an upstream did not answer");
                    Err(why)
                }
            };
        }
        Err(fault)
    }

    /// The replicas that are well, best first; all of them when none is.
    fn in_order(&self) -> Vec<Arc<Replica>> {
        let start = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let count = self.replicas.len().max(1);
        let turned = self.replicas.iter().cycle().skip(start % count).take(count);
        let mut order: Vec<_> = turned.clone().filter(|replica| replica.is_well()).cloned().collect();
        if order.is_empty() {
            order = turned.cloned().collect();
        }
        match self.balance {
            Balance::LeastInFlight => order.sort_by_key(|replica| replica.in_flight()),
            Balance::RoundRobin => {}
        }
        order
    }
}

impl Credentials {
    /// One credential for everything.
    pub const fn one(credential: Credential) -> Self {
        Self { by_privilege: BTreeMap::new(), otherwise: Some(credential) }
    }

    /// Another one for this privilege, so that an upstream can tell plain inference from the rest.
    #[must_use]
    pub fn with(mut self, privilege: Privilege, credential: Credential) -> Self {
        self.by_privilege.insert(privilege, credential);
        self
    }

    /// Whether requests under this privilege carry a credential of their own.
    pub fn has_own(&self, privilege: Privilege) -> bool {
        self.by_privilege.contains_key(&privilege)
    }

    fn of(&self, privilege: Privilege) -> Option<&Credential> {
        self.by_privilege.get(&privilege).or(self.otherwise.as_ref())
    }
}

impl Credential {
    /// `Authorization: Bearer …`.
    pub fn bearer(secret: &SecretString) -> Result<Self, UpstreamError> {
        Self::header(AUTHORIZATION, SecretString::from(format!("Bearer {}", secret.expose_secret())))
    }

    /// A header of another name, such as `api-key`.
    pub fn header(header: HeaderName, value: SecretString) -> Result<Self, UpstreamError> {
        let is_writable =
            HeaderValue::from_str(value.expose_secret()).is_ok() && value.expose_secret().is_ascii();
        if is_writable { Ok(Self { header, value }) } else { Err(UpstreamError::Credential) }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            // Below the five seconds after which common model servers close.
            reuse: Duration::from_secs(4),
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: None,
            every: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            failures: 3,
            rest: Duration::from_secs(5),
        }
    }
}

impl UpstreamConfig {
    /// An upstream with defaults everywhere.
    pub fn new(name: Name, replicas: Vec<Address>) -> Self {
        Self {
            name,
            replicas,
            trust: Trust::default(),
            credentials: Credentials::default(),
            balance: Balance::default(),
            timeouts: Timeouts::default(),
            health: HealthCheck::default(),
            in_flight: 1024,
            idle: 64,
        }
    }
}

fn client_config(trust: &Trust, name: &Name) -> Result<rustls::ClientConfig, UpstreamError> {
    let unusable = |why: String| UpstreamError::Authorities { name: name.clone(), why };
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::System => {
            for certificate in rustls_native_certs::load_native_certs().certs {
                // A machine's store may hold what no longer parses; the rest still counts.
                if let Err(why) = roots.add(certificate) {
                    tracing::debug!(%why, "a system certificate authority was left out");
                }
            }
        }
        Trust::Authorities(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|why| unusable(why.to_string()))?;
                roots.add(certificate).map_err(|why| unusable(why.to_string()))?;
            }
        }
    }
    if roots.is_empty() {
        return Err(unusable("there is none".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
