//! Gateways in processes of their own: invited by a code, known by the digest of their certificate.

use jiff::Timestamp;
use modelward_decision::vocabulary::{Name, PrincipalRef};
use modelward_seal::Digest;
use sqlx::any::AnyRow;

use crate::error::Doing;
use crate::sql::{FOREVER, micros, number, parse, text, time};
use crate::{Store, StoreError};

/// A gateway that was invited, and since when it is enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// What it is for ever; the name can be given to another one later.
    pub id: String,
    pub name: Name,
    pub invited_at: Timestamp,
    pub enrolled_at: Option<Timestamp>,
}

/// An invitation to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayInvitation {
    pub id: String,
    pub name: Name,
    pub invited_by: PrincipalRef,
    pub invited_at: Timestamp,
    pub code_hash: Digest,
    pub code_until: Timestamp,
}

impl Store {
    /// Keeps an invitation. False where a gateway of this name is enrolled already; an invitation nobody took up gives way.
    pub async fn invite_gateway(&self, invitation: &GatewayInvitation) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM gateway WHERE name = $1 AND enrolled_at = $2")
            .bind(invitation.name.as_str())
            .bind(FOREVER)
            .execute(&mut *transaction)
            .await
            .doing("withdraw an invitation of a gateway")?;
        let taken = sqlx::query("SELECT id FROM gateway WHERE name = $1 AND removed_at = $2")
            .bind(invitation.name.as_str())
            .bind(FOREVER)
            .fetch_optional(&mut *transaction)
            .await
            .doing("look for a gateway")?;
        if taken.is_some() {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO gateway (id, name, invited_by, invited_at, code_hash, code_until, certificate, renewed,
                                  enrolled_at, removed_at)
             VALUES ($1, $2, $3, $4, $5, $6, '', '', $7, $7)",
        )
        .bind(invitation.id.as_str())
        .bind(invitation.name.as_str())
        .bind(invitation.invited_by.to_string())
        .bind(micros(invitation.invited_at))
        .bind(invitation.code_hash.to_string())
        .bind(micros(invitation.code_until))
        .bind(FOREVER)
        .execute(&mut *transaction)
        .await
        .doing("keep an invitation of a gateway")?;
        transaction.commit().await.doing("keep an invitation of a gateway")?;
        Ok(true)
    }

    /// The gateway whose code this is, if it can still be used. It is used up by [`Self::enrol_gateway`].
    pub async fn gateway_invited(
        &self,
        code: &Digest,
        now: Timestamp,
    ) -> Result<Option<Gateway>, StoreError> {
        let sql = "SELECT id, name, invited_at, enrolled_at FROM gateway
             WHERE code_hash = $1 AND code_until > $2 AND enrolled_at = $3 AND removed_at = $3";
        let row = sqlx::query(sql)
            .bind(code.to_string())
            .bind(micros(now))
            .bind(FOREVER)
            .fetch_optional(self.pool())
            .await
            .doing("look for an invitation of a gateway")?;
        row.as_ref().map(from_row).transpose()
    }

    /// Uses a code up. False where it is wrong, expired or used: of many who send it at once, one gets in.
    pub async fn enrol_gateway(
        &self,
        code: &Digest,
        certificate: &Digest,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query(
            "UPDATE gateway SET certificate = $1, code_hash = '', enrolled_at = $2
             WHERE code_hash = $3 AND code_until > $2 AND enrolled_at = $4 AND removed_at = $4",
        )
        .bind(certificate.to_string())
        .bind(micros(now))
        .bind(code.to_string())
        .bind(FOREVER)
        .execute(self.pool())
        .await
        .doing("enrol a gateway")?;
        Ok(done.rows_affected() == 1)
    }

    /// The gateway that shows this certificate. One that shows its renewed certificate gives up the one before.
    pub async fn gateway_showing(&self, certificate: &Digest) -> Result<Option<Gateway>, StoreError> {
        let _writing = self.writing().await;
        sqlx::query(
            "UPDATE gateway SET certificate = renewed, renewed = '' WHERE renewed = $1 AND removed_at = $2",
        )
        .bind(certificate.to_string())
        .bind(FOREVER)
        .execute(self.pool())
        .await
        .doing("note a renewed certificate")?;
        let sql = "SELECT id, name, invited_at, enrolled_at FROM gateway WHERE certificate = $1 AND removed_at = $2";
        let row = sqlx::query(sql)
            .bind(certificate.to_string())
            .bind(FOREVER)
            .fetch_optional(self.pool())
            .await
            .doing("look for a gateway")?;
        row.as_ref().map(from_row).transpose()
    }

    /// Keeps the digest of another certificate for a gateway; both count until it shows the new one.
    pub async fn renew_gateway(&self, id: &str, certificate: &Digest) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("UPDATE gateway SET renewed = $1 WHERE id = $2 AND removed_at = $3")
            .bind(certificate.to_string())
            .bind(id)
            .bind(FOREVER)
            .execute(self.pool())
            .await
            .doing("renew the certificate of a gateway")?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a gateway, or withdraws its invitation. `None` where there is none of this name.
    pub async fn remove_gateway(&self, name: &Name, now: Timestamp) -> Result<Option<Gateway>, StoreError> {
        let _writing = self.writing().await;
        let sql = "UPDATE gateway SET removed_at = $1, code_hash = '' WHERE name = $2 AND removed_at = $3
             RETURNING id, name, invited_at, enrolled_at";
        let row = sqlx::query(sql)
            .bind(micros(now))
            .bind(name.as_str())
            .bind(FOREVER)
            .fetch_optional(self.pool())
            .await
            .doing("remove a gateway")?;
        row.as_ref().map(from_row).transpose()
    }

    /// Every gateway that was not removed, by name.
    pub async fn gateways(&self) -> Result<Vec<Gateway>, StoreError> {
        let sql = "SELECT id, name, invited_at, enrolled_at FROM gateway WHERE removed_at = $1 ORDER BY name LIMIT 1000";
        let rows = sqlx::query(sql).bind(FOREVER).fetch_all(self.pool()).await.doing("list gateways")?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &AnyRow) -> Result<Gateway, StoreError> {
    let enrolled_at = if number(row, 3)? == FOREVER { None } else { Some(time(row, 3)?) };
    Ok(Gateway {
        id: text(row, 0)?.to_owned(),
        name: parse(text(row, 1)?, "the name of a gateway")?,
        invited_at: time(row, 2)?,
        enrolled_at,
    })
}
