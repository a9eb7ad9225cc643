//! Which signing keys there are and were. The keys themselves never come here.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::error::Doing;
use crate::sql::{micros, parse, text, time};
use crate::{Store, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// How signatures name it.
    pub kid: String,
    /// What it signs: one purpose per key.
    pub purpose: String,
    /// The public half, as text.
    pub public: String,
    pub state: KeyState,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// Signs.
    Active,
    /// Signs no more; what it signed is still believed.
    Retired,
    /// What it signed is believed no more.
    Revoked,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state of a key: active, retired or revoked")]
pub struct UnknownKeyState(String);

/// Of each text of a key, in bytes.
pub const KEY_TEXT_BYTES_MAX: usize = 4096;

impl Store {
    /// Notes a key, or that its state moved on. A state never moves back, and a key keeps purpose and public half.
    pub async fn note_key(&self, key: &SigningKey) -> Result<(), StoreError> {
        if key.kid.len().max(key.purpose.len()).max(key.public.len()) > KEY_TEXT_BYTES_MAX {
            return Err(StoreError::TooLong { what: "a key", max: KEY_TEXT_BYTES_MAX });
        }
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        let row = sqlx::query("SELECT state FROM signing_key WHERE kid = $1")
            .bind(key.kid.clone())
            .fetch_optional(&mut *transaction)
            .await
            .doing("look for a key")?;
        match row {
            Some(row) => {
                if parse::<KeyState>(text(&row, 0)?, "the state of a key")? < key.state {
                    sqlx::query("UPDATE signing_key SET state = $1, changed_at = $2 WHERE kid = $3")
                        .bind(key.state.as_str())
                        .bind(micros(key.changed_at))
                        .bind(key.kid.clone())
                        .execute(&mut *transaction)
                        .await
                        .doing("note the state of a key")?;
                }
            }
            None => {
                sqlx::query(
                    "INSERT INTO signing_key (kid, purpose, public, state, created_at, changed_at)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(key.kid.clone())
                .bind(key.purpose.clone())
                .bind(key.public.clone())
                .bind(key.state.as_str())
                .bind(micros(key.created_at))
                .bind(micros(key.changed_at))
                .execute(&mut *transaction)
                .await
                .doing("note a key")?;
            }
        }
        transaction.commit().await.doing("note a key")
    }

    /// The newest keys first, at most [`PAGE_MAX`](crate::PAGE_MAX).
    pub async fn keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let rows = sqlx::query(
            "SELECT kid, purpose, public, state, created_at, changed_at FROM signing_key
             ORDER BY created_at DESC, kid LIMIT 1000",
        )
        .fetch_all(self.pool())
        .await
        .doing("list keys")?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &AnyRow) -> Result<SigningKey, StoreError> {
    Ok(SigningKey {
        kid: text(row, 0)?.to_owned(),
        purpose: text(row, 1)?.to_owned(),
        public: text(row, 2)?.to_owned(),
        state: parse(text(row, 3)?, "the state of a key")?,
        created_at: time(row, 4)?,
        changed_at: time(row, 5)?,
    })
}

impl KeyState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyState {
    type Err = UnknownKeyState;

    fn from_str(text: &str) -> Result<Self, UnknownKeyState> {
        [Self::Active, Self::Retired, Self::Revoked]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| UnknownKeyState(text.chars().take(64).collect()))
    }
}
