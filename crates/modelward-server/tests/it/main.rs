//! Promises of the control plane, kept from the outside.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    reason = "a test that cannot go on fails"
)]

mod console;
mod endpoints;
mod fixtures;
