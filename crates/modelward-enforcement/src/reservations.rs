//! How much of a grant is spent: uses and bytes, counted durably before anything is forwarded.
//!
//! A grant can say how often it may be used and how many bytes may leave under it. What a request may need is
//! *reserved* first: the counter is on disk before [`Reservations::reserve`] returns, so a crash can waste a use
//! but never give one twice. What was reserved and not used goes back when the request is over: bytes always,
//! uses only if nothing was forwarded.
//!
//! One append-only file holds absolute counters in checksummed frames. A thread of its own writes them: all that
//! queued up during one flush goes into the next. Every failure to write is final until the process starts again,
//! because the page cache may then say more than the disk.

mod frame;
mod lender;
mod medium;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use jiff::Timestamp;
use modelward_decision::Grant;
use modelward_decision::vocabulary::GrantId;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use frame::{Frame, Record};
pub use lender::{Back, Lender, Lending, Loan};
use medium::{FileMedium, Medium};

/// The durable counters of all grants that have a limit.
///
/// Cheap to share behind an `Arc`. Dropping it writes what is still queued.
#[derive(Debug)]
pub struct Reservations(Place);

/// Where the counters are.
#[derive(Debug)]
enum Place {
    Here(Keeping),
    Elsewhere(Arc<dyn Lender>),
}

/// The counters in memory, and the thread that writes them.
#[derive(Debug)]
struct Keeping {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// How many bytes a request may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The caller named an upper bound: all of it must be left.
    AtMost(u64),
    /// Nobody knows: whatever is left, up to this many.
    Unknown { up_to: u64 },
}

/// A part of a grant set aside for one request.
///
/// Dropped before [`begin`](Self::begin), it gives everything back: nothing was forwarded. Dropped after, it gives
/// nothing back: nobody knows how much left.
#[derive(Debug)]
#[must_use = "a reservation that is dropped is given back"]
pub struct Reservation {
    held: Option<Held>,
    begun: bool,
}

/// What has been spent of a grant so far, reservations included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    pub uses: u64,
    pub bytes: u64,
}

/// What of a grant has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    Uses { max: u64 },
    Bytes { max: u64, left: u64 },
}

/// Why nothing was reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    #[error("grant {grant} has too little left: {budget}")]
    Exhausted { grant: GrantId, budget: Budget },
    /// The counters cannot be made durable; nothing can be reserved until the process starts again.
    #[error("the counters of grants cannot be written; see the log of the process")]
    Unavailable,
}

/// Why the counters could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "`{path}` does not exist; `modelward init` makes it, and a lost one must be restored from a backup"
    )]
    Missing { path: String },
    #[error("`{path}` exists already")]
    Exists { path: String },
    #[error("`{path}` is in use by another process")]
    Locked { path: String },
    /// A frame inside the file is damaged. A torn last frame is not damage: it was never acknowledged.
    #[error("`{path}` is damaged at byte {offset}; restore it from a backup")]
    Damaged { path: String, offset: u64 },
    #[error("cannot use `{path}`")]
    Io { path: String, source: std::io::Error },
}

#[derive(Debug)]
enum Held {
    Own { shared: Arc<Shared>, grant: GrantId, bytes: Option<u64> },
    Lent { lender: Arc<dyn Lender>, loan: Loan },
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    counters: FxHashMap<GrantId, Counter>,
    /// Grants whose counter is not on disk yet, with those who wait for it.
    unwritten: BTreeMap<GrantId, Vec<oneshot::Sender<()>>>,
    /// The latest moment anybody told: what decides when a counter can be forgotten.
    now: Timestamp,
    closing: bool,
    failed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    spent: Spent,
    /// When the grant ends, in seconds since the epoch.
    not_after: i64,
}

/// Counters of grants that ended longer ago than this are left out when the file is rewritten.
const KEPT_AFTER_END_SECONDS: i64 = 30 * 24 * 60 * 60;

/// The file is rewritten once it is this long and mostly history.
const REWRITE_AT_BYTES: u64 = 4 * 1024 * 1024;

