//! The promise of a receipt.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use modelward_seal::Digest;

use super::queue::Waiting;

/// An entry is on disk at this index. Its inclusion proof exists once the next checkpoint is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub index: u64,
    pub leaf_hash: Digest,
}

/// Why an accepted entry did not become durable. Whatever waited for it must not be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFailed {
    #[error("the ledger failed and accepts nothing more until it is restarted: {reason}")]
    Poisoned { reason: Arc<str> },
    #[error(
        "the ledger has no room: its disk is full or its folder cannot be written; what is left is kept for entries that take rights away"
    )]
    NoSpace,
    #[error("the ledger was closed before the entry was written")]
    Closed,
}

/// Resolves when the entry is durable, by [`Ticket::wait`] or by awaiting it in any runtime.
///
/// Dropping it changes nothing: the entry is written all the same.
/// An entry that somebody waits for is written sooner than one whose ticket nobody asks.
#[derive(Debug)]
#[must_use = "an entry is recorded only once its ticket resolves to a receipt"]
pub struct Ticket {
    slot: Arc<Slot>,
    /// Where the entry waits, to say that it is wanted; forgotten once that is said.
    queue: Option<Arc<Waiting>>,
}

/// The sequencer's half. If it is dropped without an answer, the ticket fails: nobody may wait for ever, and
/// nobody may take silence for a yes.
#[derive(Debug)]
pub(crate) struct Promise(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The sequencer has the entry: there is no need to hurry it.
    taken: bool,
    outcome: Option<Result<Receipt, LedgerFailed>>,
    waker: Option<Waker>,
}

impl Ticket {
    pub(crate) fn new(queue: Option<Arc<Waiting>>) -> (Self, Promise) {
        let slot = Arc::new(Slot::default());
        (Self { slot: Arc::clone(&slot), queue }, Promise(slot))
    }

    /// Blocks the thread until the entry is durable or the ledger has failed.
    pub fn wait(mut self) -> Result<Receipt, LedgerFailed> {
        WAKER.with(|waker| {
            let mut context = Context::from_waker(waker);
            loop {
                match Pin::new(&mut self).poll(&mut context) {
                    Poll::Ready(outcome) => return outcome,
                    Poll::Pending => std::thread::park(),
                }
            }
        })
    }

    /// The outcome, if it is known already.
    pub fn try_outcome(&self) -> Option<Result<Receipt, LedgerFailed>> {
        self.slot.state().outcome.clone()
    }
}

impl Future for Ticket {
    type Output = Result<Receipt, LedgerFailed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue.take();
        let mut state = self.slot.state();
        if let Some(outcome) = &state.outcome {
            return Poll::Ready(outcome.clone());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            empty => *empty = Some(context.waker().clone()),
        }
        let taken = state.taken;
        drop(state);
        if let Some(queue) = queue.filter(|_| !taken) {
            queue.want();
        }
        Poll::Pending
    }
}

impl Promise {
    /// The sequencer took the entry out of the queue.
    pub(crate) fn leaves_queue(&self) {
        self.0.state().taken = true;
    }

    /// Resolves the ticket; the first resolution holds.
    pub(crate) fn resolve(&self, outcome: Result<Receipt, LedgerFailed>) {
        let waker = {
            let mut state = self.0.state();
            if state.outcome.is_some() {
                return;
            }
            state.outcome = Some(outcome);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.resolve(Err(LedgerFailed::Closed));
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// One for all waits of a thread.
    static WAKER: Waker = Waker::from(Arc::new(Unpark(std::thread::current())));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
