//! A recorded decision decided again, on the state and under the bundle of its time; and many of them under another
//! bundle, to see which verdicts would flip.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::decide::{find, held_fields};
use crate::decision::{Decision, Outcome, Request};
use crate::obligation::Obligation;
use crate::snapshot::Snapshot;
use crate::vocabulary::{Action, DecisionId, Field, GrantId, PrincipalRef, Privilege, ResourceRef};

/// What was recorded of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub outcome: Outcome,
    pub determining: Vec<SmolStr>,
    pub sentence: String,
    pub grant: Option<GrantId>,
    pub obligations: Vec<Obligation>,
    pub held_fields: Vec<Field>,
}

/// The first part in which a decision made again is not the recorded one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `outcome`, `determining policies`, `grant`, `obligations`, `held fields` or `sentence`.
    pub part: String,
    pub recorded: String,
    pub replayed: String,
}

impl Recorded {
    pub fn of(decision: &Decision) -> Self {
        Self {
            outcome: decision.outcome,
            determining: decision.determining.iter().map(|citation| citation.policy.clone()).collect(),
            sentence: decision.sentence.clone(),
            grant: decision.grant,
            obligations: decision.obligations.clone(),
            held_fields: decision.held_fields.iter().copied().collect(),
        }
    }

    /// Where the decision made again departs from this, byte by byte; nothing where it does not.
    pub fn compare(&self, again: &Self) -> Option<Difference> {
        let differs = |part: &str, recorded: String, replayed: String| {
            (recorded != replayed).then(|| Difference { part: part.to_owned(), recorded, replayed })
        };
        differs("outcome", self.outcome.as_str().to_owned(), again.outcome.as_str().to_owned())
            .or_else(|| {
                differs("determining policies", self.determining.join(", "), again.determining.join(", "))
            })
            .or_else(|| differs("grant", shown(self.grant.iter()), shown(again.grant.iter())))
            .or_else(|| differs("obligations", shown(&self.obligations), shown(&again.obligations)))
            .or_else(|| differs("held fields", shown(&self.held_fields), shown(&again.held_fields)))
            .or_else(|| differs("sentence", self.sentence.clone(), again.sentence.clone()))
    }
}

fn shown<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// A recorded decision to be tried under another bundle.
#[derive(Debug, Clone)]
pub struct Item {
    pub decision: DecisionId,
    pub request: Request,
    pub outcome: Outcome,
    /// The policies that settled it.
    pub determining: Vec<SmolStr>,
    pub obligations: Vec<Obligation>,
}

/// Decisions that were made on one state. The snapshot carries the bundle to be tried.
#[derive(Debug, Clone)]
pub struct Batch {
    pub snapshot: Arc<Snapshot>,
    pub items: Vec<Item>,
}

/// Which way a verdict flips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Denied then, would be allowed.
    Looser,
    /// Allowed then, would be denied.
    Stricter,
    /// Allowed both times, with other obligations.
    Obligations,
}

/// What flips have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlipKey {
    pub action: Action,
    pub privilege: Privilege,
    pub direction: Direction,
    /// The policy that settles it now, or the one that settled it then where none does.
    pub policy: Option<SmolStr>,
}

/// One decision that would flip: who, and what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flip {
    pub decision: DecisionId,
    pub principal: PrincipalRef,
    pub resource: ResourceRef,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flips {
    /// Decisions tried.
    pub replayed: u64,
    pub flips: BTreeMap<FlipKey, Vec<Flip>>,
}

/// Items one worker takes at a time.
const CHUNK: usize = 256;
/// Chunks that wait for a worker, for each of them.
const WAITING: usize = 4;

/// Tries every decision on `workers` threads. Batches are drawn one by one, so few states are held at a time;
/// `progress` hears how many decisions were tried so far.
pub fn flips(batches: impl Iterator<Item = Batch>, workers: usize, progress: &(dyn Fn(u64) + Sync)) -> Flips {
    let workers = workers.max(1);
    let (send, receive) = sync_channel::<Batch>(workers.saturating_mul(WAITING));
    let receive = Mutex::new(receive);
    let all = Mutex::new(Flips::default());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&receive, &all, progress));
        }
        hand_out(batches, &send);
        // No more to come: the workers go home.
        drop(send);
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Workers finish in any order; the report does not.
    all.flips.values_mut().for_each(|flips| flips.sort());
    all
}

fn hand_out(batches: impl Iterator<Item = Batch>, send: &SyncSender<Batch>) {
    for Batch { snapshot, items } in batches {
        for chunk in items.chunks(CHUNK) {
            let chunk = Batch { snapshot: Arc::clone(&snapshot), items: chunk.to_vec() };
            if send.send(chunk).is_err() {
                return;
            }
        }
    }
}

fn work(receive: &Mutex<Receiver<Batch>>, all: &Mutex<Flips>, progress: &(dyn Fn(u64) + Sync)) {
    loop {
        let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return };
        let found: Vec<(FlipKey, Flip)> =
            batch.items.iter().filter_map(|item| flip(&batch.snapshot, item)).collect();
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.replayed = all.replayed.saturating_add(u64::try_from(batch.items.len()).unwrap_or(u64::MAX));
        for (key, flip) in found {
            all.flips.entry(key).or_default().push(flip);
        }
        let replayed = all.replayed;
        drop(all);
        progress(replayed);
    }
}

/// Decides one item under the snapshot's bundle and says how it flips. It finds no words, which nobody would read.
pub fn flip(snapshot: &Snapshot, item: &Item) -> Option<(FlipKey, Flip)> {
    let request = &item.request;
    let held = held_fields(snapshot, request);
    let finding = find(snapshot, request, &request.facts.ask, &held);
    let direction = match (item.outcome.is_allow(), finding.outcome.is_allow()) {
        (false, false) => return None,
        (false, true) => Direction::Looser,
        (true, false) => Direction::Stricter,
        (true, true) if finding.obligations == item.obligations => return None,
        (true, true) => Direction::Obligations,
    };
    let now = finding.determining.first().map(|policy| policy.id.clone());
    let key = FlipKey {
        action: request.action,
        privilege: request.action.privilege(),
        direction,
        policy: now.or_else(|| item.determining.first().cloned()),
    };
    Some((key, Flip { decision: item.decision, principal: request.principal, resource: request.resource }))
}
