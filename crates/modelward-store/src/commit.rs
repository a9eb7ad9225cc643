//! Writing state: what narrows at once, what widens once the ledger has it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use modelward_decision::vocabulary::{EventId, PersonId, PrincipalRef};
use modelward_decision::{Change, EpochScope};
use modelward_governance::policy::PolicyState;
use modelward_seal::Digest;
use sqlx::AnyConnection;
use tokio::sync::OwnedMutexGuard;

use crate::change::{Item, Key, Recorded, StateChange};
use crate::entity::{Stamp, in_force, put_in_force, rounded};
use crate::error::Doing;
use crate::load::change_of;
use crate::sql::{count, epoch_scope_text, from_json, micros, number, text, to_json};
use crate::{CommitError, LedgeredError, Store, StoreError, credential, direction, grants, scim};

/// Changes that belong together: all of them are stored, or none.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Chosen by the caller. Committing the same event again does nothing.
    pub event: EventId,
    /// `None` is the system itself.
    pub actor: Option<PrincipalRef>,
    pub at: Timestamp,
    /// What the ledger entry is to say besides the changes, such as a reason. No secret.
    pub detail: serde_json::Value,
    pub changes: Vec<StateChange>,
}

/// What is in force from now on.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The revision to publish `narrowing` under; the one before if nothing narrows.
    pub revision: u64,
    /// To be published at once.
    pub narrowing: Vec<Change>,
    /// The event was committed before. What it narrowed is in force, but not listed here: load a fresh snapshot if in
    /// doubt whether it was published.
    pub repeated: bool,
}

/// What came into force now that the ledger has the event.
#[derive(Debug, Clone)]
pub struct Ledgered {
    pub revision: u64,
    /// To be published now.
    pub widening: Vec<Change>,
    /// The state of policy, where the event moved it: whole bundles are the caller's to find and publish.
    pub policy: Option<PolicyState>,
    /// The event was reported before; see [`Committed::repeated`].
    pub repeated: bool,
}

/// The only one who writes, as long as it lives. Publish before letting go of it, and snapshots follow revisions. Read
/// what a change rests on while holding it, and nobody changes that in between.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    _writing: OwnedMutexGuard<()>,
}

impl Commit {
    pub const CHANGES_MAX: usize = 10_000;
    /// As JSON, in bytes.
    pub const DETAIL_BYTES_MAX: usize = 64 * 1024;
}

impl Store {
    /// Waits to become the only writer.
    pub async fn writer(&self) -> Writer {
        Writer { store: self.clone(), _writing: self.writing_owned().await }
    }

    /// [`Writer::commit`] for those who need no order of publishing.
    pub async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        self.writer().await.commit(commit).await
    }

    /// [`Writer::ledgered`] for those who need no order of publishing.
    pub async fn ledgered(
        &self,
        event: EventId,
        index: u64,
        at: Timestamp,
    ) -> Result<Ledgered, LedgeredError> {
        self.writer().await.ledgered(event, index, at).await
    }
}

