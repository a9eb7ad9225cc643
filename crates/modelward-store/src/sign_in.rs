//! The last attempts to sign in, for the account's holder and for those who watch.

use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::error::Doing;
use crate::sql::{count, micros, page, text, time};
use crate::{Store, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub at: Timestamp,
    /// As typed, cut to [`Attempt::BYTES_MAX`]. It may be a password typed into the wrong field: show it to nobody but
    /// the account it names.
    pub name: String,
    /// The address or prefix it came from.
    pub source: String,
    /// A stable code, such as `ok` or `wrong-password`.
    pub outcome: String,
}

impl Attempt {
    /// Of each text, in bytes.
    pub const BYTES_MAX: usize = 256;
}

/// How many attempts are remembered; the oldest go first.
pub const ATTEMPTS_KEPT: i64 = 100_000;

impl Store {
    pub async fn note_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let Attempt { at, name, source, outcome } = attempt;
        if name.len().max(source.len()).max(outcome.len()) > Attempt::BYTES_MAX {
            return Err(StoreError::TooLong { what: "an attempt to sign in", max: Attempt::BYTES_MAX });
        }
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        let row = sqlx::query("UPDATE counter SET value = value + 1 WHERE name = 'sign_in' RETURNING value")
            .fetch_one(&mut *transaction)
            .await
            .doing("count attempts")?;
        let number = crate::sql::number(&row, 0)?;
        sqlx::query("INSERT INTO sign_in (number, at, name, source, outcome) VALUES ($1, $2, $3, $4, $5)")
            .bind(number)
            .bind(micros(*at))
            .bind(name.clone())
            .bind(source.clone())
            .bind(outcome.clone())
            .execute(&mut *transaction)
            .await
            .doing("note an attempt")?;
        sqlx::query("DELETE FROM sign_in WHERE number <= $1")
            .bind(number.saturating_sub(ATTEMPTS_KEPT))
            .execute(&mut *transaction)
            .await
            .doing("forget old attempts")?;
        transaction.commit().await.doing("note an attempt")
    }

    /// Attempts newest first, with their numbers; those below the given one, and of one account if it is named.
    pub async fn attempts(
        &self,
        name: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, Attempt)>, StoreError> {
        let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
        let query = match name {
            Some(name) => sqlx::query(
                "SELECT number, at, name, source, outcome FROM sign_in
                 WHERE number < $1 AND name = $3 ORDER BY number DESC LIMIT $2",
            )
            .bind(before)
            .bind(page(limit))
            .bind(name.to_owned()),
            None => sqlx::query(
                "SELECT number, at, name, source, outcome FROM sign_in
                 WHERE number < $1 ORDER BY number DESC LIMIT $2",
            )
            .bind(before)
            .bind(page(limit)),
        };
        let rows = query.fetch_all(self.pool()).await.doing("list attempts")?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &AnyRow) -> Result<(u64, Attempt), StoreError> {
    let attempt = Attempt {
        at: time(row, 1)?,
        name: text(row, 2)?.to_owned(),
        source: text(row, 3)?.to_owned(),
        outcome: text(row, 4)?.to_owned(),
    };
    Ok((count(row, 0)?, attempt))
}
