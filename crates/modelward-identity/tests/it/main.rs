//! What identity promises, credential by credential.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod bad_proofs;
mod bad_tokens;
mod binding;
mod compile_fail;
mod delegation;
mod enrolment;
mod exchange;
mod factors;
mod federation;
mod keys;
mod kinds;
mod login;
mod mutations;
mod reference;
mod refresh;
mod sessions;
mod softlocks;
mod support;
mod tokens;
