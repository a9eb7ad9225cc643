//! Passkeys of people, and the challenges that wait for an answer.
//!
//! A new passkey comes with a [`CredentialChange`](crate::credential::CredentialChange) and counts once the ledger has it;
//! a removed one is gone at commit.

use jiff::Timestamp;
use modelward_decision::vocabulary::PersonId;
use modelward_identity::passkey::Passkey;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::error::Doing;
use crate::sql::{FOREVER, count, from_json, micros, number, page, parse, text, time, to_json};
use crate::{Store, StoreError};

/// A passkey, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPasskey {
    pub person: PersonId,
    /// What its owner calls it.
    pub name: String,
    pub passkey: Passkey,
    /// The counter of the last signature that counted; zero of a device that keeps none.
    pub counter: u32,
    pub added_at: Timestamp,
    pub used_at: Option<Timestamp>,
    /// When its counter did not go up. From then on it counts for nothing.
    pub copied_at: Option<Timestamp>,
}

/// A passkey as it is held back until the ledger knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    pub name: String,
    pub passkey: Passkey,
}

/// What a challenge is for. It is answered for that, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCeremony {
    pub challenge: Digest,
    /// A word, and whom or what it is bound to.
    pub purpose: String,
    /// The network that asked for it.
    pub source: String,
    pub state: String,
    pub expires_at: Timestamp,
}

/// Of a stored name, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Open challenges of one network; the one that ends first goes first.
pub const CEREMONIES_OF_SOURCE: i64 = 64;
/// Open challenges of everybody.
pub const CEREMONIES_KEPT: i64 = 10_000;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    name: String,
    body: String,
}

impl StoredPasskey {
    pub fn id(&self) -> Digest {
        self.passkey.id()
    }

    /// Whether somebody can sign in with it.
    pub const fn counts(&self) -> bool {
        self.copied_at.is_none()
    }
}

impl Store {
    /// The passkeys of a person, the oldest first.
    pub async fn passkeys(&self, person: PersonId) -> Result<Vec<StoredPasskey>, StoreError> {
        let rows = sqlx::query(
            "SELECT person, name, body, counter, added_at, used_at, copied_at FROM passkey
             WHERE person = $1 ORDER BY added_at, id LIMIT $2",
        )
        .bind(person.to_string())
        .bind(page(crate::PAGE_MAX))
        .fetch_all(self.pool())
        .await
        .doing("read passkeys")?;
        rows.iter().map(from_row).collect()
    }

