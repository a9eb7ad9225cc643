//! What a person signs in with: a password hash, a sealed TOTP seed, passkeys, hashes of recovery codes.
//!
//! A new credential counts once its ledger entry is durable; a dropped one is gone at commit. Old ones are
//! overwritten, not kept: there is no past moment of a password.

use jiff::Timestamp;
use modelward_decision::vocabulary::{EventId, PersonId};
use modelward_identity::password::PasswordHash;
use modelward_identity::recovery::RecoveryCodes;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use crate::change::Recorded;
use crate::error::Doing;
use crate::passkey::{self, NewPasskey};
use crate::secret::Sealed;
use crate::sql::{FOREVER, count, from_json, micros, number, parse, text, time, to_json};
use crate::{Store, StoreError};

/// New parts of a credential; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialChange {
    pub person: PersonId,
    pub password: Option<PasswordHash>,
    /// Replaces the seed.
    pub totp: Option<Sealed>,
    /// The step that was used to prove the new seed.
    pub totp_step: Option<u64>,
    /// Replaces every recovery code.
    pub recovery: Option<RecoveryCodes>,
    /// Comes beside the passkeys there are.
    pub passkey: Option<NewPasskey>,
}

/// A second factor that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "factor", content = "id")]
pub enum Factor {
    Totp,
    /// By [`modelward_identity::passkey::Passkey::id`].
    Passkey(Digest),
}

/// What a person can sign in with now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub person: PersonId,
    pub password: Option<PasswordHash>,
    pub totp: Option<Sealed>,
    /// The last TOTP step that was used.
    pub totp_step: Option<u64>,
    pub recovery_codes_left: u32,
    pub changed_at: Timestamp,
}

/// Most recovery codes one person has.
pub const RECOVERY_CODES_MAX: usize = 32;

impl CredentialChange {
    /// Nothing new yet.
    pub const fn of(person: PersonId) -> Self {
        Self { person, password: None, totp: None, totp_step: None, recovery: None, passkey: None }
    }
}

impl Store {
    pub async fn credential(&self, person: PersonId) -> Result<Option<Credential>, StoreError> {
        let row = sqlx::query(
            "SELECT password, totp_sealed, totp_step, changed_at,
                    (SELECT COUNT(*) FROM recovery_code WHERE recovery_code.person = credential.person)
             FROM credential WHERE person = $1",
        )
        .bind(person.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("read a credential")?;
        let Some(row) = row else { return Ok(None) };
        let (password, totp) = (text(&row, 0)?, text(&row, 1)?);
        let step = number(&row, 2)?;
        Ok(Some(Credential {
            person,
            password: some(password)
                .map(PasswordHash::from_stored)
                .transpose()
                .map_err(|error| StoreError::damaged("a password hash", error))?,
            totp: some(totp).map(Sealed::from_hex).transpose()?,
            totp_step: u64::try_from(step).ok(),
            changed_at: time(&row, 3)?,
            recovery_codes_left: u32::try_from(count(&row, 4)?).unwrap_or(u32::MAX),
        }))
    }

    /// People who hold a second factor, in the order of their ids, after the given one.
    pub async fn second_factor_holders(
        &self,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<PersonId>, StoreError> {
        let rows = sqlx::query(
            "SELECT person FROM credential WHERE person > $1 AND (totp_sealed <> '' OR EXISTS
                 (SELECT 1 FROM passkey WHERE passkey.person = credential.person AND copied_at = $3))
             ORDER BY person LIMIT $2",
        )
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(crate::sql::page(limit))
        .bind(FOREVER)
        .fetch_all(self.pool())
        .await
        .doing("list who holds a second factor")?;
        rows.iter().map(|row| parse(text(row, 0)?, "a person")).collect()
    }

    /// Notes that a TOTP step was used. False if it, or a later one, was used before: then the code is not to be
    /// accepted, however many requests carry it at once.
    pub async fn use_totp_step(&self, person: PersonId, step: u64) -> Result<bool, StoreError> {
        let Ok(step) = i64::try_from(step) else { return Ok(false) };
        let _writing = self.writing().await;
        let done = sqlx::query(
            "UPDATE credential SET totp_step = $1 WHERE person = $2 AND totp_step < $1 AND totp_sealed <> ''",
        )
        .bind(step)
        .bind(person.to_string())
        .execute(self.pool())
        .await
        .doing("note a used code")?;
        Ok(done.rows_affected() == 1)
    }

    /// The unused recovery codes of a person.
    pub async fn recovery_codes(&self, person: PersonId) -> Result<RecoveryCodes, StoreError> {
        let rows = sqlx::query("SELECT hash FROM recovery_code WHERE person = $1 ORDER BY hash LIMIT 32")
            .bind(person.to_string())
            .fetch_all(self.pool())
            .await
            .doing("read recovery codes")?;
        let unused =
            rows.iter().map(|row| parse(text(row, 0)?, "a recovery code")).collect::<Result<_, _>>()?;
        Ok(RecoveryCodes { unused })
    }

    /// Keeps a hash made anew from the same password, with today's parameters. No change of rights: not an event.
    /// False if the hash it replaces is not the current one any more.
    pub async fn rehash_password(
        &self,
        person: PersonId,
        before: &PasswordHash,
        after: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("UPDATE credential SET password = $1 WHERE person = $2 AND password = $3")
            .bind(after.as_phc().to_owned())
            .bind(person.to_string())
            .bind(before.as_phc().to_owned())
            .execute(self.pool())
            .await
            .doing("keep a new password hash")?;
        Ok(done.rows_affected() == 1)
    }

    /// Uses up a recovery code. False if the person has no such code, or had it once.
    pub async fn use_recovery_code(&self, person: PersonId, hash: &Digest) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("DELETE FROM recovery_code WHERE person = $1 AND hash = $2")
            .bind(person.to_string())
            .bind(hash.to_string())
            .execute(self.pool())
            .await
            .doing("use up a recovery code")?;
        Ok(done.rows_affected() == 1)
    }
}

