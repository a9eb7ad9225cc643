//! The role `gateway`: the data plane in a process of its own, on the state it hears of.

mod outlook;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use modelward_decision::{Bundle, Snapshot};
use modelward_enforcement::{Enforcer, Publisher, Pulse, Reservations};
use modelward_gateway::pdp::Point;
use modelward_identity::token::{Profile, Verifier};
use modelward_planes::Follower;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{Config, Environment};
use crate::house::HouseError;
use crate::house::outpost::{self, EnrolError, Outpost, TrustKeysError};
use crate::listener;
use crate::metrics::Metrics;
use crate::planes::counters::Borrower;
use crate::planes::follow::Following;
use crate::planes::member::MemberError;
use crate::service::{Enforcing, Front, Reload, ServiceError, bind, let_end, watch};
use outlook::Outlook;

/// A gateway at work. Dropping it cuts everything; [`Node::stop`] ends it in order.
#[derive(Debug)]
pub struct Node {
    /// How the control plane calls it.
    pub name: String,
    pub gateway: SocketAddr,
    pub points: Vec<(Point, SocketAddr)>,
    /// Where it answers probes and metrics, if anywhere.
    pub outlook: Option<SocketAddr>,
    pub reload: Reload,
    house: Outpost,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    drain: Duration,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Enrolment(#[from] EnrolError),
    #[error(transparent)]
    Member(#[from] MemberError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("the keys of the control plane cannot be used")]
    Keys(#[from] TrustKeysError),
}

impl Node {
    /// Opens the data directory, serves, and follows the control plane. Nothing is permitted before the first state is in
    /// force.
    ///
    /// # Errors
    /// A part of it cannot be opened, bound or read.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub async fn start(config: &Config, environment: &Environment) -> Result<Self, NodeError> {
        let address = config.planes.control.as_ref().ok_or(EnrolError::NoControl)?.to_string();
        let front = Front::open(config, environment).await?;
        let gateway = front.address;
        let points = front.doors.addresses();
        let outlook_listener = match config.telemetry.listen {
            Some(address) => Some(bind("telemetry", address).await?),
            None => None,
        };

        let house = Outpost::open(config)?;
        let member = Arc::clone(&house.member);
        let trust = member.trust()?;
        let keys = outpost::token_keys(&trust)?;
        let believed = trust.trust();
        let verifier = Arc::new(Verifier::new(Profile::Access, &believed.issuer, &believed.audience, keys));
        let ground = Bundle::default_bundle().map_err(HouseError::Bundle).map_err(EnrolError::from)?;
        let ground = Arc::new(ground);
        let pulse = Arc::new(Pulse::new());
        let clock: Arc<dyn modelward_seal::source::Clock> = Arc::<clock::SystemClock>::clone(&house.clock);
        let ids: Arc<dyn modelward_seal::source::Ids> = Arc::<clock::SystemIds>::clone(&house.ids);
        let nothing = Arc::new(Snapshot::empty(Arc::clone(&ground)));
        let publisher = Publisher::beating(nothing, Arc::clone(&clock), Arc::clone(&pulse));
        let link = Arc::new(ArcSwapOption::empty());
        let metrics = Arc::new(Metrics::new());
        let enforcer = Enforcer::start(modelward_enforcement::Parts {
            snapshots: publisher.subscribe(),
            ledger: house.ledger.sink(),
            reservations: Arc::new(Reservations::at(Arc::new(Borrower::new(
                Arc::clone(&link),
                Arc::clone(&ids),
            )))),
            clock: Arc::clone(&clock),
            ids,
            observer: Arc::<Metrics>::clone(&metrics),
        });
        let following = Following {
            address,
            follower: Follower::new(member.gateway(), trust, ground, member.revision()?),
            member: Arc::clone(&member),
            publisher,
            pulse: Arc::clone(&pulse),
            verifier: Arc::clone(&verifier),
            link,
            clock: Arc::clone(&house.clock),
            ids: Arc::clone(&house.ids),
        };

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let outlook = outlook_listener.as_ref().map(|(_, address)| *address);
        if let Some((listener, _)) = outlook_listener {
            let looked_at = Outlook::new(enforcer.clone(), &house, pulse, Arc::clone(&metrics));
            let router = looked_at.router();
            tasks.spawn(listener::serve(listener, None, router, config.drain_timeout, stop.clone()));
        }
        let ids = Arc::<clock::SystemIds>::clone(&house.ids);
        let enforcing = Enforcing { enforcer, verifier, ids, metrics };
        let reload = front.serve(config, enforcing, None, &mut tasks, &stop)?;
        tasks.spawn(following.run(stop.clone()));
        tasks.spawn(reload.clone().watch(stop.clone()));
        tasks.spawn(watch::ledger(Arc::clone(&house.ledger), stop.clone()));
        tasks.spawn(clock::keep_mark(Arc::clone(&house.clock), stop.clone().cancelled_owned()));
        let name = member.name();
        tracing::info!(name, %gateway, "ready to follow");
        let drain = config.drain_timeout;
        Ok(Self { name, gateway, points, outlook, reload, house, stop, tasks, drain })
    }

    /// Ends when a part of it ends that should not.
    pub async fn failed(&mut self) {
        let ended = self.tasks.join_next().await;
        tracing::error!(outcome = ?ended, "a part of the gateway ended by itself");
    }

    /// Takes nothing new, lets requests under way finish, closes everything.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let_end(&mut self.tasks, self.drain).await;
        self.house.close().await;
    }
}
