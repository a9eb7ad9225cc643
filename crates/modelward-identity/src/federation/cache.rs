//! When keys are fetched again: rarely, once for all who wait, and never because somebody sends nonsense.

use jiff::{SignedDuration, Timestamp};

use super::{Algorithm, ForeignKeys};
use crate::session::after;

/// Keys this young are used without a look at the issuer.
pub const FRESH: SignedDuration = SignedDuration::from_mins(15);
/// However many unknown keys are named, the issuer is asked at most this often.
pub const FETCH_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Keys are used this long after they were last seen at an issuer that does not answer.
pub const LAST_GOOD: SignedDuration = SignedDuration::from_hours(24);

/// The keys of one issuer as last seen, and when it was last asked.
#[derive(Debug, Default)]
pub struct KeyCache {
    good: Option<(ForeignKeys, Timestamp)>,
    asked_at: Option<Timestamp>,
}

/// What to do before a token is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// With what is here; a key that is not is unknown.
    Use,
    /// Ask the issuer first.
    Fetch,
}

/// There are no keys to check with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys of the issuer are not known: it did not answer, or not for {} hours", LAST_GOOD.as_hours())]
pub struct Unusable;

impl KeyCache {
    pub fn plan(&self, id: Option<&str>, algorithm: Algorithm, now: Timestamp) -> Plan {
        let may_ask = self.asked_at.is_none_or(|asked| now >= after(asked, FETCH_EVERY));
        let suffices = self
            .good
            .as_ref()
            .is_some_and(|(keys, seen)| now < after(*seen, FRESH) && keys.knows(id, algorithm));
        if suffices || !may_ask { Plan::Use } else { Plan::Fetch }
    }

    /// To be noted before asking, so that an issuer that hangs is not asked again meanwhile.
    pub const fn asked(&mut self, now: Timestamp) {
        self.asked_at = Some(now);
    }

    /// From now on these keys count and no other: one that is gone was taken back.
    pub fn learned(&mut self, keys: ForeignKeys, now: Timestamp) {
        self.good = Some((keys, now));
    }

    /// The keys to check with.
    pub fn keys(&self, now: Timestamp) -> Result<&ForeignKeys, Unusable> {
        match &self.good {
            Some((keys, seen)) if now < after(*seen, LAST_GOOD) => Ok(keys),
            Some(_) | None => Err(Unusable),
        }
    }

    /// When the keys were last seen at the issuer.
    pub fn seen_at(&self) -> Option<Timestamp> {
        self.good.as_ref().map(|(_, seen)| *seen)
    }

    /// Forgets everything, for an issuer that is distrusted.
    pub fn forget(&mut self) {
        self.good = None;
    }
}
