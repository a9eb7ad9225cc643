//! Softlocks: guessing gets slower, and nobody is locked out for good.
//!
//! An attempt is counted before it is looked at, so a hundred guesses sent at once are a hundred guesses; success gives
//! the count back. Five counters, all of them back to zero with the next UTC day:
//!
//! | counter | waits after the n-th failure |
//! |---|---|
//! | account from one network | 1 s (n < 3), 3 s (< 9), 5 s (< 25), 10 s (< 100), then until the day ends |
//! | account from anywhere | the same, never above 10 s; not asked where the account signed in from before |
//! | network, any account | none (n < 25), 5 s (< 100), then 10 s |
//! | one-time code of an account | none (n < 3), then until the next code, from 100 on until the day ends |
//! | passkey of an account from one network | 1 s |
//!
//! So whoever guesses from elsewhere can neither get far nor keep the owner out: the owner's own network is asked only
//! for failures made there. The counter of one-time codes moves only for somebody who knows the password.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use modelward_seal::Digest;

use crate::session::after;
use crate::totp::STEP_SECONDS;

/// A network that counts as one place: IPv4 /24, IPv6 /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePrefix(IpAddr);

/// An account by the name as typed, whether it exists or not, so that both behave alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(Digest);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockKey {
    Pair(AccountKey, SourcePrefix),
    Account(AccountKey),
    Source(SourcePrefix),
    Totp(AccountKey),
    Passkey(AccountKey, SourcePrefix),
}

/// One counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softlock {
    /// Failures, and attempts still under way, of the day.
    pub failures: u32,
    /// Days since 1970, UTC.
    pub day: i64,
    /// First moment at which an attempt is looked at again.
    pub until: Timestamp,
    /// The account signed in from this network before; remembered for [`TRUSTED`].
    pub trusted_until: Option<Timestamp>,
}

/// How long a network stays known to an account after a success.
pub const TRUSTED: SignedDuration = SignedDuration::from_hours(30 * 24);
const DAY_SECONDS: i64 = 86_400;

/// Come back later. The same for an account that exists and one that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; the next one counts from {until} on")]
pub struct Wait {
    pub until: Timestamp,
}

/// An attempt that may be looked at, and is already counted. Dropping it leaves it counted as failed.
#[derive(Debug)]
#[must_use = "an attempt that succeeded must be given to `succeed`"]
pub struct Attempt {
    keys: Keys,
}

#[derive(Debug, Clone, Copy)]
enum Keys {
    Password { account: AccountKey, source: SourcePrefix },
    Totp { account: AccountKey },
    Passkey { account: AccountKey, source: SourcePrefix },
}

/// All counters, bounded. A plain value: the caller holds it behind a lock, and stores what it wants to keep.
#[derive(Debug)]
pub struct Softlocks {
    locks: HashMap<LockKey, Softlock>,
    max: usize,
}

impl Softlocks {
    /// Counters kept at most.
    pub const MAX: usize = 100_000;

    pub fn new() -> Self {
        Self::with_max(Self::MAX)
    }

    pub fn with_max(max: usize) -> Self {
        Self { locks: HashMap::new(), max: max.max(16) }
    }

    /// Puts a stored counter back.
    pub fn restore(&mut self, key: LockKey, lock: Softlock) {
        self.locks.insert(key, lock);
    }

    /// Counters kept now.
    pub fn len(&self) -> usize {
        self.locks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.locks.is_empty()
    }

    /// All counters, to be stored.
    pub fn iter(&self) -> impl Iterator<Item = (&LockKey, &Softlock)> {
        self.locks.iter()
    }

    pub fn get(&self, key: &LockKey) -> Option<&Softlock> {
        self.locks.get(key)
    }

    /// Begins an attempt at a password, or says when to come back. `account` is the name as typed.
    pub fn begin(&mut self, account: &str, source: IpAddr, now: Timestamp) -> Result<Attempt, Wait> {
        let (account, source) = (AccountKey::of(account), SourcePrefix::of(source));
        let pair = LockKey::Pair(account, source);
        let is_known =
            self.locks.get(&pair).and_then(|lock| lock.trusted_until).is_some_and(|until| now < until);
        let mut asked = vec![pair, LockKey::Source(source)];
        if !is_known {
            asked.push(LockKey::Account(account));
        }
        self.charge(&asked, now)?;
        Ok(Attempt { keys: Keys::Password { account, source } })
    }

