//! C2SP tlog-checkpoint: a log's name, size and root, as a signed note.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Digest;
use crate::note::{KeyName, NoteError, SignedNote, Signer, Verifier};

/// A signed tree head: this log had this many entries under this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: KeyName,
    pub size: u64,
    pub root: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("the text is not a checkpoint: {0}")]
    Form(&'static str),
    #[error("the checkpoint's note is not valid")]
    Note(#[from] NoteError),
    #[error("the checkpoint is of log `{found}`, not `{expected}`")]
    Origin { expected: String, found: String },
}

impl Checkpoint {
    /// Signs this head. The caller has made sure that it extends every head signed before.
    pub fn sign(&self, signer: &dyn Signer) -> Result<SignedNote, NoteError> {
        let mut note = SignedNote::new(self.to_string())?;
        note.sign(signer)?;
        Ok(note)
    }

    /// Reads a checkpoint that `log` signed. Cosignatures of others may stand beside.
    pub fn verify(note: &SignedNote, log: &Verifier) -> Result<Self, CheckpointError> {
        let verified = note.verify(std::slice::from_ref(log))?;
        let checkpoint: Self = verified.text.parse()?;
        if checkpoint.origin != *log.name() {
            return Err(CheckpointError::Origin {
                expected: log.name().to_string(),
                found: checkpoint.origin.to_string(),
            });
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Extension lines are read over, as the specification asks.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines =
            text.strip_suffix('\n').ok_or(CheckpointError::Form("no final line break"))?.split('\n');
        let mut next = || lines.next().ok_or(CheckpointError::Form("fewer than three lines"));
        let origin = KeyName::new(next()?).map_err(|_| CheckpointError::Form("bad origin"))?;
        let digits = next()?;
        let size: u64 = digits.parse().map_err(|_| CheckpointError::Form("bad size"))?;
        if size.to_string() != digits {
            return Err(CheckpointError::Form("size not in plain decimal"));
        }
        let root = STANDARD.decode(next()?).map_err(|_| CheckpointError::Form("root is not base64"))?;
        let root =
            Digest::try_from(root.as_slice()).map_err(|_| CheckpointError::Form("root is not 32 bytes"))?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Form("empty extension line"));
        }
        Ok(Self { origin, size, root })
    }
}

#[cfg(test)]
mod tests;
