//! The last security events received from elsewhere.

use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::error::Doing;
use crate::sql::{count, micros, number, page, text, time};
use crate::{Store, StoreError};

/// One event, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    pub at: Timestamp,
    pub transmitter: String,
    /// What kind of event, such as `session-revoked`.
    pub event: String,
    /// Who of here it was about; empty where that is nobody.
    pub about: String,
    pub happened_at: Timestamp,
    pub effect: String,
    /// What the transmitter says why; empty where it says nothing.
    pub reason: String,
}

impl ReceivedEvent {
    /// Of each text, in bytes.
    pub const BYTES_MAX: usize = 1024;
}

/// How many events are remembered; the oldest go first.
pub const EVENTS_KEPT: i64 = 100_000;

impl Store {
    pub async fn note_received(&self, event: &ReceivedEvent) -> Result<(), StoreError> {
        let ReceivedEvent { at, transmitter, event, about, happened_at, effect, reason } = event;
        let texts = [transmitter, event, about, effect, reason];
        if texts.iter().any(|text| text.len() > ReceivedEvent::BYTES_MAX) {
            return Err(StoreError::TooLong { what: "a security event", max: ReceivedEvent::BYTES_MAX });
        }
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        let row = sqlx::query("UPDATE counter SET value = value + 1 WHERE name = 'received' RETURNING value")
            .fetch_one(&mut *transaction)
            .await
            .doing("count security events")?;
        let next = number(&row, 0)?;
        sqlx::query(
            "INSERT INTO received (number, at, transmitter, event, about, happened_at, effect, reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(next)
        .bind(micros(*at))
        .bind(transmitter.clone())
        .bind(event.clone())
        .bind(about.clone())
        .bind(micros(*happened_at))
        .bind(effect.clone())
        .bind(reason.clone())
        .execute(&mut *transaction)
        .await
        .doing("note a security event")?;
        sqlx::query("DELETE FROM received WHERE number <= $1")
            .bind(next.saturating_sub(EVENTS_KEPT))
            .execute(&mut *transaction)
            .await
            .doing("forget old security events")?;
        transaction.commit().await.doing("note a security event")
    }

    /// Events newest first, with their numbers; those below the given one.
    pub async fn received(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, ReceivedEvent)>, StoreError> {
        let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT number, at, transmitter, event, about, happened_at, effect, reason FROM received
             WHERE number < $1 ORDER BY number DESC LIMIT $2",
        )
        .bind(before)
        .bind(page(limit))
        .fetch_all(self.pool())
        .await
        .doing("list security events")?;
        rows.iter().map(from_row).collect()
    }

    /// When a transmitter was last heard of.
    pub async fn last_received(&self, transmitter: &str) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("SELECT at FROM received WHERE transmitter = $1 ORDER BY number DESC LIMIT 1")
            .bind(transmitter.to_owned())
            .fetch_optional(self.pool())
            .await
            .doing("look when a transmitter was heard of")?;
        row.map(|row| time(&row, 0)).transpose()
    }
}

fn from_row(row: &AnyRow) -> Result<(u64, ReceivedEvent), StoreError> {
    let event = ReceivedEvent {
        at: time(row, 1)?,
        transmitter: text(row, 2)?.to_owned(),
        event: text(row, 3)?.to_owned(),
        about: text(row, 4)?.to_owned(),
        happened_at: time(row, 5)?,
        effect: text(row, 6)?.to_owned(),
        reason: text(row, 7)?.to_owned(),
    };
    Ok((count(row, 0)?, event))
}
