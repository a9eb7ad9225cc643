//! The memory of proofs: each counts once, and for as long as it could be sent again it is known.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use modelward_seal::Digest;

use super::{PROOF_WINDOW, ProofRefusal};
use crate::session::after;
use crate::token::binding::Thumbprint;

const SHARDS: usize = 16;
/// A proof is accepted from one window before its `iat` to one window after it, both seconds included. What is noted
/// stays for this long at least, and for twice as long at most.
const KEPT: SignedDuration = SignedDuration::from_secs(2 * PROOF_WINDOW.as_secs() + 2);

/// By key, so that whoever sends a flood of proofs fills the memory of few others.
#[derive(Debug)]
pub(super) struct Replays {
    shards: [Mutex<Shard>; SHARDS],
    /// Entries of one generation of one shard.
    generation_max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashSet<[u8; 16]>,
    old: HashSet<[u8; 16]>,
    since: Option<Timestamp>,
}

impl Replays {
    pub(super) fn new(proofs: usize) -> Self {
        Self { shards: Default::default(), generation_max: proofs.div_ceil(SHARDS) }
    }

    /// Notes a proof, unless it was noted before. Full is refused: what is not remembered could come again.
    pub(super) fn note(&self, key: Thumbprint, id: &str, now: Timestamp) -> Result<(), ProofRefusal> {
        let digest = Digest::of_parts(&[key.digest().as_bytes(), id.as_bytes()]);
        // Half of a digest: two that agree in it by chance cost a client one more proof.
        let half = digest.as_bytes().first_chunk().copied().unwrap_or_default();
        let [first, ..] = *key.digest().as_bytes();
        let [one, ..] = &self.shards;
        let shard = self.shards.get(usize::from(first) % SHARDS).unwrap_or(one);
        shard.lock().unwrap_or_else(PoisonError::into_inner).note(half, self.generation_max, now)
    }
}

impl Shard {
    fn note(&mut self, proof: [u8; 16], max: usize, now: Timestamp) -> Result<(), ProofRefusal> {
        self.turn(now);
        if self.young.contains(&proof) || self.old.contains(&proof) {
            return Err(ProofRefusal::Replayed);
        }
        if self.young.len() >= max {
            return Err(ProofRefusal::Busy);
        }
        self.young.insert(proof);
        Ok(())
    }

    /// INVARIANT: nothing noted less than [`KEPT`] ago is forgotten.
    fn turn(&mut self, now: Timestamp) {
        let since = *self.since.get_or_insert(now);
        if now < after(since, KEPT) {
            return;
        }
        let is_old_enough = now >= after(since, KEPT + KEPT);
        self.old = std::mem::take(&mut self.young);
        if is_old_enough {
            self.old = HashSet::new();
        }
        self.since = Some(now);
    }
}
