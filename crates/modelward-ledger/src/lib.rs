//! The audit ledger: every decision, change and failure, in order, durable before anything is released.
//!
//! **Rule:** an entry is acknowledged only once it is on disk, in order, under a root that the next signed
//! checkpoint will cover. When that cannot be promised any more, every later submission fails: closed, at
//! once, without blocking and without dropping.
//!
//! ```text
//!  submit ─▶ queue by lane ─▶ sequencer thread ─▶ write-ahead segment ─▶ fdatasync ─▶ ticket resolved
//!                                                        │
//!                             publisher thread ◀─────────┘  bundles, tiles, then a signed checkpoint
//! ```
//!
//! - [`entry`]: the frozen entry format v1, and drafts of entries.
//! - [`Ledger`]: creating, opening, recovery; [`LedgerSink`]: what writers see; [`LedgerReader`]: entries,
//!   proofs, tiles, search.
//! - [`verify`]: checking a log without trusting whoever wrote it. Builds alone
//!   (`--no-default-features --features verify`).
//! - [`DenialAggregator`]: keeps a flood of denials from becoming a flood of entries.
//!
//! **Deliberately absent:** HTTP (serve [`LedgerReader::tile_file`]), an async runtime (tickets are plain
//! futures), clocks and randomness (passed in as [`modelward_seal::source`]), SQL, and what a decision means.
//!
//! **Platforms:** writing needs Linux (file locks, preallocation and `fdatasync` semantics are tested there);
//! it builds and works on other Unix systems without a promise. The verifier is plain Rust.
//!
//! Start at [`Ledger::open`] and [`entry::EntryDraft`].

#[cfg(feature = "write")]
mod denials;
pub mod entry;
mod frame;
mod heads;
mod layout;
#[cfg(feature = "write")]
mod reader;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
#[cfg(feature = "write")]
pub mod storage;
#[cfg(feature = "write")]
pub mod subject;
pub mod verify;
#[cfg(feature = "write")]
mod write;

#[cfg(feature = "write")]
pub use denials::{AggregationConfig, DenialAggregator, OTHER_SOURCES, Observed};
pub use frame::FrameProblem;
#[cfg(feature = "write")]
pub use reader::{LedgerReader, Page, Position, ReadError, TileFile};
#[cfg(feature = "write")]
pub use write::{
    CommitError, Config, EraseError, Lane, Ledger, LedgerFailed, LedgerSink, OpenError, Parts, PublishError,
    Receipt, Recovered, Status, SubmitError, Ticket,
};
