//! C2SP tlog-proof: everything one needs to check that one entry is in a log, as one small text.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Digest;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::{MerkleError, verify_inclusion};
use crate::note::{NoteError, SignedNote, Verifier};

/// An entry's receipt: its index, the path to the root, and the checkpoint that has this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    pub index: u64,
    pub path: Vec<Digest>,
    pub checkpoint: SignedNote,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the text is not a tlog proof: {0}")]
    Form(&'static str),
    #[error("the proof's checkpoint cannot be trusted")]
    Checkpoint(#[from] CheckpointError),
    #[error("the entry is not at index {index} of this log")]
    NotIncluded {
        index: u64,
        #[source]
        source: MerkleError,
    },
}

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const PATH_MAX: usize = 63;

impl TlogProof {
    /// Checks the checkpoint's signature and that this leaf stands at the index. Gives the checkpoint.
    pub fn verify(&self, leaf: &Digest, log: &Verifier) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, log)?;
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)
            .map_err(|source| ProofError::NotIncluded { index: self.index, source })?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash.as_bytes())))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Form("no blank line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(ProofError::Form("unknown first line"));
        }
        // Extra data is opaque to us; it must still be base64.
        if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
            let encoded = extra.trim_start_matches("extra ");
            STANDARD.decode(encoded).map_err(|_| ProofError::Form("extra data is not base64"))?;
        }
        let digits = lines.next().and_then(|line| line.strip_prefix("index "));
        let digits = digits.ok_or(ProofError::Form("no index line"))?;
        let index: u64 = digits.parse().map_err(|_| ProofError::Form("bad index"))?;
        if index.to_string() != digits {
            return Err(ProofError::Form("index not in plain decimal"));
        }
        let mut path = Vec::new();
        for line in lines {
            let bytes = STANDARD.decode(line).map_err(|_| ProofError::Form("a hash is not base64"))?;
            path.push(
                Digest::try_from(bytes.as_slice()).map_err(|_| ProofError::Form("a hash is not 32 bytes"))?,
            );
            if path.len() > PATH_MAX {
                return Err(ProofError::Form("more than 63 hashes"));
            }
        }
        let checkpoint = note.parse().map_err(|error: NoteError| CheckpointError::Note(error))?;
        Ok(Self { index, path, checkpoint })
    }
}

#[cfg(test)]
mod tests;