impl Reservations {
    /// Makes the file of counters in a folder that has none.
    pub fn create(folder: &Path) -> Result<Self, OpenError> {
        Self::start(FileMedium::create(folder)?, Vec::new(), REWRITE_AT_BYTES)
            .map_err(|source| OpenError::Io { path: folder.display().to_string(), source })
    }

    /// Reads the counters back. A torn last frame is cut; damage before it is an error.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let (medium, records) = FileMedium::open(folder)?;
        Self::start(medium, records, REWRITE_AT_BYTES)
            .map_err(|source| OpenError::Io { path: folder.display().to_string(), source })
    }

    fn start(
        medium: impl Medium,
        records: Vec<Record>,
        rewrite_at_bytes: u64,
    ) -> Result<Self, std::io::Error> {
        let counters = records.into_iter().map(|record| (record.grant, Counter::from(record))).collect();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                counters,
                unwritten: BTreeMap::new(),
                now: Timestamp::MIN,
                closing: false,
                failed: false,
            }),
            wake: Condvar::new(),
        });
        let writer = std::thread::Builder::new().name("reservations".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || Writer { shared, medium, sequence: 0, rewrite_at_bytes }.run()
        })?;
        Ok(Self(Place::Here(Keeping { shared, writer: Some(writer) })))
    }

    /// Counters that are kept by somebody else.
    pub const fn at(lender: Arc<dyn Lender>) -> Self {
        Self(Place::Elsewhere(lender))
    }

    /// Sets aside one use and these bytes of the grant, and returns once that is on disk.
    ///
    /// A grant without limits costs nothing: nothing is counted for it.
    pub async fn reserve(
        &self,
        grant: &Grant,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<Reservation, ReserveError> {
        let limits = &grant.conditions;
        if limits.max_uses.is_none() && limits.max_bytes.is_none() {
            return Ok(Reservation::unlimited());
        }
        let shared = match &self.0 {
            Place::Here(keeping) => &keeping.shared,
            Place::Elsewhere(lender) => {
                let loan = lender.lend(grant.id, wanted).await?;
                let held = Held::Lent { lender: Arc::clone(lender), loan };
                return Ok(Reservation { held: Some(held), begun: false });
            }
        };
        let (written, held) = {
            let mut state = shared.state()?;
            if state.failed || state.closing {
                return Err(ReserveError::Unavailable);
            }
            state.now = state.now.max(now);
            let spent = state.counters.get(&grant.id).map(|counter| counter.spent).unwrap_or_default();
            let (spent, bytes) = spend(grant, spent, wanted)?;
            let not_after = grant.not_after.as_second();
            state.counters.insert(grant.id, Counter { spent, not_after });
            let (sender, written) = oneshot::channel();
            state.unwritten.entry(grant.id).or_default().push(sender);
            (written, Held::Own { shared: Arc::clone(shared), grant: grant.id, bytes })
        };
        shared.wake.notify_one();
        // Held from here on: a caller that goes away while waiting gives it back.
        let reservation = Reservation { held: Some(held), begun: false };
        written.await.map_err(|_| ReserveError::Unavailable)?;
        Ok(reservation)
    }

    /// What has been spent of a grant, reservations included. Nothing is known of counters kept elsewhere.
    pub fn spent(&self, grant: GrantId) -> Spent {
        let Place::Here(Keeping { shared, .. }) = &self.0 else { return Spent::default() };
        let state = shared.state().ok();
        state.and_then(|state| state.counters.get(&grant).map(|counter| counter.spent)).unwrap_or_default()
    }

    /// Whether counters can still be written.
    pub fn is_healthy(&self) -> bool {
        match &self.0 {
            Place::Here(keeping) => keeping.shared.state().is_ok_and(|state| !state.failed),
            Place::Elsewhere(lender) => lender.is_healthy(),
        }
    }
}