impl Writer {
    /// What is committed and waits for the ledger, in order: the steps from what is in force to what will be.
    pub async fn ahead(&self) -> Result<Vec<Change>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM pending WHERE superseded = 0 AND kind <> '' ORDER BY sequence, position",
        )
        .fetch_all(self.store.pool())
        .await
        .doing("read what waits for the ledger")?;
        let mut ahead = Vec::with_capacity(rows.len());
        for row in rows {
            let record: Recorded = from_json(text(&row, 0)?, "a change")?;
            if let Some((key, item)) = record.into_item() {
                ahead.extend(change_of(&key, item)?);
            }
        }
        Ok(ahead)
    }

    /// Stores changes together with an outbox row, and brings into force what narrows.
    pub async fn commit(&mut self, commit: Commit) -> Result<Committed, CommitError> {
        let commit = normalised(commit)?;
        let detail = to_json(&commit.detail, "the detail of an event")?;
        if detail.len() > Commit::DETAIL_BYTES_MAX {
            return Err(CommitError::TooLong { what: "the detail", max: Commit::DETAIL_BYTES_MAX });
        }
        let mut bodies = Vec::with_capacity(commit.changes.len());
        for change in &commit.changes {
            for record in change.records() {
                let body = to_json(&record, "a change")?;
                bodies.push((record, body));
            }
        }
        let digest = digest(&commit, &detail, &bodies);
        let mut transaction = self.store.begin().await?;
        if let Some(repeated) = repeated_commit(&mut transaction, commit.event, &digest).await? {
            return Ok(repeated);
        }
        let sequence = next(&mut transaction, Counter::Outbox).await?;
        let mut step = Step::begin(&mut transaction, commit.event, commit.at, Phase::Commit).await?;
        for change in &commit.changes {
            if let StateChange::Credential(change) = change {
                credential::hold_back(&mut transaction, change, commit.event, sequence).await?;
            }
            if let StateChange::Scim(write) = change {
                scim::write(&mut transaction, write, commit.at).await?;
            }
        }
        for (position, (record, body)) in (0_i64..).zip(&bodies) {
            step.narrow(&mut transaction, record.clone()).await?;
            let pending = PendingRow { event: commit.event, position, sequence, record, body };
            pending.insert(&mut transaction).await?;
        }
        check(&mut transaction, bodies.iter().map(|(record, _)| record)).await?;
        let revision = step.revision();
        sqlx::query(
            "INSERT INTO outbox (event, sequence, actor, at, detail, digest, revision_committed,
                                 ledger_index, ledgered_at, revision_ledgered)
             VALUES ($1, $2, $3, $4, $5, $6, $7, -1, -1, -1)",
        )
        .bind(commit.event.to_string())
        .bind(sequence)
        .bind(commit.actor.map(|actor| actor.to_string()).unwrap_or_default())
        .bind(micros(commit.at))
        .bind(detail)
        .bind(digest)
        .bind(revision)
        .execute(&mut *transaction)
        .await
        .doing("put an event into the outbox")?;
        transaction.commit().await.doing("commit changes")?;
        Ok(Committed { revision: unsigned(revision)?, narrowing: step.changes, repeated: false })
    }

    /// Notes that the ledger entry of an event is durable, and brings into force the rest of what it changes. Doing so
    /// twice is doing so once.
    pub async fn ledgered(
        &mut self,
        event: EventId,
        index: u64,
        at: Timestamp,
    ) -> Result<Ledgered, LedgeredError> {
        let signed = i64::try_from(index).map_err(|_| LedgeredError::IndexRange(index))?;
        let mut transaction = self.store.begin().await?;
        let row =
            sqlx::query("SELECT sequence, ledger_index, revision_ledgered FROM outbox WHERE event = $1")
                .bind(event.to_string())
                .fetch_optional(&mut *transaction)
                .await
                .doing("read an event")?
                .ok_or(LedgeredError::Unknown(event))?;
        let sequence = number(&row, 0)?;
        if let Ok(first) = u64::try_from(number(&row, 1)?) {
            if first != index {
                return Err(LedgeredError::OtherIndex { event, first, second: index });
            }
            return Ok(Ledgered {
                revision: count(&row, 2)?,
                widening: Vec::new(),
                policy: None,
                repeated: true,
            });
        }
        let mut step = Step::begin(&mut transaction, event, at, Phase::Ledger).await?;
        let mut moves_policy = false;
        for (superseded, record) in records_of(&mut transaction, event).await? {
            moves_policy |= matches!(record, Recorded::Policy(_));
            if !superseded {
                step.widen(&mut transaction, record, sequence).await?;
            }
        }
        credential::release(&mut transaction, event, step.at).await?;
        let policy = match moves_policy {
            true => in_force(&mut transaction, &Key::policy()).await?,
            false => None,
        };
        let policy = match policy {
            Some(Item::Policy(state)) => Some(state),
            Some(
                Item::Thing(_)
                | Item::Grant(_)
                | Item::Bootstrap(_)
                | Item::Link(_)
                | Item::Issuer(_)
                | Item::Signal(_),
            )
            | None => None,
        };
        let revision = step.revision();
        sqlx::query("DELETE FROM pending WHERE event = $1")
            .bind(event.to_string())
            .execute(&mut *transaction)
            .await
            .doing("forget what was pending")?;
        sqlx::query(
            "UPDATE outbox SET ledger_index = $1, ledgered_at = $2, revision_ledgered = $3 WHERE event = $4",
        )
        .bind(signed)
        .bind(micros(step.at))
        .bind(revision)
        .bind(event.to_string())
        .execute(&mut *transaction)
        .await
        .doing("note the place of an event in the ledger")?;
        transaction.commit().await.doing("commit what the ledger has")?;
        Ok(Ledgered { revision: unsigned(revision)?, widening: step.changes, policy, repeated: false })
    }
}

