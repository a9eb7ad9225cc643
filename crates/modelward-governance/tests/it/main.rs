//! What governance promises: who may give what, and what a declared inventory comes to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod giving;
mod inventory;
mod opening;
mod own;
mod world;
