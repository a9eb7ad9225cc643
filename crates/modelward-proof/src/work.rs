//! A list of pieces of work, shared by a few threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Terms of a thousand policies nest deeply.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
}

/// Applies `work` to every item and keeps their order.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    progress: &(dyn Fn(Progress) + Sync),
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        while let Some(item) = {
            let position = next.fetch_add(1, Ordering::Relaxed);
            items.get(position).map(|item| (position, item))
        } {
            let (position, item) = item;
            let result = work(item);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((position, result));
            progress(Progress { done: done.len(), total: items.len() });
        }
    };
    std::thread::scope(|scope| {
        let start = || std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, run);
        let started = (0..workers.max(1)).filter(|_| start().is_ok()).count();
        // A thread that cannot be started is one thread fewer; the work is done all the same.
        if started == 0 {
            run();
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, result)| result).collect()
}