impl CredentialChange {
    pub(crate) fn record(&self) -> Recorded {
        let codes = self.recovery.as_ref().map_or(0, |codes| codes.unused.len());
        Recorded::Credential {
            person: self.person,
            password: self.password.is_some(),
            totp: self.totp.is_some(),
            recovery_codes: u32::try_from(codes).unwrap_or(u32::MAX),
            passkey: self.passkey.as_ref().map(|new| new.passkey.id()),
        }
    }
}

pub(crate) async fn hold_back(
    connection: &mut AnyConnection,
    change: &CredentialChange,
    event: EventId,
    sequence: i64,
) -> Result<(), StoreError> {
    let recovery = match &change.recovery {
        Some(codes) => to_json(&codes.unused, "recovery codes")?,
        None => String::new(),
    };
    let passkey = change.passkey.as_ref().map(passkey::to_pending).transpose()?.unwrap_or_default();
    let step = change.totp_step.and_then(|step| i64::try_from(step).ok()).unwrap_or(-1);
    sqlx::query(
        "INSERT INTO pending_credential (event, person, sequence, password, totp_sealed, totp_step, recovery,
                                         passkey)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(event.to_string())
    .bind(change.person.to_string())
    .bind(sequence)
    .bind(change.password.as_ref().map(PasswordHash::as_phc).unwrap_or_default().to_owned())
    .bind(change.totp.as_ref().map(Sealed::to_hex).unwrap_or_default())
    .bind(step)
    .bind(recovery)
    .bind(passkey)
    .execute(connection)
    .await
    .doing("hold back a credential")?;
    Ok(())
}

/// Takes away what a person signs in with, including what was to come.
pub(crate) async fn drop_all(connection: &mut AnyConnection, person: PersonId) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM credential WHERE person = $1",
        "DELETE FROM recovery_code WHERE person = $1",
        "DELETE FROM passkey WHERE person = $1",
        "DELETE FROM pending_credential WHERE person = $1",
    ] {
        sqlx::query(sql)
            .bind(person.to_string())
            .execute(&mut *connection)
            .await
            .doing("drop a credential")?;
    }
    Ok(())
}

