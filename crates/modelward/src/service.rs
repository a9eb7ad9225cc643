//! The control plane in this process, and with it, unless told otherwise, the gateway: on one ledger, one state and one
//! clock.

mod front;
mod points;
mod reload;
mod threads;
pub(crate) mod watch;
pub(crate) mod well;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use modelward_decision::vocabulary::Name;
use modelward_enforcement::{Observer, Unobserved};
use modelward_gateway::pdp::Point;
use modelward_gateway::{Bounds, GatewayConfig, Limits, Segments};
use modelward_seal::source::{Clock, Ids};
use modelward_server::wire::Invited;
use modelward_server::{ControlPlane, Federation, Settings, StartError, TotpKey};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{Config, Environment, Role, TlsFiles};
use crate::federation::{self, FederationError};
use crate::house::{House, HouseError, Keys, TokenKeyError};
use crate::keys::{KeyError, Purpose};
use crate::listener;
use crate::metrics::Metrics;
use crate::planes::authority::{Authority, AuthoritySetupError};
use crate::planes::door::{self, DoorError};
use crate::tls::{Certificate, CertificateError};
use crate::upstreams::UpstreamSetupError;

pub(crate) use front::{Enforcing, Front};
pub use reload::Reload;
use threads::ControlThreads;

/// The system at work. Dropping it cuts everything; [`Service::stop`] ends it in order.
#[derive(Debug)]
pub struct Service {
    /// Where the control plane listens.
    pub control: SocketAddr,
    /// Where the gateway listens, if it is here.
    pub gateway: Option<SocketAddr>,
    /// Where gateways in other processes connect, if they may.
    pub planes: Option<SocketAddr>,
    /// Where other enforcement points ask, if anywhere.
    pub points: Vec<(Point, SocketAddr)>,
    /// How others name the two.
    pub control_url: String,
    pub gateway_url: String,
    pub plane: Arc<ControlPlane>,
    pub reload: Reload,
    house: House,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    threads: ControlThreads,
    drain: Duration,
}

