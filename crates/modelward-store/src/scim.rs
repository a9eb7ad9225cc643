//! Provisioning clients: who they are, what they said last, and whom they ended lately.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{Name, PersonId, PrincipalRef};
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::change::Recorded;
use crate::error::Doing;
use crate::sql::{FOREVER, count, micros, number, parse, principal, text, time};
use crate::{Store, StoreError};

/// Resources of one client.
pub const RESOURCES_MAX: usize = 100_000;
/// How long it is remembered whom a client ended.
pub const ENDED_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Uses closer together than this are not worth a write.
const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// A provisioning client, bound to one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub name: Name,
    /// The issuer its people sign in through, by its name in the configuration.
    pub issuer: Name,
    pub subject: Subject,
    /// More people than this ended within the breaker's window pause it, or a greater share of its people.
    pub people_max: u32,
    pub percent_max: u32,
    pub made_by: PrincipalRef,
    pub made_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub seen_at: Option<Timestamp>,
    /// When it last changed anything.
    pub changed_at: Option<Timestamp>,
    /// Since when nothing of it is taken, as it ended too many.
    pub paused_at: Option<Timestamp>,
    /// Until when its breaker does not count.
    pub passes_until: Option<Timestamp>,
}

/// Which attribute of a user is their `sub` at the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    ExternalId,
    UserName,
}

/// A secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub hash: Digest,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What a client said last about a user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Of a user: the person's.
    pub id: String,
    pub client: String,
    pub kind: ResourceKind,
    /// The name in small letters: one of its client and kind has it.
    pub name_key: String,
    /// The name as the client writes it.
    pub label: String,
    /// Its attributes, as JSON.
    pub body: String,
    /// Counts changes.
    pub version: u64,
    /// The client itself ended this person.
    pub ended: bool,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    User,
    Group,
}

/// A change of what a client said, made in the transaction of the commit it is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub client: String,
    pub kind: ResourceKind,
    pub id: String,
    /// What it says from now on; nothing where it withdraws the resource.
    pub resource: Option<Resource>,
    /// Who comes into the group, and who leaves it.
    pub joins: Vec<PersonId>,
    pub leaves: Vec<PersonId>,
    /// Counts for the breaker.
    pub ends: Option<PersonId>,
}

impl Write {
    /// What the outbox keeps of it.
    pub fn record(&self) -> Recorded {
        Recorded::Scim {
            client: self.client.clone(),
            kind: self.kind,
            id: self.id.clone(),
            withdrawn: self.resource.is_none(),
            joins: self.joins.len(),
            leaves: self.leaves.len(),
        }
    }
}

impl Subject {
    pub const ALL: [Self; 2] = [Self::ExternalId, Self::UserName];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExternalId => "external-id",
            Self::UserName => "user-name",
        }
    }
}

impl ResourceKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// Every column of a client, in the order [`client`] reads them.
macro_rules! clients {
    ($which:literal) => {
        concat!(
            "SELECT id, name, issuer, subject, people_max, percent_max, made_by, made_at, revoked_at, seen_at,
                    changed_at, paused_at, passes_until FROM scim_client ",
            $which
        )
    };
}

/// Every column of a resource, in the order [`resource`] reads them.
macro_rules! resources {
    ($which:literal) => {
        concat!(
            "SELECT id, client, kind, name_key, label, body, version, ended, created_at, changed_at
             FROM scim_resource ",
            $which
        )
    };
}

