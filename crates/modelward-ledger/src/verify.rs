//! Checking a log without trusting whoever wrote it.
//!
//! [`verify_log`] reads only what any C2SP tlog-tiles server serves, computes every hash anew and names the first
//! bad index. [`verify_folder`] also checks what only the owner has: segments, heads, leftovers. [`verify_proof`]
//! checks one entry's receipt. None of them panics or hangs on any bytes: every read is bounded, and the work is
//! bounded by the size that the checkpoint signs.

mod folder;
mod log;
mod source;

use std::fmt;
use std::ops::Range;

use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::merkle::leaf_hash;
use modelward_seal::note::Verifier;
use modelward_seal::proof::{ProofError, TlogProof};

pub use folder::verify_folder;
pub use log::verify_log;
pub use source::{FolderSource, Source};

/// How to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Entries below are not read, for logs whose old bundles were pruned; their hashes are still checked.
    pub from_index: u64,
    pub threads: usize,
    /// Also check that every leaf is a well-formed entry in canonical form. Slower.
    pub entries: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { from_index: 0, threads: 1, entries: false }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub verdict: Verdict,
    /// The checkpoint that everything was measured against.
    pub checkpoint: Option<Checkpoint>,
    /// Entries whose bytes were read and hashed.
    pub entries: u64,
    /// The first entry that is not what was signed, or that cannot be shown to be.
    pub first_bad_index: Option<u64>,
    /// Entries whose bytes are not there.
    pub missing: Vec<Range<u64>>,
    /// What is wrong, in the order found; at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    pub findings_omitted: u64,
    /// Files of the log that reach beyond the signed tree, where only a folder is verified; at most [`FINDINGS_MAX`]. A
    /// crash leaves such files, and so could anybody else: nothing vouches for them.
    pub unsigned: Vec<String>,
}

pub const FINDINGS_MAX: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as it was signed.
    Intact,
    /// What is there is as it was signed, but some of it is not there.
    Incomplete,
    /// Something was changed.
    Damaged,
    /// There is no checkpoint by the trusted key, so nothing can be said.
    Untrusted,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    /// The first entry concerned, where that can be said.
    pub index: Option<u64>,
    pub problem: String,
    pub severity: Verdict,
}

impl Report {
    fn new() -> Self {
        Self {
            verdict: Verdict::Intact,
            checkpoint: None,
            entries: 0,
            first_bad_index: None,
            missing: Vec::new(),
            findings: Vec::new(),
            findings_omitted: 0,
            unsigned: Vec::new(),
        }
    }

    fn add(&mut self, finding: Finding) {
        self.verdict = worse(self.verdict, finding.severity);
        if let Some(index) = finding.index {
            self.first_bad_index = Some(self.first_bad_index.map_or(index, |first| first.min(index)));
        }
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_omitted = self.findings_omitted.saturating_add(1);
        }
    }

    fn add_unsigned(&mut self, path: &str) {
        if self.unsigned.len() < FINDINGS_MAX {
            self.unsigned.push(path.to_owned());
        }
    }

    fn add_missing(&mut self, range: Range<u64>) {
        match self.missing.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.missing.push(range),
        }
    }
}

/// Damage outranks absence, and no trust at all outranks both.
fn worse(a: Verdict, b: Verdict) -> Verdict {
    let rank = |verdict| match verdict {
        Verdict::Intact => 0,
        Verdict::Incomplete => 1,
        Verdict::Damaged => 2,
        Verdict::Untrusted => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

impl Finding {
    fn damaged(path: impl fmt::Display, index: impl Into<Option<u64>>, problem: impl fmt::Display) -> Self {
        Self::new(Verdict::Damaged, path, index, problem)
    }

    fn new(
        severity: Verdict,
        path: impl fmt::Display,
        index: impl Into<Option<u64>>,
        problem: impl fmt::Display,
    ) -> Self {
        Self { path: path.to_string(), index: index.into(), problem: problem.to_string(), severity }
    }
}

/// Checks a receipt against the entry's bytes and the log's key. Gives the checkpoint it stands under.
pub fn verify_proof(receipt: &str, entry: &[u8], trusted: &Verifier) -> Result<Checkpoint, ProofError> {
    let proof: TlogProof = receipt.parse()?;
    proof.verify(&leaf_hash(entry), trusted)
}

#[cfg(test)]
#[cfg(feature = "write")]
mod tests;