/// Why the system does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    House(#[from] HouseError),
    #[error("cannot listen on `{address}` for the {who}")]
    Listen {
        who: &'static str,
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Upstream(#[from] UpstreamSetupError),
    #[error(transparent)]
    Federation(#[from] FederationError),
    #[error("failed to read the secret of a caller from `{}`", path.display())]
    Secret {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the secret in `{}` is shorter than 32 or longer than 1024 bytes", path.display())]
    SecretLength { path: PathBuf },
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the token keys cannot be used")]
    TokenKeys(#[from] TokenKeyError),
    #[error("the control plane does not start")]
    Control(#[from] StartError),
    #[error("the first person cannot be let in: {0}")]
    First(String),
    #[error("the threads of the control plane do not start")]
    Threads(#[source] io::Error),
    #[error("gateways in other processes cannot be certified")]
    Authority(#[from] AuthoritySetupError),
    #[error("gateways in other processes cannot be served")]
    Door(#[from] DoorError),
    #[error("the gateway does not start")]
    Gateway(#[source] modelward_decision::vocabulary::NameError),
}

impl Service {
    /// Opens the data directory and serves both planes.
    ///
    /// # Errors
    /// A part of the system cannot be opened, bound or read.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub async fn start(config: &Config, environment: &Environment) -> Result<Self, ServiceError> {
        let certificate = |files: &Option<TlsFiles>| {
            files.clone().map(Certificate::read).transpose().map(|read| read.map(Arc::new))
        };
        let control_certificate = certificate(&config.control.tls)?;
        let (control_listener, control) = bind("control plane", config.control.listen).await?;
        let control_url = config.control.url(control);
        let front = match config.role {
            Role::Control => None,
            Role::All | Role::Gateway => Some(Front::open(config, environment).await?),
        };
        let gateway = front.as_ref().map(|front| front.address);
        let gateway_url = config.gateway.url(gateway.unwrap_or(config.gateway.listen));
        let points = front.as_ref().map(|front| front.doors.addresses()).unwrap_or_default();
        let planes_listener = match config.planes.listen {
            Some(address) => Some(bind("planes", address).await?),
            None => None,
        };

        let house = House::open(config).await?;
        let metrics = Arc::new(Metrics::new());
        let keys = Arc::new(token_keys(&house, &control_url, &gateway_url)?);
        let authority = match &planes_listener {
            Some(_) => Some(authority(&house, &keys, &control_url, &gateway_url)?),
            None => None,
        };
        let names = (control_url.as_str(), gateway_url.as_str());
        let federation = federation::build(config, &control_url)?;
        let observer = Arc::<Metrics>::clone(&metrics);
        let plane =
            control_plane(&house, config, &keys, authority.clone(), names, federation, observer).await?;

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let well = well::Well::new(&plane, &house, Arc::clone(&metrics), stop.clone());
        let api = modelward_server::router(Arc::clone(&plane), Router::new());
        let router = well.router().fallback_service(api);
        let control_tls = control_certificate.as_deref().map(Certificate::tls);
        let threads = ControlThreads::start().map_err(ServiceError::Threads)?;
        tasks.spawn_on(
            listener::serve(control_listener, control_tls, router, config.drain_timeout, stop.clone()),
            threads.handle(),
        );
        let planes = planes_listener.as_ref().map(|(_, address)| *address);
        if let (Some((listener, _)), Some(authority)) = (planes_listener, authority) {
            let tls = door::open(&authority, house.clock.now())?;
            let gateways = modelward_server::gateways::router(Arc::clone(&plane));
            let clock: Arc<dyn Clock> = Arc::<clock::SystemClock>::clone(&house.clock);
            tasks.spawn_on(
                listener::serve(listener, Some(tls.clone()), gateways, config.drain_timeout, stop.clone()),
                threads.handle(),
            );
            tasks.spawn(door::renew(authority, tls, clock, stop.clone()));
        }
        let reload = match front {
            Some(front) => {
                let enforcing = Enforcing {
                    enforcer: plane.enforcer().clone(),
                    verifier: Arc::clone(&keys.access),
                    ids: Arc::<clock::SystemIds>::clone(&house.ids),
                    metrics,
                };
                front.serve(config, enforcing, control_certificate.as_ref(), &mut tasks, &stop)?
            }
            None => Reload::of_certificates(control_certificate.iter()),
        };
        tasks.spawn(reload.clone().watch(stop.clone()));
        tasks.spawn(watch::ledger(Arc::clone(&house.ledger), stop.clone()));
        tasks.spawn(clock::keep_mark(Arc::clone(&house.clock), stop.clone().cancelled_owned()));
        tracing::info!(role = config.role.as_str(), control = control_url, gateway = gateway_url, "ready");
        let drain = config.drain_timeout;
        Ok(Self {
            control,
            gateway,
            planes,
            points,
            control_url,
            gateway_url,
            plane,
            reload,
            house,
            stop,
            tasks,
            threads,
            drain,
        })
    }

    /// Ends when a part of the system ends that should not.
    pub async fn failed(&mut self) {
        let ended = self.tasks.join_next().await;
        tracing::error!(outcome = ?ended, "a part of the system ended by itself");
    }

    /// Takes nothing new, lets requests under way finish, closes everything.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let_end(&mut self.tasks, self.drain).await;
        drop((self.plane, self.threads));
        self.house.close().await;
    }
}

/// Waits for what was told to stop. The listeners bound their own drain; this is the bound of the bound.
pub(crate) async fn let_end(tasks: &mut JoinSet<()>, drain: Duration) {
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(drain + Duration::from_secs(5), ended).await.is_err() {
        tracing::warn!("a listener did not stop in time");
        tasks.shutdown().await;
    }
}

/// The authority towards gateways in other processes, which hears of every change of keys.
fn authority(
    house: &House,
    keys: &Arc<Keys>,
    control_url: &str,
    gateway_url: &str,
) -> Result<Arc<Authority>, ServiceError> {
    let ids: Arc<dyn Ids> = Arc::<clock::SystemIds>::clone(&house.ids);
    let authority = Arc::new(Authority::new(keys, ids, control_url, gateway_url, house.clock.now())?);
    let (told, clock) = (Arc::clone(&authority), Arc::clone(&house.clock));
    keys.listen(move |keys| {
        if let Err(error) = told.refresh(keys, clock.now()) {
            tracing::error!(error = crate::exit::chain(&error), "gateways were not told of a change of keys");
        }
    });
    Ok(authority)
}

pub(crate) async fn bind(
    who: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), ServiceError> {
    let failed = |source| ServiceError::Listen { who, address, source };
    let listener = listener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The keys of tokens, for the addresses of this installation.
fn token_keys(house: &House, control_url: &str, gateway_url: &str) -> Result<Keys, TokenKeyError> {
    let now = house.clock.now();
    Keys::new(
        Arc::clone(&house.keys),
        Arc::<clock::SystemIds>::clone(&house.ids),
        control_url,
        gateway_url,
        now,
    )
}

/// Makes the data directory and lets the first person in: the code they enrol with.
///
/// # Errors
/// Something lies there already, or a part cannot be made.
pub async fn initialise(
    config: &Config,
    name: Name,
    display_name: String,
    reviewers: Option<String>,
) -> Result<Invited, ServiceError> {
    let mut house = House::create(config).await?;
    if let Some(reviewers) = reviewers {
        house.review_by(reviewers)?;
    }
    let plane = resting_plane(&house, config).await?;
    let made = plane.initialise(name, display_name).await;
    drop(plane);
    house.close().await;
    made.map_err(|problem| ServiceError::First(problem.message))
}

/// Another code for the first person, whose first one ran out before they enrolled.
///
/// # Errors
/// They enrolled, the data directory cannot be opened, or a service is running on it.
pub async fn initialise_again(config: &Config) -> Result<Invited, ServiceError> {
    let house = House::open(config).await?;
    let plane = resting_plane(&house, config).await?;
    let made = plane.initialise_again().await;
    drop(plane);
    house.close().await;
    made.map_err(|problem| ServiceError::First(problem.message))
}

/// A control plane that listens nowhere.
async fn resting_plane(house: &House, config: &Config) -> Result<Arc<ControlPlane>, ServiceError> {
    let control_url = config.control.url(config.control.listen);
    let gateway_url = config.gateway.url(config.gateway.listen);
    let keys = Arc::new(token_keys(house, &control_url, &gateway_url)?);
    // Nobody signs in to it.
    let federation = Federation::none();
    let names = (control_url.as_str(), gateway_url.as_str());
    control_plane(house, config, &keys, None, names, federation, Arc::new(Unobserved)).await
}

/// A control plane over an open house.
async fn control_plane(
    house: &House,
    config: &Config,
    keys: &Arc<Keys>,
    authority: Option<Arc<Authority>>,
    (control_url, gateway_url): (&str, &str),
    federation: Federation,
    observer: Arc<dyn Observer>,
) -> Result<Arc<ControlPlane>, ServiceError> {
    let segments = Segments::new(config.networks.iter().cloned());
    let mut names: Vec<Name> = config.networks.iter().map(|(_, name)| name.clone()).collect();
    names.sort();
    names.dedup();
    let plane = ControlPlane::start(modelward_server::Parts {
        federation,
        store: house.store.clone(),
        ledger: Arc::clone(&house.ledger),
        reservations: Arc::clone(&house.reservations),
        bundle: Arc::clone(&house.bundle),
        observer,
        clock: Arc::<clock::SystemClock>::clone(&house.clock),
        ids: Arc::<clock::SystemIds>::clone(&house.ids),
        issuer: Arc::clone(&keys.issuer),
        verifier: Arc::clone(&keys.control),
        access: Arc::clone(&keys.access),
        keeper: Arc::<Keys>::clone(keys),
        authority: authority.map(|authority| authority as Arc<dyn modelward_server::Authority>),
        totp_key: TotpKey::new(house.keys.active(Purpose::Totp)?.secret().clone()),
        settings: Settings {
            external_url: control_url.to_owned(),
            gateway_audience: gateway_url.to_owned(),
            issuer_name: config.issuer_name.clone(),
            segment_of: Arc::new(move |address| segments.of(address).cloned()),
            segments: names,
            ledger_verifier_key: house.verifier_key.clone(),
        },
    })
    .await?;
    Ok(plane)
}

pub(crate) fn gateway_config(config: &Config) -> GatewayConfig {
    let bounds = &config.gateway_bounds;
    GatewayConfig {
        limits: Limits {
            connections: bounds.connections,
            handshake: bounds.head_timeout,
            head: bounds.head_timeout,
            body_bytes: bounds.body.in_memory(),
            body: bounds.body_timeout,
            request: bounds.request_timeout,
            stream: bounds.stream_timeout,
            answer_bytes: bounds.answer.in_memory(),
            event_bytes: bounds.event.in_memory(),
            h2_streams: bounds.h2_streams,
            drain: config.drain_timeout,
            ..Limits::default()
        },
        bounds: Bounds {
            choices: bounds.choices.into(),
            tokens: bounds.tokens.into(),
            alternatives: bounds.alternatives.into(),
        },
        segments: Segments::new(config.networks.iter().cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    #[test]
    fn the_defaults_of_the_configuration_are_those_of_the_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("modelward.toml");
        std::fs::write(&file, "").unwrap();
        let config = Loaded::read(&file, &Environment::default()).unwrap().config;
        let made = gateway_config(&config);
        assert_eq!(made.limits, Limits::default());
        assert_eq!(made.bounds, Bounds::default());
    }
}
