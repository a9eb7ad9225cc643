//! The one clock and the one source of randomness. No other file reads either.
//!
//! The time is the highest of the wall clock and a mark that only rises and survives restarts, so that setting the
//! clock back brings no expired grant, token or session to life again.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use modelward_seal::source::{Clock, Ids};
use uuid::Uuid;

/// A wall clock that is further behind the mark than this is worth an operator's attention.
pub const WORRYING_LAG: Duration = Duration::from_secs(30);

/// How often [`keep_mark`] writes the mark: what a crash can set the clock back by at most.
const MARK_INTERVAL: Duration = Duration::from_secs(1);

/// The wall clock, kept from going back.
pub struct SystemClock {
    /// Microseconds since 1970: the highest time answered so far.
    mark: AtomicI64,
    /// Where the mark is kept; nowhere for commands that only talk to a server.
    file: Option<PathBuf>,
}

/// Why the mark of an earlier run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("failed to read the clock mark `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the clock mark `{}` holds no time", path.display())]
    Damaged { path: PathBuf },
    #[error("failed to write the clock mark `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl SystemClock {
    /// A clock that forgets its mark when the process ends.
    pub fn unmarked() -> Self {
        Self { mark: AtomicI64::new(i64::MIN), file: None }
    }

    /// A clock that goes on from the mark in `file`, which may be missing.
    ///
    /// # Errors
    /// The file exists and cannot be read as a time.
    pub fn marked(file: PathBuf) -> Result<Self, ClockError> {
        let mark = match fs::read_to_string(&file) {
            Ok(text) => {
                let time: Timestamp =
                    text.trim().parse().map_err(|_| ClockError::Damaged { path: file.clone() })?;
                time.as_microsecond()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => i64::MIN,
            Err(source) => return Err(ClockError::Read { path: file, source }),
        };
        Ok(Self { mark: AtomicI64::new(mark), file: Some(file) })
    }

    /// Time that came from elsewhere and is known to have been reached, such as the last ledger entry's.
    pub fn raise(&self, reached: Timestamp) {
        self.mark.fetch_max(reached.as_microsecond(), Ordering::SeqCst);
    }

    /// What the clock of this machine says, behind the mark or not.
    pub fn wall(&self) -> Timestamp {
        wall()
    }

    /// How far the wall clock is behind the time answered.
    pub fn lag(&self) -> Duration {
        let behind = self.mark.load(Ordering::SeqCst).saturating_sub(wall().as_microsecond());
        Duration::from_micros(u64::try_from(behind).unwrap_or(0))
    }

    /// Writes the mark, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written or renamed.
    pub fn persist(&self) -> Result<(), ClockError> {
        let Some(file) = &self.file else { return Ok(()) };
        let failed = |source| ClockError::Write { path: file.clone(), source };
        write_whole(file, self.now().to_string().as_bytes()).map_err(failed)
    }
}

fn write_whole(file: &Path, content: &[u8]) -> io::Result<()> {
    let draft = file.with_extension("new");
    let mut out = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    out.write_all(content)?;
    out.sync_data()?;
    fs::rename(draft, file)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall() -> Timestamp {
    Timestamp::now()
}

/// Microseconds since the machine started, sleep included. Nobody can set this clock.
fn boot_micros() -> Option<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let micros = i128::from(time.tv_sec) * 1_000_000 + i128::from(time.tv_nsec / 1000);
    u64::try_from(micros).ok()
}

impl Clock for SystemClock {
    fn monotonic_micros(&self) -> Option<u64> {
        boot_micros()
    }

    fn now(&self) -> Timestamp {
        let wall = wall().as_microsecond();
        let answered = self.mark.fetch_max(wall, Ordering::SeqCst).max(wall);
        // Any mark comes from a timestamp, so the way back cannot fail; the end of time denies everything if it did.
        Timestamp::from_microsecond(answered).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Writes the mark each second until `stop` ends, and once more then.
pub async fn keep_mark(clock: Arc<SystemClock>, stop: impl Future<Output = ()>) {
    let mut ticks = tokio::time::interval(MARK_INTERVAL);
    let mut stop = std::pin::pin!(stop);
    loop {
        let last = tokio::select! {
            _ = ticks.tick() => false,
            () = &mut stop => true,
        };
        let marked = Arc::clone(&clock);
        match tokio::task::spawn_blocking(move || marked.persist()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = crate::exit::chain(&error), "the clock mark was not written");
            }
            Err(error) => tracing::warn!(%error, "the clock mark was not written"),
        }
        if last {
            return;
        }
    }
}

/// Randomness of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn uuid(&self) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(wall().as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // Without randomness every secret that follows could be guessed: nothing may go on.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_does_not_go_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let future = wall() + Duration::from_secs(3600);
        let clock = SystemClock::marked(file.clone()).unwrap();
        clock.raise(future);
        assert_eq!(clock.now().as_microsecond(), future.as_microsecond());
        assert!(clock.lag() > WORRYING_LAG);
        clock.persist().unwrap();

        let restarted = SystemClock::marked(file).unwrap();
        assert_eq!(restarted.now().as_microsecond(), future.as_microsecond());
    }

    /// Row 9: a grant that has run out stays so, in this process and in the next one.
    #[test]
    fn threat_09_a_wall_clock_stepped_back_an_hour_revives_nothing() {
        use modelward_decision::vocabulary::{GrantId, GranteeRef, PersonId, Privilege, ScopeRef};

        let hour = Duration::from_secs(3600);
        // What the wall clock said before it was stepped back to what it says now.
        let before = wall() + hour;
        let ended = before - Duration::from_secs(1);
        let by = PersonId::from_bits(1);
        let grant = modelward_decision::Grant {
            id: GrantId::from_bits(1),
            grantee: GranteeRef::Person(by),
            privilege: Privilege::Inference,
            scope: ScopeRef::Platform,
            conditions: modelward_decision::grant::Conditions::default(),
            not_before: ended - hour * 8,
            not_after: ended,
            origin: modelward_decision::grant::Origin::Bootstrap { by },
        };
        assert!(grant.is_live(wall()), "by the wall clock it would live again");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let clock = SystemClock::marked(file.clone()).unwrap();
        clock.raise(before);
        assert!(!grant.is_live(clock.now()));
        clock.persist().unwrap();
        assert!(!grant.is_live(SystemClock::marked(file).unwrap().now()), "nor after a restart");
    }

    #[test]
    fn a_damaged_mark_refuses_to_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        fs::write(&file, "yesterday").unwrap();
        assert!(matches!(SystemClock::marked(file), Err(ClockError::Damaged { .. })));
    }

    #[test]
    fn ids_are_time_ordered_and_distinct() {
        let ids: Vec<Uuid> = (0..100).map(|_| SystemIds.uuid()).collect();
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
