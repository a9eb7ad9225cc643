//! Promises of the control plane, kept from the outside.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    reason = "a test that cannot go on fails"
)]

mod access;
mod console;
mod device;
mod edges;
mod endpoints;
mod explaining;
mod factors;
mod federation;
mod first_day;
mod fixtures;
mod house;
mod policy;
mod projects;
mod refreshing;
mod scim;
mod step_up;
mod tokens;