/// The commit with grants as they can be kept, after the checks that need no database.
fn normalised(mut commit: Commit) -> Result<Commit, CommitError> {
    let found = commit.changes.len();
    if found > Commit::CHANGES_MAX {
        return Err(CommitError::TooMany { found, max: Commit::CHANGES_MAX });
    }
    let mut seen = BTreeSet::new();
    for change in &mut commit.changes {
        match change {
            StateChange::Grant(grant) => **grant = rounded((**grant).clone()),
            StateChange::Put(thing) => {
                if let modelward_governance::inventory::Thing::Description(description) = &**thing
                    && !description.fits()
                {
                    use modelward_governance::inventory::Description;
                    let max = Description::CARD_BYTES_MAX;
                    return Err(CommitError::TooLong { what: "the description of a model", max });
                }
            }
            StateChange::Credential(change) => {
                let codes = change.recovery.as_ref().map_or(0, |codes| codes.unused.len());
                if codes > credential::RECOVERY_CODES_MAX {
                    let max = credential::RECOVERY_CODES_MAX;
                    return Err(CommitError::TooMany { found: codes, max });
                }
            }
            StateChange::Remove(_)
            | StateChange::Revoke(_)
            | StateChange::Bump(_)
            | StateChange::Bootstrap(_)
            | StateChange::Policy(_)
            | StateChange::DropCredential(_)
            | StateChange::DropFactor(..)
            | StateChange::Link(_)
            | StateChange::Unlink(_)
            | StateChange::Issuer(_)
            | StateChange::Raise(_)
            | StateChange::Lift(_)
            | StateChange::Scim(_) => {}
        }
        let key = subject(change);
        if let Some(key) = key
            && !seen.insert(key.clone())
        {
            return Err(CommitError::Twice { thing: key.to_string() });
        }
    }
    Ok(commit)
}

/// What a change is about.
fn subject(change: &StateChange) -> Option<Key> {
    match change {
        StateChange::Put(thing) => Some(Key::of_thing(thing)),
        StateChange::Remove(removed) => Some(Key::of_removed(*removed)),
        StateChange::Grant(grant) => Some(Key::new("grant", grant.id)),
        StateChange::Revoke(id) => Some(Key::new("grant", id)),
        StateChange::Bump(scope) => Some(Key::new("epoch", epoch_scope_text(*scope))),
        StateChange::Bootstrap(_) => Some(Key::bootstrap()),
        StateChange::Policy(_) => Some(Key::policy()),
        StateChange::Credential(change) => Some(Key::new("credential", change.person)),
        StateChange::DropCredential(person) | StateChange::DropFactor(person, _) => {
            Some(Key::new("credential", person))
        }
        StateChange::Link(link) => Some(Key::identity(&link.identity)),
        StateChange::Unlink(identity) => Some(Key::identity(identity)),
        StateChange::Issuer(standing) => Some(Key::issuer(&standing.issuer)),
        StateChange::Raise(raised) => Some(Key::signal(&raised.what)),
        StateChange::Lift(what) => Some(Key::signal(what)),
        StateChange::Scim(write) => Some(Key::new("scim", &write.id)),
    }
}

/// Of everything but the time, which a retry may give anew.
fn digest(commit: &Commit, detail: &str, bodies: &[(Recorded, String)]) -> String {
    let actor = commit.actor.map(|actor| actor.to_string()).unwrap_or_default();
    let mut text = format!("{actor}\n{}\n{detail}\n", detail.len());
    for (_, body) in bodies {
        text.push_str(body);
        text.push('\n');
    }
    Digest::of(text.as_bytes()).to_string()
}

