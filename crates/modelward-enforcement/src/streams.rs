//! Running streams, and how they learn that their right has ended.
//!
//! One task watches the snapshots. At every change it looks at each registered stream, first by lookups alone
//! (epochs, grant, activity, quarantine: a thousand streams take well under a millisecond), then by deciding each once
//! more, which also finds what no lookup can: a group left, a policy changed, a window closed. The second look is
//! repeated every few seconds and gives way to a newer snapshot. For ends by time each guard has a timer of its own.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use jiff::Timestamp;
use modelward_decision::vocabulary::GrantId;
use modelward_seal::source::Clock;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::freshness::Freshness;
use crate::observer::Observer;
use crate::snapshots::{Published, Snapshots};
use crate::standing::{End, Standing, until};

/// How often every stream is decided anew when nothing changes: how late a closing window is noticed at most.
pub const DECIDED_AGAIN_EVERY: Duration = Duration::from_secs(5);

/// How often streams are held against the age of the state.
const AGED_EVERY: Duration = Duration::from_secs(1);

/// Streams decided anew before the task looks for a newer snapshot and lets others run.
const BATCH: usize = 16;

/// The streams that run now.
#[derive(Debug)]
pub(crate) struct Streams {
    registry: Arc<Registry>,
}

struct Registry {
    open: Mutex<Open>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
}

#[derive(Default)]
struct Open {
    next: u64,
    looks: u64,
    streams: FxHashMap<u64, Running>,
}

struct Running {
    standing: Standing,
    cut: oneshot::Sender<Cut>,
    /// When it was last decided anew, as a count of such looks: the longest waiting come first.
    decided: u64,
}

/// What a stream is told: why it must end, and when the change that ended it was published.
#[derive(Debug, Clone, Copy)]
struct Cut {
    end: End,
    published_at: Option<Timestamp>,
}

impl Cut {
    /// Nobody is left who would tell, so the right is as good as gone.
    const UNWATCHED: Self = Self { end: End::Unavailable, published_at: None };
}

/// Held by a running stream. [`cut`](Self::cut) says when it must end; dropping it says that it has.
#[derive(Debug)]
#[must_use = "a stream without its guard is not cut when its right ends"]
pub struct StreamGuard {
    registry: Arc<Registry>,
    number: u64,
    standing: Standing,
    told: oneshot::Receiver<Cut>,
    end: Option<End>,
}

impl Streams {
    pub(crate) fn new(clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) -> Self {
        Self { registry: Arc::new(Registry { open: Mutex::default(), clock, observer }) }
    }

    /// The task that cuts. It ends when the publisher, or everybody who could register a stream, is gone.
    pub(crate) fn watch(&self, snapshots: Snapshots) -> impl Future<Output = ()> + Send + use<> {
        watch(Arc::downgrade(&self.registry), snapshots)
    }

    pub(crate) fn register(&self, standing: Standing, snapshots: &Snapshots) -> StreamGuard {
        let (cut, told) = oneshot::channel();
        let registry = Arc::clone(&self.registry);
        let mut guard = StreamGuard { registry, number: 0, standing, told, end: None };
        guard.number = self.registry.insert(Running { standing: guard.standing.clone(), cut, decided: 0 });
        // What changed between the decision and the insertion, the task will not look at again.
        let freshness = self.freshness(snapshots);
        let newest = snapshots.latest();
        let end = if snapshots.is_open() && !guard.standing.is_too_old(&newest.snapshot, freshness) {
            guard.standing.end(&newest.snapshot, self.registry.clock.now())
        } else {
            Some(End::Unavailable)
        };
        if let Some(end) = end {
            guard.ended(Cut { end, published_at: Some(newest.at) });
        }
        guard
    }
}

impl Streams {
    fn freshness(&self, snapshots: &Snapshots) -> Freshness {
        snapshots.freshness(&*self.registry.clock)
    }

    /// How many run on this grant at this moment.
    pub(crate) fn under(&self, grant: GrantId) -> u64 {
        let Ok(open) = self.registry.open.lock() else { return 0 };
        let running =
            open.streams.values().filter(|running| running.standing.decision().grant == Some(grant));
        u64::try_from(running.count()).unwrap_or(u64::MAX)
    }
}

impl StreamGuard {
    /// Waits until the stream must end, and says why. Ready again at once when asked again.
    ///
    /// Cancel-safe: it can be one branch of a `select!` in a loop.
    pub async fn cut(&mut self) -> End {
        loop {
            if let Some(end) = self.is_cut() {
                return end;
            }
            // The clock is not the timer's. A clock that lags is asked again; one that jumped ahead the task notices.
            let left = until(self.standing.ends_at(), self.registry.clock.now());
            let wait = left.max(Duration::from_millis(1));
            if let Ok(told) = tokio::time::timeout(wait, &mut self.told).await {
                return self.ended(told.unwrap_or(Cut::UNWATCHED));
            }
        }
    }

