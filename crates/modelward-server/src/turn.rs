//! One's turn to change the state: between reading it and writing it, nobody else changes it.
//!
//! Whoever computes a change from what they read, and writes it later, undoes what happened in between: somebody lowers
//! a clearance, and a change of the name brings it back. So there is one way to write, [`Turn::make`], and a turn is had
//! before anything is read.

use std::sync::Arc;
use std::time::Duration;

use modelward_decision::Snapshot;
use modelward_decision::vocabulary::{EventId, PrincipalRef};
use modelward_seal::Digest;
use modelward_store::{Commit, Recorded, StateChange, Writer};
use tokio::time::Instant;

use crate::control::ControlPlane;
use crate::problem::Problem;

/// The only one who changes anything, as long as it lives. Whatever else writes to the store waits for it too, so it is
/// used up or dropped before anything else is written.
#[derive(Debug)]
#[must_use = "nobody else can change anything while it lives"]
pub(crate) struct Turn {
    plane: Arc<ControlPlane>,
    writer: Writer,
    state: Arc<Snapshot>,
    since: Instant,
}

/// A change to be made: what, by whom, and what the ledger is to say about it.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) actor: Option<PrincipalRef>,
    /// A short word for the kind of change: `grant`, `revoke`, `apply`.
    pub(crate) what: &'static str,
    /// Lines for readers of the ledger, sealed in the entry. No secret.
    pub(crate) lines: Vec<String>,
    pub(crate) changes: Vec<StateChange>,
}

/// A change that is in force everywhere here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    pub(crate) revision: u64,
    /// From waiting for one's turn until what narrows was published.
    pub(crate) enforced_after: Duration,
}

/// Lines of a change that its ledger entry lists; the digest covers all.
const LINES_MAX: usize = 40;
const LINE_CHARS_MAX: usize = 160;

/// A part of a change that is committed and waits for the ledger.
struct Waiting {
    event: EventId,
    actor: Option<PrincipalRef>,
    detail: serde_json::Value,
}

impl ControlPlane {
    /// Waits for one's turn to change something.
    pub(crate) async fn turn(self: &Arc<Self>) -> Result<Turn, Problem> {
        let since = Instant::now();
        let writer = self.store.writer().await;
        let ahead = writer.ahead().await?;
        let latest = self.snapshot();
        let state = if ahead.is_empty() {
            latest
        } else {
            Arc::new(latest.with(ahead).at_revision(latest.revision()))
        };
        Ok(Turn { plane: Arc::clone(self), writer, state, since })
    }
}

impl Turn {
    /// The state as it will be once all that was committed before is in force: what changes are computed from, and what
    /// rules are to look at.
    pub(crate) const fn state(&self) -> &Arc<Snapshot> {
        &self.state
    }

    pub(crate) const fn plane(&self) -> &Arc<ControlPlane> {
        &self.plane
    }

    /// Makes a change, and waits until it is in force.
    pub(crate) async fn make(self, changed: Changed) -> Result<Settled, Problem> {
        self.make_all(vec![changed]).await
    }

    /// Makes changes one after the other. They run in a task of their own: whoever goes away half-way leaves nothing
    /// half done.
    pub(crate) async fn make_all(self, parts: Vec<Changed>) -> Result<Settled, Problem> {
        let task = tokio::spawn(self.settle(parts));
        task.await.map_err(|error| Problem::internal("making a change", &error))?
    }

    async fn settle(self, parts: Vec<Changed>) -> Result<Settled, Problem> {
        let Self { plane, mut writer, state, since } = self;
        let mut waiting = Vec::with_capacity(parts.len());
        let mut refused = None;
        for part in parts {
            match commit(&plane, &mut writer, part).await {
                Ok(part) => waiting.push(part),
                Err(problem) => {
                    refused = Some(problem);
                    break;
                }
            }
        }
        drop(writer);
        let enforced_after = since.elapsed();
        plane.figures.enforced(enforced_after);
        let mut revision = state.revision();
        for Waiting { event, actor, detail } in waiting {
            revision = plane.ledgered(event, actor, &detail).await?;
        }
        match refused {
            Some(problem) => Err(problem),
            None => Ok(Settled { revision, enforced_after }),
        }
    }
}

/// Commits one part, and publishes what of it narrows.
async fn commit(plane: &ControlPlane, writer: &mut Writer, changed: Changed) -> Result<Waiting, Problem> {
    let event = EventId::from_uuid(plane.ids.uuid());
    let detail = detail(&changed);
    let Changed { actor, changes, .. } = changed;
    let commit = Commit { event, actor, at: plane.now(), detail: detail.clone(), changes };
    let committed = writer.commit(commit).await?;
    plane.publish(committed.revision, &committed.narrowing);
    Ok(Waiting { event, actor, detail })
}

/// What the outbox keeps for the entry of a change: a word, the first lines, and the digest of all changes.
fn detail(changed: &Changed) -> serde_json::Value {
    let shown: Vec<String> = changed
        .lines
        .iter()
        .take(LINES_MAX)
        .map(|line| line.chars().filter(|char| !char.is_control()).take(LINE_CHARS_MAX).collect())
        .collect();
    let records: Vec<Recorded> = changed.changes.iter().flat_map(recorded).collect();
    let digest = serde_json::to_vec(&records).map_or_else(|_| Digest::of(b""), |bytes| Digest::of(&bytes));
    serde_json::json!({
        "what": changed.what,
        "lines": shown,
        "count": changed.changes.len(),
        "digest": digest.to_string(),
    })
}

/// A change as the digest sees it: without secrets.
fn recorded(change: &StateChange) -> Vec<Recorded> {
    match change {
        StateChange::Put(thing) => vec![Recorded::Put(thing.clone())],
        StateChange::Remove(removed) => vec![Recorded::Remove(*removed)],
        StateChange::Grant(grant) => vec![Recorded::Grant(grant.clone())],
        StateChange::Revoke(id) => vec![Recorded::Revoke(*id)],
        StateChange::Bump(scope) => vec![Recorded::Bump(*scope)],
        StateChange::Bootstrap(state) => vec![Recorded::Bootstrap(*state)],
        StateChange::Policy(state) => vec![Recorded::Policy(state.clone())],
        StateChange::Credential(_) => Vec::new(),
        StateChange::DropCredential(person) => vec![Recorded::DropCredential(*person)],
        StateChange::DropFactor(person, factor) => {
            vec![Recorded::DropFactor { person: *person, factor: *factor }]
        }
        StateChange::Link(link) => vec![Recorded::Link(link.clone())],
        StateChange::Unlink(identity) => vec![Recorded::Unlink(identity.clone())],
        StateChange::Issuer(standing) => vec![Recorded::Issuer(standing.clone())],
        StateChange::Raise(raised) => vec![Recorded::Raise(raised.clone())],
        StateChange::Lift(what) => vec![Recorded::Lift(what.clone())],
        StateChange::Scim(write) => vec![write.record()],
    }
}
