//! What can go wrong, by operation.

use std::path::PathBuf;

use modelward_decision::vocabulary::{EventId, GrantId};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The database does not do what it has to, or holds what it must not.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("failed to open the database `{path}`")]
    Open { path: PathBuf, source: Source },
    #[error("failed to back up the database to `{path}`")]
    Backup { path: PathBuf, source: Source },
    #[error("failed to {doing}")]
    Sql { doing: &'static str, source: Source },
    #[error("the database has migration {found}, and this program knows only {known}")]
    Newer { found: i64, known: i64 },
    #[error("migration {number} of the database is not the one this program knows under that number")]
    ChangedMigration { number: i64 },
    #[error("the database holds {what} that cannot be read")]
    Damaged { what: &'static str, source: Source },
    #[error("{what} is longer than {max} bytes")]
    TooLong { what: &'static str, max: usize },
}

/// Why a commit was not made. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error("the commit has {found} changes, and {max} are the most")]
    TooMany { found: usize, max: usize },
    #[error("the commit changes {thing} twice")]
    Twice { thing: String },
    #[error("the {kind} name `{name}` is taken")]
    NameTaken { kind: &'static str, name: String },
    #[error("{thing} refers to {target}, which does not exist")]
    Dangling { thing: String, target: String },
    #[error("{thing} is still referred to by {by}")]
    InUse { thing: String, by: String },
    #[error("{thing} does not exist")]
    Missing { thing: String },
    #[error("the grant `{0}` exists already; a grant never changes")]
    GrantExists(GrantId),
    #[error("the bootstrap state cannot go back")]
    BootstrapBackwards,
    #[error("the policy moved on while this step was prepared; look at what is in force now and try again")]
    PolicyMoved,
    #[error("event `{0}` was committed before with other content")]
    EventReused(EventId),
    #[error("{what} is longer than {max} bytes")]
    TooLong { what: &'static str, max: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an event could not be noted as durable in the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgeredError {
    #[error("event `{0}` was never committed")]
    Unknown(EventId),
    #[error("event `{event}` stands in the ledger at {first} already, not at {second}")]
    OtherIndex { event: EventId, first: u64, second: u64 },
    #[error("ledger index {0} is out of range")]
    IndexRange(u64),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoreError {
    /// What to do about it, where there is something.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Newer { .. } => Some("start the newer program again, or restore the backup it took"),
            Self::ChangedMigration { .. } => Some("this database belongs to another build; do not edit it"),
            Self::Damaged { .. } => Some("restore a backup; they lie next to the database"),
            Self::Open { .. } => Some("check that the folder exists and belongs to the user running this"),
            Self::Backup { .. } => Some("free some space, or make the folder writable"),
            Self::Sql { .. } | Self::TooLong { .. } => None,
        }
    }

    pub(crate) fn damaged(what: &'static str, source: impl Into<Source>) -> Self {
        Self::Damaged { what, source: source.into() }
    }
}

/// Names the operation a failed statement belongs to.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Sql { doing, source: source.into() })
    }
}
