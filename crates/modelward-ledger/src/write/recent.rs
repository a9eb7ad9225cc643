//! Entries that are durable but not yet, or only just, in bundles: what the publisher and readers share.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use modelward_seal::Digest;

/// One durable entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) leaf: Digest,
}

/// The tail of the log in memory, from the last full bundle on.
pub(crate) struct Recent {
    state: Mutex<State>,
    /// For readers who follow the log.
    grown: Condvar,
    /// For the publisher, who need not look at every commit.
    due: Condvar,
}

pub(crate) type Watcher = Box<dyn Fn(u64) + Send + Sync>;

struct State {
    /// Index of the first record kept.
    first: u64,
    records: VecDeque<Record>,
    root: Digest,
    published: u64,
    /// The size at which the publisher wants to be woken.
    publish_at: u64,
    watchers: Vec<Arc<Watcher>>,
    closed: bool,
}

impl Recent {
    pub(crate) fn new(first: u64, root: Digest) -> Self {
        let state = State {
            first,
            records: VecDeque::new(),
            root,
            published: 0,
            publish_at: u64::MAX,
            watchers: Vec::new(),
            closed: false,
        };
        Self { state: Mutex::new(state), grown: Condvar::new(), due: Condvar::new() }
    }

    /// Adds entries that just became durable under this root.
    pub(crate) fn extend(&self, records: Vec<Record>, root: Digest) {
        let (size, is_due, watchers) = {
            let mut state = self.state();
            state.records.extend(records);
            state.root = root;
            (state.size(), state.size() >= state.publish_at, state.watchers.clone())
        };
        if is_due {
            self.due.notify_all();
        }
        self.grown.notify_all();
        watchers.iter().for_each(|watcher| watcher(size));
    }

    pub(crate) fn size(&self) -> u64 {
        self.state().size()
    }

    pub(crate) fn published(&self) -> u64 {
        self.state().published
    }

    /// Size, root and all records from `from` on. Nothing if they are no longer kept.
    pub(crate) fn since(&self, from: u64) -> Option<(u64, Digest, Vec<Record>)> {
        let state = self.state();
        let skip = usize::try_from(from.checked_sub(state.first)?).ok()?;
        Some((state.size(), state.root, state.records.iter().skip(skip).cloned().collect()))
    }

    pub(crate) fn entry(&self, index: u64) -> Option<Record> {
        let state = self.state();
        let offset = usize::try_from(index.checked_sub(state.first)?).ok()?;
        state.records.get(offset).cloned()
    }

    /// Everything below `size` is in a published checkpoint; what is in full bundles may be forgotten.
    pub(crate) fn published_up_to(&self, size: u64) {
        let watchers = {
            let mut state = self.state();
            state.published = size;
            let keep_from = size.saturating_sub(size % 256);
            while state.first < keep_from && state.records.pop_front().is_some() {
                state.first = state.first.saturating_add(1);
            }
            state.watchers.clone()
        };
        self.grown.notify_all();
        watchers.iter().for_each(|watcher| watcher(size));
    }

    pub(crate) fn unpublished(&self) -> u64 {
        let state = self.state();
        state.size().saturating_sub(state.published)
    }

    /// Waits until the log is longer than `size`, for at most `patience`; gives its size.
    pub(crate) fn wait_beyond(&self, size: u64, patience: Duration) -> u64 {
        let longer = |state: &mut State| state.size() <= size && !state.closed;
        let guard = self.grown.wait_timeout_while(self.state(), patience, longer);
        guard.unwrap_or_else(PoisonError::into_inner).0.size()
    }

    /// Waits until at least `count` entries are unpublished, or any at all when `patience` is over, or the log
    /// closes. Gives whether it closed.
    pub(crate) fn wait_unpublished(&self, count: u64, patience: Duration) -> bool {
        let mut state = self.state();
        let publish_at = state.published.saturating_add(count);
        state.publish_at = publish_at;
        let pending = |state: &mut State| state.size() < publish_at && !state.closed;
        let (mut state, _) =
            self.due.wait_timeout_while(state, patience, pending).unwrap_or_else(PoisonError::into_inner);
        state.publish_at = u64::MAX;
        state.closed
    }

    /// Calls `watcher` with a size after every commit and every checkpoint. It must be quick: it runs on the
    /// ledger's own threads.
    pub(crate) fn watch(&self, watcher: Watcher) {
        self.state().watchers.push(Arc::new(watcher));
    }

    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.due.notify_all();
        self.grown.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn size(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.records.len()).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recent").field("size", &self.size()).finish_non_exhaustive()
    }
}
