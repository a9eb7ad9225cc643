//! Verifying the owner's folder: the public log, and beside it segments, heads, index and leftovers.

use modelward_seal::Digest;
use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::merkle::{CompactTree, TileNodes, TilePath, leaf_hash, tile_width};
use modelward_seal::note::Verifier;

use super::log::{BUNDLE_BYTES_MAX, TILE_BYTES_MAX, verify_log};
use super::source::Below;
use super::{Finding, Options, Report, Source, Verdict};
use crate::frame::{self, FrameProblem};
use crate::{heads, layout};

const SEGMENT_BYTES_MAX: usize = 1 << 30;
const INDEX_BYTES_MAX: usize = 1 << 30;
/// Folders below `log/tile` are at most this deep: level, eight groups of three digits, partial.
const DEPTH_MAX: usize = 12;

/// Verifies the folder of a ledger that no process is writing. `source` is the folder itself.
pub fn verify_folder(source: &dyn Source, trusted: &Verifier, options: Options) -> Report {
    let log = Below { source, prefix: layout::LOG };
    let mut report = verify_log(&log, trusted, options);
    if let Some(checkpoint) = report.checkpoint.clone() {
        check_leftovers(&log, &checkpoint, &mut report);
        check_segments(source, &log, &checkpoint, &mut report);
    }
    check_index(source, &mut report);
    report
}

/// Partial tiles of earlier checkpoints must be beginnings of the present ones; nothing else may lie about.
fn check_leftovers(log: &dyn Source, checkpoint: &Checkpoint, report: &mut Report) {
    let mut folders = vec![(String::new(), 0_usize)];
    while let Some((folder, depth)) = folders.pop() {
        let names = match log.list(&folder) {
            Ok(names) => names,
            Err(error) => {
                report.add(Finding::damaged(&folder, None, format!("cannot be listed: {error}")));
                continue;
            }
        };
        for name in names {
            let path = format!("{folder}{name}");
            if name.ends_with('/') && depth < DEPTH_MAX {
                folders.push((path, depth.saturating_add(1)));
            } else {
                check_leftover(log, checkpoint, &path, report);
            }
        }
    }
}

fn check_leftover(log: &dyn Source, checkpoint: &Checkpoint, path: &str, report: &mut Report) {
    // Left by a crash between making a checkpoint and giving it its name.
    if path == "checkpoint.new" {
        return;
    }
    let Ok(tile) = path.parse::<TilePath>() else {
        report.add(Finding::damaged(path, None, "nothing in a log has this name"));
        return;
    };
    let (level, index, width, bytes_max) = match tile {
        TilePath::Checkpoint => return,
        TilePath::Hashes { level, index, width } => (level, index, width, TILE_BYTES_MAX),
        TilePath::Entries { index, width } => (0, index, width, BUNDLE_BYTES_MAX),
    };
    let present = tile_width(checkpoint.size, level, index);
    if width == present {
        // Verified already.
        return;
    }
    if width > present {
        report.add_unsigned(path);
        return;
    }
    let current = match tile {
        TilePath::Entries { .. } => TilePath::Entries { index, width: present },
        TilePath::Hashes { .. } | TilePath::Checkpoint => TilePath::Hashes { level, index, width: present },
    };
    let whole = log
        .read(&current.to_string(), bytes_max)
        .or_else(|_| log.read(&current.full().to_string(), bytes_max));
    let (Ok(whole), Ok(part)) = (whole, log.read(path, bytes_max)) else {
        report.add(Finding::damaged(path, None, "cannot be read beside the present tile"));
        return;
    };
    let expected = match tile {
        TilePath::Entries { .. } => first_entries(&whole, width),
        TilePath::Hashes { .. } | TilePath::Checkpoint => {
            whole.get(..usize::from(width).saturating_mul(Digest::LEN)).map(<[u8]>::to_vec)
        }
    };
    if expected.as_deref() != Some(part.as_slice()) {
        let entry = index.saturating_mul(256).checked_shl(8 * u32::from(level)).unwrap_or(u64::MAX);
        report.add(Finding::damaged(
            path,
            entry,
            "an earlier partial tile is not the beginning of the present one",
        ));
    }
}

