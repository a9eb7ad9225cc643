//! Verifying the public log: every entry, every tile, up to the signed root.

use std::io;
use std::ops::Range;

use modelward_seal::Digest;
use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::merkle::{
    FullTile, TILE_WIDTH, TilePath, TileStack, leaf_hash, subtree_root, tile_width,
};
use modelward_seal::note::{SignedNote, Verifier};

use super::{Finding, Options, Report, Source, Verdict};
use crate::entry::Entry;

pub(crate) const CHECKPOINT_BYTES_MAX: usize = 1 << 20;
pub(crate) const TILE_BYTES_MAX: usize = 256 * 32;
pub(crate) const BUNDLE_BYTES_MAX: usize = 256 * (2 + 0xffff);
/// Bundles that one thread takes at a time.
const SHARE: u64 = 64;

/// Verifies the log that `source` holds at its root (`checkpoint`, `tile/…`) against the trusted key.
pub fn verify_log(source: &dyn Source, trusted: &Verifier, options: Options) -> Report {
    let mut report = Report::new();
    let checkpoint = match read_checkpoint(source, trusted) {
        Ok(checkpoint) => checkpoint,
        Err(problem) => {
            report.add(Finding::new(Verdict::Untrusted, "checkpoint", None, problem));
            return report;
        }
    };
    let size = checkpoint.size;
    let walk = Walk { source, size, options };
    let mut stack = TileStack::new();
    let mut edge = None;
    let width = u64::from(TILE_WIDTH);
    let threads = u64::try_from(options.threads.clamp(1, 64)).unwrap_or(1);
    let mut next = 0;
    while next < size.div_ceil(width) {
        let end = next.saturating_add(SHARE.saturating_mul(threads)).min(size.div_ceil(width));
        for bundle in walk.run(next..end, threads) {
            report.entries = report.entries.saturating_add(bundle.entries);
            bundle.findings.into_iter().for_each(|finding| report.add(finding));
            bundle.missing.into_iter().for_each(|range| report.add_missing(range));
            match bundle.root {
                Some(root) if bundle.full => stack.push(root, |tile| walk.check_tile(&mut report, &tile)),
                other => edge = other,
            }
        }
        // A log that is mostly not there must not keep us busy for as long as its size says.
        if report.findings_omitted > 100_000 {
            break;
        }
        next = end;
    }
    for (path, hashes) in stack.partials() {
        if let TilePath::Hashes { level, index, .. } = path {
            walk.check_tile(&mut report, &FullTile { level, index, hashes: hashes.to_vec() });
        }
    }
    if stack.root_with(edge) != checkpoint.root && report.first_bad_index.is_none() {
        report.add(Finding::damaged("checkpoint", None, "the entries do not have the signed root"));
    }
    report.checkpoint = Some(checkpoint);
    report
}

pub(crate) fn read_checkpoint(source: &dyn Source, trusted: &Verifier) -> Result<Checkpoint, String> {
    let bytes = source.read("checkpoint", CHECKPOINT_BYTES_MAX).map_err(|error| error.to_string())?;
    let note = SignedNote::from_bytes(&bytes).map_err(|error| error.to_string())?;
    // Another spelling of the same note would leave bits that no check looks at.
    if note.to_string().as_bytes() != bytes {
        return Err("the note is not in its usual form".to_owned());
    }
    Checkpoint::verify(&note, trusted).map_err(|error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}

struct Walk<'s> {
    source: &'s dyn Source,
    size: u64,
    options: Options,
}

/// What one bundle and its tile gave.
#[derive(Default)]
struct Checked {
    full: bool,
    /// The root over its leaves.
    root: Option<Digest>,
    entries: u64,
    findings: Vec<Finding>,
    missing: Vec<Range<u64>>,
}

