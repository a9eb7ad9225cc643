//! Softlock counters, so that a restart does not forget who was guessing. What follows from them is decided in
//! `modelward_identity::softlock`; they live in memory there and are kept here.

use jiff::Timestamp;
use modelward_identity::softlock::{LockKey, Softlock, Softlocks};

use crate::error::Doing;
use crate::sql::{micros, number, parse, text, time};
use crate::{Store, StoreError};

/// Stands for no trust.
const NEVER: i64 = -1;
const DAY_SECONDS: i64 = 86_400;

impl Store {
    /// Keeps these counters; one that is `None` is forgotten.
    pub async fn keep_softlocks(&self, locks: &[(LockKey, Option<Softlock>)]) -> Result<(), StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        for (key, lock) in locks {
            let query = match lock {
                Some(lock) => sqlx::query(
                    "INSERT INTO softlock (subject, failures, day, wait_until, trusted_until, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (subject) DO UPDATE
                     SET failures = $2, day = $3, wait_until = $4, trusted_until = $5, expires_at = $6",
                )
                .bind(key.to_string())
                .bind(i64::from(lock.failures))
                .bind(lock.day)
                .bind(micros(lock.until))
                .bind(lock.trusted_until.map_or(NEVER, micros))
                .bind(micros(expiry(lock))),
                None => sqlx::query("DELETE FROM softlock WHERE subject = $1").bind(key.to_string()),
            };
            query.execute(&mut *transaction).await.doing("keep a softlock")?;
        }
        transaction.commit().await.doing("keep softlocks")
    }

    /// Every counter that still matters, at most as many as are kept in memory. The rest is forgotten.
    pub async fn softlocks(&self, now: Timestamp) -> Result<Vec<(LockKey, Softlock)>, StoreError> {
        let _writing = self.writing().await;
        sqlx::query("DELETE FROM softlock WHERE expires_at <= $1")
            .bind(micros(now))
            .execute(self.pool())
            .await
            .doing("forget softlocks")?;
        let rows = sqlx::query(
            "SELECT subject, failures, day, wait_until, trusted_until FROM softlock
             ORDER BY expires_at DESC LIMIT $1",
        )
        .bind(i64::try_from(Softlocks::MAX).unwrap_or(i64::MAX))
        .fetch_all(self.pool())
        .await
        .doing("read softlocks")?;
        let mut locks = Vec::with_capacity(rows.len());
        for row in rows {
            let lock = Softlock {
                failures: u32::try_from(number(&row, 1)?).unwrap_or(u32::MAX),
                day: number(&row, 2)?,
                until: time(&row, 3)?,
                trusted_until: if number(&row, 4)? == NEVER { None } else { Some(time(&row, 4)?) },
            };
            locks.push((parse(text(&row, 0)?, "a softlock")?, lock));
        }
        Ok(locks)
    }
}

/// Counts end with their day; what is trusted is remembered for longer.
fn expiry(lock: &Softlock) -> Timestamp {
    let next_day = lock.day.saturating_add(1).saturating_mul(DAY_SECONDS);
    let day_ends = Timestamp::from_second(next_day).unwrap_or(Timestamp::MAX);
    day_ends.max(lock.until).max(lock.trusted_until.unwrap_or(Timestamp::MIN))
}
