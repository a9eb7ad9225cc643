//! What makes bytes checkable by someone who does not trust us.
//!
//! **Rule:** pure functions and values. Nothing here reads a file, a clock, a socket or a random source.
//!
//! - [`canonical`]: one byte string per JSON value (RFC 8785), and a parser that refuses what two readers
//!   could understand differently.
//! - [`Digest`]: a SHA-256 digest that prints as `sha256:…`.
//! - [`merkle`]: RFC 6962 trees: append, root, inclusion and consistency proofs, C2SP tiles.
//! - [`note`]: C2SP signed notes, verifier keys, cosignatures, and the [`note::Signer`] trait.
//! - [`checkpoint`]: C2SP tlog checkpoints: a signed tree head.
//! - [`proof`]: C2SP tlog proofs: one entry's receipt as text.
//! - [`source`]: the traits through which time, identifiers and randomness come in.
//!
//! **Deliberately absent:** key files and hardware keys (the binary implements [`note::Signer`] for them),
//! HTTP, storage, and anything that knows what an entry means (`modelward-ledger`).
//!
//! Start at [`merkle::CompactTree`] and [`checkpoint::Checkpoint`].

pub mod canonical;
pub mod checkpoint;
mod digest;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod source;

pub use digest::{Digest, DigestError};
