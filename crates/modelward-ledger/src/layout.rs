//! Names of the files in a ledger's folder.

/// `wal/00000001.seg`, counted from one.
pub(crate) const SEGMENTS: &str = "wal";
/// The public part: checkpoint, tiles and bundles, as C2SP tlog-tiles lays them out.
pub(crate) const LOG: &str = "log";
#[cfg(feature = "write")]
pub(crate) const CHECKPOINT: &str = "log/checkpoint";
#[cfg(feature = "write")]
pub(crate) const INDEX: &str = "index";

#[cfg(feature = "write")]
pub(crate) fn segment(number: u64) -> String {
    format!("{SEGMENTS}/{number:08}.seg")
}

/// The number of a segment file, if the name has exactly the form of one.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let number: u64 = digits.parse().ok()?;
    (number > 0 && format!("{number:08}") == digits).then_some(number)
}

#[cfg(feature = "write")]
pub(crate) fn reserve(slot: usize) -> String {
    format!("{SEGMENTS}/reserve-{slot:02}.seg")
}

#[cfg(feature = "write")]
pub(crate) fn in_log(path: impl std::fmt::Display) -> String {
    format!("{LOG}/{path}")
}