fn first_entries(bundle: &[u8], width: u16) -> Option<Vec<u8>> {
    let entries = frame::split_entries(bundle)?;
    let length = entries.iter().take(usize::from(width)).map(|entry| entry.len().saturating_add(2)).sum();
    bundle.get(..length).map(<[u8]>::to_vec)
}

/// Follows the frames and compares where they lead with what was signed.
fn check_segments(source: &dyn Source, log: &dyn Source, checkpoint: &Checkpoint, report: &mut Report) {
    let mut scan = Scan { log, checkpoint, tree: None, previous: Digest::ZERO, roots: Vec::new() };
    let names = source.list(layout::SEGMENTS).unwrap_or_default();
    let mut numbers: Vec<(u64, &String)> =
        names.iter().filter_map(|name| Some((layout::segment_number(name)?, name))).collect();
    numbers.sort();
    for (before, after) in numbers.iter().zip(numbers.iter().skip(1)) {
        if before.0.saturating_add(1) != after.0 {
            let number = before.0.saturating_add(1);
            report.add(Finding::damaged(layout::SEGMENTS, None, format!("segment {number} is missing")));
            return;
        }
    }
    let mut ended = false;
    let mut length = None;
    for (_, name) in numbers {
        let path = format!("{}/{name}", layout::SEGMENTS);
        match source.read(&path, SEGMENT_BYTES_MAX) {
            Err(error) => report.add(Finding::damaged(&path, scan.size(), error)),
            Ok(bytes) if *length.get_or_insert(bytes.len()) != bytes.len() || bytes.is_empty() => {
                report.add(Finding::damaged(
                    &path,
                    scan.size(),
                    "the segment has another length than the first",
                ));
            }
            Ok(bytes) => match scan.segment(&bytes) {
                Ok(frames) if frames > 0 && ended => {
                    report.add(Finding::damaged(&path, scan.size(), "frames follow an empty segment"));
                }
                Ok(frames) => ended |= frames == 0 && scan.tree.is_some(),
                Err((offset, problem)) => {
                    let problem = format!("at byte {offset}: {problem}");
                    report.add(Finding::damaged(&path, scan.size(), problem));
                    return;
                }
            },
        }
    }
    for name in names.iter().filter(|name| name.starts_with("reserve-")) {
        let path = format!("{}/{name}", layout::SEGMENTS);
        let empty =
            source.read(&path, SEGMENT_BYTES_MAX).is_ok_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        if !empty {
            report.add(Finding::damaged(&path, None, "a reserve segment is not empty"));
        }
    }
    scan.check_heads(source, report);
}

struct Scan<'s> {
    log: &'s dyn Source,
    checkpoint: &'s Checkpoint,
    tree: Option<CompactTree>,
    previous: Digest,
    roots: Vec<(u64, Digest)>,
}

