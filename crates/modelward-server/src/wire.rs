//! What goes over the network: requests, answers and errors of the control API, version 1.
//!
//! Requests reject unknown members. Answers may gain members within version 1, so readers ignore what they do not
//! know. Times are RFC 3339 in UTC, identifiers are typed text (`gr_…`), digests are `sha256:…`.

mod access;
mod account;
mod clauses;
mod decisions;
mod difference;
mod error;
mod explain;
mod factors;
mod federation;
mod gateways;
mod grants;
mod inventory;
mod keys;
mod ledger;
mod page;
mod policy;
mod scim;
mod signals;

pub use access::*;
pub use account::*;
pub use clauses::*;
pub use decisions::*;
pub use difference::*;
pub use error::*;
pub use explain::*;
pub use factors::*;
pub use federation::*;
pub use gateways::*;
pub use grants::*;
pub use inventory::*;
pub use keys::*;
pub use ledger::*;
pub use page::*;
pub use policy::*;
pub use scim::*;
pub use signals::*;