/// The counter after one use more, and the bytes set aside if the grant limits them.
fn spend(grant: &Grant, spent: Spent, wanted: Wanted) -> Result<(Spent, Option<u64>), ReserveError> {
    let exhausted = |budget| ReserveError::Exhausted { grant: grant.id, budget };
    if let Some(max) = grant.conditions.max_uses
        && spent.uses >= max
    {
        return Err(exhausted(Budget::Uses { max }));
    }
    let bytes = match grant.conditions.max_bytes {
        None => None,
        Some(max) => {
            let left = max.saturating_sub(spent.bytes);
            let enough = match wanted {
                // Asking for nothing is still a use of the grant.
                Wanted::AtMost(bytes) => (left > 0 && bytes <= left).then_some(bytes),
                Wanted::Unknown { up_to } => (left > 0).then(|| left.min(up_to)),
            };
            Some(enough.ok_or_else(|| exhausted(Budget::Bytes { max, left }))?)
        }
    };
    let spent = Spent {
        uses: spent.uses.saturating_add(1),
        bytes: spent.bytes.saturating_add(bytes.unwrap_or_default()),
    };
    Ok((spent, bytes))
}

impl Reservation {
    /// Of something without limits: nothing to count.
    pub(crate) const fn unlimited() -> Self {
        Self { held: None, begun: false }
    }

    /// How many bytes may leave under it; `None` where the grant sets no bound.
    pub fn bytes(&self) -> Option<u64> {
        self.held.as_ref().and_then(Held::bytes)
    }

    /// Forwarding begins: from now on the use is spent, whatever happens.
    pub const fn begin(&mut self) {
        self.begun = true;
    }

    /// The request is over and this many bytes left. The rest goes back.
    pub fn settle(mut self, bytes_left: u64) {
        if let Some(held) = self.held.take() {
            let bytes = held.bytes().unwrap_or_default().saturating_sub(bytes_left);
            held.give_back(Back { whole: false, bytes });
        }
    }

    /// Nothing was forwarded after all: the use and the bytes go back.
    pub fn cancel(mut self) {
        self.begun = false;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let bytes = if self.begun { 0 } else { held.bytes().unwrap_or_default() };
        held.give_back(Back { whole: !self.begun, bytes });
    }
}

impl Held {
    const fn bytes(&self) -> Option<u64> {
        match self {
            Self::Own { bytes, .. } => *bytes,
            Self::Lent { loan, .. } => loan.bytes,
        }
    }

    fn give_back(self, back: Back) {
        match self {
            Self::Own { shared, grant, bytes: _ } => shared.give_back(grant, back),
            Self::Lent { lender, loan } => lender.settle(loan, back),
        }
    }
}

