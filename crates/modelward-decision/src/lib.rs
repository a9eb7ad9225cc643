//! The policy decision point: a snapshot and a request in, a decision with its rationale out.
//!
//! Rule: pure. Time, identifiers and lookups are arguments, and nothing else in the project evaluates Cedar.
//! Deliberately absent: clocks, files, networks, credentials (a [`PrincipalRef`](vocabulary::PrincipalRef) is a name
//! without proof), and any way to learn of a grant other than the snapshot.
//!
//! Start at [`decide`], then [`Snapshot`] and [`Bundle`].

pub mod bundle;
pub mod candidate;
pub mod decision;
pub mod explain;
pub mod grant;
pub mod inventory;
pub mod matrix;
pub mod obligation;
pub mod observe;
pub mod outline;
pub mod plain;
pub mod replay;
pub mod search;
pub mod signal;
pub mod smallest;
pub mod snapshot;
pub mod vocabulary;

mod cedar;
mod circumstances;
mod decide;
mod index;
mod policy;
mod reach;
mod remedy;
mod slice;

pub use bundle::{Bundle, BundleError};
pub use candidate::{Candidate, Comparison, Reach};
pub use decide::{COVERING_MAX, compare, decide};
pub use decision::{Citation, Decision, Outcome, Remedy, Request};
pub use explain::{Trace, explain};
pub use grant::Grant;
pub use obligation::Obligation;
pub use remedy::{ENDED_GRANTS_TOLD, may_know_of};
pub use smallest::{Counterfactual, FactChange, Smallest, smallest, smallest_told};
pub use snapshot::{Change, EpochScope, Removed, Snapshot};