/// Takes one second factor away, including one that was to come in its place.
pub(crate) async fn drop_factor(
    connection: &mut AnyConnection,
    person: PersonId,
    factor: Factor,
) -> Result<(), StoreError> {
    match factor {
        Factor::Passkey(id) => passkey::remove(connection, person, &id).await,
        Factor::Totp => {
            for sql in [
                "UPDATE credential SET totp_sealed = '', totp_step = -1 WHERE person = $1",
                "UPDATE pending_credential SET totp_sealed = '' WHERE person = $1",
            ] {
                sqlx::query(sql)
                    .bind(person.to_string())
                    .execute(&mut *connection)
                    .await
                    .doing("drop an authenticator")?;
            }
            Ok(())
        }
    }
}

/// Brings the held back credentials of an event into force, except parts that a later event replaced already.
pub(crate) async fn release(
    connection: &mut AnyConnection,
    event: EventId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT person, sequence, password, totp_sealed, totp_step, recovery, passkey
         FROM pending_credential WHERE event = $1",
    )
    .bind(event.to_string())
    .fetch_all(&mut *connection)
    .await
    .doing("read held back credentials")?;
    for row in rows {
        let person = text(&row, 0)?;
        let sequence = number(&row, 1)?;
        sqlx::query(
            "INSERT INTO credential (person, password, totp_sealed, totp_step, password_sequence,
                                     totp_sequence, recovery_sequence, changed_at)
             VALUES ($1, '', '', -1, -1, -1, -1, $2)
             ON CONFLICT (person) DO UPDATE SET changed_at = $2",
        )
        .bind(person)
        .bind(micros(at))
        .execute(&mut *connection)
        .await
        .doing("make room for a credential")?;
        if let Some(password) = some(text(&row, 2)?) {
            sqlx::query(
                "UPDATE credential SET password = $1, password_sequence = $2
                 WHERE person = $3 AND password_sequence < $2",
            )
            .bind(password)
            .bind(sequence)
            .bind(person)
            .execute(&mut *connection)
            .await
            .doing("set a password")?;
        }
        if let Some(totp) = some(text(&row, 3)?) {
            sqlx::query(
                "UPDATE credential SET totp_sealed = $1, totp_sequence = $2, totp_step = $4
                 WHERE person = $3 AND totp_sequence < $2",
            )
            .bind(totp)
            .bind(sequence)
            .bind(person)
            .bind(number(&row, 4)?)
            .execute(&mut *connection)
            .await
            .doing("set a second factor")?;
        }
        if let Some(recovery) = some(text(&row, 5)?) {
            let hashes: Vec<Digest> = from_json(recovery, "recovery codes")?;
            set_recovery(connection, person, sequence, &hashes).await?;
        }
        if let Some(pending) = some(text(&row, 6)?) {
            passkey::release(connection, person, pending, at).await?;
        }
    }
    sqlx::query("DELETE FROM pending_credential WHERE event = $1")
        .bind(event.to_string())
        .execute(connection)
        .await
        .doing("forget held back credentials")?;
    Ok(())
}

async fn set_recovery(
    connection: &mut AnyConnection,
    person: &str,
    sequence: i64,
    hashes: &[Digest],
) -> Result<(), StoreError> {
    let newer = sqlx::query(
        "UPDATE credential SET recovery_sequence = $1 WHERE person = $2 AND recovery_sequence < $1",
    )
    .bind(sequence)
    .bind(person)
    .execute(&mut *connection)
    .await
    .doing("note new recovery codes")?;
    if newer.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query("DELETE FROM recovery_code WHERE person = $1")
        .bind(person)
        .execute(&mut *connection)
        .await
        .doing("forget old recovery codes")?;
    for hash in hashes {
        sqlx::query("INSERT INTO recovery_code (person, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(person)
            .bind(hash.to_string())
            .execute(&mut *connection)
            .await
            .doing("set a recovery code")?;
    }
    Ok(())
}

const fn some(text: &str) -> Option<&str> {
    if text.is_empty() { None } else { Some(text) }
}