impl Store {
    /// Keeps a client with its first secret. False where another one has its name.
    pub async fn add_scim_client(&self, client: &Client, secret: &Secret) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        let taken = sqlx::query("SELECT id FROM scim_client WHERE name = $1 AND revoked_at = $2")
            .bind(client.name.as_str())
            .bind(FOREVER)
            .fetch_optional(&mut *transaction)
            .await
            .doing("look for a provisioning client")?;
        if taken.is_some() {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO scim_client (id, name, issuer, subject, people_max, percent_max, made_by, made_at,
                                      revoked_at, seen_at, changed_at, paused_at, passes_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9, $9, $9)",
        )
        .bind(client.id.as_str())
        .bind(client.name.as_str())
        .bind(client.issuer.as_str())
        .bind(client.subject.as_str())
        .bind(i64::from(client.people_max))
        .bind(i64::from(client.percent_max))
        .bind(client.made_by.to_string())
        .bind(micros(client.made_at))
        .bind(FOREVER)
        .execute(&mut *transaction)
        .await
        .doing("keep a provisioning client")?;
        keep_secret(&mut transaction, &client.id, secret).await?;
        transaction.commit().await.doing("keep a provisioning client")?;
        Ok(true)
    }

    /// Every client that was not revoked, by name.
    pub async fn scim_clients(&self) -> Result<Vec<Client>, StoreError> {
        let sql = clients!("WHERE revoked_at = $1 ORDER BY name LIMIT 1000");
        let rows =
            sqlx::query(sql).bind(FOREVER).fetch_all(self.pool()).await.doing("list provisioning clients")?;
        rows.iter().map(client).collect()
    }

    /// The client of this name that was not revoked.
    pub async fn scim_client_named(&self, name: &str) -> Result<Option<Client>, StoreError> {
        let sql = clients!("WHERE name = $1 AND revoked_at = $2");
        let row = sqlx::query(sql)
            .bind(name.to_owned())
            .bind(FOREVER)
            .fetch_optional(self.pool())
            .await
            .doing("look for a provisioning client")?;
        row.as_ref().map(client).transpose()
    }

    /// The client whose secret this is, while both count.
    pub async fn scim_client_showing(
        &self,
        secret: &Digest,
        now: Timestamp,
    ) -> Result<Option<Client>, StoreError> {
        let sql = clients!(
            "WHERE revoked_at = $1 AND id IN
                 (SELECT client FROM scim_secret WHERE hash = $2 AND expires_at > $3)"
        );
        let row = sqlx::query(sql)
            .bind(FOREVER)
            .bind(secret.to_string())
            .bind(micros(now))
            .fetch_optional(self.pool())
            .await
            .doing("look for a provisioning client by its secret")?;
        row.as_ref().map(client).transpose()
    }

    /// When each secret of a client that still counts ends, the newest first.
    pub async fn scim_secrets_of(&self, client: &str, now: Timestamp) -> Result<Vec<Secret>, StoreError> {
        let rows = sqlx::query(
            "SELECT hash, made_at, expires_at FROM scim_secret WHERE client = $1 AND expires_at > $2
             ORDER BY made_at DESC, hash LIMIT 16",
        )
        .bind(client.to_owned())
        .bind(micros(now))
        .fetch_all(self.pool())
        .await
        .doing("list the secrets of a provisioning client")?;
        let secret = |row: &AnyRow| {
            Ok(Secret {
                hash: parse(text(row, 0)?, "the hash of a secret")?,
                made_at: time(row, 1)?,
                expires_at: time(row, 2)?,
            })
        };
        rows.iter().map(secret).collect()
    }

    /// Gives a client another secret. The one before counts until `overlap_until` at most, older ones no more.
    pub async fn renew_scim_secret(
        &self,
        client: &str,
        secret: &Secret,
        overlap_until: Timestamp,
    ) -> Result<(), StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        sqlx::query(
            "DELETE FROM scim_secret WHERE client = $1 AND hash NOT IN
                 (SELECT hash FROM scim_secret WHERE client = $1 ORDER BY made_at DESC, hash LIMIT 1)",
        )
        .bind(client.to_owned())
        .execute(&mut *transaction)
        .await
        .doing("end old secrets")?;
        sqlx::query("UPDATE scim_secret SET expires_at = $1 WHERE client = $2 AND expires_at > $1")
            .bind(micros(overlap_until))
            .bind(client.to_owned())
            .execute(&mut *transaction)
            .await
            .doing("let a secret run out")?;
        keep_secret(&mut transaction, client, secret).await?;
        transaction.commit().await.doing("renew a secret")
    }

    /// Ends a client and its secrets. False where there is none of this name.
    pub async fn revoke_scim_client(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let mut transaction = self.begin().await?;
        let done = sqlx::query("UPDATE scim_client SET revoked_at = $1 WHERE id = $2 AND revoked_at = $3")
            .bind(micros(at))
            .bind(id.to_owned())
            .bind(FOREVER)
            .execute(&mut *transaction)
            .await
            .doing("revoke a provisioning client")?;
        sqlx::query("DELETE FROM scim_secret WHERE client = $1")
            .bind(id.to_owned())
            .execute(&mut *transaction)
            .await
            .doing("end the secrets of a provisioning client")?;
        transaction.commit().await.doing("revoke a provisioning client")?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that a client was heard of.
    pub async fn note_scim_client(&self, client: &Client, now: Timestamp) -> Result<(), StoreError> {
        if client.seen_at.is_some_and(|seen| now.duration_since(seen) < SEEN_EVERY) {
            return Ok(());
        }
        let _writing = self.writing().await;
        sqlx::query("UPDATE scim_client SET seen_at = $1 WHERE id = $2 AND (seen_at < $1 OR seen_at = $3)")
            .bind(micros(now))
            .bind(client.id.clone())
            .bind(FOREVER)
            .execute(self.pool())
            .await
            .doing("note a provisioning client")?;
        Ok(())
    }

    /// Takes nothing more of a client. False where it was paused before.
    pub async fn pause_scim_client(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("UPDATE scim_client SET paused_at = $1 WHERE id = $2 AND paused_at = $3")
            .bind(micros(at))
            .bind(id.to_owned())
            .bind(FOREVER)
            .execute(self.pool())
            .await
            .doing("pause a provisioning client")?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes up a client again; its breaker does not count until then.
    pub async fn resume_scim_client(&self, id: &str, until: Timestamp) -> Result<(), StoreError> {
        let _writing = self.writing().await;
        sqlx::query("UPDATE scim_client SET paused_at = $1, passes_until = $2 WHERE id = $3")
            .bind(FOREVER)
            .bind(micros(until))
            .bind(id.to_owned())
            .execute(self.pool())
            .await
            .doing("take up a provisioning client")?;
        Ok(())
    }

    /// What a client said of this id.
    pub async fn scim_resource(
        &self,
        client: &str,
        kind: ResourceKind,
        id: &str,
    ) -> Result<Option<Resource>, StoreError> {
        let sql = resources!("WHERE id = $1 AND client = $2 AND kind = $3");
        let row = sqlx::query(sql)
            .bind(id.to_owned())
            .bind(client.to_owned())
            .bind(kind.as_str())
            .fetch_optional(self.pool())
            .await
            .doing("read a provisioned resource")?;
        row.as_ref().map(resource).transpose()
    }

    /// What a client said under this name.
    pub async fn scim_resource_named(
        &self,
        client: &str,
        kind: ResourceKind,
        name_key: &str,
    ) -> Result<Option<Resource>, StoreError> {
        let sql = resources!("WHERE client = $1 AND kind = $2 AND name_key = $3");
        let row = sqlx::query(sql)
            .bind(client.to_owned())
            .bind(kind.as_str())
            .bind(name_key.to_owned())
            .fetch_optional(self.pool())
            .await
            .doing("read a provisioned resource")?;
        row.as_ref().map(resource).transpose()
    }

    /// Everything of a kind that a client said, in the order it was made.
    pub async fn scim_resources(
        &self,
        client: &str,
        kind: ResourceKind,
    ) -> Result<Vec<Resource>, StoreError> {
        let sql = resources!("WHERE client = $1 AND kind = $2 ORDER BY created_at, id");
        let rows = sqlx::query(sql)
            .bind(client.to_owned())
            .bind(kind.as_str())
            .fetch_all(self.pool())
            .await
            .doing("list provisioned resources")?;
        rows.iter().map(resource).collect()
    }

    pub async fn scim_resource_count(&self, client: &str, kind: ResourceKind) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) FROM scim_resource WHERE client = $1 AND kind = $2")
            .bind(client.to_owned())
            .bind(kind.as_str())
            .fetch_one(self.pool())
            .await
            .doing("count provisioned resources")?;
        count(&row, 0)
    }

    /// The ids of everything of a kind that a client said.
    pub async fn scim_ids(&self, client: &str, kind: ResourceKind) -> Result<BTreeSet<String>, StoreError> {
        let rows = sqlx::query("SELECT id FROM scim_resource WHERE client = $1 AND kind = $2")
            .bind(client.to_owned())
            .bind(kind.as_str())
            .fetch_all(self.pool())
            .await
            .doing("list provisioned resources")?;
        rows.iter().map(|row| text(row, 0).map(str::to_owned)).collect()
    }

    /// Who is in which group of a client: group and person.
    pub async fn scim_memberships(&self, client: &str) -> Result<Vec<(String, PersonId)>, StoreError> {
        let rows = sqlx::query(
            "SELECT scim_member.of_group, scim_member.person FROM scim_member
             JOIN scim_resource ON scim_resource.id = scim_member.of_group
             WHERE scim_resource.client = $1 ORDER BY scim_member.of_group, scim_member.person",
        )
        .bind(client.to_owned())
        .fetch_all(self.pool())
        .await
        .doing("list who is in provisioned groups")?;
        rows.iter().map(|row| Ok((text(row, 0)?.to_owned(), parse(text(row, 1)?, "a member")?))).collect()
    }

    pub async fn scim_members(&self, group: &str) -> Result<Vec<PersonId>, StoreError> {
        let rows = sqlx::query("SELECT person FROM scim_member WHERE of_group = $1 ORDER BY person")
            .bind(group.to_owned())
            .fetch_all(self.pool())
            .await
            .doing("list who is in a provisioned group")?;
        rows.iter().map(|row| parse(text(row, 0)?, "a member")).collect()
    }

    /// The groups of a client a person is in: id and name.
    pub async fn scim_groups_of(
        &self,
        client: &str,
        person: PersonId,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT scim_resource.id, scim_resource.label FROM scim_member
             JOIN scim_resource ON scim_resource.id = scim_member.of_group
             WHERE scim_member.person = $1 AND scim_resource.client = $2 ORDER BY scim_resource.id",
        )
        .bind(person.to_string())
        .bind(client.to_owned())
        .fetch_all(self.pool())
        .await
        .doing("list the provisioned groups of a person")?;
        rows.iter().map(|row| Ok((text(row, 0)?.to_owned(), text(row, 1)?.to_owned()))).collect()
    }

    /// What the clients of an issuer that count call the groups a person is in.
    pub async fn scim_groups_at(&self, issuer: &str, person: PersonId) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT scim_resource.label FROM scim_member
             JOIN scim_resource ON scim_resource.id = scim_member.of_group
             JOIN scim_client ON scim_client.id = scim_resource.client
             WHERE scim_member.person = $1 AND scim_client.issuer = $2 AND scim_client.revoked_at = $3",
        )
        .bind(person.to_string())
        .bind(issuer.to_owned())
        .bind(FOREVER)
        .fetch_all(self.pool())
        .await
        .doing("list the provisioned groups of a person")?;
        rows.iter().map(|row| text(row, 0).map(str::to_owned)).collect()
    }

    /// What is said of a person, by a client that counts or by one that was revoked.
    pub async fn scim_user(&self, person: PersonId) -> Result<Option<(Client, Resource)>, StoreError> {
        let sql = resources!("WHERE id = $1");
        let row = sqlx::query(sql)
            .bind(person.to_string())
            .fetch_optional(self.pool())
            .await
            .doing("read a provisioned person")?;
        let Some(resource) = row.as_ref().map(resource).transpose()? else { return Ok(None) };
        let sql = clients!("WHERE id = $1");
        let row = sqlx::query(sql)
            .bind(resource.client.clone())
            .fetch_one(self.pool())
            .await
            .doing("read a provisioning client")?;
        Ok(Some((client(&row)?, resource)))
    }

    /// People a client ended since then, each once.
    pub async fn scim_ended(&self, client: &str, since: Timestamp) -> Result<Vec<PersonId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT person FROM scim_ended WHERE client = $1 AND at > $2")
            .bind(client.to_owned())
            .bind(micros(since))
            .fetch_all(self.pool())
            .await
            .doing("count whom a provisioning client ended")?;
        rows.iter().map(|row| parse(text(row, 0)?, "a person")).collect()
    }
}

