//! Whether files changed since they were last looked at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// When each file was written, and how long it is: enough to notice a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp<const N: usize>([Option<(SystemTime, u64)>; N]);

impl<const N: usize> Stamp<N> {
    /// # Errors
    /// A file cannot be looked at: its path and why.
    pub(crate) fn of(paths: [&Path; N]) -> Result<Self, (PathBuf, io::Error)> {
        let mut stamps = [None; N];
        for (stamp, path) in stamps.iter_mut().zip(paths) {
            let looked = fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len())));
            *stamp = Some(looked.map_err(|error| (path.to_owned(), error))?);
        }
        Ok(Self(stamps))
    }
}
