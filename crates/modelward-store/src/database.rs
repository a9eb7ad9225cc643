//! Opening a database, and the two ways to use it: many readers, one writer.

use std::fmt;
use std::path::Path;
#[cfg(feature = "postgres")]
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard};

use crate::error::Doing;
use crate::{StoreError, backup, migrate};

/// A database with the current schema. Cheap to clone; clones share connections and the writer's lock.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    backend: Backend,
    /// Held while anything is written, so that what is published follows the order of revisions.
    writing: Arc<Mutex<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections at most; at least two, as one may be writing.
    pub connections: u32,
    /// The moment noted for migrations and put into the name of a backup.
    pub now: Timestamp,
}

impl Options {
    pub const fn new(now: Timestamp) -> Self {
        Self { connections: 4, now }
    }
}

impl Store {
    /// Opens the SQLite database at this path, making it when there is none. Its file is readable by its owner only.
    /// When the schema has to move on, a backup is made next to it first.
    pub async fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        let open = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        let absolute = std::path::absolute(path).map_err(|error| open(error.into()))?;
        let existed = std::fs::metadata(&absolute).is_ok_and(|file| file.len() > 0);
        backup::make_private(&absolute).map_err(|error| open(error.into()))?;
        let url = sqlite_url(&absolute).ok_or_else(|| open("the path is not valid UTF-8".into()))?;
        let store =
            Self::connect(&url, Backend::Sqlite, &options).await.map_err(|error| open(error.into()))?;
        let backup = existed.then_some(absolute.as_path());
        migrate::run(&store, backup, options.now).await?;
        Ok(store)
    }

    /// Opens a PostgreSQL database by its URL. Backups are the operator's.
    #[cfg(feature = "postgres")]
    pub async fn open_postgres(url: &str, options: Options) -> Result<Self, StoreError> {
        // The URL may hold a password: errors name the operation only.
        let store = Self::connect(url, Backend::Postgres, &options)
            .await
            .map_err(|error| StoreError::Open { path: PathBuf::from("postgres"), source: error.into() })?;
        migrate::run(&store, None, options.now).await?;
        Ok(store)
    }

    async fn connect(url: &str, backend: Backend, options: &Options) -> Result<Self, sqlx::Error> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(options.connections.max(2))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    match backend {
                        Backend::Sqlite => {
                            sqlx::raw_sql(SQLITE_SETTINGS).execute(connection).await?;
                        }
                        #[cfg(feature = "postgres")]
                        Backend::Postgres => {}
                    }
                    Ok(())
                })
            })
            .connect(url)
            .await?;
        Ok(Self { pool, backend, writing: Arc::new(Mutex::new(())) })
    }

    pub(crate) const fn pool(&self) -> &AnyPool {
        &self.pool
    }

    pub(crate) const fn backend(&self) -> Backend {
        self.backend
    }

    pub(crate) async fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// The same, for as long as one likes.
    pub(crate) async fn writing_owned(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.writing).lock_owned().await
    }

    /// Begins a transaction that will write. The caller holds the writer's lock.
    ///
    /// Its first statement takes the database's own write lock: a transaction that read first could find its snapshot
    /// outdated when it comes to write.
    pub(crate) async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Any>, StoreError> {
        let mut transaction = self.pool.begin().await.doing("begin a transaction")?;
        sqlx::query("UPDATE counter SET value = value WHERE name = 'outbox'")
            .execute(&mut *transaction)
            .await
            .doing("take the write lock")?;
        Ok(transaction)
    }

    /// Whether the database answers; for readiness.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await.doing("ask the database for a sign of life")?;
        Ok(())
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        let _writing = self.writing.lock().await;
        self.pool.close().await;
    }

    /// A value kept under a name, such as the highest time ever seen.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT value FROM setting WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .doing("read a setting")?;
        row.map(|row| crate::sql::text(&row, 0).map(str::to_owned)).transpose()
    }

    /// Keeps a value of at most [`Self::SETTING_BYTES_MAX`] bytes under a name.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        if name.len() + value.len() > Self::SETTING_BYTES_MAX {
            return Err(StoreError::TooLong { what: "the setting", max: Self::SETTING_BYTES_MAX });
        }
        let _writing = self.writing.lock().await;
        sqlx::query(
            "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2",
        )
        .bind(name)
        .bind(value)
        .execute(&self.pool)
        .await
        .doing("keep a setting")?;
        Ok(())
    }

    /// In bytes, name and value together.
    pub const SETTING_BYTES_MAX: usize = 16 * 1024;
}

/// A commit that was reported is on the disk (`FULL`), readers never wait (`WAL`), and deleted secrets are overwritten.
const SQLITE_SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA busy_timeout = 5000;
    PRAGMA secure_delete = ON;
    PRAGMA trusted_schema = OFF;
";

fn sqlite_url(path: &Path) -> Option<String> {
    use std::fmt::Write as _;
    let mut url = String::from("sqlite://");
    for byte in path.to_str()?.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-') {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").ok()?;
        }
    }
    url.push_str("?mode=rw");
    Some(url)
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("backend", &self.backend).finish_non_exhaustive()
    }
}
