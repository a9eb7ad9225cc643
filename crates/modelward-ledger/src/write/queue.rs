//! The bounded queue between submitters and the sequencer: three lanes, strict order among them.
//!
//! A batch is written when somebody waits for one of its entries, not when an entry arrives: what comes in while
//! upstreams still compute goes into one flush. An entry of the control lane is waited for by its nature; one that
//! nobody asks after is written after [`PATIENCE`], so that a slow upstream finds its record done.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ticket::{LedgerFailed, Promise, Ticket};
use crate::entry::Sealed;

/// How long an entry may lie that nobody waits for.
const PATIENCE: Duration = Duration::from_millis(2);

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
    waiting: Arc<Waiting>,
}

/// The lanes, as tickets and the sequencer share them.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    lanes: Mutex<Lanes>,
    due: Condvar,
}

#[derive(Debug, Default)]
struct Lanes {
    control: VecDeque<Submission>,
    release: VecDeque<Submission>,
    counters: VecDeque<Submission>,
    closed: bool,
    /// Somebody waits for an entry that is still in here.
    wanted: bool,
    sequencer: Sequencer,
}

/// What the sequencer does: waking it is a system call, so nobody does it without need.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sequencer {
    #[default]
    Awake,
    /// Gives entries that nobody waits for time to gather.
    Dozing,
    /// Nothing is here.
    Asleep,
}

impl Queue {
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self { capacity, waiting: Arc::default() }
    }

    /// Takes the entry or refuses it at once.
    pub(crate) fn push(&self, lane: Lane, sealed: Sealed, narrowing: bool) -> Result<Ticket, Refused> {
        let reserve = if narrowing { self.capacity.reserve } else { 0 };
        let mut lanes = self.waiting.lock();
        if lanes.closed {
            return Err(Refused::Closed);
        }
        let (waiting, capacity) = match lane {
            Lane::Control => (&mut lanes.control, self.capacity.control.saturating_add(reserve)),
            Lane::Release => (&mut lanes.release, self.capacity.release),
            Lane::Counters => (&mut lanes.counters, self.capacity.counters),
        };
        if waiting.len() >= capacity {
            return Err(Refused::Full);
        }
        let (ticket, promise) = Ticket::new(Some(Arc::clone(&self.waiting)));
        waiting.push_back(Submission { sealed, narrowing, promise });
        // A lane that fills up is emptied before it has to refuse.
        let crowded = waiting.len() >= capacity / 2;
        lanes.wanted |= lane == Lane::Control || crowded;
        let wake = match lanes.sequencer {
            Sequencer::Awake => false,
            Sequencer::Dozing => lanes.wanted,
            Sequencer::Asleep => true,
        };
        self.waiting.wake_if(lanes, wake);
        Ok(ticket)
    }

    /// Waits until entries are due and takes what is there, control first, up to the bounds of one batch. Nothing only
    /// once the queue is closed and empty.
    pub(crate) fn take(&self, entries_max: usize, bytes_max: usize) -> Option<Vec<Submission>> {
        let mut lanes = self.waiting.lock();
        let mut rested = false;
        loop {
            if lanes.wanted || lanes.closed || rested {
                let batch = lanes.drain(entries_max, bytes_max);
                // What did not fit was wanted as much.
                lanes.wanted &= !lanes.is_empty();
                if !batch.is_empty() {
                    return Some(batch);
                }
                if lanes.closed {
                    return None;
                }
            }
            (lanes, rested) =
                if lanes.is_empty() { (self.waiting.sleep(lanes), false) } else { self.waiting.doze(lanes) };
        }
    }

    /// Refuses further entries; what waits is still taken.
    pub(crate) fn close(&self) {
        let mut lanes = self.waiting.lock();
        lanes.closed = true;
        self.waiting.wake_if(lanes, true);
    }

    /// Refuses further entries and fails those that wait.
    pub(crate) fn fail(&self, reason: &LedgerFailed) {
        let mut lanes = self.waiting.lock();
        lanes.closed = true;
        let failed = lanes.drain(usize::MAX, usize::MAX);
        self.waiting.wake_if(lanes, true);
        failed.iter().for_each(|submission| submission.promise.resolve(Err(reason.clone())));
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }
}

impl Drop for Queue {
    /// Tickets keep the lanes alive, but nobody writes them any more.
    fn drop(&mut self) {
        self.fail(&LedgerFailed::Closed);
    }
}

impl Waiting {
    /// Somebody waits for an entry in here.
    pub(crate) fn want(&self) {
        let mut lanes = self.lock();
        lanes.wanted = true;
        let wake = lanes.sequencer != Sequencer::Awake;
        self.wake_if(lanes, wake);
    }

    fn wake_if(&self, mut lanes: MutexGuard<'_, Lanes>, wake: bool) {
        if wake {
            lanes.sequencer = Sequencer::Awake;
            drop(lanes);
            self.due.notify_one();
        }
    }

    fn sleep<'a>(&self, mut lanes: MutexGuard<'a, Lanes>) -> MutexGuard<'a, Lanes> {
        lanes.sequencer = Sequencer::Asleep;
        let asleep = |lanes: &mut Lanes| lanes.sequencer == Sequencer::Asleep;
        self.due.wait_while(lanes, asleep).unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the lanes back and whether patience is over.
    fn doze<'a>(&self, mut lanes: MutexGuard<'a, Lanes>) -> (MutexGuard<'a, Lanes>, bool) {
        lanes.sequencer = Sequencer::Dozing;
        let dozing = |lanes: &mut Lanes| lanes.sequencer == Sequencer::Dozing;
        let (mut lanes, waited) =
            self.due.wait_timeout_while(lanes, PATIENCE, dozing).unwrap_or_else(PoisonError::into_inner);
        lanes.sequencer = Sequencer::Awake;
        (lanes, waited.timed_out())
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn len(&self) -> usize {
        self.control.len().saturating_add(self.release.len()).saturating_add(self.counters.len())
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn drain(&mut self, entries_max: usize, bytes_max: usize) -> Vec<Submission> {
        let mut batch: Vec<Submission> = Vec::with_capacity(self.len().min(entries_max));
        let mut bytes = 0_usize;
        for lane in [&mut self.control, &mut self.release, &mut self.counters] {
            while let Some(next) = lane.front() {
                let size = next.sealed.bytes.len().saturating_add(2);
                let full = batch.len() >= entries_max || bytes.saturating_add(size) > bytes_max;
                if full && !batch.is_empty() {
                    return batch;
                }
                bytes = bytes.saturating_add(size);
                next.promise.leaves_queue();
                batch.extend(lane.pop_front());
            }
        }
        batch
    }
}