async fn repeated_commit(
    connection: &mut AnyConnection,
    event: EventId,
    digest: &str,
) -> Result<Option<Committed>, CommitError> {
    let row = sqlx::query("SELECT digest, revision_committed FROM outbox WHERE event = $1")
        .bind(event.to_string())
        .fetch_optional(connection)
        .await
        .doing("look for an event")?;
    let Some(row) = row else { return Ok(None) };
    if text(&row, 0)? != digest {
        return Err(CommitError::EventReused(event));
    }
    Ok(Some(Committed { revision: count(&row, 1)?, narrowing: Vec::new(), repeated: true }))
}

#[derive(Clone, Copy)]
enum Counter {
    Revision,
    Outbox,
}

async fn next(connection: &mut AnyConnection, counter: Counter) -> Result<i64, StoreError> {
    let name = match counter {
        Counter::Revision => "revision",
        Counter::Outbox => "outbox",
    };
    let row = sqlx::query("UPDATE counter SET value = value + 1 WHERE name = $1 RETURNING value")
        .bind(name)
        .fetch_one(connection)
        .await
        .doing("count on")?;
    number(&row, 0)
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| StoreError::damaged("a negative revision", error))
}

#[derive(Clone, Copy)]
enum Phase {
    Commit,
    Ledger,
}

/// One step of what is in force: all its changes share a revision, which exists only if there is a change.
struct Step {
    event: EventId,
    phase: Phase,
    /// Never before the step before, whatever the caller's clock says.
    at: Timestamp,
    before: i64,
    /// No other event waits for the ledger, so nothing has to be weighed against what is on its way.
    alone: bool,
    stamp: Option<Stamp>,
    changes: Vec<Change>,
}