async fn keep_secret(
    connection: &mut AnyConnection,
    client: &str,
    secret: &Secret,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO scim_secret (hash, client, made_at, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(secret.hash.to_string())
        .bind(client.to_owned())
        .bind(micros(secret.made_at))
        .bind(micros(secret.expires_at))
        .execute(connection)
        .await
        .doing("keep the secret of a provisioning client")?;
    Ok(())
}

/// Makes a change of what a client said, as a part of a commit.
pub(crate) async fn write(
    connection: &mut AnyConnection,
    write: &Write,
    at: Timestamp,
) -> Result<(), StoreError> {
    match &write.resource {
        Some(resource) => put(connection, resource).await?,
        None => withdraw(connection, write).await?,
    }
    for person in &write.leaves {
        sqlx::query("DELETE FROM scim_member WHERE of_group = $1 AND person = $2")
            .bind(write.id.clone())
            .bind(person.to_string())
            .execute(&mut *connection)
            .await
            .doing("let somebody leave a provisioned group")?;
    }
    for person in &write.joins {
        sqlx::query(
            "INSERT INTO scim_member (of_group, person) VALUES ($1, $2) ON CONFLICT (of_group, person) DO NOTHING",
        )
        .bind(write.id.clone())
        .bind(person.to_string())
        .execute(&mut *connection)
        .await
        .doing("let somebody into a provisioned group")?;
    }
    if let Some(person) = write.ends {
        note_ended(connection, &write.client, person, at).await?;
    }
    sqlx::query("UPDATE scim_client SET changed_at = $1 WHERE id = $2")
        .bind(micros(at))
        .bind(write.client.clone())
        .execute(connection)
        .await
        .doing("note a change of a provisioning client")?;
    Ok(())
}

async fn put(connection: &mut AnyConnection, resource: &Resource) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO scim_resource (id, client, kind, name_key, label, body, version, ended, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO UPDATE SET client = $2, name_key = $4, label = $5, body = $6, version = $7,
                                        ended = $8, changed_at = $10",
    )
    .bind(resource.id.clone())
    .bind(resource.client.clone())
    .bind(resource.kind.as_str())
    .bind(resource.name_key.clone())
    .bind(resource.label.clone())
    .bind(resource.body.clone())
    .bind(i64::try_from(resource.version).unwrap_or(i64::MAX))
    .bind(i64::from(resource.ended))
    .bind(micros(resource.created_at))
    .bind(micros(resource.changed_at))
    .execute(connection)
    .await
    .doing("keep a provisioned resource")?;
    Ok(())
}

