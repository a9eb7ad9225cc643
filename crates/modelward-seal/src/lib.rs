//! Digests, canonical JSON, Merkle trees, signed notes and the signer trait.
//!
//! Rule: functions of bytes, no IO. Deliberately absent: files, clocks, randomness, networks.

mod digest;
pub mod source;

pub use digest::{Digest, DigestError};