impl Step {
    async fn begin(
        connection: &mut AnyConnection,
        event: EventId,
        at: Timestamp,
        phase: Phase,
    ) -> Result<Self, StoreError> {
        let row = sqlx::query("SELECT number, at FROM revision ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await
            .doing("read the last revision")?;
        let other = sqlx::query("SELECT event FROM pending WHERE event <> $1 LIMIT 1")
            .bind(event.to_string())
            .fetch_optional(connection)
            .await
            .doing("look for other pending events")?;
        let (before, at) = match row {
            Some(row) => (number(&row, 0)?, at.max(crate::sql::time(&row, 1)?)),
            None => (0, at),
        };
        let alone = other.is_none();
        Ok(Self { event, phase, at, before, alone, stamp: None, changes: Vec::new() })
    }

    /// The revision in force after the step.
    fn revision(&self) -> i64 {
        self.stamp.map_or(self.before, |stamp| stamp.revision)
    }

    async fn stamp(&mut self, connection: &mut AnyConnection) -> Result<Stamp, StoreError> {
        if let Some(stamp) = self.stamp {
            return Ok(stamp);
        }
        let revision = next(connection, Counter::Revision).await?;
        let phase = match self.phase {
            Phase::Commit => "commit",
            Phase::Ledger => "ledger",
        };
        sqlx::query("INSERT INTO revision (number, at, event, phase) VALUES ($1, $2, $3, $4)")
            .bind(revision)
            .bind(micros(self.at))
            .bind(self.event.to_string())
            .bind(phase)
            .execute(connection)
            .await
            .doing("begin a revision")?;
        let stamp = Stamp { revision, at: self.at, event: self.event };
        self.stamp = Some(stamp);
        Ok(stamp)
    }

    /// Brings into force as much of a new change as narrows.
    async fn narrow(&mut self, connection: &mut AnyConnection, record: Recorded) -> Result<(), CommitError> {
        match record {
            Recorded::Bump(scope) => self.bump(connection, scope).await?,
            Recorded::DropCredential(person) => credential::drop_all(connection, person).await?,
            Recorded::DropFactor { person, factor } => {
                credential::drop_factor(connection, person, factor).await?;
            }
            Recorded::Credential { .. } | Recorded::Scim { .. } => {}
            record => {
                let gone_unseen = matches!(record, Recorded::RemoveDescription(_));
                let Some((key, after)) = record.into_item() else { return Ok(()) };
                match (&after, gone_unseen) {
                    (Some(Item::Grant(grant)), _) => {
                        let pending = !self.alone && exists(connection, &key).await?;
                        if pending || grants::ever(connection, &key.id).await? {
                            return Err(CommitError::GrantExists(grant.id));
                        }
                        // What never was narrows nothing.
                        return Ok(());
                    }
                    (Some(Item::Bootstrap(state)), _) => {
                        let stage = match head(connection, &key).await? {
                            Some(Item::Bootstrap(state)) => state.stage(),
                            Some(_) | None => 0,
                        };
                        if state.stage() <= stage {
                            return Err(CommitError::BootstrapBackwards);
                        }
                    }
                    (Some(Item::Policy(state)), _) => {
                        let expected = match head(connection, &key).await? {
                            Some(Item::Policy(state)) => state.step.saturating_add(1),
                            Some(_) | None => 0,
                        };
                        if state.step != expected {
                            return Err(CommitError::PolicyMoved);
                        }
                    }
                    (None, false) => {
                        if !exists(connection, &key).await? {
                            return Err(CommitError::Missing { thing: key.to_string() });
                        }
                    }
                    (Some(Item::Thing(_) | Item::Link(_) | Item::Issuer(_) | Item::Signal(_)), _)
                    | (None, true) => {}
                }
                let before = in_force(connection, &key).await?;
                let now = direction::meet(before.as_ref(), after.as_ref());
                self.set(connection, key, before, now).await?;
            }
        }
        Ok(())
    }

    /// Brings into force what the ledger has, as far as changes that were committed since let it.
    async fn widen(
        &mut self,
        connection: &mut AnyConnection,
        record: Recorded,
        sequence: i64,
    ) -> Result<(), StoreError> {
        let Some((key, mut now)) = record.into_item() else { return Ok(()) };
        if !self.alone {
            now = later_meet(connection, &key, now, sequence).await?;
        }
        let before = in_force(connection, &key).await?;
        self.set(connection, key, before, now).await
    }

    async fn set(
        &mut self,
        connection: &mut AnyConnection,
        key: Key,
        before: Option<Item>,
        now: Option<Item>,
    ) -> Result<(), StoreError> {
        if before == now {
            return Ok(());
        }
        let stamp = self.stamp(connection).await?;
        put_in_force(connection, &key, now.as_ref(), stamp).await?;
        self.changes.extend(change_of(&key, now)?);
        Ok(())
    }

    async fn bump(&mut self, connection: &mut AnyConnection, scope: EpochScope) -> Result<(), StoreError> {
        let stamp = self.stamp(connection).await?;
        sqlx::query(
            "INSERT INTO epoch (scope, value, event, valid_from, revision_from)
             SELECT $1, COALESCE(MAX(value), 0) + 1, $2, $3, $4 FROM epoch WHERE scope = $1",
        )
        .bind(epoch_scope_text(scope))
        .bind(stamp.event.to_string())
        .bind(micros(stamp.at))
        .bind(stamp.revision)
        .execute(connection)
        .await
        .doing("bump an epoch")?;
        self.changes.push(Change::Bump(scope));
        Ok(())
    }
}

/// What is left of an item once every change committed after this sequence has its say; changes before it have none
/// any more.
async fn later_meet(
    connection: &mut AnyConnection,
    key: &Key,
    mut now: Option<Item>,
    sequence: i64,
) -> Result<Option<Item>, StoreError> {
    let rows = sqlx::query(
        "SELECT body FROM pending WHERE kind = $1 AND id = $2 AND sequence > $3 ORDER BY sequence",
    )
    .bind(key.kind)
    .bind(&key.id)
    .bind(sequence)
    .fetch_all(&mut *connection)
    .await
    .doing("read later changes")?;
    for row in rows {
        let later: Recorded = from_json(text(&row, 0)?, "a change")?;
        let later = later.into_item().and_then(|(_, item)| item);
        now = direction::meet(now.as_ref(), later.as_ref());
    }
    sqlx::query("UPDATE pending SET superseded = 1 WHERE kind = $1 AND id = $2 AND sequence < $3")
        .bind(key.kind)
        .bind(&key.id)
        .bind(sequence)
        .execute(&mut *connection)
        .await
        .doing("mark what is superseded")?;
    Ok(now)
}

struct PendingRow<'a> {
    event: EventId,
    position: i64,
    sequence: i64,
    record: &'a Recorded,
    body: &'a str,
}