async fn withdraw(connection: &mut AnyConnection, write: &Write) -> Result<(), StoreError> {
    // Groups somebody leaves by going are not what they were.
    sqlx::query(
        "UPDATE scim_resource SET version = version + 1
         WHERE id IN (SELECT of_group FROM scim_member WHERE person = $1)",
    )
    .bind(write.id.clone())
    .execute(&mut *connection)
    .await
    .doing("note that a provisioned group changed")?;
    for sql in [
        "DELETE FROM scim_member WHERE person = $1",
        "DELETE FROM scim_member WHERE of_group = $1",
        "DELETE FROM scim_resource WHERE id = $1",
    ] {
        sqlx::query(sql)
            .bind(write.id.clone())
            .execute(&mut *connection)
            .await
            .doing("withdraw a provisioned resource")?;
    }
    Ok(())
}

async fn note_ended(
    connection: &mut AnyConnection,
    client: &str,
    person: PersonId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let forgotten = at.checked_sub(ENDED_KEPT).unwrap_or(Timestamp::MIN);
    sqlx::query("DELETE FROM scim_ended WHERE at < $1")
        .bind(micros(forgotten))
        .execute(&mut *connection)
        .await
        .doing("forget whom a provisioning client ended")?;
    sqlx::query("INSERT INTO scim_ended (client, person, at) VALUES ($1, $2, $3)")
        .bind(client.to_owned())
        .bind(person.to_string())
        .bind(micros(at))
        .execute(connection)
        .await
        .doing("note whom a provisioning client ended")?;
    Ok(())
}

