//! Where the counters are kept: one file in a folder, held by one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::OpenError;
use super::frame::{self, Record};

/// Something that keeps bytes. Every call returns after the bytes are durable, or with an error.
pub(super) trait Medium: Send + 'static {
    /// Adds one frame at the end.
    fn append(&mut self, frame: &[u8]) -> io::Result<()>;

    /// Puts these bytes in the place of all there are: afterwards either the old or the new are there, whole.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// How many bytes there are.
    fn length(&self) -> u64;
}

/// `counters.log` in a folder, with `lock` beside it.
#[derive(Debug)]
pub(super) struct FileMedium {
    folder: PathBuf,
    /// `None` until the first [`Medium::replace`] of a folder that had no file.
    file: Option<File>,
    length: u64,
    /// Held for as long as the process uses the folder.
    _lock: File,
}

const FILE: &str = "counters.log";
const FILE_NEW: &str = "counters.new";
const LOCK: &str = "lock";

impl FileMedium {
    pub(super) fn create(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let io = |source| OpenError::Io { path: folder.display().to_string(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let lock = lock(folder)?;
        if path.try_exists().map_err(io)? {
            return Err(OpenError::Exists { path: path.display().to_string() });
        }
        let mut medium = Self { folder: folder.to_owned(), file: None, length: 0, _lock: lock };
        medium.replace(&frame::Frame { sequence: 0, records: &[] }.to_bytes()).map_err(io)?;
        Ok(medium)
    }

    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<Record>), OpenError> {
        let path = folder.join(FILE);
        let shown = path.display().to_string();
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing { path: shown.clone() },
            _ => OpenError::Io { path: shown.clone(), source },
        };
        if !path.try_exists().map_err(failed)? {
            return Err(OpenError::Missing { path: shown });
        }
        let lock = lock(folder)?;
        let bytes = std::fs::read(&path).map_err(failed)?;
        let scan = frame::scan(&bytes).map_err(|damage| OpenError::Damaged {
            path: path.display().to_string(),
            offset: u64::try_from(damage.offset).unwrap_or(u64::MAX),
        })?;
        let length = u64::try_from(scan.whole_bytes).unwrap_or(u64::MAX);
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        if scan.whole_bytes < bytes.len() {
            tracing::warn!(
                cut_bytes = bytes.len() - scan.whole_bytes,
                "cut a torn frame off the counters of grants; nobody was told of it"
            );
            file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        Ok((Self { folder: folder.to_owned(), file: Some(file), length, _lock: lock }, scan.records))
    }

    /// Whether the open file is still the one the path names: not deleted, not moved away.
    fn is_in_place(&self, file: &File) -> io::Result<()> {
        let (open, named) = (file.metadata()?, std::fs::metadata(self.folder.join(FILE))?);
        if identity(&open) == identity(&named) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "the file was moved or deleted underneath"))
    }
}

impl Medium for FileMedium {
    fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was not made yet"));
        };
        self.is_in_place(file)?;
        let mut writing: &File = file;
        writing.write_all(frame)?;
        file.sync_data()?;
        self.length = self.length.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &self.file {
            self.is_in_place(file)?;
        }
        let new = self.folder.join(FILE_NEW);
        let mut file = private().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, self.folder.join(FILE))?;
        File::open(&self.folder)?.sync_all()?;
        self.file = Some(OpenOptions::new().append(true).open(self.folder.join(FILE))?);
        self.length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn length(&self) -> u64 {
        self.length
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let shown = path.display().to_string();
    let file = match private().write(true).create(true).truncate(false).open(&path) {
        Ok(file) => file,
        Err(source) => return Err(OpenError::Io { path: shown, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: shown }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path: shown, source }),
    }
}

/// Options for a file nobody else can read.
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn identity(file: &std::fs::Metadata) -> (u64, u64, bool) {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino(), file.nlink() > 0)
}
