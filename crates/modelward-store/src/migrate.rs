//! Numbered steps of the schema, forwards only. A step that was released never changes.

use std::path::Path;

use jiff::Timestamp;
use modelward_seal::Digest;
use sqlx::AnyConnection;

use crate::database::Backend;
use crate::error::Doing;
use crate::sql::{micros, number, text};
use crate::{Store, StoreError, backup};

pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Append only.
const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "first", sql: include_str!("../migrations/0001_first.sql") },
    Migration { number: 2, name: "bundle", sql: include_str!("../migrations/0002_bundle.sql") },
    Migration { number: 3, name: "federation", sql: include_str!("../migrations/0003_federation.sql") },
    Migration { number: 4, name: "gateway", sql: include_str!("../migrations/0004_gateway.sql") },
    Migration { number: 5, name: "signal", sql: include_str!("../migrations/0005_signal.sql") },
    Migration { number: 6, name: "refresh", sql: include_str!("../migrations/0006_refresh.sql") },
    Migration { number: 7, name: "scim", sql: include_str!("../migrations/0007_scim.sql") },
    Migration { number: 8, name: "passkey", sql: include_str!("../migrations/0008_passkey.sql") },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    number     BIGINT NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    digest     TEXT   NOT NULL,
    applied_at BIGINT NOT NULL
)";

/// Brings the schema up to date. With a path, an existing SQLite database there is copied before anything changes.
pub(crate) async fn run(store: &Store, existing: Option<&Path>, now: Timestamp) -> Result<(), StoreError> {
    run_all(store, MIGRATIONS, existing, now).await
}

async fn run_all(
    store: &Store,
    migrations: &[Migration],
    existing: Option<&Path>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let _writing = store.writing().await;
    sqlx::query(TABLE).execute(store.pool()).await.doing("make the table of migrations")?;
    let applied = applied(store, migrations).await?;
    let missing: Vec<_> = migrations.iter().filter(|migration| migration.number > applied).collect();
    if let (Some(path), Some(first)) = (existing, missing.first())
        && applied > 0
        && store.backend() == Backend::Sqlite
    {
        backup::take(store, path, first.number, now).await?;
    }
    for migration in missing {
        let mut transaction = store.pool().begin().await.doing("begin a migration")?;
        apply(&mut transaction, migration, now).await?;
        transaction.commit().await.doing("commit a migration")?;
    }
    Ok(())
}

/// The last migration the database has, after checking that it and all before are the ones this program knows.
async fn applied(store: &Store, migrations: &[Migration]) -> Result<i64, StoreError> {
    let rows = sqlx::query("SELECT number, digest FROM migration ORDER BY number")
        .fetch_all(store.pool())
        .await
        .doing("read the table of migrations")?;
    let known = migrations.last().map_or(0, |migration| migration.number);
    let mut last = 0;
    for row in rows {
        let found = number(&row, 0)?;
        let Some(migration) = migrations.iter().find(|migration| migration.number == found) else {
            return Err(StoreError::Newer { found, known });
        };
        if text(&row, 1)? != Digest::of(migration.sql.as_bytes()).to_string() {
            return Err(StoreError::ChangedMigration { number: found });
        }
        last = found;
    }
    Ok(last)
}

async fn apply(
    connection: &mut AnyConnection,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::raw_sql(migration.sql).execute(&mut *connection).await.doing("apply a migration")?;
    sqlx::query("INSERT INTO migration (number, name, digest, applied_at) VALUES ($1, $2, $3, $4)")
        .bind(migration.number)
        .bind(migration.name)
        .bind(Digest::of(migration.sql.as_bytes()).to_string())
        .bind(micros(now))
        .execute(connection)
        .await
        .doing("note a migration")?;
    Ok(())
}

#[cfg(test)]
mod tests;
