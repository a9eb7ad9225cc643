//! Which planes this process is, and how it reaches the other.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::problem::{Place, Problem};
use super::read::Effective;
use super::{noted, settings};

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Both planes, and gateways in other processes where they have an address.
    All,
    /// The control plane alone.
    Control,
    /// The gateway alone, which follows a control plane elsewhere.
    Gateway,
}

/// The way between the planes.
#[derive(Debug, Clone)]
pub struct Planes {
    /// Where gateways connect to.
    pub listen: Option<SocketAddr>,
    /// Where the control plane is.
    pub control: Option<HostPort>,
}

/// A host and a port, to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort(String);

impl Role {
    const ALL: [Self; 3] = [Self::All, Self::Control, Self::Gateway];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Control => "control",
            Self::Gateway => "gateway",
        }
    }
}

impl Planes {
    /// What the role needs has to be there.
    pub(super) fn build(from: &Effective, role: Role, problems: &mut Vec<Problem>) -> Option<Self> {
        let listen = noted(from.find(&settings::PLANES_LISTEN), problems)?;
        let control = noted(from.find(&settings::PLANES_CONTROL), problems)?;
        let missing = match role {
            Role::Control if listen.is_none() => Some(("planes.listen", "the address gateways connect to")),
            Role::Gateway if control.is_none() => {
                Some(("planes.control", "the host and port of the control plane"))
            }
            Role::All | Role::Control | Role::Gateway => None,
        };
        if let Some((key, what)) = missing {
            problems.push(Problem {
                message: format!("the role `{}` needs `{key}`", role.as_str()),
                place: Place::Nowhere,
                hint: Some(format!("it is {what}")),
            });
        }
        Some(Self { listen, control })
    }
}

impl HostPort {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| "is not `all`, `control` or `gateway`".to_owned())
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "is not a host and a port such as `control.example.org:7090`".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_host =
            !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "._-:[]".contains(c));
        if is_port && is_host { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
