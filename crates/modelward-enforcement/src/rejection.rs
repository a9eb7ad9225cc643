//! Requests that never became one: malformed bytes, and credentials that prove nothing.

use crate::operation::{Peer, RequestMark};

/// A request turned away before anybody could be asked who sent it or what for. Nothing of it is forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub kind: RejectionKind,
    pub peer: Peer,
    /// The protocol it was taken for, such as `openai`.
    pub protocol: &'static str,
    /// One sentence about the form, never a part of the request itself.
    pub reason: String,
    /// When there were enough bytes to tell one request from another.
    pub request: Option<RequestMark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectionKind {
    /// Not a request of its protocol.
    Malformed,
    /// No credential, or none that proves anything.
    Unauthenticated,
    /// No route of ours, or a verb no action stands for.
    Unmapped,
}

impl RejectionKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthenticated => "unauthenticated",
            Self::Unmapped => "unmapped",
        }
    }
}