    /// Whether it must end, without waiting.
    pub fn is_cut(&mut self) -> Option<End> {
        if self.end.is_some() {
            return self.end;
        }
        match self.told.try_recv() {
            Ok(told) => return Some(self.ended(told)),
            Err(TryRecvError::Closed) => return Some(self.ended(Cut::UNWATCHED)),
            Err(TryRecvError::Empty) => {}
        }
        let is_over = self.registry.clock.now() >= self.standing.ends_at();
        is_over.then(|| self.ended(Cut { end: self.standing.ends_by(), published_at: None }))
    }

    fn ended(&mut self, cut: Cut) -> End {
        self.end = Some(cut.end);
        self.registry.observer.cut(cut.end, cut.published_at, self.registry.clock.now());
        cut.end
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.registry.remove(self.number);
    }
}

async fn watch(registry: Weak<Registry>, mut snapshots: Snapshots) {
    let mut again = tokio::time::interval(DECIDED_AGAIN_EVERY);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut aged = tokio::time::interval(AGED_EVERY);
    aged.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let published = tokio::select! {
            changed = snapshots.changed() => changed,
            _ = again.tick() => snapshots.is_open().then(|| snapshots.latest()),
            _ = aged.tick() => {
                let Some(registry) = registry.upgrade() else { return };
                registry.cut_aged(&snapshots);
                continue;
            }
        };
        let Some(registry) = registry.upgrade() else { return };
        let Some(published) = published else {
            registry.cut_all();
            return;
        };
        registry.look(&published);
        registry.decide_again(&published, &snapshots).await;
    }
}

impl Registry {
    fn insert(&self, running: Running) -> u64 {
        let Ok(mut open) = self.open.lock() else { return 0 };
        open.next = open.next.saturating_add(1);
        let number = open.next;
        open.streams.insert(number, running);
        let count = open.streams.len();
        drop(open);
        self.observer.streams(count);
        number
    }

    fn remove(&self, number: u64) {
        let Ok(mut open) = self.open.lock() else { return };
        open.streams.remove(&number);
        let count = open.streams.len();
        drop(open);
        self.observer.streams(count);
    }

    /// The quick look at every stream.
    fn look(&self, published: &Published) {
        let now = self.clock.now();
        let Ok(mut open) = self.open.lock() else { return };
        let ended: Vec<(u64, End)> = open
            .streams
            .iter()
            .filter(|(_, running)| running.standing.is_older_than(&published.snapshot))
            .filter_map(|(number, running)| Some((*number, running.standing.end(&published.snapshot, now)?)))
            .collect();
        for (number, end) in ended {
            open.tell(number, Cut { end, published_at: Some(published.at) });
        }
    }

    /// The thorough look, in batches. A newer snapshot begins it anew from the quick look.
    async fn decide_again(&self, published: &Published, snapshots: &Snapshots) {
        let Ok(streams) = self.open.lock().map(|open| open.longest_undecided_first()) else { return };
        for batch in streams.chunks(BATCH) {
            for (number, standing) in batch {
                if !standing.is_older_than(&published.snapshot) {
                    continue;
                }
                let end = standing.end_by_decision(&published.snapshot, self.clock.now());
                let Ok(mut open) = self.open.lock() else { return };
                match end {
                    Some(end) => open.tell(*number, Cut { end, published_at: Some(published.at) }),
                    None => open.decided(*number),
                }
            }
            tokio::task::yield_now().await;
            if snapshots.has_news() {
                return;
            }
        }
    }

    /// Cuts what would not be permitted any more because news are out for too long.
    fn cut_aged(&self, snapshots: &Snapshots) {
        let freshness = snapshots.freshness(&*self.clock);
        if freshness == Freshness::Current {
            return;
        }
        let snapshot = snapshots.latest().snapshot;
        let Ok(mut open) = self.open.lock() else { return };
        let aged: Vec<u64> = open
            .streams
            .iter()
            .filter(|(_, running)| running.standing.is_too_old(&snapshot, freshness))
            .map(|(number, _)| *number)
            .collect();
        for number in aged {
            open.tell(number, Cut::UNWATCHED);
        }
    }

    fn cut_all(&self) {
        let Ok(mut open) = self.open.lock() else { return };
        let numbers: Vec<u64> = open.streams.keys().copied().collect();
        for number in numbers {
            open.tell(number, Cut::UNWATCHED);
        }
    }
}

impl Open {
    fn tell(&mut self, number: u64, cut: Cut) {
        if let Some(running) = self.streams.remove(&number)
            && running.cut.send(cut).is_err()
        {
            tracing::trace!(number, "a stream ended by itself just before it was cut");
        }
    }

    fn decided(&mut self, number: u64) {
        self.looks = self.looks.saturating_add(1);
        if let Some(running) = self.streams.get_mut(&number) {
            running.decided = self.looks;
        }
    }

    fn longest_undecided_first(&self) -> Vec<(u64, Standing)> {
        let mut streams: Vec<(u64, &Running)> =
            self.streams.iter().map(|(number, running)| (*number, running)).collect();
        streams.sort_unstable_by_key(|(number, running)| (running.decided, *number));
        streams.into_iter().map(|(number, running)| (number, running.standing.clone())).collect()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