fn client(row: &AnyRow) -> Result<Client, StoreError> {
    let said = |column: usize| {
        Ok::<_, StoreError>(if number(row, column)? == FOREVER { None } else { Some(time(row, column)?) })
    };
    let bound = |column: usize| Ok::<_, StoreError>(u32::try_from(number(row, column)?).unwrap_or(0));
    let subject = text(row, 3)?;
    Ok(Client {
        id: text(row, 0)?.to_owned(),
        name: parse(text(row, 1)?, "the name of a provisioning client")?,
        issuer: parse(text(row, 2)?, "the issuer of a provisioning client")?,
        subject: Subject::ALL
            .into_iter()
            .find(|known| known.as_str() == subject)
            .ok_or_else(|| StoreError::damaged("the subject of a provisioning client", Unknown))?,
        people_max: bound(4)?,
        percent_max: bound(5)?,
        made_by: principal(text(row, 6)?)?,
        made_at: time(row, 7)?,
        revoked_at: said(8)?,
        seen_at: said(9)?,
        changed_at: said(10)?,
        paused_at: said(11)?,
        passes_until: said(12)?,
    })
}

fn resource(row: &AnyRow) -> Result<Resource, StoreError> {
    Ok(Resource {
        id: text(row, 0)?.to_owned(),
        client: text(row, 1)?.to_owned(),
        kind: match text(row, 2)? {
            "user" => ResourceKind::User,
            "group" => ResourceKind::Group,
            _ => return Err(StoreError::damaged("the kind of a provisioned resource", Unknown)),
        },
        name_key: text(row, 3)?.to_owned(),
        label: text(row, 4)?.to_owned(),
        body: text(row, 5)?.to_owned(),
        version: count(row, 6)?,
        ended: number(row, 7)? != 0,
        created_at: time(row, 8)?,
        changed_at: time(row, 9)?,
    })
}

#[derive(Debug, thiserror::Error)]
#[error("an unknown word")]
struct Unknown;
