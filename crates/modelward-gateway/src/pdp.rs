//! Other enforcement points: they ask here, and act on the answer themselves.
//!
//! Rule: whoever asks is a principal with a scope. A caller that is not configured learns nothing; one that is may ask
//! about the people of its groups, on its projects, and must be able to do what a decision obliges it to. What it says
//! about somebody never takes the place of what is stored, and an answer leaves after its record is durable, like any
//! other of this gateway.
//!
//! Three doors, each off unless it has an address: `authzen` (the Authorization API 1.0), `ext_authz` (Envoy's gRPC
//! service) and `forward_auth` (nginx, Traefik). The last two know no body, and so share `proxied`.

mod authzen;
mod caller;
mod config;
mod ext_authz;
mod forward_auth;
mod names;
mod proxied;

use std::net::IpAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::answer::Body;
use crate::gateway::Shared;

pub use config::{AuthZen, Caller, CallerPrincipal, NotACaller, PointsConfig, Reach};

/// The callers of other enforcement points, and what they are told. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Points(Arc<PointsConfig>);

/// One door, with an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    AuthZen,
    ExtAuthz,
    ForwardAuth,
}

impl Points {
    pub fn new(config: PointsConfig) -> Self {
        Self(Arc::new(config))
    }
}

impl Point {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthZen => "authzen",
            Self::ExtAuthz => "ext-authz",
            Self::ForwardAuth => "forward-auth",
        }
    }
}

/// Answers one request at one of the doors.
pub(crate) async fn serve(
    shared: &Shared,
    points: &Points,
    point: Point,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let door = Door { shared, config: &points.0, point, peer };
    match point {
        Point::AuthZen => authzen::serve(&door, request).await,
        Point::ExtAuthz => ext_authz::serve(&door, request).await,
        Point::ForwardAuth => forward_auth::serve(&door, request).await,
    }
}

/// What every request at a door needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door<'a> {
    shared: &'a Shared,
    config: &'a PointsConfig,
    point: Point,
    peer: IpAddr,
}
