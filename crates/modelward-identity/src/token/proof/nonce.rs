//! Nonces: random, of this process alone, new every minute, good for two.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use modelward_seal::source::Ids;

use crate::session::after;

const LASTS: SignedDuration = SignedDuration::from_secs(60);
const BYTES: usize = 16;

/// What a server wants to find in the next proof. No secret: it only dates the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

/// A proof with a nonce of one server counts at no other: they share none.
#[derive(Debug)]
pub(super) struct Nonces {
    ids: Arc<dyn Ids>,
    pair: Mutex<Pair>,
}

#[derive(Debug)]
struct Pair {
    current: Nonce,
    since: Timestamp,
    former: Option<Nonce>,
}

impl Nonces {
    pub(super) fn new(ids: Arc<dyn Ids>, now: Timestamp) -> Self {
        let pair = Mutex::new(Pair { current: Nonce::random(&*ids), since: now, former: None });
        Self { ids, pair }
    }

    pub(super) fn current(&self, now: Timestamp) -> Nonce {
        let mut pair = self.lock();
        if now >= after(pair.since, LASTS) {
            let is_recent = now < after(pair.since, LASTS + LASTS);
            let former = std::mem::replace(&mut pair.current, Nonce::random(&*self.ids));
            pair.former = is_recent.then_some(former);
            pair.since = now;
        }
        pair.current.clone()
    }

    pub(super) fn knows(&self, presented: &str, now: Timestamp) -> bool {
        let pair = self.lock();
        let is = |known: &Nonce| known.0 == presented;
        if now < after(pair.since, LASTS) && pair.former.as_ref().is_some_and(is) {
            return true;
        }
        now < after(pair.since, LASTS + LASTS) && is(&pair.current)
    }

    fn lock(&self) -> MutexGuard<'_, Pair> {
        // Whatever panicked elsewhere left two whole nonces.
        self.pair.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nonce {
    fn random(ids: &dyn Ids) -> Self {
        let mut bytes = [0; BYTES];
        ids.fill(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
