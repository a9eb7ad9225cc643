//! The heads file: which size and root may be signed, written and synced before anything is signed.
//!
//! Two slots of one sector each, written in turn, so that a torn write leaves the other one whole. After a crash
//! the newer valid slot holds; the log must still reach it, or it was rolled back.

use modelward_seal::Digest;

pub(crate) const SLOT: usize = 512;
/// The slots stand a page apart, so that no write touches both.
pub(crate) const SLOT_STRIDE: usize = 4096;
pub(crate) const FILE_BYTES: u64 = 8192;
pub(crate) const PATH: &str = "heads";
const MAGIC: [u8; 8] = *b"MWHEAD01";
const HASHED: usize = 64;

/// A size and root that was, or was about to be, signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Counts writes; its lowest bit picks the slot.
    pub(crate) sequence: u64,
    pub(crate) size: u64,
    pub(crate) root: Digest,
    /// Tiles and bundles of all entries below are synced.
    pub(crate) synced: u64,
}

impl Head {
    #[cfg(feature = "write")]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut slot = MAGIC.to_vec();
        slot.extend_from_slice(&self.sequence.to_be_bytes());
        slot.extend_from_slice(&self.size.to_be_bytes());
        slot.extend_from_slice(&self.synced.to_be_bytes());
        slot.extend_from_slice(self.root.as_bytes());
        let hash = Digest::of(&slot);
        slot.extend_from_slice(hash.as_bytes());
        slot.resize(SLOT, 0);
        slot
    }

    #[cfg(feature = "write")]
    pub(crate) const fn offset(&self) -> u64 {
        if self.sequence & 1 == 0 { 0 } else { 4096 }
    }
}

/// What the two slots hold; `None` for one that is damaged or torn.
pub(crate) fn decode(file: &[u8]) -> [Option<Head>; 2] {
    [0, SLOT_STRIDE].map(|offset| decode_slot(file.get(offset..offset.saturating_add(SLOT))?))
}

/// The newer of the valid slots.
pub(crate) fn newest(slots: [Option<Head>; 2]) -> Option<Head> {
    slots.into_iter().flatten().max_by_key(|head| head.sequence)
}

fn decode_slot(slot: &[u8]) -> Option<Head> {
    let (body, rest) = slot.split_at_checked(HASHED)?;
    let (hash, padding) = rest.split_at_checked(Digest::LEN)?;
    if Digest::of(body).as_bytes() != hash || padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    let (magic, body) = body.split_first_chunk::<8>()?;
    let (sequence, body) = body.split_first_chunk::<8>()?;
    let (size, body) = body.split_first_chunk::<8>()?;
    let (synced, root) = body.split_first_chunk::<8>()?;
    let root = Digest::try_from(root).ok()?;
    (*magic == MAGIC).then(|| Head {
        sequence: u64::from_be_bytes(*sequence),
        size: u64::from_be_bytes(*size),
        synced: u64::from_be_bytes(*synced),
        root,
    })
}
