//! What identity promises, credential by credential.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod keys;
mod sessions;
mod support;
mod tokens;
