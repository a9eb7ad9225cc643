//! What the store promises, against every backend there is.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod conformance;
mod crash;
mod directions;
mod house;
mod page;
mod shapes;
mod sqlite;