impl PendingRow<'_> {
    async fn insert(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let (kind, id, name, present) = match self.record.clone().into_item() {
            Some((key, item)) => {
                let name = item.as_ref().map(Item::unique_name).unwrap_or_default();
                (key.kind, key.id, name, i64::from(item.is_some()))
            }
            None => ("", String::new(), String::new(), 0),
        };
        sqlx::query(
            "INSERT INTO pending (event, position, sequence, kind, id, name, body, present, superseded)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        )
        .bind(self.event.to_string())
        .bind(self.position)
        .bind(self.sequence)
        .bind(kind)
        .bind(id)
        .bind(name)
        .bind(self.body)
        .bind(present)
        .execute(connection)
        .await
        .doing("put a change into the outbox")?;
        Ok(())
    }
}

async fn records_of(
    connection: &mut AnyConnection,
    event: EventId,
) -> Result<Vec<(bool, Recorded)>, StoreError> {
    let rows = sqlx::query("SELECT superseded, body FROM pending WHERE event = $1 ORDER BY position")
        .bind(event.to_string())
        .fetch_all(connection)
        .await
        .doing("read the changes of an event")?;
    rows.iter().map(|row| Ok((number(row, 0)? != 0, from_json(text(row, 1)?, "a change")?))).collect()
}

/// What an item is once everything committed is in force.
async fn head(connection: &mut AnyConnection, key: &Key) -> Result<Option<Item>, StoreError> {
    let row = sqlx::query(
        "SELECT body FROM pending WHERE kind = $1 AND id = $2 AND superseded = 0
         ORDER BY sequence DESC LIMIT 1",
    )
    .bind(key.kind)
    .bind(&key.id)
    .fetch_optional(&mut *connection)
    .await
    .doing("read a pending change")?;
    match row {
        Some(row) => {
            let record: Recorded = from_json(text(&row, 0)?, "a change")?;
            Ok(record.into_item().and_then(|(_, item)| item))
        }
        None => in_force(connection, key).await,
    }
}

/// Whether an item exists once everything committed is in force.
async fn exists(connection: &mut AnyConnection, key: &Key) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT present FROM pending WHERE kind = $1 AND id = $2 AND superseded = 0
         ORDER BY sequence DESC LIMIT 1",
    )
    .bind(key.kind)
    .bind(&key.id)
    .fetch_optional(&mut *connection)
    .await
    .doing("read a pending change")?;
    if let Some(row) = row {
        return Ok(number(&row, 0)? != 0);
    }
    let sql = if key.kind == "grant" {
        "SELECT id FROM grants WHERE id = $2 AND revision_to = 9223372036854775807 AND $1 <> ''"
    } else {
        "SELECT id FROM entity WHERE kind = $1 AND id = $2 AND revision_to = 9223372036854775807"
    };
    let row = sqlx::query(sql)
        .bind(key.kind)
        .bind(&key.id)
        .fetch_optional(connection)
        .await
        .doing("look for an entity")?;
    Ok(row.is_some())
}