    /// Begins an attempt at a one-time or recovery code of an account whose password was right.
    pub fn begin_totp(&mut self, account: &str, now: Timestamp) -> Result<Attempt, Wait> {
        let account = AccountKey::of(account);
        self.charge(&[LockKey::Totp(account)], now)?;
        Ok(Attempt { keys: Keys::Totp { account } })
    }

    /// Begins an attempt with a passkey. A signature cannot be guessed, so this only keeps one network from making us
    /// check signatures without end; failures made with passwords or from elsewhere do not stand in its way.
    pub fn begin_passkey(&mut self, account: &str, source: IpAddr, now: Timestamp) -> Result<Attempt, Wait> {
        let (account, source) = (AccountKey::of(account), SourcePrefix::of(source));
        self.charge(&[LockKey::Passkey(account, source), LockKey::Source(source)], now)?;
        Ok(Attempt { keys: Keys::Passkey { account, source } })
    }

    /// The attempt was right. Report a sign-in only once all its factors were: a right password is no success yet.
    pub fn succeed(&mut self, attempt: &Attempt, now: Timestamp) {
        match attempt.keys {
            Keys::Password { account, source } => {
                let trusted_until = Some(after(now, TRUSTED));
                let fresh = Softlock { day: day(now), trusted_until, ..Softlock::default() };
                self.locks.insert(LockKey::Pair(account, source), fresh);
                self.locks.remove(&LockKey::Account(account));
                self.give_back(source, now);
            }
            Keys::Passkey { account, source } => {
                self.locks.remove(&LockKey::Passkey(account, source));
                self.give_back(source, now);
            }
            Keys::Totp { account } => {
                self.locks.remove(&LockKey::Totp(account));
            }
        }
    }

    /// Others at the same network may still be guessing, so only one attempt is taken back.
    fn give_back(&mut self, source: SourcePrefix, now: Timestamp) {
        if let Some(lock) = self.locks.get_mut(&LockKey::Source(source)) {
            lock.failures = lock.failures.saturating_sub(1);
            lock.until = lock.until.min(now);
        }
    }

    /// Counts an attempt at every counter asked, or at none.
    fn charge(&mut self, asked: &[LockKey], now: Timestamp) -> Result<(), Wait> {
        let until = asked.iter().filter_map(|key| self.locks.get(key)).map(|lock| lock.until).max();
        if let Some(until) = until
            && now < until
        {
            return Err(Wait { until });
        }
        self.make_room(asked.len(), now);
        for key in asked {
            self.locks.entry(*key).or_default().fail(*key, now);
        }
        Ok(())
    }

    /// Forgets what matters least: first what is over, then what has hardly begun. Networks known to an account go
    /// last, since forgetting them would let strangers slow the owner down.
    fn make_room(&mut self, wanted: usize, now: Timestamp) {
        if self.locks.len() + wanted <= self.max {
            return;
        }
        let today = day(now);
        self.locks.retain(|_, lock| lock.is_trusted(now) || (lock.day == today && lock.failures >= 3));
        // A sweep looks at every counter, so it makes room for many.
        let target = self.max - self.max / 8;
        for spare_trusted in [true, false] {
            let mut excess = (self.locks.len() + wanted).saturating_sub(target);
            self.locks.retain(|_, lock| {
                let goes = excess > 0 && !(spare_trusted && lock.is_trusted(now));
                excess -= usize::from(goes);
                !goes
            });
        }
    }
}

impl Default for Softlocks {
    fn default() -> Self {
        Self::new()
    }
}

impl Softlock {
    fn fail(&mut self, key: LockKey, now: Timestamp) {
        let today = day(now);
        if self.day != today {
            self.failures = 0;
            self.day = today;
        }
        self.failures = self.failures.saturating_add(1);
        self.until = wait(key, self.failures, now);
    }

