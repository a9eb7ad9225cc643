//! Who may give a right, take one back, and declare what exists.
//!
//! Rule: pure state machines and functions over explicit time; what they return is written by somebody else.
//! Deliberately absent: SQL, clocks, files, the parsing of TOML (a [`Declaration`](inventory::Declaration) is handed
//! in), and requests with approvals, which are not part of the first form: until they exist, a grant comes into being
//! only inside the limits of [`bootstrap`].
//!
//! Start at [`grants::may_grant_directly`], [`bootstrap::Bootstrap`], [`own::nobody_widens_their_own`] and [`inventory::plan`].

pub mod bootstrap;
pub mod grants;
pub mod inventory;
pub mod own;
pub mod policy;

pub use bootstrap::Bootstrap;
pub use grants::{Giver, Reason, Refusal, Revocation};
