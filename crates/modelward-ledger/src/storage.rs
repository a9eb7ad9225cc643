//! What the ledger asks of a disk, so that tests can bring one that crashes, fills up or lies.

mod file;
#[cfg(any(test, feature = "sim"))]
mod sim;

use std::any::Any;
use std::fmt::Debug;
use std::io;

pub use file::FileStorage;
#[cfg(test)]
pub(crate) use sim::Random;
#[cfg(any(test, feature = "sim"))]
pub use sim::{Fault, SimDisk};

/// A folder of files. Paths are relative and use `/`.
///
/// The contract that recovery relies on: what was written to a file survives a crash once that file's
/// [`StorageFile::sync`] returned, provided its name survives; names made, renamed or removed in a folder survive
/// once [`Storage::sync_dir`] of that folder returned. Nothing is promised about anything else.
pub trait Storage: Send + Sync + Debug {
    /// Takes the folder for this process until the answer is dropped. `WouldBlock` if another has it.
    fn lock(&self) -> io::Result<Box<dyn Any + Send>>;

    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Makes a new file of this length, filled with zeros, its blocks allocated, its contents synced.
    fn create_zeroed(&self, path: &str, length: u64) -> io::Result<Box<dyn StorageFile>>;

    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// Writes a whole file, making the folders above it. Neither atomic nor durable by itself.
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes a file's contents durable, and the names that lead to it.
    fn sync_files(&self, paths: &[String]) -> io::Result<()>;

    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&self, path: &str) -> io::Result<()>;

    /// Removes a folder and what is in it; fine if there is none.
    fn remove_dir(&self, path: &str) -> io::Result<()>;

    fn create_dir(&self, path: &str) -> io::Result<()>;

    fn sync_dir(&self, path: &str) -> io::Result<()>;

    /// Names of the files in a folder, sorted; none if there is no such folder.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
}

/// An open file that is written in place.
pub trait StorageFile: Send + Sync + Debug {
    fn read_all(&self) -> io::Result<Vec<u8>>;

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    fn sync(&self) -> io::Result<()>;

    fn length(&self) -> io::Result<u64>;

    /// Fails if the file is no longer what its path names: removed, replaced, or its folder moved away. A write
    /// to such a file would succeed and be lost.
    fn check_identity(&self) -> io::Result<()>;
}
