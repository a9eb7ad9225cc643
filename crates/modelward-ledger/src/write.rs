//! The writing side: segments, group commit, publishing, recovery, threads.

mod core;
mod index;
mod journal;
mod ledger;
mod publisher;
mod queue;
mod recent;
mod recovery;
mod segments;
mod threads;
mod ticket;

pub use journal::CommitError;
pub use ledger::{Config, EraseError, Ledger, LedgerSink, OpenError, Parts, Status, SubmitError};
pub use publisher::PublishError;
pub use queue::Lane;
pub use recovery::Recovered;
pub use ticket::{LedgerFailed, Receipt, Ticket};

pub(crate) use core::Shared;

#[cfg(test)]
pub(crate) mod tests;
