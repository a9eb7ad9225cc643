//! Codes with which a person is let in once.

use jiff::Timestamp;
use modelward_decision::vocabulary::{PersonId, PrincipalRef};
use modelward_seal::Digest;
use sqlx::any::AnyRow;

use crate::error::Doing;
use crate::secret::Sealed;
use crate::sql::{FOREVER, micros, number, parse, principal, text, time};
use crate::{Store, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    pub code_hash: Digest,
    pub person: PersonId,
    /// `None` is the system itself, at `init`.
    pub issued_by: Option<PrincipalRef>,
    /// The secret that was shown for the authenticator, sealed by the caller.
    pub offered: Option<Sealed>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

impl Store {
    /// Keeps the hash of a code. A person has one code at a time: an earlier one that was not used is worthless now.
    pub async fn issue_enrolment(&self, enrolment: &Enrolment) -> Result<(), StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM enrolment WHERE person = $1 AND used_at = $2")
            .bind(enrolment.person.to_string())
            .bind(FOREVER)
            .execute(&mut *transaction)
            .await
            .doing("withdraw an enrolment code")?;
        sqlx::query(
            "INSERT INTO enrolment (code_hash, person, issued_by, offered, created_at, expires_at, used_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(enrolment.code_hash.to_string())
        .bind(enrolment.person.to_string())
        .bind(enrolment.issued_by.map(|by| by.to_string()).unwrap_or_default())
        .bind(enrolment.offered.as_ref().map(Sealed::to_hex).unwrap_or_default())
        .bind(micros(enrolment.created_at))
        .bind(micros(enrolment.expires_at))
        .bind(enrolment.used_at.map_or(FOREVER, micros))
        .execute(&mut *transaction)
        .await
        .doing("keep an enrolment code")?;
        transaction.commit().await.doing("keep an enrolment code")
    }

    /// The code a person typed, used, expired or neither.
    pub async fn enrolment(&self, code: &Digest) -> Result<Option<Enrolment>, StoreError> {
        let row = sqlx::query(
            "SELECT code_hash, person, issued_by, offered, created_at, expires_at, used_at
             FROM enrolment WHERE code_hash = $1",
        )
        .bind(code.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("look for an enrolment code")?;
        row.as_ref().map(from_row).transpose()
    }

    /// The last code issued to a person.
    pub async fn enrolment_of(&self, person: PersonId) -> Result<Option<Enrolment>, StoreError> {
        let row = sqlx::query(
            "SELECT code_hash, person, issued_by, offered, created_at, expires_at, used_at
             FROM enrolment WHERE person = $1 ORDER BY created_at DESC LIMIT 1",
        )
        .bind(person.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("look for an enrolment code")?;
        row.as_ref().map(from_row).transpose()
    }

    /// Notes the secret that was shown to whoever typed the code. False if the code is unknown, expired or used.
    pub async fn offer_enrolment(
        &self,
        code: &Digest,
        offered: &Sealed,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query(
            "UPDATE enrolment SET offered = $1 WHERE code_hash = $2 AND used_at = $3 AND expires_at > $4",
        )
        .bind(offered.to_hex())
        .bind(code.to_string())
        .bind(FOREVER)
        .bind(micros(now))
        .execute(self.pool())
        .await
        .doing("note an offered secret")?;
        Ok(done.rows_affected() == 1)
    }

    /// Uses a code up. `None` if it is unknown, expired or used: of many who type it at once, one gets in.
    pub async fn use_enrolment(
        &self,
        code: &Digest,
        now: Timestamp,
    ) -> Result<Option<Enrolment>, StoreError> {
        let _writing = self.writing().await;
        let row = sqlx::query(
            "UPDATE enrolment SET used_at = $1, offered = '' WHERE code_hash = $2 AND used_at = $3 AND expires_at > $1
             RETURNING code_hash, person, issued_by, offered, created_at, expires_at, used_at",
        )
        .bind(micros(now))
        .bind(code.to_string())
        .bind(FOREVER)
        .fetch_optional(self.pool())
        .await
        .doing("use an enrolment code")?;
        row.as_ref().map(from_row).transpose()
    }
}

fn from_row(row: &AnyRow) -> Result<Enrolment, StoreError> {
    Ok(Enrolment {
        code_hash: parse(text(row, 0)?, "an enrolment code")?,
        person: parse(text(row, 1)?, "a person")?,
        issued_by: match text(row, 2)? {
            "" => None,
            id => Some(principal(id)?),
        },
        offered: match text(row, 3)? {
            "" => None,
            sealed => Some(Sealed::from_hex(sealed)?),
        },
        created_at: time(row, 4)?,
        expires_at: time(row, 5)?,
        used_at: if number(row, 6)? == FOREVER { None } else { Some(time(row, 6)?) },
    })
}
