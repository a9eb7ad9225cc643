//! What the binary configures. Plain data, with defaults that need no change to be safe.

use std::time::Duration;

use ipnet::IpNet;
use modelward_decision::vocabulary::Name;

use crate::recognise::form::Bound;

/// How the gateway listens and what it takes.
#[derive(Debug, Clone, Default)]
pub struct GatewayConfig {
    pub limits: Limits,
    pub bounds: Bounds,
    pub segments: Segments,
}

/// Upper bounds of connections and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; one more is closed at once.
    pub connections: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for the head of a request.
    pub head: Duration,
    /// Header lines of one request.
    pub headers: usize,
    /// Bytes of the head of one request.
    pub head_bytes: usize,
    /// Bytes of the body of one request.
    pub body_bytes: usize,
    /// Time for the body of a request.
    pub body: Duration,
    /// Time from the head of a request to the first byte of its answer.
    pub request: Duration,
    /// Time a stream may run.
    pub stream: Duration,
    /// Bytes of one answer that is not a stream.
    pub answer_bytes: usize,
    /// Bytes of one event in a stream.
    pub event_bytes: usize,
    /// Requests in flight on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Time for requests under way when the gateway is told to stop.
    pub drain: Duration,
}

/// Upper bounds of what one request may ask a model for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Alternative answers to one prompt (`n`, `best_of`).
    pub choices: u64,
    /// Tokens of one answer.
    pub tokens: u64,
    /// Alternatives per token (`top_logprobs`).
    pub alternatives: u64,
}

/// Which part of the network an address belongs to: the most specific range that holds it.
#[derive(Debug, Clone, Default)]
pub struct Segments(Vec<(IpNet, Name)>);

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            headers: 64,
            head_bytes: 32 * 1024,
            body_bytes: 8 * 1024 * 1024,
            body: Duration::from_secs(30),
            request: Duration::from_secs(120),
            stream: Duration::from_secs(600),
            answer_bytes: 16 * 1024 * 1024,
            event_bytes: 1024 * 1024,
            h2_streams: 128,
            drain: Duration::from_secs(30),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self { choices: 8, tokens: 65_536, alternatives: 20 }
    }
}

impl Bounds {
    pub(crate) const fn of(&self, bound: Bound) -> u64 {
        match bound {
            Bound::Choices => self.choices,
            Bound::Tokens => self.tokens,
            Bound::Alternatives => self.alternatives,
        }
    }
}

impl Segments {
    pub fn new(ranges: impl IntoIterator<Item = (IpNet, Name)>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_by_key(|(range, _)| std::cmp::Reverse(range.prefix_len()));
        Self(ranges)
    }

    /// The segment of an address. An IPv4 address written as IPv6 is looked up as what it is.
    pub fn of(&self, address: std::net::IpAddr) -> Option<&Name> {
        let address = address.to_canonical();
        self.0.iter().find(|(range, _)| range.contains(&address)).map(|(_, name)| name)
    }
}
