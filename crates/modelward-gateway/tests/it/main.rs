//! The gateway from outside: real sockets, a real enforcement point with a ledger, upstreams that record every byte.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod disclosing;
mod failing;
mod points;
mod possession;
mod recognising;
mod rig;
mod rows;
mod secrecy;
mod strictness;
mod tls;
