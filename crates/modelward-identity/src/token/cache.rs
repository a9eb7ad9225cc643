//! The memory of verified tokens: bounded, by digest, in two generations.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use modelward_seal::Digest;

use super::verifier::Verified;

const SHARDS: usize = 16;

/// Only verified tokens get in, so nobody without a signed token can push others out.
#[derive(Debug)]
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    /// Entries of one generation of one shard.
    generation_max: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// When the young generation is full it becomes the old one, and the old one is forgotten; what is used in between
/// moves over. No clock, no sweep, and never more than two generations.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Digest, Verified>,
    old: HashMap<Digest, Verified>,
}

/// How often a token was already known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheFigures {
    pub hits: u64,
    pub misses: u64,
    /// Tokens remembered now.
    pub tokens: usize,
}

impl Cache {
    pub(super) fn new(tokens: usize) -> Self {
        Self {
            shards: Default::default(),
            generation_max: tokens.div_ceil(2 * SHARDS),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    pub(super) fn find(&self, digest: &Digest) -> Option<Verified> {
        let mut shard = self.shard(digest);
        let found = match shard.young.get(digest) {
            Some(known) => Some(known.clone()),
            None => shard.old.remove(digest).inspect(|known| {
                shard.insert(*digest, known.clone(), self.generation_max);
            }),
        };
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    pub(super) fn insert(&self, digest: Digest, verified: Verified) {
        self.shard(&digest).insert(digest, verified, self.generation_max);
    }

    pub(super) fn forget(&self, digest: &Digest) {
        let mut shard = self.shard(digest);
        shard.young.remove(digest);
        shard.old.remove(digest);
    }

    pub(super) fn figures(&self) -> CacheFigures {
        let tokens = self.shards.iter().map(lock).map(|shard| shard.young.len() + shard.old.len()).sum();
        CacheFigures {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            tokens,
        }
    }

    fn shard(&self, digest: &Digest) -> MutexGuard<'_, Shard> {
        let [first, ..] = *digest.as_bytes();
        let [one, ..] = &self.shards;
        lock(self.shards.get(usize::from(first) % SHARDS).unwrap_or(one))
    }
}

impl Shard {
    fn insert(&mut self, digest: Digest, verified: Verified, max: usize) {
        if max == 0 {
            return;
        }
        if self.young.len() >= max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, verified);
    }
}

/// A panic elsewhere leaves a map whose entries are whole, so the lock stays good.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
