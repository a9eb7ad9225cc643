//! The enforcement core: between a decision and anything being done stands this crate.
//!
//! Rule: the only maker of [`Permit`] and [`Disclosure`]. An operation's payload is locked in from the moment it is
//! recognised; only a permit gives it back, and only a disclosure lets an answer go. Both demand the ledger's word:
//! [`R0`] operations begin after their decision is durable, [`R1`] operations after it is queued, and no answer leaves
//! before its own record is on disk. When that cannot be had, the result is [`Unavailable`] and nothing is released.
//!
//! Deliberately absent: protocols, HTTP, SQL, policy, keys. What an obligation does to bytes is the caller's trade; which
//! obligations it can do, it declares as [`Capabilities`].
//!
//! Start at [`Enforcer::enforce`] for the data plane and [`Enforcer::command`] for the control plane; [`chain`] shows
//! the order of steps, [`Reservations`] keeps uses and budgets, [`StreamGuard`] ends what runs when its right ends.

pub mod capability;
pub mod chain;
mod core;
pub mod denial;
pub mod ending;
pub mod enforcer;
mod entry;
mod flood;
pub mod freshness;
pub mod observer;
pub mod operation;
mod rate;
pub mod rejection;
pub mod reservations;
pub mod snapshots;
pub mod standing;
pub mod streams;

pub use capability::{Capabilities, ObligationKind};
pub use chain::{
    Answer, ByClass, Decided, Delivered, Disclosure, Durable, Gate, Held, Mismatch, Opened, OverLimit,
    Permit, Queued, R0, R1, Recording,
};
pub use denial::{Denial, NoPermit, Reason, Unavailable};
pub use ending::{Ending, Status};
pub use enforcer::{Enforced, Enforcer, Parts, Record};
pub use freshness::{Freshness, Pulse};
pub use observer::{Observer, Unobserved};
pub use operation::{Operation, Peer, ReleaseClass, RequestMark, Situation, Summary};
pub use rejection::{Rejection, RejectionKind};
pub use reservations::Reservations;
pub use snapshots::{Published, Publisher, Snapshots};
pub use standing::{End, Standing};
pub use streams::StreamGuard;

pub use modelward_seal::source::{Clock, Ids};
