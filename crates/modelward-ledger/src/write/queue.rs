//! The bounded queue between submitters and the sequencer: three lanes, strict order among them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::ticket::{LedgerFailed, Promise, Ticket};
use crate::entry::Sealed;

/// Which queue an entry waits in. A fuller lane never delays the lanes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Control operations, and everything that must be durable before it happens (R0).
    Control,
    /// Effect-free operations, whose answer waits for the record (R1).
    Release,
    /// Denials and counters (R2).
    Counters,
}

/// An accepted entry.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) sealed: Sealed,
    pub(crate) narrowing: bool,
    pub(crate) promise: Promise,
}

/// How many entries may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    pub(crate) control: usize,
    pub(crate) release: usize,
    pub(crate) counters: usize,
    /// Further slots of the control lane, for narrowing entries alone.
    pub(crate) reserve: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Queue {
    capacity: Capacity,
    state: Mutex<Lanes>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Lanes {
    control: VecDeque<Submission>,
    release: VecDeque<Submission>,
    counters: VecDeque<Submission>,
    closed: bool,
    /// The sequencer is asleep: only then is waking it worth a system call.
    idle: bool,
}

impl Queue {
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self { capacity, state: Mutex::default(), arrived: Condvar::new() }
    }

    /// Takes the entry or refuses it at once.
    pub(crate) fn push(&self, lane: Lane, sealed: Sealed, narrowing: bool) -> Result<Ticket, Refused> {
        let reserve = if narrowing { self.capacity.reserve } else { 0 };
        let mut state = self.lanes();
        if state.closed {
            return Err(Refused::Closed);
        }
        let (waiting, capacity) = match lane {
            Lane::Control => (&mut state.control, self.capacity.control.saturating_add(reserve)),
            Lane::Release => (&mut state.release, self.capacity.release),
            Lane::Counters => (&mut state.counters, self.capacity.counters),
        };
        if waiting.len() >= capacity {
            return Err(Refused::Full);
        }
        let (ticket, promise) = Ticket::new();
        waiting.push_back(Submission { sealed, narrowing, promise });
        if std::mem::take(&mut state.idle) {
            self.arrived.notify_one();
        }
        Ok(ticket)
    }

    /// Waits for entries and takes what is there, control first, up to the bounds of one batch. Nothing only once
    /// the queue is closed and empty.
    pub(crate) fn take(&self, entries_max: usize, bytes_max: usize) -> Option<Vec<Submission>> {
        let mut state = self.lanes();
        loop {
            let batch = state.drain(entries_max, bytes_max);
            if !batch.is_empty() {
                return Some(batch);
            }
            if state.closed {
                return None;
            }
            state.idle = true;
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Refuses further entries; what waits is still taken.
    pub(crate) fn close(&self) {
        self.lanes().closed = true;
        self.arrived.notify_all();
    }

    /// Refuses further entries and fails those that wait.
    pub(crate) fn fail(&self, reason: &LedgerFailed) {
        let waiting = {
            let mut state = self.lanes();
            state.closed = true;
            state.drain(usize::MAX, usize::MAX)
        };
        self.arrived.notify_all();
        waiting.iter().for_each(|submission| submission.promise.resolve(Err(reason.clone())));
    }

    pub(crate) fn waiting(&self) -> usize {
        let state = self.lanes();
        state.control.len().saturating_add(state.release.len()).saturating_add(state.counters.len())
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn drain(&mut self, entries_max: usize, bytes_max: usize) -> Vec<Submission> {
        let mut batch = Vec::new();
        let mut bytes = 0_usize;
        for lane in [&mut self.control, &mut self.release, &mut self.counters] {
            while let Some(next) = lane.front() {
                let size = next.sealed.bytes.len().saturating_add(2);
                let full = batch.len() >= entries_max || bytes.saturating_add(size) > bytes_max;
                if full && !batch.is_empty() {
                    return batch;
                }
                bytes = bytes.saturating_add(size);
                batch.extend(lane.pop_front());
            }
        }
        batch
    }
}
