//! Security signals: which of them stand against somebody, and what the bundle has each do to a privilege.
//!
//! A signal that stands against a principal or a session is part of the snapshot. The table `signals.toml` of the bundle
//! turns it into a response per privilege, and the response reaches policy as `context.risk`, where guardrails and
//! obligations say what comes of it. So a signal bites with the next decision, and streams that it cuts end with the
//! snapshot that brings it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::decision::Request;
use crate::snapshot::Snapshot;
use crate::vocabulary::{Confidence, Fact, Name, PrincipalRef, Privilege, SessionId, Source};

/// A security signal that stands against somebody until it is lifted or runs out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raised {
    pub what: SignalKey,
    /// When what it tells of happened.
    pub raised_at: Timestamp,
    /// First moment at which it no longer counts.
    pub until: Timestamp,
    /// Who said so: a transmitter, as the configuration names it.
    pub by: Name,
    pub confidence: Confidence,
}

/// Which signal stands, and against whom. Of each there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalKey {
    pub about: About,
    /// A row of `signals.toml`.
    pub signal: Name,
    /// The device it is about, by the digest of what its transmitter calls it: one device that is well again says
    /// nothing of another that is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Digest>,
}

/// Against whom a signal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum About {
    Principal(PrincipalRef),
    /// One session, with every token that comes from it.
    Session(SessionId),
}

/// `signals.toml` of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signals {
    pub signals: BTreeMap<Name, Signal>,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    pub title: String,
    /// A privilege that is not named goes on as before.
    pub responses: BTreeMap<Privilege, Response>,
}

/// What happens to a privilege, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Fewer requests go through.
    Throttle,
    /// The holder proves itself again first.
    StepUp,
    /// Nothing new goes through until the signal is lifted; what is under way comes to its end.
    Suspend,
    /// Suspended, and what is under way is ended.
    Cut,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    signal: BTreeMap<Name, Signal>,
}

impl Signals {
    /// The file of a bundle it stands in.
    pub const FILE: &'static str = "signals.toml";

    /// Reads the table. What it names need not make sense yet: the gate of a bundle looks at that.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        let page: Page = toml::from_str(text)?;
        Ok(Self { signals: page.signal })
    }

    /// What a signal does to a privilege. Whoever cannot sign in or see why can do nothing about a signal, so these
    /// stay.
    pub fn response(&self, signal: &str, privilege: Privilege) -> Option<Response> {
        if privilege == Privilege::SelfService {
            return None;
        }
        self.signals.get(signal)?.responses.get(&privilege).copied()
    }
}

impl Response {
    pub const ALL: [Self; 4] = [Self::Throttle, Self::StepUp, Self::Suspend, Self::Cut];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::StepUp => "step-up",
            Self::Suspend => "suspend",
            Self::Cut => "cut",
        }
    }

    /// The value of `context.risk` that stands for it. The guardrails of the default bundle draw their lines there.
    pub const fn risk(self) -> u8 {
        match self {
            Self::Throttle => 20,
            Self::StepUp => 50,
            Self::Suspend => 80,
            Self::Cut => 100,
        }
    }
}

impl Raised {
    pub fn counts(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

impl Snapshot {
    /// The strictest response to the signals that stand against this principal or session, and the newest signal that
    /// asks for it.
    pub fn signalled(
        &self,
        principal: PrincipalRef,
        session: SessionId,
        privilege: Privilege,
        now: Timestamp,
    ) -> Option<(Response, &Raised)> {
        if self.nothing_raised() || privilege == Privilege::SelfService {
            return None;
        }
        let of_session = self.raised_against(About::Session(session));
        self.raised_against(About::Principal(principal))
            .chain(of_session)
            .filter(|raised| raised.counts(now))
            .filter_map(|raised| Some((self.response(principal, &raised.what.signal, privilege)?, raised)))
            .max_by_key(|(response, raised)| (*response, raised.raised_at))
    }

    /// A table that cannot be read says the worst.
    fn response(&self, principal: PrincipalRef, signal: &Name, privilege: Privilege) -> Option<Response> {
        let response = match self.bundle_for(principal).signals() {
            Some(table) => table.response(signal.as_str(), privilege),
            None => Some(Response::Cut),
        };
        response.filter(|response| *response == Response::Cut || !self.counts_cuts_alone())
    }

    /// The request with the risk that signals make of it.
    pub fn situated<'a>(&self, request: &'a Request) -> Cow<'a, Request> {
        if self.nothing_raised() {
            return Cow::Borrowed(request);
        }
        let mut request = request.clone();
        request.facts.risk = self.risk(&request);
        Cow::Owned(request)
    }

    /// The risk of a request: what came with it, or what signals make of it where that is more.
    pub(crate) fn risk(&self, request: &Request) -> Fact<u8> {
        let facts = &request.facts;
        let privilege = request.action.privilege();
        let signalled = self.signalled(request.principal, facts.session.id, privilege, facts.now);
        match signalled {
            Some((response, raised)) if response.risk() >= facts.risk.value => {
                Fact::new(response.risk(), Source::Signal, raised.raised_at, raised.confidence)
            }
            Some(_) | None => facts.risk.clone(),
        }
    }
}

impl std::fmt::Display for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Principal(principal) => principal.fmt(f),
            Self::Session(session) => session.fmt(f),
        }
    }
}

impl std::fmt::Display for SignalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.about, self.signal)?;
        match &self.device {
            Some(device) => write!(f, "/{device}"),
            None => Ok(()),
        }
    }
}
