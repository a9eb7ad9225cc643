//! How the state of the control plane reaches a gateway in another process, and how the gateway knows that it has all of it.
//!
//! Rule: pure. Lines, keys and times are arguments; sockets and files are somebody else's.
//!
//! - [`Log`]: on the control side: what changed, each step chained to the one before by its hash.
//! - [`image`]: the whole state, for a gateway that the log does not reach back to.
//! - [`Beat`]: the signed head: revision, hash, time, and the challenge of the gateway it is for.
//! - [`message`]: what the two say to each other beside the feed.
//! - [`Follower`]: on the gateway's side: takes lines, and puts a state in force only when a beat signs for it.
//!
//! Deliberately absent: what a gateway may still do when beats stay away (`modelward-enforcement`), TLS, HTTP.
//!
//! Start at [`Follower::take`].

pub mod beat;
pub mod delta;
pub mod follower;
pub mod frame;
pub mod image;
pub mod log;
pub mod message;
pub mod step;
pub mod trust;

pub use beat::{Beat, Challenge};
pub use delta::{Delta, Position};
pub use follower::{FollowError, Follower, Hello, News};
pub use frame::Frame;
pub use log::Log;
pub use step::{MissingBundle, Step};
pub use trust::{TokenKey, TokenStanding, Trust, TrustError, TrustText};

/// The version of everything that travels. Any change of a shape, also of a thing inside a step, is another one: a
/// gateway that passed over what it does not know could allow what the control plane forbids.
pub const FORMAT: u32 = 1;

/// No line is longer.
pub const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;
