//! What a caller wants done: typed, with everything needed to decide and record it, and the payload locked inside.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use modelward_decision::vocabulary::{
    Action, Ask, DeviceFacts, EndpointId, Fact, Name, PrincipalRef, Privilege, ResourceRef,
};
use modelward_seal::Digest;
use modelward_seal::canonical::INTEGER_MAX;
use smol_str::{SmolStr, format_smolstr};

/// One recognised request. Only a [`Permit`](crate::Permit) gives the payload back.
pub struct Operation<P> {
    pub(crate) action: Action,
    pub(crate) resource: ResourceRef,
    pub(crate) release: ReleaseClass,
    pub(crate) ask: Ask,
    pub(crate) way: Way,
    pub(crate) trace: Trace,
    pub(crate) payload: P,
}

/// Who is decided about, and who carries it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The caller, by us.
    Here,
    /// The caller, by somebody who asks us first: what leaves then does not pass us.
    Elsewhere,
    /// Somebody else than the caller, who proved nothing to us; carried out by whoever asks.
    About(PrincipalRef),
}

/// What of a request goes into its entry beside the decision.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) request: RequestMark,
    pub(crate) summary: Summary,
}

/// When an allowed operation may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReleaseClass {
    /// After its decision is durable. The default.
    R0,
    /// As soon as its decision is queued, because it changes nothing; the answer still waits for durability.
    R1,
}

/// The request as it arrived, so that an auditor can tell one from another without seeing what was in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestMark {
    /// Over method, path, canonical headers and body.
    pub digest: Digest,
    pub bytes: u64,
}

/// Where a request comes from and arrives: what the enforcement point itself saw.
///
/// Who asks, since when and by which credential comes from [`Authenticated`](modelward_identity::Authenticated),
/// what is asked from the [`Operation`], the time from the clock; none of them can be claimed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Where the request came from, for counting denials by.
    pub peer: Peer,
    /// Where the resource is reached, such as `production`; [`Situation::CONTROL`] for commands.
    pub environment: Name,
    pub endpoint: Option<EndpointId>,
    pub device: DeviceFacts,
    pub network: Fact<Name>,
    pub place: Fact<Name>,
    pub risk: Fact<u8>,
}

/// The neighbourhood a request came from: what a flood of denials is counted by.
///
/// A network prefix, not an address: /24 of IPv4, /64 of IPv6.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(SmolStr);

/// Details of a request for readers of the ledger: a few short texts, never a payload or a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary(BTreeMap<SmolStr, SmolStr>);

impl<P> Operation<P> {
    /// An operation that begins only after its decision is durable.
    pub fn new(action: Action, resource: ResourceRef, request: RequestMark, payload: P) -> Self {
        Self {
            action,
            resource,
            release: ReleaseClass::R0,
            ask: Ask::default(),
            way: Way::Here,
            trace: Trace { request, summary: Summary::default() },
            payload,
        }
    }

    /// With the release class its route has.
    ///
    /// An action that could change or take something stays [`ReleaseClass::R0`] whatever its route says.
    #[must_use]
    pub const fn released_as(mut self, class: ReleaseClass) -> Self {
        self.release = if may_be_effect_free(self.action) { class } else { ReleaseClass::R0 };
        self
    }

    /// Asking for more than the plain answer.
    #[must_use]
    pub fn asking(mut self, ask: Ask) -> Self {
        // A bound beyond what canonical JSON can hold is no bound; it must not keep the request from being recorded.
        let bytes = ask.bytes.map(|bytes| bytes.min(INTEGER_MAX));
        self.ask = Ask { bytes, ..ask };
        self
    }

    /// Carried out by another enforcement point, which asks us first and then acts on its own.
    ///
    /// What it lets out is not seen here, so that no grant with a budget of bytes can allow it.
    #[must_use]
    pub const fn elsewhere(mut self) -> Self {
        self.way = Way::Elsewhere;
        self
    }

    /// As [`elsewhere`](Self::elsewhere), and about the rights of somebody else than the caller.
    ///
    /// That somebody proved nothing here: the decision sees a session of no strength, bound to nothing, and of the
    /// scope that the caller's own credential has.
    #[must_use]
    pub const fn about(mut self, subject: PrincipalRef) -> Self {
        self.way = Way::About(subject);
        self
    }