    fn is_trusted(&self, now: Timestamp) -> bool {
        self.trusted_until.is_some_and(|until| now < until)
    }
}

/// When the next attempt counts, after so many failures.
fn wait(key: LockKey, failures: u32, now: Timestamp) -> Timestamp {
    let seconds = |seconds| after(now, SignedDuration::from_secs(seconds));
    match (key, failures) {
        (LockKey::Passkey(..), _) | (LockKey::Pair(..) | LockKey::Account(_), 0..3) => seconds(1),
        (LockKey::Pair(..) | LockKey::Account(_), 3..9) => seconds(3),
        (LockKey::Pair(..) | LockKey::Account(_), 9..25) => seconds(5),
        (LockKey::Pair(..), 25..100) | (LockKey::Account(_), 25..) => seconds(10),
        (LockKey::Source(_), 0..25) | (LockKey::Totp(_), 0..3) => now,
        (LockKey::Source(_), 25..100) => seconds(5),
        (LockKey::Source(_), 100..) => seconds(10),
        (LockKey::Totp(_), 3..100) => next(now, i64::try_from(STEP_SECONDS).unwrap_or(30)),
        (LockKey::Pair(..) | LockKey::Totp(_), 100..) => next(now, DAY_SECONDS),
    }
}

/// The next moment divisible by so many seconds.
fn next(now: Timestamp, every: i64) -> Timestamp {
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(every) + every).unwrap_or(Timestamp::MAX)
}

fn day(now: Timestamp) -> i64 {
    now.as_second().div_euclid(DAY_SECONDS)
}

impl SourcePrefix {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)))),
            IpAddr::V6(address) => {
                Self(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))))
            }
        }
    }
}

impl AccountKey {
    /// Case does not make another account. What was typed may be a password by mistake, so only its digest is kept.
    pub fn of(typed: &str) -> Self {
        Self(Digest::of(typed.to_lowercase().as_bytes()))
    }
}

impl fmt::Display for SourcePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}/24"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// A stored key cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the key of a softlock")]
pub struct LockKeyError(pub String);

impl FromStr for SourcePrefix {
    type Err = LockKeyError;

    fn from_str(text: &str) -> Result<Self, LockKeyError> {
        let address = text.strip_suffix("/24").or_else(|| text.strip_suffix("/64"));
        let prefix = address.and_then(|address| address.parse().ok()).map(Self::of);
        prefix.filter(|prefix| prefix.to_string() == text).ok_or_else(|| LockKeyError::new(text))
    }
}

impl FromStr for LockKey {
    type Err = LockKeyError;

    fn from_str(text: &str) -> Result<Self, LockKeyError> {
        let error = || LockKeyError::new(text);
        let account = |digest: &str| digest.parse().map(AccountKey).map_err(|_| error());
        let (kind, rest) = text.split_once('/').ok_or_else(error)?;
        match kind {
            "pair" => {
                let (digest, source) = rest.split_once('/').ok_or_else(error)?;
                Ok(Self::Pair(account(digest)?, source.parse()?))
            }
            "account" => Ok(Self::Account(account(rest)?)),
            "source" => Ok(Self::Source(rest.parse()?)),
            "totp" => Ok(Self::Totp(account(rest)?)),
            "passkey" => {
                let (digest, source) = rest.split_once('/').ok_or_else(error)?;
                Ok(Self::Passkey(account(digest)?, source.parse()?))
            }
            _ => Err(error()),
        }
    }
}

impl LockKeyError {
    fn new(text: &str) -> Self {
        Self(text.chars().take(120).collect())
    }
}

/// The form to store it under.
impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pair(account, source) => write!(f, "pair/{}/{source}", account.0),
            Self::Account(account) => write!(f, "account/{}", account.0),
            Self::Source(source) => write!(f, "source/{source}"),
            Self::Totp(account) => write!(f, "totp/{}", account.0),
            Self::Passkey(account, source) => write!(f, "passkey/{}/{source}", account.0),
        }
    }
}
