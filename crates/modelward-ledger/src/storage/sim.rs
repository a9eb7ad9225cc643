//! A disk in memory that crashes on command, deterministically.
//!
//! It keeps what was written since each file's last sync as a list of sector writes. A crash keeps any subset of
//! them in any mixture, per 512-byte sector, chosen by a seed, and likewise undoes any subset of the changes of
//! names that were not synced with their folder. It can also fail calls: see [`Fault`].

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Storage, StorageFile};

const SECTOR: usize = 512;

/// What the disk does wrong from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// Writes in place succeed, syncing them fails.
    SyncFails,
    /// No new block: making or growing files fails, writing in place works.
    Full,
    /// Every write fails, as on a read-only mount.
    ReadOnly,
    /// The folder was deleted or moved away; open files still accept writes.
    Gone,
}

/// A simulated disk. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    locked: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Default)]
struct State {
    inodes: BTreeMap<u64, Inode>,
    /// Names as the running system sees them.
    names: BTreeMap<String, u64>,
    /// Changes of names not yet synced, oldest first: path, and what it named before.
    renames: Vec<NameChange>,
    next_inode: u64,
    /// Calls that changed the disk, so far.
    operations: u64,
    /// From this operation on nothing reaches the disk: the power is gone.
    crash_at: Option<u64>,
    fault: Fault,
    capacity: Option<u64>,
    /// The disk before each operation, if asked for.
    history: Option<Vec<Arc<Self>>>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    current: Vec<u8>,
    /// Sectors that differ, in the order of their writes; each with the bytes it got.
    pending: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug, Clone)]
struct NameChange {
    folder: String,
    path: String,
    before: Option<u64>,
}

impl SimDisk {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn fault(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// Room for this many bytes in all files together.
    pub fn capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Lets the disk lose power at the operation with this number.
    pub fn crash_at(&self, operation: Option<u64>) {
        self.state().crash_at = operation;
    }

    /// Keeps the disk as it is before each further operation: see [`Self::history`].
    pub fn remember(&self) {
        self.state().history = Some(Vec::new());
    }

    /// The disks as they were before each operation since [`Self::remember`], and as it is now. A power loss in
    /// the middle of an operation leaves one of the mixtures that [`Self::after_crash`] makes of these.
    pub fn history(&self) -> Vec<Self> {
        let mut state = self.state();
        let past = state.history.take().unwrap_or_default();
        let now = Arc::new(state.clone());
        let disk = |state: Arc<State>| Self {
            state: Arc::new(Mutex::new((*state).clone())),
            locked: Arc::default(),
        };
        past.into_iter().chain([now]).map(disk).collect()
    }

    /// How many operations changed the disk so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What a machine finds after losing power now: synced bytes, and of the others what the seed picks.
    pub fn after_crash(&self, seed: u64) -> Self {
        let mut state = self.state().clone();
        let mut random = Random(seed);
        // Seeds 0 and 1 are the two extremes; others mix.
        let mut survives = |_: ()| match seed {
            0 => false,
            1 => true,
            _ => random.next() & 1 == 1,
        };
        for change in std::mem::take(&mut state.renames).into_iter().rev() {
            if !survives(()) {
                match change.before {
                    Some(inode) => state.names.insert(change.path, inode),
                    None => state.names.remove(&change.path),
                };
            }
        }
        for inode in state.inodes.values_mut() {
            let mut bytes = std::mem::take(&mut inode.durable);
            for (at, sector) in std::mem::take(&mut inode.pending) {
                if survives(()) {
                    put(&mut bytes, at, &sector);
                }
            }
            inode.current.clone_from(&bytes);
            inode.durable = bytes;
        }
        let live: BTreeSet<u64> = state.names.values().copied().collect();
        state.inodes.retain(|inode, _| live.contains(inode));
        state.crash_at = None;
        state.fault = Fault::None;
        Self { state: Arc::new(Mutex::new(state)), locked: Arc::default() }
    }

    /// Every file's name.
    pub fn paths(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// Every file's name and bytes.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let bytes =
            |inode: &u64| state.inodes.get(inode).map(|inode| inode.current.clone()).unwrap_or_default();
        state.names.iter().map(|(name, inode)| (name.clone(), bytes(inode))).collect()
    }

    /// Changes a file behind the ledger's back, durably.
    pub fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let Some(inode) = state.names.get(path).copied() else { return };
        let Some(inode) = state.inodes.get_mut(&inode) else { return };
        change(&mut inode.current);
        inode.durable.clone_from(&inode.current);
        inode.pending.clear();
    }

