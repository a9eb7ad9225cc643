//! How a permitted operation ended: the second phase of its record.

use modelward_seal::Digest;

use crate::chain::Delivered;
use crate::operation::Summary;
use crate::standing::End;

/// The outcome of one permitted operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub status: Status,
    /// Bytes that left in answer.
    pub bytes: u64,
    /// Digest of what left.
    pub digest: Option<Digest>,
    /// How long the upstream took, in milliseconds.
    pub upstream_ms: Option<u64>,
    /// Places in the answer that an obligation changed.
    pub masked: u64,
    pub summary: Summary,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The answer left, or the command was carried out.
    Done,
    /// The upstream, or the command, failed.
    Failed,
    /// The upstream's answer could not be let out as the obligations demand.
    Withheld,
    /// The client went away before the end.
    Disconnected,
    /// The right ended, before it was forwarded or while the answer ran.
    Ended(End),
    /// Whoever held the permit dropped it.
    Abandoned,
}

impl Ending {
    pub fn new(status: Status) -> Self {
        Self { status, bytes: 0, digest: None, upstream_ms: None, masked: 0, summary: Summary::default() }
    }

    /// With what the gate counted.
    #[must_use]
    pub const fn delivering(mut self, delivered: Delivered) -> Self {
        self.bytes = delivered.bytes;
        self.digest = Some(delivered.digest);
        self
    }

    #[must_use]
    pub const fn after_upstream_ms(mut self, milliseconds: u64) -> Self {
        self.upstream_ms = Some(milliseconds);
        self
    }

    #[must_use]
    pub const fn masking(mut self, places: u64) -> Self {
        self.masked = places;
        self
    }

    #[must_use]
    pub fn summarised(mut self, summary: Summary) -> Self {
        self.summary = summary;
        self
    }
}

impl Status {
    /// The word in entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Withheld => "withheld",
            Self::Disconnected => "disconnected",
            Self::Ended(_) => "ended",
            Self::Abandoned => "abandoned",
        }
    }
}
