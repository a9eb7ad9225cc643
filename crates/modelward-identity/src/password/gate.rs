//! A bounded number of turns, with a bounded queue before them.

use std::sync::{Condvar, Mutex, PoisonError};

/// Lets `RUNNING` threads through at a time while at most `WAITING` others wait.
#[derive(Debug, Default)]
pub(super) struct Gate<const RUNNING: usize, const WAITING: usize> {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
}

/// The right to work until it is dropped.
pub(super) struct Turn<'a, const RUNNING: usize, const WAITING: usize>(&'a Gate<RUNNING, WAITING>);

impl<const RUNNING: usize, const WAITING: usize> Gate<RUNNING, WAITING> {
    /// Waits for a turn; `None` when the queue is full.
    pub(super) fn turn(&self) -> Option<Turn<'_, RUNNING, WAITING>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.running >= RUNNING {
            if state.waiting >= WAITING {
                return None;
            }
            state.waiting += 1;
            state = self
                .freed
                .wait_while(state, |state| state.running >= RUNNING)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.running += 1;
        Some(Turn(self))
    }
}

impl<const RUNNING: usize, const WAITING: usize> Drop for Turn<'_, RUNNING, WAITING> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = state.running.saturating_sub(1);
        drop(state);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_full_queue_turns_people_away() {
        let gate = Gate::<1, 0>::default();
        let turn = gate.turn();
        assert!(turn.is_some());
        assert!(gate.turn().is_none());
        drop(turn);
        assert!(gate.turn().is_some());
    }

    #[test]
    fn never_more_than_two_work_at_once_and_everyone_has_a_turn() {
        let gate = Gate::<2, 32>::default();
        let (working, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    let _turn = gate.turn().expect("the queue is long enough");
                    let now = working.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::yield_now();
                    working.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert_eq!(done.load(Ordering::SeqCst), 32);
    }
}