    /// Removes a file behind the ledger's back, durably.
    pub fn tear_out(&self, path: &str) {
        self.state().names.remove(path);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts one change, and refuses it if the disk has failed.
    fn change(&mut self) -> io::Result<()> {
        if let Some(mut history) = self.history.take() {
            history.push(Arc::new(self.clone()));
            self.history = Some(history);
        }
        self.operations = self.operations.saturating_add(1);
        if self.crash_at.is_some_and(|at| self.operations > at) {
            return Err(io::Error::other("simulated power loss"));
        }
        match self.fault {
            Fault::ReadOnly => Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)),
            Fault::None | Fault::SyncFails | Fault::Full | Fault::Gone => Ok(()),
        }
    }

    fn grow(&self, by: usize) -> io::Result<()> {
        let used: usize =
            self.names.values().filter_map(|i| self.inodes.get(i)).map(|i| i.current.len()).sum();
        let wanted = u64::try_from(used.saturating_add(by)).unwrap_or(u64::MAX);
        if self.fault == Fault::Full || self.capacity.is_some_and(|capacity| wanted > capacity) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn named(&self, path: &str) -> io::Result<u64> {
        if self.fault == Fault::Gone {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        self.names.get(path).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn name(&mut self, path: &str, inode: Option<u64>) {
        let before = match inode {
            Some(inode) => self.names.insert(path.to_owned(), inode),
            None => self.names.remove(path),
        };
        self.renames.push(NameChange { folder: folder(path), path: path.to_owned(), before });
    }

    fn create(&mut self, path: &str) -> u64 {
        self.next_inode = self.next_inode.saturating_add(1);
        let inode = self.next_inode;
        self.inodes.insert(inode, Inode::default());
        self.name(path, Some(inode));
        inode
    }

    fn write(&mut self, inode: u64, bytes: &[u8], offset: usize) {
        let Some(inode) = self.inodes.get_mut(&inode) else { return };
        let end = offset.saturating_add(bytes.len());
        put(&mut inode.current, offset, bytes);
        let mut at = offset - offset % SECTOR;
        while at < end {
            let sector = inode.current.get(at..at.saturating_add(SECTOR).min(inode.current.len()));
            inode.pending.push((at, sector.unwrap_or_default().to_vec()));
            at = at.saturating_add(SECTOR);
        }
    }

    fn sync(&mut self, inode: u64) {
        if let Some(inode) = self.inodes.get_mut(&inode) {
            inode.pending.clear();
            inode.durable.clone_from(&inode.current);
        }
    }
}

fn folder(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    let end = offset.saturating_add(new.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(range) = bytes.get_mut(offset..end) {
        range.copy_from_slice(new);
    }
}

impl Storage for SimDisk {
    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        if self.locked.swap(true, Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        Ok(Box::new(Unlock(Arc::clone(&self.locked))))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let inode = self.state().named(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn create_zeroed(&self, path: &str, length: u64) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        state.change()?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        state.grow(length)?;
        let inode = state.create(path);
        if let Some(file) = state.inodes.get_mut(&inode) {
            file.current = vec![0; length];
            file.durable = vec![0; length];
        }
        drop(state);
        self.open(path)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let state = self.state();
        let inode = state.named(path)?;
        Ok(state.inodes.get(&inode).map(|inode| inode.current.clone()).unwrap_or_default())
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        if state.fault == Fault::Gone {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        state.grow(bytes.len())?;
        let inode = match state.names.get(path) {
            Some(inode) => *inode,
            None => state.create(path),
        };
        if let Some(file) = state.inodes.get_mut(&inode) {
            file.current.clear();
        }
        state.write(inode, bytes, 0);
        Ok(())
    }

    fn sync_files(&self, paths: &[String]) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        if state.fault == Fault::SyncFails {
            return Err(io::Error::other("simulated failure to sync"));
        }
        for path in paths {
            let inode = state.named(path)?;
            state.sync(inode);
            state.renames.retain(|change| !paths.contains(&change.path));
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let inode = state.named(from)?;
        // INVARIANT: a rename is atomic: the crash may undo it, but never leaves half of it. Undoing only the
        // removal of the old name is harmless, so it is dropped from the list.
        state.name(to, Some(inode));
        state.names.remove(from);
        state.renames.retain(|change| change.path != from);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.named(path)?;
        state.name(path, None);
        Ok(())
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let prefix = format!("{path}/");
        let inside: Vec<String> =
            state.names.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
        inside.iter().for_each(|name| state.name(name, None));
        Ok(())
    }

    fn create_dir(&self, _path: &str) -> io::Result<()> {
        self.state().change()
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        if state.fault == Fault::SyncFails {
            return Err(io::Error::other("simulated failure to sync"));
        }
        state.renames.retain(|change| change.folder != path);
        Ok(())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let inside = state.names.keys().filter_map(|name| name.strip_prefix(&prefix));
        let names: BTreeSet<String> =
            inside.filter_map(|rest| rest.split('/').next()).map(ToOwned::to_owned).collect();
        Ok(names.into_iter().collect())
    }
}

#[derive(Debug)]
struct Unlock(Arc<AtomicBool>);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: u64,
    path: String,
}

impl StorageFile for SimFile {
    fn read_all(&self) -> io::Result<Vec<u8>> {
        let state = self.disk.state();
        Ok(state.inodes.get(&self.inode).map(|inode| inode.current.clone()).unwrap_or_default())
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let begin = usize::try_from(offset).map_err(io::Error::other)?;
        let state = self.disk.state();
        let bytes =
            state.inodes.get(&self.inode).and_then(|i| i.current.get(begin..begin.saturating_add(length)));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let begin = usize::try_from(offset).map_err(io::Error::other)?;
        if let Err(error) = state.change() {
            // A write in flight when the power goes may be torn.
            let torn = state.crash_at.is_some_and(|at| state.operations == at.saturating_add(1));
            if torn {
                state.write(self.inode, bytes, begin);
            }
            return Err(error);
        }
        state.write(self.inode, bytes, begin);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        if state.fault == Fault::SyncFails {
            return Err(io::Error::other("simulated failure to sync"));
        }
        state.sync(self.inode);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.disk.state();
        let length = state.inodes.get(&self.inode).map_or(0, |inode| inode.current.len());
        u64::try_from(length).map_err(io::Error::other)
    }

    fn check_identity(&self) -> io::Result<()> {
        let state = self.disk.state();
        if state.named(&self.path)? == self.inode {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "the segment's path now names another file"))
    }
}

/// `SplitMix64`: small, good enough to pick sectors, the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
