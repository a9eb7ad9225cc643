//! Frames of the write-ahead segments: one group of entries, written and flushed together.
//!
//! ```text
//! offset  bytes
//!      0      4  magic "MWF1"
//!      4      4  number of entries
//!      8      8  epoch: how often this log was opened
//!     16     16  boot id of the writing process
//!     32      8  index of the first entry
//!     40      4  length of the payload
//!     44     32  hash of the previous frame (zeros before the first)
//!     76     32  Merkle root after this frame
//!    108      4  zeros
//!    112      …  payload: per entry a 16-bit length and its bytes, as in an entry bundle
//!      …     32  SHA-256 of everything before: the frame's hash
//!      …      4  CRC-32C of everything before
//!      …      …  zeros up to a multiple of 512
//! ```
//! All integers are big-endian. A frame begins on a sector, so that writing it never rewrites an earlier one.

use modelward_seal::Digest;

pub(crate) const SECTOR: usize = 512;
const MAGIC: [u8; 4] = *b"MWF1";
const HEADER: usize = 112;
const TRAILER: usize = 36;
/// No frame is larger, whatever its length field says.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 8 << 20;

/// What a frame says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) count: u32,
    pub(crate) epoch: u64,
    pub(crate) boot: [u8; 16],
    pub(crate) first_index: u64,
    pub(crate) previous: Digest,
    pub(crate) root: Digest,
}

/// A frame whose hash is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) header: Header,
    pub(crate) entries: Vec<&'a [u8]>,
    pub(crate) hash: Digest,
    /// Where the next frame begins.
    pub(crate) end: usize,
}

/// Why there is no frame at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameProblem {
    #[error("no frame begins here, yet the rest is not empty")]
    NoMagic,
    #[error("the frame reaches beyond its segment")]
    BeyondSegment,
    #[error("the frame's checksum is wrong")]
    Checksum,
    #[error("the frame's hash is wrong")]
    Hash,
    #[error("the frame's payload is malformed")]
    Payload,
    #[error("the frame is padded with something other than zeros")]
    Padding,
    #[error("the frame does not follow the one before it")]
    Chain,
    #[error("the frame begins at index {found}")]
    Index { found: u64 },
    #[error("the frame's root is not that of its entries")]
    Root,
    #[error("the tiles of the entries before the first segment cannot be read")]
    Tiles,
}

/// How many bytes a frame with this payload takes in a segment.
pub(crate) fn frame_bytes(payload: usize) -> usize {
    HEADER.saturating_add(payload).saturating_add(TRAILER).next_multiple_of(SECTOR)
}

/// Appends the whole frame to `out`, which is empty, and gives its hash.
#[cfg(feature = "write")]
pub(crate) fn encode<'a>(
    out: &mut Vec<u8>,
    header: &Header,
    entries: impl Iterator<Item = &'a [u8]>,
) -> Result<Digest, FrameProblem> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&header.count.to_be_bytes());
    out.extend_from_slice(&header.epoch.to_be_bytes());
    out.extend_from_slice(&header.boot);
    out.extend_from_slice(&header.first_index.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(header.previous.as_bytes());
    out.extend_from_slice(header.root.as_bytes());
    out.extend_from_slice(&[0; 4]);
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| FrameProblem::Payload)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    let payload = out.len().saturating_sub(HEADER);
    let length = u32::try_from(payload).ok().filter(|_| payload <= PAYLOAD_BYTES_MAX);
    let length = length.ok_or(FrameProblem::BeyondSegment)?;
    out.get_mut(40..44).ok_or(FrameProblem::Payload)?.copy_from_slice(&length.to_be_bytes());
    let hash = Digest::of(out);
    out.extend_from_slice(hash.as_bytes());
    out.extend_from_slice(&crc32c::crc32c(out).to_be_bytes());
    out.resize(out.len().next_multiple_of(SECTOR), 0);
    Ok(hash)
}

/// Reads the frame at `offset`. `None` where the rest of the segment is zeros: nothing was written there.
pub(crate) fn decode(segment: &[u8], offset: usize) -> Result<Option<Frame<'_>>, FrameProblem> {
    let rest = segment.get(offset..).unwrap_or_default();
    if !rest.starts_with(&MAGIC) {
        return if rest.iter().all(|byte| *byte == 0) { Ok(None) } else { Err(FrameProblem::NoMagic) };
    }
    let mut cursor = Cursor(rest.get(MAGIC.len()..HEADER).ok_or(FrameProblem::BeyondSegment)?);
    let count = u32::from_be_bytes(cursor.take()?);
    let epoch = u64::from_be_bytes(cursor.take()?);
    let boot = cursor.take()?;
    let first_index = u64::from_be_bytes(cursor.take()?);
    let length =
        usize::try_from(u32::from_be_bytes(cursor.take()?)).map_err(|_| FrameProblem::BeyondSegment)?;
    let previous = Digest::from_bytes(cursor.take()?);
    let root = Digest::from_bytes(cursor.take()?);
    let reserved: [u8; 4] = cursor.take()?;
    if length > PAYLOAD_BYTES_MAX {
        return Err(FrameProblem::BeyondSegment);
    }
    let hashed = HEADER.saturating_add(length);
    let (body, trailer) = rest.split_at_checked(hashed).ok_or(FrameProblem::BeyondSegment)?;
    let mut cursor = Cursor(trailer);
    let hash = Digest::from_bytes(cursor.take().map_err(|_| FrameProblem::BeyondSegment)?);
    let checksum = u32::from_be_bytes(cursor.take().map_err(|_| FrameProblem::BeyondSegment)?);
    let before = rest.get(..hashed.saturating_add(Digest::LEN)).ok_or(FrameProblem::BeyondSegment)?;
    if crc32c::crc32c(before) != checksum || reserved != [0; 4] {
        return Err(FrameProblem::Checksum);
    }
    if Digest::of(body) != hash {
        return Err(FrameProblem::Hash);
    }
    let entries = split_entries(body.get(HEADER..).unwrap_or_default()).ok_or(FrameProblem::Payload)?;
    if usize::try_from(count).ok() != Some(entries.len()) || entries.is_empty() {
        return Err(FrameProblem::Payload);
    }
    let total = frame_bytes(length);
    let padding = rest.get(hashed.saturating_add(TRAILER)..total).ok_or(FrameProblem::BeyondSegment)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(FrameProblem::Padding);
    }
    let header = Header { count, epoch, boot, first_index, previous, root };
    Ok(Some(Frame { header, entries, hash, end: offset.saturating_add(total) }))
}

/// Whether a valid frame with an index of at least `index` begins anywhere after `offset`.
#[cfg(feature = "write")]
pub(crate) fn valid_frame_after(segment: &[u8], offset: usize, index: u64) -> bool {
    let mut at = offset.saturating_add(SECTOR);
    while at < segment.len() {
        if segment.get(at..).is_some_and(|rest| rest.starts_with(&MAGIC))
            && decode(segment, at)
                .is_ok_and(|frame| frame.is_some_and(|frame| frame.header.first_index >= index))
        {
            return true;
        }
        at = at.saturating_add(SECTOR);
    }
    false
}

/// Splits length-prefixed entries, as frames and entry bundles hold them. `None` if the lengths do not add up.
pub(crate) fn split_entries(mut payload: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = payload.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        payload = rest;
    }
    payload.is_empty().then_some(entries)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameProblem> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(FrameProblem::BeyondSegment)?;
        self.0 = rest;
        Ok(*head)
    }
}

#[cfg(test)]
#[cfg(feature = "write")]
mod tests;
