use std::path::PathBuf;

use jiff::SignedDuration;
use tempfile::TempDir;

use super::*;
use crate::Options;

/// Number of the last migration this program knows.
const LAST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].number;
const NEXT: Migration =
    Migration { number: LAST + 1, name: "next", sql: "CREATE TABLE next (a TEXT NOT NULL); -- two" };
const AFTER: Migration =
    Migration { number: LAST + 2, name: "after", sql: "CREATE TABLE after_next (a TEXT NOT NULL);" };

fn noon() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("modelward.db")
    }

    async fn open(&self) -> Result<Store, StoreError> {
        Store::open(&self.path(), Options::new(noon())).await
    }

    fn backups(&self) -> Vec<PathBuf> {
        let mut found: Vec<_> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().contains(".before-migration-"))
            .collect();
        found.sort();
        found
    }
}

fn known_and(more: impl IntoIterator<Item = Migration>) -> Vec<Migration> {
    let known = MIGRATIONS.iter().map(|known| Migration { ..*known });
    known.chain(more).collect()
}

#[tokio::test]
async fn a_new_database_needs_no_backup_and_neither_does_one_that_is_up_to_date() {
    let place = Place::new();
    place.open().await.unwrap().close().await;
    place.open().await.unwrap().close().await;
    assert!(place.backups().is_empty());
}

#[tokio::test]
async fn a_backup_is_taken_before_the_schema_moves_on() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    store.set_setting("who", "me").await.unwrap();
    run_all(&store, &known_and([NEXT]), Some(&place.path()), noon()).await.unwrap();
    let backups = place.backups();
    assert_eq!(backups.len(), 1, "{backups:?}");
    store.close().await;

    // The backup is the database as it was.
    let copy = Store::open(&backups[0], Options::new(noon())).await.unwrap();
    assert_eq!(copy.setting("who").await.unwrap().as_deref(), Some("me"));
    assert!(sqlx::query("SELECT a FROM next").fetch_optional(copy.pool()).await.is_err());
    copy.close().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&backups[0]).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn three_backups_are_kept() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    for day in 0..5 {
        let now = noon() + SignedDuration::from_hours(24 * day);
        backup::take(&store, &place.path(), 10 - day, now).await.unwrap();
    }
    let kept: Vec<String> = place
        .backups()
        .iter()
        .map(|path| path.to_string_lossy().rsplit('.').next().unwrap().to_owned())
        .collect();
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|stamp| stamp.as_str() >= "20260304"), "the newest: {kept:?}");
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    run_all(&store, &known_and([NEXT, AFTER]), None, noon()).await.unwrap();
    store.close().await;
    let refused = place.open().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Newer { found, known } if found == LAST + 1 && known == LAST),
        "{refused}"
    );
    assert!(refused.hint().is_some());
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    run_all(&store, &known_and([NEXT]), None, noon()).await.unwrap();
    let changed = Migration { sql: "CREATE TABLE next (a TEXT NOT NULL); -- deux", ..NEXT };
    let refused = run_all(&store, &known_and([changed]), None, noon()).await.unwrap_err();
    assert!(matches!(refused, StoreError::ChangedMigration { number } if number == LAST + 1));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    let broken = Migration {
        number: LAST + 1,
        name: "broken",
        sql: "CREATE TABLE half (a TEXT NOT NULL); CREATE TABLE;",
    };
    run_all(&store, &known_and([broken]), None, noon()).await.unwrap_err();
    assert!(sqlx::query("SELECT a FROM half").fetch_optional(store.pool()).await.is_err());
    run_all(&store, &known_and([NEXT]), None, noon()).await.unwrap();
}

#[test]
fn migrations_are_numbered_from_one_without_a_gap() {
    for (expected, migration) in (1..).zip(MIGRATIONS) {
        assert_eq!(migration.number, expected);
        assert!(migration.sql.is_ascii());
    }
}
