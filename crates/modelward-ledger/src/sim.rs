//! Stand-ins for tests of this and other crates: a clock, identifiers and keys without a machine behind them.
//! The disk that crashes is [`crate::storage::SimDisk`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use modelward_seal::Digest;
use modelward_seal::note::{KeyName, SoftwareSigner, VerifierError};
use modelward_seal::source::{Clock, Ids};
use uuid::Uuid;

use crate::Parts;
use crate::subject::{DataKey, DataKeyId, KeyError, Month, PseudonymKey, SubjectKeys};

/// A clock that moves one microsecond each time it is read.
#[derive(Debug)]
pub struct SimClock(AtomicI64);

/// Identifiers and "random" bytes that follow from a seed.
#[derive(Debug)]
pub struct SimIds {
    seed: u64,
    count: AtomicU64,
}

/// Data keys in memory.
#[derive(Debug)]
pub struct MemorySubjectKeys {
    ids: Arc<dyn Ids>,
    keys: Mutex<BTreeMap<String, DataKey>>,
}

/// Everything a ledger named `origin` needs, from one seed.
pub fn parts(origin: &str, seed: u64) -> Result<Parts, VerifierError> {
    let ids: Arc<dyn Ids> = Arc::new(SimIds::new(seed));
    // The key belongs to the log, not to the run: it must be the same after every restart.
    let key = Digest::of(origin.as_bytes());
    Ok(Parts {
        signer: Arc::new(SoftwareSigner::from_seed(KeyName::new(origin)?, key.as_bytes())),
        pseudonyms: PseudonymKey::new(*key.as_bytes()),
        subject_keys: Arc::new(MemorySubjectKeys::new(Arc::clone(&ids))),
        clock: Arc::new(SimClock::new(1_790_000_000_000_000)),
        ids,
    })
}

impl SimClock {
    pub const fn new(micros: i64) -> Self {
        Self(AtomicI64::new(micros))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.fetch_add(1, Ordering::Relaxed)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl SimIds {
    pub const fn new(seed: u64) -> Self {
        Self { seed, count: AtomicU64::new(0) }
    }
}

impl Ids for SimIds {
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        Uuid::from_bytes(bytes)
    }

    fn fill(&self, bytes: &mut [u8]) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        for (chunk, part) in bytes.chunks_mut(Digest::LEN).zip(0_u64..) {
            let block = [self.seed.to_be_bytes(), count.to_be_bytes(), part.to_be_bytes()].concat();
            chunk.iter_mut().zip(Digest::of(&block).as_bytes()).for_each(|(to, from)| *to = *from);
        }
    }
}

impl MemorySubjectKeys {
    pub fn new(ids: Arc<dyn Ids>) -> Self {
        Self { ids, keys: Mutex::default() }
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, DataKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SubjectKeys for MemorySubjectKeys {
    fn current(&self, pseudonym: &str, month: Month) -> Result<(DataKeyId, DataKey), KeyError> {
        let mut keys = self.keys();
        let prefix = format!("{pseudonym}.{month}.");
        if let Some((id, key)) = keys.iter().rfind(|(id, _)| id.starts_with(&prefix)) {
            return Ok((DataKeyId::new(id.clone()), key.clone()));
        }
        let mut random = [0; 36];
        self.ids.fill(&mut random);
        let (generation, key) = random.split_at(4);
        let id = format!("{prefix}{}", hex::encode(generation));
        let key = DataKey::new(key.try_into().map_err(|_| KeyError::Seal)?);
        keys.insert(id.clone(), key.clone());
        Ok((DataKeyId::new(id), key))
    }

    fn find(&self, id: &str) -> Result<Option<DataKey>, KeyError> {
        Ok(self.keys().get(id).cloned())
    }

    fn erase(&self, pseudonym: &str, month: Option<Month>) -> Result<Vec<DataKeyId>, KeyError> {
        let prefix = month.map_or_else(|| format!("{pseudonym}."), |month| format!("{pseudonym}.{month}."));
        let mut keys = self.keys();
        let gone: Vec<String> = keys.keys().filter(|id| id.starts_with(&prefix)).cloned().collect();
        gone.iter().for_each(|id| drop(keys.remove(id)));
        Ok(gone.into_iter().map(DataKeyId::new).collect())
    }
}
