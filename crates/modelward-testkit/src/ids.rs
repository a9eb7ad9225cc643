//! Ids and bytes that are the same on every run.

use std::sync::atomic::{AtomicU64, Ordering};

use modelward_seal::source::Ids;
use uuid::Uuid;

/// Counts up from a seed. Distinct seeds give distinct ids; nothing about them is secret.
#[derive(Debug)]
pub struct SeededIds {
    seed: u64,
    given: AtomicU64,
}

impl SeededIds {
    pub const fn new(seed: u64) -> Self {
        Self { seed, given: AtomicU64::new(0) }
    }

    fn next(&self) -> u64 {
        self.given.fetch_add(1, Ordering::SeqCst)
    }
}

impl Ids for SeededIds {
    fn uuid(&self) -> Uuid {
        let number = self.next();
        let mut random = [0; 10];
        let (seed, rest) = random.split_at_mut(8);
        seed.copy_from_slice(&mix(self.seed ^ mix(number)).to_be_bytes());
        rest.copy_from_slice(&[0, 1]);
        // The time part counts, so that later ids sort after earlier ones.
        uuid::Builder::from_unix_timestamp_millis(1_795_165_200_000 + number, &random).into_uuid()
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = mix(self.seed ^ mix(self.next())).to_le_bytes();
            chunk.iter_mut().zip(word).for_each(|(byte, random)| *byte = random);
        }
    }
}

/// `splitmix64`: every input another output, with no pattern left.
const fn mix(seed: u64) -> u64 {
    let mut word = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_version_seven_ordered_distinct_and_repeatable() {
        let draw = || {
            let ids = SeededIds::new(1);
            (0..1000).map(|_| ids.uuid()).collect::<Vec<Uuid>>()
        };
        let ids = draw();
        assert!(ids.iter().all(|id| id.get_version_num() == 7) && ids.is_sorted());
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1000);
        assert_eq!(ids, draw());
        assert_ne!(ids[0], SeededIds::new(2).uuid());
    }
}
