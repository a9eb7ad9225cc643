//! State on disk: who exists, what exists, who may do what, and every past moment of it.
//!
//! Rule: the only SQL in the project, and no rule of its own beyond keeping what it is given whole. Times are arguments.
//! What narrows is in force when [`Store::commit`] returns; what widens when [`Store::ledgered`] does, which is called
//! once the ledger entry of the event is durable. Nothing that is not in force can be read by [`Store::load`].
//! Deliberately absent: policy, key material (what is sealed is sealed by the caller), wire formats, and the hot path:
//! requests are decided on snapshots that were loaded before.
//!
//! Start at [`Store`] and [`change::StateChange`]; [`direction`] says what narrows and what widens.

mod backup;
mod between;
mod commit;
mod database;
mod entity;
mod error;
mod load;
mod migrate;
mod sql;

pub mod bundles;
pub mod change;
pub mod credential;
pub mod direction;
pub mod enrolment;
pub mod federation;
pub mod gateway;
pub mod grants;
pub mod key;
pub mod outbox;
pub mod passkey;
pub mod received;
pub mod refresh;
pub mod scim;
pub mod secret;
pub mod session;
pub mod sign_in;
pub mod softlock;

pub use change::{Recorded, StateChange};
pub use commit::{Commit, Committed, Ledgered, Writer};
pub use database::{Options, Store};
pub use direction::Direction;
pub use error::{CommitError, LedgeredError, StoreError};
pub use load::{ENDED_GRANTS_SHOWN, Loaded, Moment, SESSION_EPOCHS_KEPT};
pub use outbox::{Event, Pending};

/// Most rows one call returns.
pub const PAGE_MAX: u32 = 1000;
