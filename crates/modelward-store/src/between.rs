//! From one past state to a later one, without reading what both have in common.

use std::collections::BTreeMap;

use modelward_decision::Change;
use modelward_governance::inventory::Thing;

use crate::change::{Item, Key};
use crate::error::Doing;
use crate::load::change_of;
use crate::sql::{from_json, number, text};
use crate::{Store, StoreError};

const REMOVABLE: [&str; 8] =
    ["project", "model", "version", "alias", "endpoint", "dataset", "group", "signal"];

impl Store {
    /// What leads from the state of one revision to that of a later one, for decisions: epochs are left out, they end
    /// credentials and change no decision, and so is the policy in force, which whoever decides again chooses.
    pub async fn changes_between(&self, from: u64, to: u64) -> Result<Vec<Change>, StoreError> {
        let (from, to) = (i64::try_from(from).unwrap_or(i64::MAX), i64::try_from(to).unwrap_or(i64::MAX));
        let mut changes = self.entities_between(from, to).await?;
        changes.extend(self.grants_between(from, to).await?);
        Ok(changes)
    }

    async fn entities_between(&self, from: i64, to: i64) -> Result<Vec<Change>, StoreError> {
        let rows = sqlx::query(
            "SELECT kind, id, body, revision_to FROM entity
             WHERE kind <> 'description' AND kind <> 'bootstrap' AND kind <> 'policy'
               AND kind <> 'identity' AND kind <> 'issuer' AND revision_from <= $2
               AND (revision_from > $1 OR (revision_to > $1 AND revision_to <= $2))",
        )
        .bind(from)
        .bind(to)
        .fetch_all(self.pool())
        .await
        .doing("read what changed between two revisions")?;
        // A thing that ended and began again is only what it became.
        let mut last: BTreeMap<(String, String), Option<Item>> = BTreeMap::new();
        for row in &rows {
            let key = (text(row, 0)?.to_owned(), text(row, 1)?.to_owned());
            let item = if number(row, 3)? > to {
                Some(match key.0.as_str() {
                    "signal" => Item::Signal(from_json(text(row, 2)?, "a signal")?),
                    _ => Item::Thing(from_json::<Thing>(text(row, 2)?, "an entity")?),
                })
            } else {
                None
            };
            let known = last.entry(key).or_default();
            if item.is_some() {
                *known = item;
            }
        }
        let mut changes = Vec::with_capacity(last.len());
        for ((kind, id), item) in last {
            // Only these can be removed; of the others there is always something in force.
            let kind = REMOVABLE.into_iter().find(|known| *known == kind).unwrap_or("other");
            changes.extend(change_of(&Key { kind, id }, item)?);
        }
        Ok(changes)
    }

    async fn grants_between(&self, from: i64, to: i64) -> Result<Vec<Change>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, grantee, privilege, scope, conditions, origin, not_before, not_after, revision_to FROM grants
             WHERE revision_from <= $2 AND (revision_from > $1 OR (revision_to > $1 AND revision_to <= $2))",
        )
        .bind(from)
        .bind(to)
        .fetch_all(self.pool())
        .await
        .doing("read which grants came and went between two revisions")?;
        rows.iter()
            .map(|row| {
                let grant = crate::grants::from_row(row)?;
                let lives = number(row, 8)? > to;
                Ok(if lives { Change::Grant(grant.into()) } else { Change::Revoke(grant.id) })
            })
            .collect()
    }
}
