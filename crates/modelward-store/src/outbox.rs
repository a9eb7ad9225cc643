//! Events on their way into the ledger, and where they ended up.

use jiff::Timestamp;
use modelward_decision::vocabulary::{EventId, PrincipalRef};
use sqlx::any::AnyRow;

use crate::change::Recorded;
use crate::error::Doing;
use crate::sql::{count, from_json, number, page, parse, principal, text, time};
use crate::{Store, StoreError};

/// An event whose ledger entry is not known to be durable. After a crash, each has to be appended to the ledger (which
/// does nothing for one it has, as it knows events by their id) and then reported with
/// [`Store::ledgered`](crate::Store::ledgered).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub event: EventId,
    /// Order of commits.
    pub sequence: u64,
    /// `None` is the system itself.
    pub actor: Option<PrincipalRef>,
    pub at: Timestamp,
    /// What the committer wanted the ledger entry to say besides the changes.
    pub detail: serde_json::Value,
    pub changes: Vec<Recorded>,
}

/// An event and its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub event: EventId,
    pub sequence: u64,
    pub actor: Option<PrincipalRef>,
    pub at: Timestamp,
    pub detail: serde_json::Value,
    /// `None` until the entry is durable.
    pub ledger_index: Option<u64>,
    pub ledgered_at: Option<Timestamp>,
}

impl Store {
    /// The oldest events that wait for the ledger, in the order they were committed.
    pub async fn pending_outbox(&self, limit: u32) -> Result<Vec<Pending>, StoreError> {
        let rows = sqlx::query(
            "SELECT event, sequence, actor, at, detail FROM outbox
             WHERE ledger_index = -1 ORDER BY sequence LIMIT $1",
        )
        .bind(page(limit))
        .fetch_all(self.pool())
        .await
        .doing("read the outbox")?;
        let mut pending = Vec::with_capacity(rows.len());
        for row in rows {
            pending.push(Pending {
                event: parse(text(&row, 0)?, "an event")?,
                sequence: count(&row, 1)?,
                actor: actor(&row, 2)?,
                at: time(&row, 3)?,
                detail: from_json(text(&row, 4)?, "the detail of an event")?,
                changes: self.recorded(text(&row, 0)?).await?,
            });
        }
        Ok(pending)
    }

    /// How many events wait for the ledger; for metrics.
    pub async fn pending_outbox_len(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) FROM outbox WHERE ledger_index = -1")
            .fetch_one(self.pool())
            .await
            .doing("count the outbox")?;
        count(&row, 0)
    }

    async fn recorded(&self, event: &str) -> Result<Vec<Recorded>, StoreError> {
        let rows = sqlx::query("SELECT body FROM pending WHERE event = $1 ORDER BY position")
            .bind(event)
            .fetch_all(self.pool())
            .await
            .doing("read the changes of an event")?;
        rows.iter().map(|row| from_json(text(row, 0)?, "a change")).collect()
    }

    pub async fn event(&self, event: EventId) -> Result<Option<Event>, StoreError> {
        let row = sqlx::query(
            "SELECT event, sequence, actor, at, detail, ledger_index, ledgered_at
             FROM outbox WHERE event = $1",
        )
        .bind(event.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("read an event")?;
        row.as_ref().map(from_row).transpose()
    }

    /// Events newest first, those with a sequence below the given one.
    pub async fn events(&self, before: Option<u64>, limit: u32) -> Result<Vec<Event>, StoreError> {
        let before = before.and_then(|sequence| i64::try_from(sequence).ok()).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT event, sequence, actor, at, detail, ledger_index, ledgered_at
             FROM outbox WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2",
        )
        .bind(before)
        .bind(page(limit))
        .fetch_all(self.pool())
        .await
        .doing("list events")?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &AnyRow) -> Result<Event, StoreError> {
    let index = u64::try_from(number(row, 5)?).ok();
    Ok(Event {
        event: parse(text(row, 0)?, "an event")?,
        sequence: count(row, 1)?,
        actor: actor(row, 2)?,
        at: time(row, 3)?,
        detail: from_json(text(row, 4)?, "the detail of an event")?,
        ledger_index: index,
        ledgered_at: if index.is_some() { Some(time(row, 6)?) } else { None },
    })
}

fn actor(row: &AnyRow, column: usize) -> Result<Option<PrincipalRef>, StoreError> {
    match text(row, column)? {
        "" => Ok(None),
        id => principal(id).map(Some),
    }
}
