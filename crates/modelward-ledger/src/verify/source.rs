//! Where a verifier reads from.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;

/// Files of a log by path. An HTTP client implements it as well as a folder does.
pub trait Source: Sync {
    /// The whole file, or an error if it is missing or longer than `bytes_max`.
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// Names in a folder, those of folders with a final `/`; none if there is no such folder. Only
    /// [`super::verify_folder`] asks.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
}

/// A folder of the local file system.
#[derive(Debug, Clone)]
pub struct FolderSource {
    root: PathBuf,
}

impl FolderSource {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Source for FolderSource {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let file = File::open(self.root.join(path))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than it may be"));
        }
        Ok(bytes)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let folder = if entry.file_type()?.is_dir() { "/" } else { "" };
            names.push(format!("{}{folder}", entry.file_name().to_string_lossy()));
        }
        names.sort();
        Ok(names)
    }
}

/// The part of another source below a prefix.
pub(crate) struct Below<'s> {
    pub(crate) source: &'s dyn Source,
    pub(crate) prefix: &'static str,
}

impl Source for Below<'_> {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.source.read(&format!("{}/{path}", self.prefix), bytes_max)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.source.list(format!("{}/{path}", self.prefix).trim_end_matches('/'))
    }
}
