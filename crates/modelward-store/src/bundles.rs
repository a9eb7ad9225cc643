//! Policy bundles: their files, and which of them is in force.

use jiff::Timestamp;
use modelward_decision::vocabulary::PrincipalRef;
use modelward_governance::policy::PolicyState;
use modelward_seal::Digest;

use crate::error::Doing;
use crate::load::Moment;
use crate::sql::{from_json, micros, parse, principal, text, time};
use crate::{PAGE_MAX, Store, StoreError};

/// A bundle as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRow {
    pub head: BundleHead,
    /// The bundle file: opaque here.
    pub file: String,
}

/// What is known of a bundle without its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleHead {
    pub digest: Digest,
    pub name: String,
    pub version: String,
    /// `None` is the program itself.
    pub proposed_by: Option<PrincipalRef>,
    pub proposed_at: Timestamp,
}

/// One step of the state of policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStep {
    pub state: PolicyState,
    pub since: Timestamp,
    pub revision: u64,
}

impl Store {
    /// Longest file kept.
    pub const BUNDLE_BYTES_MAX: usize = 96 * 1024 * 1024;

    /// Keeps a bundle that is not kept yet; one that is stays as it is. Keeping brings nothing into force.
    pub async fn put_bundle(&self, bundle: &BundleRow) -> Result<(), StoreError> {
        if bundle.file.len() > Self::BUNDLE_BYTES_MAX {
            return Err(StoreError::TooLong { what: "a bundle", max: Self::BUNDLE_BYTES_MAX });
        }
        let BundleHead { digest, name, version, proposed_by, proposed_at } = &bundle.head;
        let _writing = self.writing().await;
        sqlx::query(
            "INSERT INTO bundle (digest, name, version, file, proposed_by, proposed_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(digest.to_string())
        .bind(name.as_str())
        .bind(version.as_str())
        .bind(bundle.file.as_str())
        .bind(proposed_by.map(|who| who.to_string()).unwrap_or_default())
        .bind(micros(*proposed_at))
        .execute(self.pool())
        .await
        .doing("keep a bundle")?;
        Ok(())
    }

    /// Replaces the file of a bundle, as when a signature is added, unless somebody else replaced it meanwhile.
    pub async fn replace_bundle(
        &self,
        digest: Digest,
        before: &str,
        after: &str,
    ) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("UPDATE bundle SET file = $1 WHERE digest = $2 AND file = $3")
            .bind(after)
            .bind(digest.to_string())
            .bind(before)
            .execute(self.pool())
            .await
            .doing("replace a bundle")?;
        Ok(done.rows_affected() == 1)
    }

    /// What is known of a bundle without its file.
    pub async fn bundle_head(&self, digest: Digest) -> Result<Option<BundleHead>, StoreError> {
        let row = sqlx::query(
            "SELECT digest, name, version, proposed_by, proposed_at FROM bundle WHERE digest = $1",
        )
        .bind(digest.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("read what is known of a bundle")?;
        row.as_ref().map(head).transpose()
    }

    /// The file of a bundle.
    pub async fn bundle_file(&self, digest: Digest) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT file FROM bundle WHERE digest = $1")
            .bind(digest.to_string())
            .fetch_optional(self.pool())
            .await
            .doing("read the file of a bundle")?;
        row.map(|row| Ok(text(&row, 0)?.to_owned())).transpose()
    }

    /// The bundles that were proposed last, newest first.
    pub async fn bundles(&self, limit: u32) -> Result<Vec<BundleHead>, StoreError> {
        let rows = sqlx::query(
            "SELECT digest, name, version, proposed_by, proposed_at FROM bundle
             ORDER BY proposed_at DESC, digest LIMIT $1",
        )
        .bind(i64::from(limit.min(PAGE_MAX)))
        .fetch_all(self.pool())
        .await
        .doing("list bundles")?;
        rows.iter().map(head).collect()
    }

    /// What governed at a moment; `None` before the first bundle came into force.
    pub async fn policy(&self, moment: Moment) -> Result<Option<PolicyState>, StoreError> {
        let revision = i64::try_from(self.resolve(moment).await?.revision).unwrap_or(i64::MAX);
        let row = sqlx::query(
            "SELECT body FROM entity
             WHERE kind = 'policy' AND revision_from <= $1 AND revision_to > $1
             ORDER BY revision_from DESC LIMIT 1",
        )
        .bind(revision)
        .fetch_optional(self.pool())
        .await
        .doing("read the state of policy")?;
        row.map(|row| from_json(text(&row, 0)?, "the state of policy")).transpose()
    }

    /// What governed when, newest first.
    pub async fn policy_steps(&self, limit: u32) -> Result<Vec<PolicyStep>, StoreError> {
        let rows = sqlx::query(
            "SELECT body, valid_from, revision_from FROM entity WHERE kind = 'policy'
             ORDER BY revision_from DESC LIMIT $1",
        )
        .bind(i64::from(limit.min(PAGE_MAX)))
        .fetch_all(self.pool())
        .await
        .doing("read the history of policy")?;
        let step = |row| {
            Ok(PolicyStep {
                state: from_json(text(row, 0)?, "the state of policy")?,
                since: time(row, 1)?,
                revision: crate::sql::count(row, 2)?,
            })
        };
        rows.iter().map(step).collect()
    }
}

fn head(row: &sqlx::any::AnyRow) -> Result<BundleHead, StoreError> {
    let proposed_by = match text(row, 3)? {
        "" => None,
        who => Some(principal(who)?),
    };
    Ok(BundleHead {
        digest: parse(text(row, 0)?, "a digest")?,
        name: text(row, 1)?.to_owned(),
        version: text(row, 2)?.to_owned(),
        proposed_by,
        proposed_at: time(row, 4)?,
    })
}
