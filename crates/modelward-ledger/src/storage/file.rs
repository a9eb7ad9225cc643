//! The real disk.

use std::any::Any;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Storage, StorageFile};

/// Files below one folder of the local file system.
#[derive(Debug, Clone)]
pub struct FileStorage {
    root: PathBuf,
}

/// Up to this many files are synced one by one; above it the whole file system is.
const SYNC_ONE_BY_ONE_MAX: usize = 128;

impl FileStorage {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

impl Storage for FileStorage {
    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Box::new(file)),
            Err(error) => Err(error.into()),
        }
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let path = self.path(path);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Box::new(DiskFile { file, path }))
    }

    fn create_zeroed(&self, path: &str, length: u64) -> io::Result<Box<dyn StorageFile>> {
        let path = self.path(path);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        // Written, not only reserved: a block's first write would otherwise change the file's metadata, and
        // every flush would wait for the file system's journal. In pieces, so that flushes of others get through.
        let zeros = vec![0; 1 << 20];
        let mut at = 0;
        while at < length {
            let piece = usize::try_from(length.saturating_sub(at)).unwrap_or(usize::MAX).min(zeros.len());
            file.write_all_at(zeros.get(..piece).unwrap_or_default(), at)?;
            file.sync_data()?;
            at = at.saturating_add(u64::try_from(piece).unwrap_or(u64::MAX));
        }
        file.sync_all()?;
        Ok(Box::new(DiskFile { file, path }))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(path))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(path);
        let written = match fs::write(&path, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
                fs::write(&path, bytes)
            }
            other => other,
        };
        if written.is_err() {
            // A full disk leaves the beginning of a file, which a verifier would call damaged. It is written anew later.
            fs::remove_file(&path).unwrap_or_default();
        }
        written
    }

    fn sync_files(&self, paths: &[String]) -> io::Result<()> {
        if paths.len() > SYNC_ONE_BY_ONE_MAX {
            return rustix::fs::syncfs(File::open(&self.root)?).map_err(io::Error::from);
        }
        let mut folders = std::collections::BTreeSet::new();
        for path in paths {
            let path = self.path(path);
            File::open(&path)?.sync_all()?;
            // Folders above may be new too.
            folders.extend(
                path.ancestors().skip(1).take_while(|at| at.starts_with(&self.root)).map(Path::to_owned),
            );
        }
        folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(path))
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        File::open(self.path(path))?.sync_all()
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().to_str().map(ToOwned::to_owned));
        }
        names.sort();
        Ok(names)
    }
}

#[derive(Debug)]
struct DiskFile {
    file: File,
    path: PathBuf,
}

impl StorageFile for DiskFile {
    fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn check_identity(&self) -> io::Result<()> {
        let held = self.file.metadata()?;
        if held.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the segment was removed underneath"));
        }
        let named = fs::symlink_metadata(&self.path)?;
        if (named.dev(), named.ino()) != (held.dev(), held.ino()) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the segment's path now names another file"));
        }
        Ok(())
    }
}
