//! `modelward serve`

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Context;
use super::config::ConfigFile;
use crate::clock::WORRYING_LAG;
use crate::config::{Config, Role};
use crate::exit::{Exit, Failure, Outcome};
use crate::house::HouseError;
use crate::house::outpost::EnrolError;
use crate::outpost::{Node, NodeError};
use crate::planes::member::MemberError;
use crate::service::{Reload, Service, ServiceError};
use crate::telemetry;

/// Serve the control plane and the gateway
///
/// SIGTERM or SIGINT stops taking requests and lets those under way finish; a second one cuts them. SIGHUP reads
/// certificates and the credentials of upstreams again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Serve this instead of what the configuration says: `all`, `control` or `gateway`
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let loaded = args.config.load_as(context, args.role)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let _telemetry = telemetry::start(&loaded.config.telemetry)
            .map_err(|error| Failure::of(Exit::Usage, &error))?;
        let mut signals = Signals::new()?;
        let mut served = Served::start(context, &loaded.config).await?;
        let outcome = loop {
            tokio::select! {
                () = served.failed() => break Err(Failure::new(Exit::Failure, "a part of the system ended by itself")),
                told = signals.next() => match told {
                    Told::Reload => served.reload().now(true).await,
                    Told::Stop => break Ok(Exit::Ok),
                },
            }
        };
        tracing::info!("stopping");
        tokio::select! {
            () = served.stop() => {}
            () = signals.stop_again() => tracing::warn!("told to stop again: what is under way is cut"),
        }
        outcome
    })
}

/// What runs, by its role.
enum Served {
    Control(Box<Service>),
    Gateway(Box<Node>),
}

impl Served {
    async fn start(context: &Context, config: &Config) -> Result<Self, Failure> {
        let (terminal, environment) = (&context.terminal, &context.environment);
        let points = match config.role {
            Role::Gateway => {
                let node = Node::start(config, environment).await.map_err(|error| node_failure(&error))?;
                terminal.note(&format!("gateway {}: {}", node.name, node.gateway));
                if let Some(outlook) = node.outlook {
                    terminal.note(&format!("probes and metrics: {outlook}"));
                }
                let points = node.points.clone();
                (Self::Gateway(Box::new(node)), points)
            }
            Role::All | Role::Control => {
                let service = Service::start(config, environment).await.map_err(|error| failure(&error))?;
                terminal.note(&format!("control plane and console: {}", service.control_url));
                if service.gateway.is_some() {
                    terminal.note(&format!("gateway: {}", service.gateway_url));
                }
                if let Some(planes) = service.planes {
                    terminal.note(&format!("other gateways connect to: {planes}"));
                }
                let points = service.points.clone();
                (Self::Control(Box::new(service)), points)
            }
        };
        let (served, points) = points;
        for (point, address) in points {
            terminal.note(&format!("{}: {address}", point.as_str()));
        }
        Ok(served)
    }

    const fn reload(&self) -> &Reload {
        match self {
            Self::Control(service) => &service.reload,
            Self::Gateway(node) => &node.reload,
        }
    }

    async fn failed(&mut self) {
        match self {
            Self::Control(service) => service.failed().await,
            Self::Gateway(node) => node.failed().await,
        }
    }

    async fn stop(self) {
        match self {
            Self::Control(service) => service.stop().await,
            Self::Gateway(node) => node.stop().await,
        }
    }
}

fn node_failure(error: &NodeError) -> Failure {
    match error {
        NodeError::Service(error) => failure(error),
        NodeError::Enrolment(EnrolError::Member(MemberError::NotEnrolled)) => Failure::of(Exit::Usage, error)
            .hint("enrol it with `modelward gateway enrol` and a code of `modelward gateway invite`"),
        NodeError::Enrolment(EnrolError::House(house)) => with_hint(Failure::of(Exit::Failure, error), house),
        NodeError::Enrolment(_) | NodeError::Member(_) | NodeError::Keys(_) => {
            Failure::of(Exit::Failure, error)
        }
    }
}

fn failure(error: &ServiceError) -> Failure {
    let exit = match error {
        ServiceError::Certificate(_)
        | ServiceError::Upstream(_)
        | ServiceError::Federation(_)
        | ServiceError::Secret { .. }
        | ServiceError::SecretLength { .. }
        | ServiceError::Listen { .. } => Exit::Usage,
        ServiceError::House(HouseError::Missing { .. } | HouseError::OtherOrigin { .. }) => Exit::Usage,
        ServiceError::House(_)
        | ServiceError::Keys(_)
        | ServiceError::TokenKeys(_)
        | ServiceError::Control(_)
        | ServiceError::First(_)
        | ServiceError::Authority(_)
        | ServiceError::Door(_)
        | ServiceError::Threads(_)
        | ServiceError::Gateway(_) => Exit::Failure,
    };
    let failure = Failure::of(exit, error);
    match error {
        ServiceError::House(error) => with_hint(failure, error),
        _ => failure,
    }
}

/// What to do about a data directory that cannot be opened or made.
pub(super) fn with_hint(failure: Failure, error: &HouseError) -> Failure {
    use crate::keys::KeyError;
    use modelward_ledger::OpenError;
    let hint = match error {
        HouseError::Missing { .. } => Some("make one with `modelward init`".to_owned()),
        HouseError::NotEmpty { .. } => Some("`init` works once, in an empty folder".to_owned()),
        HouseError::Private(error) | HouseError::Keys(KeyError::Private(error)) => error.hint(),
        HouseError::Ledger(OpenError::Locked) => {
            Some("is another `modelward serve` running on it?".to_owned())
        }
        HouseError::Ledger(
            OpenError::HeadsDamaged
            | OpenError::MissingSegment { .. }
            | OpenError::SegmentLength { .. }
            | OpenError::DamagedInside { .. }
            | OpenError::RolledBack { .. }
            | OpenError::Forked { .. },
        ) => Some("`modelward ledger verify` names the first bad entry; nothing was changed".to_owned()),
        HouseError::OtherOrigin { .. } => {
            Some("`ledger.origin` is the ledger's identity and stays what `init` wrote".to_owned())
        }
        HouseError::Clock(_) => Some(format!(
            "the mark keeps time from going back; remove it only if the clock was more than {} s ahead by mistake",
            WORRYING_LAG.as_secs()
        )),
        _ => None,
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// What the process is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

enum Told {
    Reload,
    Stop,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    async fn stop_again(&mut self) {
        while !matches!(self.next().await, Told::Stop) {}
    }
}
