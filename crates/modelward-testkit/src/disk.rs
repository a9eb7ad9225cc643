//! A disk in memory for the ledger that can be held up: writes go through, syncing waits.

use std::any::Any;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use modelward_ledger::storage::{Fault, SimDisk, Storage, StorageFile};

/// A [`SimDisk`] with a tap in front of its syncs. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    sim: SimDisk,
    tap: Arc<Tap>,
}

#[derive(Debug, Default)]
struct Tap {
    closed: Mutex<bool>,
    opened: Condvar,
}

#[derive(Debug)]
struct TappedFile {
    file: Box<dyn StorageFile>,
    tap: Arc<Tap>,
}

impl Disk {
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on nothing becomes durable.
    pub fn hold(&self) {
        self.set(true);
    }

    /// What waited becomes durable.
    pub fn release(&self) {
        self.set(false);
    }

    /// What the disk does wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.sim.fault(fault);
    }

    /// What a machine finds after losing power now; see [`SimDisk::after_crash`].
    #[must_use]
    pub fn after_crash(&self, seed: u64) -> Self {
        Self { sim: self.sim.after_crash(seed), tap: Arc::default() }
    }

    fn set(&self, closed: bool) {
        *self.tap.closed.lock().unwrap_or_else(PoisonError::into_inner) = closed;
        self.tap.opened.notify_all();
    }
}

impl Tap {
    fn pass(&self) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        while *closed {
            closed = self.opened.wait(closed).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Storage for Disk {
    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        self.sim.lock()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = self.sim.open(path)?;
        Ok(Box::new(TappedFile { file, tap: Arc::clone(&self.tap) }))
    }

    fn create_zeroed(&self, path: &str, length: u64) -> io::Result<Box<dyn StorageFile>> {
        let file = self.sim.create_zeroed(path, length)?;
        Ok(Box::new(TappedFile { file, tap: Arc::clone(&self.tap) }))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.sim.read(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.sim.write(path, bytes)
    }

    fn sync_files(&self, paths: &[String]) -> io::Result<()> {
        self.tap.pass();
        self.sim.sync_files(paths)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.sim.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.sim.remove(path)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.sim.remove_dir(path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.sim.create_dir(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.tap.pass();
        self.sim.sync_dir(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.sim.list(path)
    }
}

impl StorageFile for TappedFile {
    fn read_all(&self) -> io::Result<Vec<u8>> {
        self.file.read_all()
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.file.read_at(offset, length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.tap.pass();
        self.file.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn check_identity(&self) -> io::Result<()> {
        self.file.check_identity()
    }
}
