//! Identities of elsewhere: who they are here, which issuers are believed, and what counts only once.

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::PersonId;
use modelward_identity::federation::{Identity, Link, Standing};
use modelward_seal::Digest;
use sqlx::any::AnyRow;

use crate::change::Key;
use crate::error::Doing;
use crate::sql::{from_json, micros, page, text, time};
use crate::{Store, StoreError};

/// Somebody who proved who they are elsewhere, and is nobody here yet: for whoever links them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub identity: Identity,
    /// What the issuer calls them. It identifies nobody.
    pub name: String,
    pub email: String,
    pub seen_at: Timestamp,
}

/// Strangers remembered at most, the last ones seen, and for how long.
pub const SIGHTINGS_KEPT: i64 = 256;
pub const SIGHTINGS_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Store {
    /// Who an identity is here, as in force now.
    pub async fn link(&self, identity: &Identity) -> Result<Option<Link>, StoreError> {
        let link: Option<Link> = self.said(&Key::identity(identity), "a link").await?;
        // Two identities under one digest: not in this world, but then neither is the other.
        Ok(link.filter(|link| link.identity == *identity))
    }

    /// The identities that are this person.
    pub async fn links_of(&self, person: PersonId) -> Result<Vec<Link>, StoreError> {
        let rows = sqlx::query(
            "SELECT entity.body FROM link JOIN entity ON entity.kind = 'identity' AND entity.id = link.source
             WHERE link.target = $1 AND link.relation = 'identity'
               AND link.revision_to = 9223372036854775807 AND entity.revision_to = 9223372036854775807
             ORDER BY entity.id LIMIT $2",
        )
        .bind(person.to_string())
        .bind(page(crate::PAGE_MAX))
        .fetch_all(self.pool())
        .await
        .doing("list the identities of a person")?;
        rows.iter().map(|row| from_json(text(row, 0)?, "a link")).collect()
    }

    /// What was last said about whether an issuer is believed.
    pub async fn issuer_standing(&self, url: &str) -> Result<Option<Standing>, StoreError> {
        self.said(&Key::issuer(url), "the standing of an issuer").await
    }

    async fn said<T: serde::de::DeserializeOwned>(
        &self,
        key: &Key,
        what: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let row = sqlx::query(
            "SELECT body FROM entity WHERE kind = $1 AND id = $2 AND revision_to = 9223372036854775807",
        )
        .bind(key.kind)
        .bind(&key.id)
        .fetch_optional(self.pool())
        .await
        .doing("read what is said about an issuer")?;
        row.map(|row| from_json(text(&row, 0)?, what)).transpose()
    }

    /// Uses up something that counts once. False if it was used before; of two at once, one is first.
    pub async fn use_once(
        &self,
        what: &Digest,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM used_once WHERE expires_at < $1")
            .bind(micros(now))
            .execute(&mut *transaction)
            .await
            .doing("forget what was used")?;
        let done = sqlx::query(
            "INSERT INTO used_once (digest, expires_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(what.to_string())
        .bind(micros(until))
        .execute(&mut *transaction)
        .await
        .doing("note what is used")?;
        transaction.commit().await.doing("note what is used")?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether something that counts once was used.
    pub async fn was_used(&self, what: &Digest) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT digest FROM used_once WHERE digest = $1")
            .bind(what.to_string())
            .fetch_optional(self.pool())
            .await
            .doing("look whether something was used")?;
        Ok(row.is_some())
    }

    /// Remembers a stranger, in the place of the one seen longest ago.
    pub async fn note_sighting(&self, sighting: &Sighting) -> Result<(), StoreError> {
        let Sighting { identity, name, email, seen_at } = sighting;
        let forgotten = seen_at.checked_sub(SIGHTINGS_FOR).unwrap_or(Timestamp::MIN);
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO sighting (digest, issuer, subject, name, email, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (digest) DO UPDATE SET name = $4, email = $5, seen_at = $6",
        )
        .bind(identity.digest().to_string())
        .bind(identity.issuer.clone())
        .bind(identity.subject.clone())
        .bind(name.clone())
        .bind(email.clone())
        .bind(micros(*seen_at))
        .execute(&mut *transaction)
        .await
        .doing("note a stranger")?;
        sqlx::query(
            "DELETE FROM sighting WHERE seen_at < $1 OR digest NOT IN
                 (SELECT digest FROM sighting ORDER BY seen_at DESC, digest LIMIT $2)",
        )
        .bind(micros(forgotten))
        .bind(SIGHTINGS_KEPT)
        .execute(&mut *transaction)
        .await
        .doing("forget strangers")?;
        transaction.commit().await.doing("note a stranger")
    }

    /// Strangers, the last one seen first.
    pub async fn sightings(&self) -> Result<Vec<Sighting>, StoreError> {
        let rows = sqlx::query(
            "SELECT issuer, subject, name, email, seen_at FROM sighting ORDER BY seen_at DESC, digest",
        )
        .fetch_all(self.pool())
        .await
        .doing("list strangers")?;
        rows.iter().map(sighting).collect()
    }

    /// Forgets a stranger who is somebody now.
    pub async fn forget_sighting(&self, identity: &Identity) -> Result<(), StoreError> {
        let _writing = self.writing().await;
        sqlx::query("DELETE FROM sighting WHERE digest = $1")
            .bind(identity.digest().to_string())
            .execute(self.pool())
            .await
            .doing("forget a stranger")?;
        Ok(())
    }
}

fn sighting(row: &AnyRow) -> Result<Sighting, StoreError> {
    Ok(Sighting {
        identity: Identity { issuer: text(row, 0)?.to_owned(), subject: text(row, 1)?.to_owned() },
        name: text(row, 2)?.to_owned(),
        email: text(row, 3)?.to_owned(),
        seen_at: time(row, 4)?,
    })
}