impl Walk<'_> {
    /// Checks the bundles, in order, on several threads if asked.
    fn run(&self, bundles: Range<u64>, threads: u64) -> Vec<Checked> {
        if threads <= 1 {
            return bundles.map(|index| self.check_bundle(index)).collect();
        }
        let shares: Vec<Range<u64>> = (0..threads)
            .map(|thread| {
                let begin = bundles.start.saturating_add(thread.saturating_mul(SHARE)).min(bundles.end);
                begin..begin.saturating_add(SHARE).min(bundles.end)
            })
            .collect();
        std::thread::scope(|scope| {
            let run = |share: Range<u64>| scope.spawn(move || self.run(share, 1));
            let handles: Vec<_> = shares.iter().cloned().map(run).collect();
            // A share whose thread died is checked again here, where a second failure would be seen.
            let joined = handles.into_iter().zip(shares);
            joined.flat_map(|(handle, share)| handle.join().unwrap_or_else(|_| self.run(share, 1))).collect()
        })
    }

    fn check_bundle(&self, index: u64) -> Checked {
        let width = tile_width(self.size, 0, index);
        let first = index.saturating_mul(u64::from(TILE_WIDTH));
        let end = first.saturating_add(u64::from(width));
        let mut checked = Checked { full: width == TILE_WIDTH, ..Checked::default() };
        let tile_path = TilePath::Hashes { level: 0, index, width };
        let tile = self.hashes(tile_path);
        let leaves =
            if end > self.options.from_index { self.leaves(index, width, &mut checked) } else { None };
        match (&tile, &leaves) {
            (Ok(tile), Some(leaves)) => compare(&mut checked, tile_path, first, tile, leaves),
            (Ok(_), None) => {}
            (Err(problem), _) => checked.findings.push(problem.finding(tile_path, first)),
        }
        if leaves.is_none() && end > self.options.from_index {
            checked.missing.push(first..end);
        }
        let known = match (leaves, tile) {
            (Some(leaves), Ok(tile)) if leaves.len() < tile.len() => Some(tile),
            (Some(leaves), _) => Some(leaves),
            (None, tile) => tile.ok(),
        };
        let whole = known.filter(|hashes| hashes.len() == usize::from(width));
        // Absent hashes make a wrong root, which is true: nobody can show the right one.
        checked.root = Some(whole.map_or(Digest::ZERO, |hashes| subtree_root(&hashes)));
        checked
    }

    /// The leaf hashes of a bundle, as far as it can be read; nothing if it is not there.
    fn leaves(&self, index: u64, width: u16, checked: &mut Checked) -> Option<Vec<Digest>> {
        let path = TilePath::Entries { index, width };
        let first = index.saturating_mul(u64::from(TILE_WIDTH));
        let (bytes, whole) = match self.read(path, BUNDLE_BYTES_MAX) {
            Ok(read) => read,
            Err(problem) => {
                checked.findings.push(problem.finding(path, first));
                return None;
            }
        };
        let mut leaves = Vec::with_capacity(usize::from(width));
        let mut rest = bytes.as_slice();
        let mut at = first;
        while leaves.len() < usize::from(width) {
            let split = rest.split_first_chunk::<2>();
            let entry = split
                .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
            let Some((entry, after)) = entry else {
                checked.findings.push(Finding::damaged(path, at, "the bundle ends inside an entry"));
                return Some(leaves);
            };
            if self.options.entries
                && at >= self.options.from_index
                && let Err(error) = Entry::from_bytes(entry)
            {
                checked.findings.push(Finding::damaged(
                    path,
                    at,
                    format!("not an entry of version 1: {error}"),
                ));
            }
            leaves.push(leaf_hash(entry));
            rest = after;
            at = at.saturating_add(1);
            checked.entries = checked.entries.saturating_add(1);
        }
        // A full bundle read in place of a partial one may go on; no other may.
        if !rest.is_empty() && whole {
            checked.findings.push(Finding::damaged(path, at, "the bundle goes on after its last entry"));
        }
        Some(leaves)
    }

    /// Compares a tile of tile roots with its file.
    fn check_tile(&self, report: &mut Report, computed: &FullTile) {
        let level = computed.level.saturating_add(1);
        let width = u16::try_from(computed.hashes.len()).unwrap_or(TILE_WIDTH);
        let path = TilePath::Hashes { level, index: computed.index, width };
        let per_hash = |position: u64| {
            let index = computed.index.saturating_mul(u64::from(TILE_WIDTH)).saturating_add(position);
            index.checked_shl(8 * u32::from(level)).unwrap_or(u64::MAX)
        };
        match self.hashes(path) {
            Err(problem) => report.add(problem.finding(path, per_hash(0))),
            Ok(found) => {
                let differing = found.iter().zip(&computed.hashes).position(|(a, b)| a != b);
                if let Some(position) = differing {
                    let position = u64::try_from(position).unwrap_or(u64::MAX);
                    let (index, end) = (per_hash(position), per_hash(position.saturating_add(1)));
                    // Damage below makes every hash above it differ, and was named more exactly already.
                    let below =
                        |finding: &Finding| finding.index.is_some_and(|at| (index..end).contains(&at));
                    if report.findings.iter().any(below) {
                        return;
                    }
                    report.add(Finding::damaged(path, index, "a hash is not that of the tile below"));
                }
            }
        }
    }

    fn hashes(&self, path: TilePath) -> Result<Vec<Digest>, Problem> {
        let (mut bytes, whole) = self.read(path, TILE_BYTES_MAX)?;
        let TilePath::Hashes { width, .. } = path else { return Err(Problem::Length) };
        let expected = usize::from(width).saturating_mul(Digest::LEN);
        if bytes.len() < expected || (whole && bytes.len() != expected) {
            return Err(Problem::Length);
        }
        bytes.truncate(expected);
        bytes.chunks(Digest::LEN).map(|chunk| Digest::try_from(chunk).map_err(|_| Problem::Length)).collect()
    }

    /// The file, and whether it is the one asked for rather than the full one in its place.
    fn read(&self, path: TilePath, bytes_max: usize) -> Result<(Vec<u8>, bool), Problem> {
        match self.source.read(&path.to_string(), bytes_max) {
            Ok(bytes) => Ok((bytes, true)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_partial() => {
                let full = self.source.read(&path.full().to_string(), bytes_max);
                full.map(|bytes| (bytes, false)).map_err(Problem::of)
            }
            Err(error) => Err(Problem::of(error)),
        }
    }
}

fn compare(checked: &mut Checked, tile_path: TilePath, first: u64, tile: &[Digest], leaves: &[Digest]) {
    let differing = tile.iter().zip(leaves).position(|(a, b)| a != b);
    if let Some(position) = differing {
        let index = first.saturating_add(u64::try_from(position).unwrap_or(u64::MAX));
        checked.findings.push(Finding::damaged(
            tile_path,
            index,
            "the entry and its hash in the tile differ",
        ));
    }
}

/// Why a file of the log is of no use.
enum Problem {
    Missing,
    Length,
    Io(io::Error),
}

impl Problem {
    fn of(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Io(error) }
    }

    fn finding(&self, path: TilePath, first: u64) -> Finding {
        match self {
            Self::Missing => Finding::new(Verdict::Incomplete, path, first, "the file is missing"),
            Self::Length => Finding::damaged(path, first, "the tile has the wrong length"),
            Self::Io(error) => Finding::damaged(path, first, format!("the file cannot be read: {error}")),
        }
    }
}
