//! Refresh handles: families, and the digest of every handle they ever had, so that a copy is told from a stranger.

use jiff::Timestamp;
use modelward_decision::vocabulary::{RefreshId, SessionId};
use modelward_identity::refresh::{FAMILIES_MAX, Family, HANDLES_MAX, HandleRecord, Use};
use modelward_identity::token::Profile;
use modelward_seal::Digest;
use sqlx::any::AnyRow;

use crate::error::Doing;
use crate::sql::{FOREVER, from_json, micros, number, parse, principal, text, time, to_json};
use crate::{Store, StoreError};

/// A handle that was found, with its family, ended or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub family: Family,
    pub ended_at: Option<Timestamp>,
    pub handle: HandleRecord,
}

impl Store {
    /// Keeps a new family with its first handle. Of more than [`FAMILIES_MAX`] of one session, those that began first end.
    pub async fn begin_refresh(&self, family: &Family, first: &Digest) -> Result<(), StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO refresh_family (id, session, principal, profile, scope, client, holder, created_at, ends_at,
                                         ended_at, handles)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)",
        )
        .bind(family.id.to_string())
        .bind(family.session.to_string())
        .bind(family.principal.to_string())
        .bind(family.profile.row().name)
        .bind(to_json(&family.scope, "the scope of refresh handles")?)
        .bind(family.client.to_string())
        .bind(to_json(&family.holder, "the holder of refresh handles")?)
        .bind(micros(family.created_at))
        .bind(micros(family.ends_at))
        .bind(FOREVER)
        .execute(&mut *transaction)
        .await
        .doing("keep a family of refresh handles")?;
        keep_handle(&mut transaction, family.id, first).await?;
        sqlx::query(
            "UPDATE refresh_family SET ended_at = $1 WHERE session = $2 AND ended_at = $3 AND id NOT IN
                 (SELECT id FROM refresh_family WHERE session = $2 AND ended_at = $3
                  ORDER BY created_at DESC, id DESC LIMIT $4)",
        )
        .bind(micros(family.created_at))
        .bind(family.session.to_string())
        .bind(FOREVER)
        .bind(i64::from(FAMILIES_MAX))
        .execute(&mut *transaction)
        .await
        .doing("end the oldest refresh handles of a session")?;
        transaction.commit().await.doing("keep a family of refresh handles")
    }

    /// What is known of a presented handle.
    pub async fn refresh_handle(&self, hash: &Digest) -> Result<Option<Found>, StoreError> {
        let row = sqlx::query(
            "SELECT f.id, f.session, f.principal, f.profile, f.scope, f.client, f.holder, f.created_at, f.ends_at,
                    f.ended_at, h.hash, h.used_at, h.salt
             FROM refresh_handle h JOIN refresh_family f ON f.id = h.family WHERE h.hash = $1",
        )
        .bind(hash.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("look for a refresh handle")?;
        row.as_ref().map(from_row).transpose()
    }

    /// Uses a handle up and keeps the next one, both or neither. False if it was used already, or its family has ended
    /// or had too many: of two who use it at once, one is first.
    pub async fn use_refresh(
        &self,
        family: RefreshId,
        hash: &Digest,
        used: &Use,
        next: &Digest,
    ) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        let counted = sqlx::query(
            "UPDATE refresh_family SET handles = handles + 1 WHERE id = $1 AND ended_at = $2 AND handles < $3",
        )
        .bind(family.to_string())
        .bind(FOREVER)
        .bind(i64::from(HANDLES_MAX))
        .execute(&mut *transaction)
        .await
        .doing("count refresh handles")?;
        let done = sqlx::query(
            "UPDATE refresh_handle SET used_at = $1, salt = $2 WHERE hash = $3 AND family = $4 AND used_at = $5",
        )
        .bind(micros(used.at))
        .bind(used.salt.to_string())
        .bind(hash.to_string())
        .bind(family.to_string())
        .bind(FOREVER)
        .execute(&mut *transaction)
        .await
        .doing("use a refresh handle")?;
        if counted.rows_affected() != 1 || done.rows_affected() != 1 {
            transaction.rollback().await.doing("leave a refresh handle as it is")?;
            return Ok(false);
        }
        keep_handle(&mut transaction, family, next).await?;
        transaction.commit().await.doing("use a refresh handle")?;
        Ok(true)
    }

    /// Ends a family for good. False if it had ended, or never was.
    pub async fn end_refresh(&self, family: RefreshId, at: Timestamp) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("UPDATE refresh_family SET ended_at = $1 WHERE id = $2 AND ended_at = $3")
            .bind(micros(at))
            .bind(family.to_string())
            .bind(FOREVER)
            .execute(self.pool())
            .await
            .doing("end refresh handles")?;
        Ok(done.rows_affected() == 1)
    }

    /// Families of a session that go on, the first begun first.
    pub async fn refresh_families_of(&self, session: SessionId) -> Result<Vec<RefreshId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM refresh_family WHERE session = $1 AND ended_at = $2 ORDER BY created_at, id",
        )
        .bind(session.to_string())
        .bind(FOREVER)
        .fetch_all(self.pool())
        .await
        .doing("list refresh handles")?;
        rows.iter().map(|row| parse(text(row, 0)?, "a family of refresh handles")).collect()
    }

    /// Forgets families that were over before this moment, with their handles; says how many.
    pub async fn forget_refresh(&self, before: Timestamp) -> Result<u64, StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        sqlx::query(
            "DELETE FROM refresh_handle WHERE family IN (SELECT id FROM refresh_family WHERE ends_at < $1)",
        )
        .bind(micros(before))
        .execute(&mut *transaction)
        .await
        .doing("forget refresh handles")?;
        let done = sqlx::query("DELETE FROM refresh_family WHERE ends_at < $1")
            .bind(micros(before))
            .execute(&mut *transaction)
            .await
            .doing("forget refresh handles")?;
        transaction.commit().await.doing("forget refresh handles")?;
        Ok(done.rows_affected())
    }
}

async fn keep_handle(
    connection: &mut sqlx::AnyConnection,
    family: RefreshId,
    hash: &Digest,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO refresh_handle (hash, family, used_at, salt) VALUES ($1, $2, $3, '')")
        .bind(hash.to_string())
        .bind(family.to_string())
        .bind(FOREVER)
        .execute(connection)
        .await
        .doing("keep a refresh handle")?;
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("there is no profile of tokens of this name")]
struct UnknownProfile;

fn from_row(row: &AnyRow) -> Result<Found, StoreError> {
    let profile = Profile::named(text(row, 3)?)
        .ok_or_else(|| StoreError::damaged("the profile of refresh handles", UnknownProfile))?;
    let family = Family {
        id: parse(text(row, 0)?, "a family of refresh handles")?,
        session: parse(text(row, 1)?, "a session")?,
        principal: principal(text(row, 2)?)?,
        profile,
        scope: from_json(text(row, 4)?, "the scope of refresh handles")?,
        client: parse(text(row, 5)?, "the client of refresh handles")?,
        holder: from_json(text(row, 6)?, "the holder of refresh handles")?,
        created_at: time(row, 7)?,
        ends_at: time(row, 8)?,
    };
    let used = match number(row, 11)? {
        FOREVER => None,
        _ => Some(Use { at: time(row, 11)?, salt: parse(text(row, 12)?, "the salt of a refresh handle")? }),
    };
    Ok(Found {
        family,
        ended_at: if number(row, 9)? == FOREVER { None } else { Some(time(row, 9)?) },
        handle: HandleRecord { hash: parse(text(row, 10)?, "a refresh handle")?, used },
    })
}
