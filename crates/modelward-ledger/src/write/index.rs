//! What must be known about the past to write the next entry: event ids seen, and intents without an outcome.

use std::collections::{BTreeMap, HashMap};

use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use super::ticket::Receipt;
use crate::entry::{IntentRef, Mark, Phase};

/// Derived from the log; a snapshot of it on disk only spares reading everything at a start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Index {
    size: u64,
    events: HashMap<EventKey, Receipt>,
    /// Open intents by their index.
    intents: BTreeMap<u64, String>,
}

/// Half of a SHA-256 over the event id: constant size, whatever callers choose.
pub(crate) type EventKey = [u8; 16];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    size: u64,
    intents: Vec<(u64, String)>,
    events: Vec<(String, u64, Digest)>,
}

/// The few fields of an entry that the index needs; the rest is passed over.
#[derive(Deserialize)]
struct Glance {
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    phase: Option<Phase>,
    #[serde(default)]
    intent: Option<IntentRef>,
    id: String,
}

impl Index {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn receipt_of(&self, event: &str) -> Option<Receipt> {
        self.events.get(&key(event)).copied()
    }

    pub(crate) fn open_intents(&self) -> impl Iterator<Item = IntentRef> {
        self.intents.iter().map(|(index, id)| IntentRef { id: id.clone(), index: *index })
    }

    /// Takes note of the entry at the index's own size.
    pub(crate) fn add(&mut self, leaf: Digest, event: Option<&str>, mark: &Mark) {
        let receipt = Receipt { index: self.size, leaf_hash: leaf };
        if let Some(event) = event {
            self.events.entry(key(event)).or_insert(receipt);
        }
        match mark {
            Mark::None => {}
            Mark::Opens(id) => {
                self.intents.insert(self.size, id.clone());
            }
            Mark::Closes(intent) => {
                if self.intents.get(&intent.index).is_some_and(|id| *id == intent.id) {
                    self.intents.remove(&intent.index);
                }
            }
        }
        self.size = self.size.saturating_add(1);
    }

    /// The same from an entry's bytes. Bytes that are no entry of ours count, but say nothing.
    pub(crate) fn add_bytes(&mut self, leaf: Digest, bytes: &[u8]) {
        match serde_json::from_slice::<Glance>(bytes) {
            Ok(seen) => {
                let mark = Mark::of(seen.phase, &seen.id, seen.intent.as_ref());
                self.add(leaf, seen.event.as_deref(), &mark);
            }
            Err(_) => self.add(leaf, None, &Mark::None),
        }
    }

    /// The snapshot's bytes: a digest, a line break, JSON.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let snapshot = Snapshot {
            size: self.size,
            intents: self.intents.iter().map(|(index, id)| (*index, id.clone())).collect(),
            events: self.events.iter().map(|(key, at)| (hex::encode(key), at.index, at.leaf_hash)).collect(),
        };
        let body = serde_json::to_vec(&snapshot)?;
        Ok([format!("{}\n", Digest::of(&body)).as_bytes(), &body].concat())
    }

    /// Nothing if the snapshot is damaged: it is then rebuilt from the log.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let at = bytes.iter().position(|byte| *byte == b'\n')?;
        let (digest, body) = bytes.split_at_checked(at)?;
        let body = body.get(1..)?;
        let digest: Digest = std::str::from_utf8(digest).ok()?.parse().ok()?;
        if digest != Digest::of(body) {
            return None;
        }
        let snapshot: Snapshot = serde_json::from_slice(body).ok()?;
        let mut index = Self { size: snapshot.size, ..Self::default() };
        index.intents.extend(snapshot.intents);
        for (key, at, leaf_hash) in snapshot.events {
            let mut event = [0; 16];
            hex::decode_to_slice(key, &mut event).ok()?;
            index.events.insert(event, Receipt { index: at, leaf_hash });
        }
        Some(index)
    }
}

fn key(event: &str) -> EventKey {
    let digest = Digest::of(event.as_bytes());
    let mut key = [0; 16];
    key.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    key
}