    /// Whose passkey this is, if it is anybody's.
    pub async fn passkey_owner(&self, id: &Digest) -> Result<Option<PersonId>, StoreError> {
        let row = sqlx::query("SELECT person FROM passkey WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.pool())
            .await
            .doing("look for a passkey")?;
        row.as_ref().map(|row| parse(text(row, 0)?, "a person")).transpose()
    }

    /// Notes that a passkey was used. False if its counter is not the one that was read any more: then the signature is
    /// not to be accepted, since another one came in between.
    pub async fn use_passkey(
        &self,
        before: &StoredPasskey,
        after: &Passkey,
        counter: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query(
            "UPDATE passkey SET body = $1, counter = $2, used_at = $3
             WHERE id = $4 AND person = $5 AND counter = $6 AND copied_at = $7",
        )
        .bind(after.to_stored())
        .bind(i64::from(counter))
        .bind(micros(now))
        .bind(before.id().to_string())
        .bind(before.person.to_string())
        .bind(i64::from(before.counter))
        .bind(FOREVER)
        .execute(self.pool())
        .await
        .doing("note the use of a passkey")?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that a passkey was copied: it counts for nothing from now on. False if that was known.
    pub async fn passkey_was_copied(&self, id: &Digest, now: Timestamp) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("UPDATE passkey SET copied_at = $1 WHERE id = $2 AND copied_at = $3")
            .bind(micros(now))
            .bind(id.to_string())
            .bind(FOREVER)
            .execute(self.pool())
            .await
            .doing("note that a passkey was copied")?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps a challenge until it is answered or over. What is over goes, and so does the oldest of too many.
    pub async fn begin_ceremony(&self, ceremony: &StoredCeremony, now: Timestamp) -> Result<(), StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM ceremony WHERE expires_at <= $1 OR purpose = $2 AND purpose <> $3")
            .bind(micros(now))
            .bind(ceremony.purpose.clone())
            .bind(StoredCeremony::SIGN_IN.to_owned())
            .execute(&mut *transaction)
            .await
            .doing("forget challenges that are over")?;
        sqlx::query(
            "INSERT INTO ceremony (challenge, purpose, source, state, expires_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(ceremony.challenge.to_string())
        .bind(ceremony.purpose.clone())
        .bind(ceremony.source.clone())
        .bind(ceremony.state.clone())
        .bind(micros(ceremony.expires_at))
        .execute(&mut *transaction)
        .await
        .doing("keep a challenge")?;
        sqlx::query(
            "DELETE FROM ceremony WHERE source = $1 AND expires_at <=
                 (SELECT expires_at FROM ceremony WHERE source = $1 ORDER BY expires_at DESC LIMIT 1 OFFSET $2)",
        )
        .bind(ceremony.source.clone())
        .bind(CEREMONIES_OF_SOURCE)
        .execute(&mut *transaction)
        .await
        .doing("forget challenges of a network")?;
        sqlx::query(
            "DELETE FROM ceremony WHERE expires_at <=
                 (SELECT expires_at FROM ceremony ORDER BY expires_at DESC LIMIT 1 OFFSET $1)",
        )
        .bind(CEREMONIES_KEPT)
        .execute(&mut *transaction)
        .await
        .doing("forget challenges")?;
        transaction.commit().await.doing("keep a challenge")
    }

    /// Takes a challenge out to check its answer, whatever comes of it: it is not there a second time. `None` if it is
    /// unknown, over, answered, or for something else.
    pub async fn take_ceremony(
        &self,
        challenge: &Digest,
        purpose: &str,
        now: Timestamp,
    ) -> Result<Option<StoredCeremony>, StoreError> {
        let _writing = self.writing().await;
        let row = sqlx::query(
            "DELETE FROM ceremony WHERE challenge = $1
             RETURNING challenge, purpose, source, state, expires_at",
        )
        .bind(challenge.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("take a challenge")?;
        let Some(row) = row else { return Ok(None) };
        let found = StoredCeremony {
            challenge: parse(text(&row, 0)?, "a challenge")?,
            purpose: text(&row, 1)?.to_owned(),
            source: text(&row, 2)?.to_owned(),
            state: text(&row, 3)?.to_owned(),
            expires_at: time(&row, 4)?,
        };
        Ok(Some(found).filter(|found| found.purpose == purpose && now < found.expires_at))
    }
}

impl StoredCeremony {
    /// A sign-in is bound to nobody yet: many can be open at once, and anybody who holds a passkey answers one.
    pub const SIGN_IN: &str = "sign-in";
}

pub(crate) fn to_pending(new: &NewPasskey) -> Result<String, StoreError> {
    if new.name.len() > NAME_BYTES_MAX {
        return Err(StoreError::TooLong { what: "the name of a passkey", max: NAME_BYTES_MAX });
    }
    to_json(&Pending { name: new.name.clone(), body: new.passkey.to_stored() }, "a passkey")
}

/// Brings a held back passkey into force. Of two people with one passkey the first keeps it.
pub(crate) async fn release(
    connection: &mut AnyConnection,
    person: &str,
    pending: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Pending { name, body } = from_json(pending, "a passkey")?;
    let passkey = read(&body)?;
    sqlx::query(
        "INSERT INTO passkey (id, person, name, body, counter, added_at, used_at, copied_at)
         VALUES ($1, $2, $3, $4, 0, $5, $6, $6) ON CONFLICT (id) DO NOTHING",
    )
    .bind(passkey.id().to_string())
    .bind(person.to_owned())
    .bind(name)
    .bind(body)
    .bind(micros(at))
    .bind(FOREVER)
    .execute(connection)
    .await
    .doing("add a passkey")?;
    Ok(())
}

pub(crate) async fn remove(
    connection: &mut AnyConnection,
    person: PersonId,
    id: &Digest,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM passkey WHERE id = $1 AND person = $2")
        .bind(id.to_string())
        .bind(person.to_string())
        .execute(connection)
        .await
        .doing("remove a passkey")?;
    Ok(())
}

fn read(body: &str) -> Result<Passkey, StoreError> {
    Passkey::from_stored(body).map_err(|error| StoreError::damaged("a passkey", error))
}

fn from_row(row: &AnyRow) -> Result<StoredPasskey, StoreError> {
    let moment = |column| match number(row, column)? {
        FOREVER => Ok(None),
        _ => time(row, column).map(Some),
    };
    Ok(StoredPasskey {
        person: parse(text(row, 0)?, "a person")?,
        name: text(row, 1)?.to_owned(),
        passkey: read(text(row, 2)?)?,
        counter: u32::try_from(count(row, 3)?)
            .map_err(|error| StoreError::damaged("the counter of a passkey", error))?,
        added_at: time(row, 4)?,
        used_at: moment(5)?,
        copied_at: moment(6)?,
    })
}
