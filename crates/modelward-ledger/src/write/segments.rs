//! Segment files: made ahead of need, full of zeros, with some kept back for the worst hour.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::layout;
use crate::storage::{Storage, StorageFile};

/// A prepared segment: nothing but zeros, durable.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) file: Box<dyn StorageFile>,
    /// Taken from the reserve: only narrowing entries may go in.
    pub(crate) reserved: bool,
}

/// Segments ready for use. Shared by the sequencer, which takes, and the publisher, which refills.
#[derive(Debug)]
pub(crate) struct Pool {
    storage: Arc<dyn Storage>,
    segment_bytes: u64,
    ahead: usize,
    reserve: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Segment>,
    /// Reserve files that exist, by slot.
    reserved: Vec<usize>,
    next: u64,
}

impl Pool {
    /// `next` is the number of the next segment that does not exist yet.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        segment_bytes: u64,
        ahead: usize,
        reserve: usize,
        ready: VecDeque<Segment>,
        next: u64,
    ) -> io::Result<Self> {
        let present = storage.list(layout::SEGMENTS)?;
        let named = |slot: &usize| present.iter().any(|name| layout::reserve(*slot).ends_with(name.as_str()));
        let mut reserved = Vec::new();
        for slot in (0..reserve).filter(named) {
            // A crash while it was being made leaves it short; it is then made anew.
            if storage.open(&layout::reserve(slot))?.length()? == segment_bytes {
                reserved.push(slot);
            }
        }
        let state = Mutex::new(State { ready, reserved, next });
        Ok(Self { storage, segment_bytes, ahead, reserve, state })
    }

    /// Makes the segments that are missing, the reserve first.
    pub(crate) fn refill(&self) -> io::Result<()> {
        let mut state = self.state();
        for slot in 0..self.reserve {
            if !state.reserved.contains(&slot) {
                self.storage.create_zeroed(&layout::reserve(slot), self.segment_bytes)?;
                self.storage.sync_dir(layout::SEGMENTS)?;
                state.reserved.push(slot);
            }
        }
        while state.ready.len() < self.ahead {
            let number = state.next;
            let path = layout::segment(number);
            // Under another name until it is whole: a short segment must never look like a real one.
            let making = format!("{path}.new");
            let made = self.storage.create_zeroed(&making, self.segment_bytes);
            if made.is_err() {
                // A full disk must not stay full because of half a segment. The error that matters is the first.
                self.storage.remove(&making).unwrap_or_default();
            }
            drop(made?);
            self.storage.rename(&making, &path)?;
            self.storage.sync_dir(layout::SEGMENTS)?;
            state.ready.push_back(Segment { number, file: self.storage.open(&path)?, reserved: false });
            state.next = number.saturating_add(1);
        }
        Ok(())
    }

    /// The next segment; from the reserve if there is no other and the entry may. Nothing if there is none.
    pub(crate) fn take(&self, narrowing: bool) -> io::Result<Option<Segment>> {
        if let Some(segment) = self.state().ready.pop_front() {
            return Ok(Some(segment));
        }
        // Nobody prepared one in time: make it now, or learn that it cannot be made.
        if self.refill().is_ok()
            && let Some(segment) = self.state().ready.pop_front()
        {
            return Ok(Some(segment));
        }
        if !narrowing {
            return Ok(None);
        }
        let mut state = self.state();
        let Some(slot) = state.reserved.pop() else { return Ok(None) };
        let number = state.next;
        let path = layout::segment(number);
        self.storage.rename(&layout::reserve(slot), &path)?;
        self.storage.sync_dir(layout::SEGMENTS)?;
        state.next = number.saturating_add(1);
        Ok(Some(Segment { number, file: self.storage.open(&path)?, reserved: true }))
    }

    /// Whether a part of the reserve is gone, and could not be made again yet.
    pub(crate) fn lacks_reserve(&self) -> bool {
        self.state().reserved.len() < self.reserve
    }

    pub(crate) fn is_full(&self) -> bool {
        let state = self.state();
        state.ready.len() >= self.ahead && state.reserved.len() >= self.reserve
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
