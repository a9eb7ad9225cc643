//! The bytes of the counters file: frames of absolute counters, each with a checksum and a number.
//!
//! Little-endian: `MWR1`, length of what follows the checksum (u32), CRC-32C of length and rest (u32), sequence
//! (u64), then records of 40 bytes: grant (u128), uses (u64), bytes (u64), end of the grant (i64, seconds).

use modelward_decision::vocabulary::GrantId;

use super::Spent;

const MAGIC: [u8; 4] = *b"MWR1";
const HEADER_BYTES: usize = 12;
const SEQUENCE_BYTES: usize = 8;
pub(super) const RECORD_BYTES: u64 = 40;
const RECORD_SIZE: usize = 40;

/// Records in one frame, and so in one write.
pub(super) const RECORDS_MAX: usize = 1024;

const FRAME_BYTES_MAX: usize = HEADER_BYTES + SEQUENCE_BYTES + RECORDS_MAX * RECORD_SIZE;

/// What a frame says of one grant. A later record replaces an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) grant: GrantId,
    pub(super) spent: Spent,
    pub(super) not_after: i64,
}

pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    pub(super) records: &'a [Record],
}

/// A file read from its beginning.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// In order; the last of a grant counts.
    pub(super) records: Vec<Record>,
    /// Where the whole frames end. What comes after was never acknowledged.
    pub(super) whole_bytes: usize,
}

/// The file was changed by something other than a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) offset: usize,
}

impl Frame<'_> {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(SEQUENCE_BYTES + self.records.len().saturating_mul(RECORD_SIZE));
        body.extend(self.sequence.to_le_bytes());
        for record in self.records {
            body.extend(record.grant.bits().to_le_bytes());
            body.extend(record.spent.uses.to_le_bytes());
            body.extend(record.spent.bytes.to_le_bytes());
            body.extend(record.not_after.to_le_bytes());
        }
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut frame = Vec::with_capacity(HEADER_BYTES.saturating_add(body.len()));
        frame.extend(MAGIC);
        frame.extend(length);
        frame.extend(checksum(length, &body).to_le_bytes());
        frame.extend(body);
        frame
    }
}

/// Reads every frame.
///
/// At most one write is ever under way, so a crash leaves at most one broken frame, and it is the last. Anything
/// else that does not read is damage. The first frame is put in place whole, so a file without one is damaged too.
pub(super) fn scan(bytes: &[u8]) -> Result<Scan, Damage> {
    let mut records = Vec::new();
    let mut offset = 0;
    let mut sequence = 0;
    while let Some((number, body, end)) = bytes.get(offset..).and_then(read) {
        if number != sequence {
            return Err(Damage { offset });
        }
        for record in body {
            records.push(parse(record));
        }
        sequence += 1;
        offset += end;
    }
    let rest = bytes.get(offset..).unwrap_or_default();
    let is_torn = rest.len() <= FRAME_BYTES_MAX
        && (1..rest.len()).all(|start| rest.get(start..).and_then(read).is_none());
    if sequence == 0 || !is_torn {
        return Err(Damage { offset });
    }
    Ok(Scan { records, whole_bytes: offset })
}

/// The frame at the beginning of the bytes, if there is a whole one: sequence, records, length.
fn read(bytes: &[u8]) -> Option<(u64, &[[u8; RECORD_SIZE]], usize)> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let body_bytes = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if body_bytes > FRAME_BYTES_MAX {
        return None;
    }
    let body = rest.get(..body_bytes)?;
    if u32::from_le_bytes(*sum) != checksum(*length, body) {
        return None;
    }
    let (sequence, records) = body.split_first_chunk::<SEQUENCE_BYTES>()?;
    let (records, []) = records.as_chunks::<RECORD_SIZE>() else { return None };
    Some((u64::from_le_bytes(*sequence), records, HEADER_BYTES + body_bytes))
}

fn parse(record: &[u8; RECORD_SIZE]) -> Record {
    let (mut grant, mut uses, mut bytes, mut not_after) = ([0; 16], [0; 8], [0; 8], [0; 8]);
    for (place, byte) in record.iter().enumerate() {
        let slot = match place {
            0..16 => grant.get_mut(place),
            16..24 => uses.get_mut(place - 16),
            24..32 => bytes.get_mut(place - 24),
            _ => not_after.get_mut(place - 32),
        };
        if let Some(slot) = slot {
            *slot = *byte;
        }
    }
    Record {
        grant: GrantId::from_bits(u128::from_le_bytes(grant)),
        spent: Spent { uses: u64::from_le_bytes(uses), bytes: u64::from_le_bytes(bytes) },
        not_after: i64::from_le_bytes(not_after),
    }
}

fn checksum(length: [u8; 4], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), body)
}
