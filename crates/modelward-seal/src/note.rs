//! C2SP signed notes: a text, and signatures by named keys.
//!
//! [`SignedNote`] reads and writes the format, [`Verifier`] is a public key with a name (its text form is a
//! "vkey"), [`Signer`] is whatever holds a private key, and [`SoftwareSigner`] is one in memory.
//! [`cosign`] makes cosignature/v1 lines, which witnesses add to checkpoints.

mod cosignature;
mod key;
mod signed;
mod signer;

pub use cosignature::{cosign, cosignature_time};
pub use key::{Algorithm, KeyId, KeyName, Verifier, VerifierError};
pub use signed::{NoteError, SignatureLine, SignedNote, Verified};
pub use signer::{SignError, Signer, SoftwareSigner};

#[cfg(test)]
pub(crate) mod tests;