impl Scan<'_> {
    fn size(&self) -> u64 {
        self.tree.as_ref().map_or(0, CompactTree::size)
    }

    /// Gives how many frames the segment holds, or where it goes wrong.
    fn segment(&mut self, bytes: &[u8]) -> Result<usize, (usize, FrameProblem)> {
        let mut offset = 0;
        let mut frames = 0_usize;
        while let Some(found) = frame::decode(bytes, offset).map_err(|problem| (offset, problem))? {
            self.frame(&found).map_err(|problem| (offset, problem))?;
            offset = found.end;
            frames = frames.saturating_add(1);
        }
        Ok(frames)
    }

    fn frame(&mut self, found: &frame::Frame<'_>) -> Result<(), FrameProblem> {
        let header = &found.header;
        if self.tree.is_none() {
            self.tree = Some(self.tree_before(header.first_index).ok_or(FrameProblem::Tiles)?);
            self.roots.push((header.first_index, self.tree.as_ref().map_or(Digest::ZERO, CompactTree::root)));
            // What came before the first segment that is kept cannot be compared.
            self.previous = if header.first_index == 0 { Digest::ZERO } else { header.previous };
        }
        let size = self.size();
        let Some(tree) = &mut self.tree else { return Err(FrameProblem::Tiles) };
        if header.first_index != size {
            return Err(FrameProblem::Index { found: header.first_index });
        }
        if header.previous != self.previous {
            return Err(FrameProblem::Chain);
        }
        let mut next = tree.clone();
        found.entries.iter().for_each(|entry| next.push(leaf_hash(entry)));
        if next.root() != header.root {
            return Err(FrameProblem::Root);
        }
        *tree = next;
        self.previous = found.hash;
        self.roots.push((self.size(), header.root));
        Ok(())
    }

    fn tree_before(&self, size: u64) -> Option<CompactTree> {
        if size == 0 {
            return Some(CompactTree::new());
        }
        if size > self.checkpoint.size {
            return None;
        }
        let nodes = TileNodes::new(self.checkpoint.size, |path: TilePath| {
            let read = |path: TilePath| self.log.read(&path.to_string(), TILE_BYTES_MAX);
            let bytes = read(path).or_else(|_| read(path.full())).map_err(drop)?;
            bytes.chunks(Digest::LEN).map(|chunk| Digest::try_from(chunk).map_err(drop)).collect()
        });
        CompactTree::at(size, &nodes).ok()
    }

    /// The segments must reach, and agree with, everything that was signed or was about to be.
    fn check_heads(&self, source: &dyn Source, report: &mut Report) {
        self.check_root(layout::SEGMENTS, self.checkpoint.size, self.checkpoint.root, report);
        let bytes = usize::try_from(heads::FILE_BYTES).unwrap_or(usize::MAX);
        let file = source.read(heads::PATH, bytes).unwrap_or_default();
        let slots = heads::decode(&file);
        for (slot, head) in (0_usize..).zip(slots) {
            if head.is_none() {
                let problem = format!("slot {slot} is damaged (or was torn by a crash)");
                report.add(Finding::damaged(heads::PATH, None, problem));
            }
        }
        for (slot, head) in (0_u64..).zip(slots) {
            if head.is_some_and(|head| head.sequence & 1 != slot) {
                report.add(Finding::damaged(heads::PATH, None, "the slots changed places"));
            }
        }
        let used = |at: usize| at % heads::SLOT_STRIDE < heads::SLOT;
        if file.iter().enumerate().any(|(at, byte)| *byte != 0 && !used(at)) {
            report.add(Finding::damaged(heads::PATH, None, "something stands between the slots"));
        }
        if let Some(head) = heads::newest(slots) {
            self.check_root(heads::PATH, head.size, head.root, report);
            if head.size < self.checkpoint.size {
                let problem = "an older state than the published checkpoint: rolled back";
                report.add(Finding::damaged(heads::PATH, head.size, problem));
            }
        }
    }

    fn check_root(&self, path: &str, size: u64, root: Digest, report: &mut Report) {
        if size > self.size() {
            let problem = format!("segments end at {} though {size} entries were signed", self.size());
            report.add(Finding::new(Verdict::Damaged, path, self.size(), problem));
            return;
        }
        if let Some((_, found)) = self.roots.iter().find(|(at, _)| *at == size)
            && *found != root
        {
            report.add(Finding::damaged(
                path,
                None,
                format!("another root at size {size} than the segments have"),
            ));
        }
    }
}

/// The index is derived and would be made again; it is checked all the same, so that no byte goes unnoticed.
fn check_index(source: &dyn Source, report: &mut Report) {
    let Ok(bytes) = source.read("index", INDEX_BYTES_MAX) else { return };
    let digest = Digest::of(bytes.get(72..).unwrap_or_default());
    if bytes.get(..72) != Some(format!("{digest}\n").as_bytes()) {
        report.add(Finding::damaged("index", None, "the index does not have its digest"));
    }
}
