//! The system in process, for tests: time that stands still, ids that repeat, a small world, a temporary ledger.
//!
//! Rule: a development dependency only. Nothing here ends up in a program people run.
//!
//! Start at [`World`], then [`System::start`].

pub mod disk;
pub mod ids;
pub mod observer;
pub mod system;
pub mod time;
pub mod tokens;
pub mod world;

pub use disk::Disk;
pub use ids::SeededIds;
pub use observer::{Counts, CutSeen};
pub use system::{Failure, System};
pub use time::VirtualClock;
pub use tokens::Tokens;
pub use world::{Deployed, Granting, World, default_bundle, name, principal};
