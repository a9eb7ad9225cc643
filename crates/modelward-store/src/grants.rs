//! Grants: rows that begin once and end once.

use jiff::Timestamp;
use modelward_decision::Grant;
use modelward_decision::grant::{Conditions, Origin};
use modelward_decision::vocabulary::{GrantId, GranteeRef, ScopeRef};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::entity::Stamp;
use crate::error::Doing;
use crate::sql::{FOREVER, from_json, grantee, micros, number, page, parse, scope, text, time, to_json};
use crate::{Store, StoreError};

/// A grant with the span in which it was in force: from the moment its ledger entry was durable to its revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    pub grant: Grant,
    pub in_force_from: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// Which grants to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantsOf {
    Grantee(GranteeRef),
    Scope(ScopeRef),
    Everyone,
}

impl Store {
    /// Grants in force or over, in the order of their ids, after the given one; at most [`PAGE_MAX`](crate::PAGE_MAX).
    pub async fn grants(
        &self,
        of: GrantsOf,
        after: Option<GrantId>,
        limit: u32,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let (sql, value) = match of {
            GrantsOf::Grantee(grantee) => (
                "SELECT id, grantee, privilege, scope, conditions, origin, not_before, not_after,
                        valid_from, valid_to
                 FROM grants WHERE grantee = $1 AND id > $2 ORDER BY id LIMIT $3",
                grantee.to_string(),
            ),
            GrantsOf::Scope(scope) => (
                "SELECT id, grantee, privilege, scope, conditions, origin, not_before, not_after,
                        valid_from, valid_to
                 FROM grants WHERE scope = $1 AND id > $2 ORDER BY id LIMIT $3",
                scope.to_string(),
            ),
            GrantsOf::Everyone => (
                "SELECT id, grantee, privilege, scope, conditions, origin, not_before, not_after,
                        valid_from, valid_to
                 FROM grants WHERE id <> $1 AND id > $2 ORDER BY id LIMIT $3",
                String::new(),
            ),
        };
        let rows = sqlx::query(sql)
            .bind(value)
            .bind(after)
            .bind(page(limit))
            .fetch_all(self.pool())
            .await
            .doing("list grants")?;
        rows.iter().map(record).collect()
    }

    /// One grant, in force or over.
    pub async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT id, grantee, privilege, scope, conditions, origin, not_before, not_after,
                    valid_from, valid_to
             FROM grants WHERE id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("read a grant")?;
        row.as_ref().map(record).transpose()
    }
}

fn record(row: &AnyRow) -> Result<GrantRecord, StoreError> {
    let until = number(row, 9)?;
    Ok(GrantRecord {
        grant: from_row(row)?,
        in_force_from: time(row, 8)?,
        revoked_at: if until == FOREVER { None } else { Some(time(row, 9)?) },
    })
}

/// Reads the columns id, grantee, privilege, scope, conditions, origin, `not_before`, `not_after`, in this order.
pub(crate) fn from_row(row: &AnyRow) -> Result<Grant, StoreError> {
    let conditions = match text(row, 4)? {
        "{}" => Conditions::default(),
        json => from_json(json, "the conditions of a grant")?,
    };
    Ok(Grant {
        id: parse(text(row, 0)?, "a grant")?,
        grantee: grantee(text(row, 1)?)?,
        privilege: parse(text(row, 2)?, "a privilege")?,
        scope: scope(text(row, 3)?)?,
        conditions,
        not_before: time(row, 6)?,
        not_after: time(row, 7)?,
        origin: from_json::<Origin>(text(row, 5)?, "the origin of a grant")?,
    })
}

pub(crate) async fn in_force(connection: &mut AnyConnection, id: &str) -> Result<Option<Grant>, StoreError> {
    let row = sqlx::query(
        "SELECT id, grantee, privilege, scope, conditions, origin, not_before, not_after
         FROM grants WHERE id = $1 AND revision_to = 9223372036854775807",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
    .doing("read a grant")?;
    row.as_ref().map(from_row).transpose()
}

/// Whether a grant of this id is or was in force.
pub(crate) async fn ever(connection: &mut AnyConnection, id: &str) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT id FROM grants WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await
        .doing("look for a grant")?;
    Ok(row.is_some())
}

pub(crate) async fn begin(
    connection: &mut AnyConnection,
    grant: &Grant,
    stamp: Stamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO grants
             (id, grantee, privilege, scope, conditions, origin, not_before, not_after,
              event, valid_from, valid_to, revision_from, revision_to)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(grant.id.to_string())
    .bind(grant.grantee.to_string())
    .bind(grant.privilege.as_str())
    .bind(grant.scope.to_string())
    .bind(to_json(&grant.conditions, "the conditions of a grant")?)
    .bind(to_json(&grant.origin, "the origin of a grant")?)
    .bind(micros(grant.not_before))
    .bind(micros(grant.not_after))
    .bind(stamp.event.to_string())
    .bind(micros(stamp.at))
    .bind(FOREVER)
    .bind(stamp.revision)
    .bind(FOREVER)
    .execute(connection)
    .await
    .doing("begin a grant")?;
    Ok(())
}

pub(crate) async fn end(connection: &mut AnyConnection, id: &str, stamp: Stamp) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE grants SET valid_to = $1, revision_to = $2
         WHERE id = $3 AND revision_to = 9223372036854775807",
    )
    .bind(micros(stamp.at))
    .bind(stamp.revision)
    .bind(id)
    .execute(connection)
    .await
    .doing("end a grant")?;
    Ok(())
}