/// Names are unique and references lead somewhere, now and once everything committed is in force.
async fn check<'a>(
    connection: &mut AnyConnection,
    records: impl Iterator<Item = &'a Recorded>,
) -> Result<(), CommitError> {
    let mut known = BTreeSet::new();
    let mut removed = Vec::new();
    for record in records {
        let person = match record {
            Recorded::Credential { person, .. } => Some(*person),
            Recorded::Put(_)
            | Recorded::Remove(_)
            | Recorded::RemoveDescription(_)
            | Recorded::Grant(_)
            | Recorded::Revoke(_)
            | Recorded::Bump(_)
            | Recorded::Bootstrap(_)
            | Recorded::Policy(_)
            | Recorded::DropCredential(_)
            | Recorded::DropFactor { .. }
            | Recorded::Link(_)
            | Recorded::Unlink(_)
            | Recorded::Issuer(_)
            | Recorded::Raise(_)
            | Recorded::Lift(_)
            | Recorded::Scim { .. } => None,
        };
        if let Some(person) = person {
            let thing = format!("the credential of `{person}`");
            refers(connection, &mut known, &thing, person_key(person)).await?;
        }
        match record.clone().into_item() {
            Some((key, Some(item))) => {
                if matches!(item, Item::Thing(_)) {
                    check_name(connection, &key, &item.unique_name()).await?;
                }
                for (_, target) in item.references() {
                    refers(connection, &mut known, &key.to_string(), target).await?;
                }
            }
            Some((key, None)) if key.kind != "grant" && key.kind != "description" => removed.push(key),
            Some((_, None)) | None => {}
        }
    }
    if removed.is_empty() { Ok(()) } else { check_unused(connection, &removed).await }
}

fn person_key(person: PersonId) -> Key {
    Key::new("person", person)
}

async fn refers(
    connection: &mut AnyConnection,
    known: &mut BTreeSet<Key>,
    thing: &str,
    target: Key,
) -> Result<(), CommitError> {
    if known.contains(&target) {
        return Ok(());
    }
    if !exists(connection, &target).await? {
        return Err(CommitError::Dangling { thing: thing.to_owned(), target: target.to_string() });
    }
    known.insert(target);
    Ok(())
}

/// A name is taken from the moment somebody asks for it until nobody can have it any more.
async fn check_name(connection: &mut AnyConnection, key: &Key, name: &str) -> Result<(), CommitError> {
    for sql in [
        "SELECT id FROM entity
         WHERE kind = $1 AND name = $2 AND id <> $3 AND revision_to = 9223372036854775807 LIMIT 1",
        "SELECT id FROM pending
         WHERE kind = $1 AND name = $2 AND id <> $3 AND present = 1 AND superseded = 0 LIMIT 1",
    ] {
        let row = sqlx::query(sql)
            .bind(key.kind)
            .bind(name)
            .bind(&key.id)
            .fetch_optional(&mut *connection)
            .await
            .doing("look for a name")?;
        if row.is_some() {
            return Err(CommitError::NameTaken { kind: key.kind, name: name.to_owned() });
        }
    }
    Ok(())
}

/// Nothing refers to what goes, once everything committed is in force.
async fn check_unused(connection: &mut AnyConnection, removed: &[Key]) -> Result<(), CommitError> {
    let rows = sqlx::query(
        "SELECT kind, id, body FROM pending WHERE superseded = 0 AND kind <> 'grant' AND kind <> ''
         ORDER BY sequence",
    )
    .fetch_all(&mut *connection)
    .await
    .doing("read pending changes")?;
    let mut heads = std::collections::BTreeMap::new();
    for row in rows {
        let record: Recorded = from_json(text(&row, 2)?, "a change")?;
        let item = record.into_item().and_then(|(_, item)| item);
        let references = item.as_ref().map(Item::references).unwrap_or_default();
        heads.insert((text(&row, 0)?.to_owned(), text(&row, 1)?.to_owned()), references);
    }
    for key in removed {
        let in_use = |kind: &str, id: &str| CommitError::InUse {
            thing: key.to_string(),
            by: format!("{kind} `{id}`"),
        };
        for ((kind, id), references) in &heads {
            let refers = references.iter().any(|(_, target)| target == key);
            if refers && kind != "description" {
                return Err(in_use(kind, id));
            }
        }
        let rows = sqlx::query(
            "SELECT source_kind, source FROM link
             WHERE target = $1 AND revision_to = 9223372036854775807",
        )
        .bind(&key.id)
        .fetch_all(&mut *connection)
        .await
        .doing("read who refers to an entity")?;
        for row in rows {
            let source = (text(&row, 0)?.to_owned(), text(&row, 1)?.to_owned());
            if !heads.contains_key(&source) {
                return Err(in_use(&source.0, &source.1));
            }
        }
    }
    Ok(())
}