impl Shared {
    /// Lowers the counter now and on disk with the next flush; a crash in between wastes it, never doubles it.
    fn give_back(&self, grant: GrantId, back: Back) {
        if back == (Back { whole: false, bytes: 0 }) {
            return;
        }
        {
            let Ok(mut state) = self.state() else { return };
            let Some(counter) = state.counters.get_mut(&grant) else { return };
            counter.spent.uses = counter.spent.uses.saturating_sub(u64::from(back.whole));
            counter.spent.bytes = counter.spent.bytes.saturating_sub(back.bytes);
            state.unwritten.entry(grant).or_default();
        }
        self.wake.notify_one();
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, ReserveError> {
        self.state.lock().map_err(|_| ReserveError::Unavailable)
    }
}

/// The one who writes. Lives on its own thread, because a flush blocks.
struct Writer<M> {
    shared: Arc<Shared>,
    medium: M,
    sequence: u64,
    rewrite_at_bytes: u64,
}

/// Counters to write, and who waits for them.
struct Batch {
    records: Vec<Record>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl<M: Medium> Writer<M> {
    fn run(mut self) {
        // A fresh file starts by saying all that is known: it can then be told from a torn one.
        let begun = self.rewrite();
        self.note(begun);
        while let Some(batch) = self.next() {
            let written = self.write(&batch.records).and_then(|()| self.rewrite_if_long());
            if self.note(written) {
                // A caller that went away gave its part back itself.
                let gone = batch.waiting.into_iter().filter_map(|waiting| waiting.send(()).err()).count();
                tracing::trace!(gone, "wrote counters of grants");
            }
        }
    }

    /// Waits for counters to write; `None` once the owner is gone and nothing is left, or after a failure.
    fn next(&self) -> Option<Batch> {
        let mut state = self.shared.state().ok()?;
        while state.unwritten.is_empty() {
            if state.closing || state.failed {
                return None;
            }
            state = self.shared.wake.wait(state).ok()?;
        }
        if state.failed {
            state.unwritten.clear();
            return None;
        }
        let mut batch = Batch { records: Vec::new(), waiting: Vec::new() };
        while batch.records.len() < frame::RECORDS_MAX
            && let Some((grant, waiting)) = state.unwritten.pop_first()
        {
            if let Some(counter) = state.counters.get(&grant) {
                batch.records.push(counter.record(grant));
            }
            batch.waiting.extend(waiting);
        }
        Some(batch)
    }

    fn write(&mut self, records: &[Record]) -> std::io::Result<()> {
        let frame = Frame { sequence: self.sequence, records }.to_bytes();
        self.medium.append(&frame)?;
        self.sequence = self.sequence.saturating_add(1);
        Ok(())
    }

    fn rewrite_if_long(&mut self) -> std::io::Result<()> {
        let live = self.shared.state().map_or(0, |state| state.counters.len());
        let needed = u64::try_from(live).unwrap_or(u64::MAX).saturating_mul(frame::RECORD_BYTES);
        let is_long = self.medium.length() >= self.rewrite_at_bytes.max(needed.saturating_mul(4));
        if is_long { self.rewrite() } else { Ok(()) }
    }

    /// Puts one file with the counters as they are in the place of the history.
    fn rewrite(&mut self) -> std::io::Result<()> {
        let records: Vec<Record> = {
            let Ok(mut state) = self.shared.state() else {
                return Err(std::io::Error::other("the counters were left locked"));
            };
            let ended = state.now.as_second().saturating_sub(KEPT_AFTER_END_SECONDS);
            let State { counters, unwritten, .. } = &mut *state;
            counters.retain(|grant, counter| counter.not_after >= ended || unwritten.contains_key(grant));
            counters.iter().map(|(grant, counter)| counter.record(*grant)).collect()
        };
        let mut bytes = Vec::new();
        self.sequence = 0;
        let (whole, rest) = records.as_chunks::<{ frame::RECORDS_MAX }>();
        for records in whole.iter().map(<[Record; frame::RECORDS_MAX]>::as_slice).chain([rest]) {
            bytes.extend(Frame { sequence: self.sequence, records }.to_bytes());
            self.sequence = self.sequence.saturating_add(1);
        }
        self.medium.replace(&bytes)
    }

    /// Keeps a failure in mind for good, and lets all who wait know by dropping them.
    fn note(&self, result: std::io::Result<()>) -> bool {
        let Err(error) = result else { return true };
        tracing::error!(%error, "the counters of grants cannot be written; every limited grant is denied until restart");
        if let Ok(mut state) = self.shared.state() {
            state.failed = true;
            state.unwritten.clear();
        }
        false
    }
}

impl Counter {
    const fn record(&self, grant: GrantId) -> Record {
        Record { grant, spent: self.spent, not_after: self.not_after }
    }
}

impl From<Record> for Counter {
    fn from(record: Record) -> Self {
        Self { spent: record.spent, not_after: record.not_after }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if let Ok(mut state) = self.shared.state() {
            state.closing = true;
        }
        self.shared.wake.notify_one();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the thread that writes the counters of grants stopped by a fault");
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uses { max: 1 } => f.write_str("its one use is spent"),
            Self::Uses { max } => write!(f, "all of its {max} uses are spent"),
            Self::Bytes { max, left: 0 } => write!(f, "all of its {max} bytes are spent"),
            Self::Bytes { max, left } => {
                write!(f, "{left} of its {max} bytes are left, fewer than asked for")
            }
        }
    }
}

#[cfg(test)]
mod tests;
