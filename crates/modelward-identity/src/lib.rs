//! Turns credentials into [`Authenticated`]: the proof of who asks.
//!
//! Rule: nothing else can construct an [`Authenticated`]. It comes out of a live session
//! ([`session::SessionRecord::authenticate`]), of a refresh handle of one ([`refresh::Family::authenticate`]) or of a
//! verified access token ([`token::Verifier::verify`]), and each use is checked against the revocation epochs of the
//! moment ([`Epochs`]).
//!
//! Time, randomness and lookups are arguments. Secrets live in types whose `Debug` hides them, and only digests,
//! password hashes or sealed bytes are meant to be stored.
//!
//! Deliberately absent: SQL, HTTP, cookies, policy. That somebody is who they say gives them no right to anything;
//! rights are grants, and `modelward-decision` weighs them.
//!
//! People and workloads that prove themselves elsewhere come in through [`federation`].
//!
//! Start at [`login::Login`] for how a session begins, [`token::Issuer::exchange`] for how it becomes a token, and
//! [`token::Verifier`] for how a token becomes an [`Authenticated`] again.

mod authenticated;
mod code;
pub mod enrol;
pub mod factors;
pub mod federation;
pub mod join;
pub mod login;
pub mod passkey;
pub mod password;
pub mod provision;
pub mod recovery;
pub mod refresh;
mod rights;
pub mod session;
pub mod softlock;
pub mod token;
pub mod totp;

pub use authenticated::{Actor, Authenticated, EpochMark, Epochs};
pub use rights::{Actions, Models, Rights, Strength};