    #[must_use]
    pub fn summarised(mut self, summary: Summary) -> Self {
        self.trace.summary = summary;
        self
    }

    pub const fn action(&self) -> Action {
        self.action
    }

    pub const fn resource(&self) -> ResourceRef {
        self.resource
    }

    pub const fn release(&self) -> ReleaseClass {
        self.release
    }
}

/// Whether an action only reads. Exhaustive over privileges, so that a new one is weighed here.
const fn may_be_effect_free(action: Action) -> bool {
    match action.privilege() {
        Privilege::SelfService => matches!(action, Action::ReadSelf | Action::ExplainOwn),
        Privilege::ReadOnly | Privilege::InferenceSensitive => true,
        // A batch leaves a job behind.
        Privilege::Inference => !matches!(action, Action::PredictBatch),
        // An export takes the record of others with it.
        Privilege::Audit => !matches!(action, Action::ExportLedger),
        Privilege::Experiment
        | Privilege::Registry
        | Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy
        | Privilege::Govern => false,
    }
}

impl RequestMark {
    pub fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::of(bytes), bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }
}

impl Peer {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self(format_smolstr!("{a}.{b}.{c}.0/24"))
            }
            IpAddr::V6(address) => {
                let prefix = Ipv6Addr::from_bits(address.to_bits() >> 64 << 64);
                Self(format_smolstr!("{prefix}/64"))
            }
        }
    }

    /// The process itself, such as a job.
    pub const fn own() -> Self {
        Self(SmolStr::new_static("own"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Situation {
    /// The environment of commands to the control plane.
    pub const CONTROL: &str = "control";
}

impl Summary {
    pub const ENTRIES_MAX: usize = 16;
    pub const KEY_CHARS_MAX: usize = 32;
    pub const VALUE_CHARS_MAX: usize = 256;

    /// Adds one detail. Longer texts are cut, control characters left out, and details beyond the bound dropped:
    /// a summary never makes an entry too big to write.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        let key: SmolStr = key.chars().take(Self::KEY_CHARS_MAX).collect();
        if self.0.len() < Self::ENTRIES_MAX || self.0.contains_key(&key) {
            let value = value.to_string();
            let printable = value.chars().filter(|char| !char.is_control());
            self.0.insert(key, printable.take(Self::VALUE_CHARS_MAX).collect());
        }
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ReleaseClass {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::R0 => "r0",
            Self::R1 => "r1",
        }
    }
}

/// Shows everything but the payload.
impl<P> fmt::Debug for Operation<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("action", &self.action)
            .field("resource", &self.resource)
            .field("release", &self.release)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_or_takes_something_waits_for_durability_whatever_its_route_says() {
        let class = |action| {
            let mark = RequestMark::of(b"");
            Operation::new(action, ResourceRef::Platform, mark, ()).released_as(ReleaseClass::R1).release()
        };
        assert_eq!(class(Action::Predict), ReleaseClass::R1);
        assert_eq!(class(Action::DownloadWeights), ReleaseClass::R0);
        assert_eq!(class(Action::RevokeAccess), ReleaseClass::R0);
        let strict = Action::ALL.into_iter().filter(|action| class(*action) == ReleaseClass::R0).count();
        assert_eq!(strict, 76, "a new action was put into a privilege: is it effect-free?");
    }

    #[test]
    fn a_peer_is_a_neighbourhood() {
        let peer = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(peer("203.0.113.77").as_str(), "203.0.113.0/24");
        assert_eq!(peer("::ffff:203.0.113.77"), peer("203.0.113.1"));
        assert_eq!(peer("2001:db8:1:2:3:4:5:6").as_str(), "2001:db8:1:2::/64");
    }

    #[test]
    fn a_summary_stays_small_and_printable() {
        let summary = (0..100).fold(Summary::default(), |summary, number| {
            summary.with(&format!("key-{number}"), "x\u{1b}\n".repeat(10_000))
        });
        assert_eq!(summary.iter().count(), Summary::ENTRIES_MAX);
        assert!(summary.iter().all(|(_, value)| value == "x".repeat(Summary::VALUE_CHARS_MAX)));
    }
}
