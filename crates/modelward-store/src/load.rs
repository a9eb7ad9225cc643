//! What was in force at a moment, read back into a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::signal::{About, Raised, SignalKey};
use modelward_decision::vocabulary::ModelId;
use modelward_decision::{Change, ENDED_GRANTS_TOLD, EpochScope, Snapshot};
use modelward_governance::Bootstrap;
use modelward_governance::inventory::{Description, Thing};

use crate::change::{Item, Key};
use crate::error::Doing;
use crate::sql::{count, epoch_scope, from_json, micros, number, text, time};
use crate::{Store, StoreError};

/// The moment whose state is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Now,
    /// After everything that came into force at or before this time.
    At(Timestamp),
    /// As a decision names it.
    Revision(u64),
}

/// Which revision was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    pub revision: u64,
    /// When it came into force; `None` before the first.
    pub since: Option<Timestamp>,
}

/// Grants that ended longer ago than this are not loaded: they only serve to say "ended at" in a denial. A day more than
/// denials speak of, so that one made just before a revision came into force can be made again on it.
pub const ENDED_GRANTS_SHOWN: SignedDuration = SignedDuration::from_hours(ENDED_GRANTS_TOLD.as_hours() + 24);

/// Epochs of sessions are loaded this long: no session and no token of one lives longer.
pub const SESSION_EPOCHS_KEPT: SignedDuration = SignedDuration::from_hours(24);

const CHUNK: usize = 4096;

impl Store {
    /// Every change that leads from an empty snapshot to the state of that moment. `now` is the current time, which
    /// says what is too long over to matter; a past moment brings its own.
    pub async fn load(&self, moment: Moment, now: Timestamp) -> Result<(Loaded, Vec<Change>), StoreError> {
        let mut changes = Vec::new();
        let loaded = self.load_each(moment, now, |change| changes.push(change)).await?;
        Ok((loaded, changes))
    }

    /// Builds the snapshot of that moment on an empty one, holding few rows at a time.
    pub async fn restore(
        &self,
        empty: Snapshot,
        moment: Moment,
        now: Timestamp,
    ) -> Result<Snapshot, StoreError> {
        let mut snapshot = empty;
        let mut chunk = Vec::with_capacity(CHUNK);
        let loaded = self
            .load_each(moment, now, |change| {
                chunk.push(change);
                if chunk.len() == CHUNK {
                    snapshot = snapshot.with(chunk.drain(..));
                }
            })
            .await?;
        Ok(snapshot.with(chunk).at_revision(loaded.revision))
    }

    /// Like [`Self::load`], handing over one change at a time.
    ///
    /// Rows of a revision never change but for the revision that ends them, so reading them needs no transaction.
    pub async fn load_each(
        &self,
        moment: Moment,
        now: Timestamp,
        mut visit: impl FnMut(Change) + Send,
    ) -> Result<Loaded, StoreError> {
        let loaded = self.resolve(moment).await?;
        let revision = i64::try_from(loaded.revision).unwrap_or(i64::MAX);
        let at = match moment {
            Moment::Now => now,
            Moment::At(at) => at,
            Moment::Revision(_) => loaded.since.unwrap_or(now),
        };
        self.entities(revision, &mut visit).await?;
        self.grants_in_force(revision, at, &mut visit).await?;
        self.epochs(revision, at, &mut visit).await?;
        self.signals(revision, at, &mut visit).await?;
        Ok(loaded)
    }

    /// The revision of a moment.
    pub async fn resolve(&self, moment: Moment) -> Result<Loaded, StoreError> {
        let (number_max, at_max) = match moment {
            Moment::Now => (i64::MAX, i64::MAX),
            Moment::At(at) => (i64::MAX, micros(at)),
            Moment::Revision(number) => (i64::try_from(number).unwrap_or(i64::MAX), i64::MAX),
        };
        let row = sqlx::query(
            "SELECT number, at FROM revision WHERE number <= $1 AND at <= $2 ORDER BY number DESC LIMIT 1",
        )
        .bind(number_max)
        .bind(at_max)
        .fetch_optional(self.pool())
        .await
        .doing("look up a revision")?;
        match row {
            Some(row) => Ok(Loaded { revision: count(&row, 0)?, since: Some(time(&row, 1)?) }),
            None => Ok(Loaded { revision: 0, since: None }),
        }
    }

    /// How far the house has come, as in force now.
    pub async fn bootstrap(&self) -> Result<Bootstrap, StoreError> {
        let mut connection = self.pool().acquire().await.doing("get a connection")?;
        match crate::entity::in_force(&mut connection, &Key::bootstrap()).await? {
            Some(Item::Bootstrap(state)) => Ok(state),
            Some(_) | None => Ok(Bootstrap::Uninitialised),
        }
    }

    /// Card and metrics of a model at a moment.
    pub async fn description(
        &self,
        model: ModelId,
        moment: Moment,
    ) -> Result<Option<Description>, StoreError> {
        let revision = i64::try_from(self.resolve(moment).await?.revision).unwrap_or(i64::MAX);
        let row = sqlx::query(
            "SELECT body FROM entity
             WHERE kind = 'description' AND id = $1 AND revision_from <= $2 AND revision_to > $2
             ORDER BY revision_from DESC LIMIT 1",
        )
        .bind(model.to_string())
        .bind(revision)
        .fetch_optional(self.pool())
        .await
        .doing("read a description")?;
        match row {
            Some(row) => match from_json(text(&row, 0)?, "a description")? {
                Thing::Description(description) => Ok(Some(description)),
                _ => Ok(None),
            },
            None => Ok(None),
        }
    }

    /// The descriptions of these models, as in force now; models without one are left out.
    pub async fn descriptions(
        &self,
        models: impl IntoIterator<Item = ModelId> + Send,
    ) -> Result<BTreeMap<ModelId, Description>, StoreError> {
        let mut found = BTreeMap::new();
        for model in models.into_iter().collect::<Vec<_>>() {
            if let Some(description) = self.description(model, Moment::Now).await? {
                found.insert(model, description);
            }
        }
        Ok(found)
    }

    async fn entities(
        &self,
        revision: i64,
        visit: &mut (impl FnMut(Change) + Send),
    ) -> Result<(), StoreError> {
        let mut rows = sqlx::query(
            "SELECT body FROM entity
             WHERE kind <> 'description' AND kind <> 'bootstrap' AND kind <> 'policy'
               AND kind <> 'identity' AND kind <> 'issuer' AND kind <> 'signal'
               AND revision_from <= $1 AND revision_to > $1",
        )
        .bind(revision)
        .fetch(self.pool());
        while let Some(row) = rows.try_next().await.doing("read entities")? {
            let thing: Thing = from_json(text(&row, 0)?, "an entity")?;
            if let Some(change) = change_of_thing(thing) {
                visit(change);
            }
        }
        Ok(())
    }

    async fn grants_in_force(
        &self,
        revision: i64,
        at: Timestamp,
        visit: &mut (impl FnMut(Change) + Send),
    ) -> Result<(), StoreError> {
        let ended = at.checked_sub(ENDED_GRANTS_SHOWN).unwrap_or(Timestamp::MIN);
        let mut rows = sqlx::query(
            "SELECT id, grantee, privilege, scope, conditions, origin, not_before, not_after FROM grants
             WHERE revision_from <= $1 AND revision_to > $1 AND not_after > $2",
        )
        .bind(revision)
        .bind(micros(ended))
        .fetch(self.pool());
        while let Some(row) = rows.try_next().await.doing("read grants")? {
            visit(Change::Grant(Arc::new(crate::grants::from_row(&row)?)));
        }
        Ok(())
    }

    async fn signals(
        &self,
        revision: i64,
        at: Timestamp,
        visit: &mut (impl FnMut(Change) + Send),
    ) -> Result<(), StoreError> {
        let mut rows = sqlx::query(
            "SELECT body FROM entity WHERE kind = 'signal' AND revision_from <= $1 AND revision_to > $1",
        )
        .bind(revision)
        .fetch(self.pool());
        while let Some(row) = rows.try_next().await.doing("read signals")? {
            let raised: Raised = from_json(text(&row, 0)?, "a signal")?;
            if raised.counts(at) {
                visit(Change::Raise(Arc::new(raised)));
            }
        }
        Ok(())
    }

    async fn epochs(
        &self,
        revision: i64,
        at: Timestamp,
        visit: &mut (impl FnMut(Change) + Send),
    ) -> Result<(), StoreError> {
        let sessions = at.checked_sub(SESSION_EPOCHS_KEPT).unwrap_or(Timestamp::MIN);
        let mut rows = sqlx::query("SELECT scope, valid_from FROM epoch WHERE revision_from <= $1")
            .bind(revision)
            .fetch(self.pool());
        while let Some(row) = rows.try_next().await.doing("read epochs")? {
            let scope = epoch_scope(text(&row, 0)?)?;
            let matters = match scope {
                EpochScope::Principal(_) | EpochScope::Grant(_) => true,
                EpochScope::Session(_) | EpochScope::Token(_) => number(&row, 1)? >= micros(sessions),
            };
            if matters {
                visit(Change::Bump(scope));
            }
        }
        Ok(())
    }
}

/// The step of a snapshot that makes an item so, or makes it go; `None` where snapshots do not know the item.
pub(crate) fn change_of(key: &Key, item: Option<Item>) -> Result<Option<Change>, StoreError> {
    use modelward_decision::Removed;

    use crate::sql::parse;
    Ok(match item {
        Some(Item::Thing(thing)) => change_of_thing(thing),
        Some(Item::Grant(grant)) => Some(Change::Grant(Arc::from(grant))),
        Some(Item::Signal(raised)) => Some(Change::Raise(Arc::from(raised))),
        // Snapshots hold whole bundles, which stand elsewhere; who signs in how is looked up when somebody does.
        Some(Item::Bootstrap(_) | Item::Policy(_) | Item::Link(_) | Item::Issuer(_)) => None,
        None => match key.kind {
            "signal" => Some(lift_of(&key.id)?),
            "grant" => Some(Change::Revoke(parse(&key.id, "a grant")?)),
            "project" => Some(Change::Remove(Removed::Project(parse(&key.id, "a project")?))),
            "model" => Some(Change::Remove(Removed::Model(parse(&key.id, "a model")?))),
            "version" => Some(Change::Remove(Removed::Version(parse(&key.id, "a version")?))),
            "alias" => Some(Change::Remove(Removed::Alias(parse(&key.id, "an alias")?))),
            "endpoint" => Some(Change::Remove(Removed::Endpoint(parse(&key.id, "an endpoint")?))),
            "dataset" => Some(Change::Remove(Removed::Dataset(parse(&key.id, "a dataset")?))),
            "group" => Some(Change::Remove(Removed::Group(parse(&key.id, "a group")?))),
            _ => None,
        },
    })
}

/// From the identifier that [`SignalKey`] prints.
fn lift_of(id: &str) -> Result<Change, StoreError> {
    let unreadable = || crate::sql::unknown(id, "a signal");
    let (about, rest) = id.split_once('/').ok_or_else(unreadable)?;
    let about = match about.starts_with("se") {
        true => About::Session(crate::sql::parse(about, "a signal")?),
        false => About::Principal(crate::sql::principal(about)?),
    };
    let (signal, device) = rest.split_once('/').unwrap_or((rest, ""));
    let device = match device {
        "" => None,
        device => Some(crate::sql::parse(device, "a signal")?),
    };
    let signal = signal.parse().map_err(|_| unreadable())?;
    Ok(Change::Lift(SignalKey { about, signal, device }))
}

fn change_of_thing(thing: Thing) -> Option<Change> {
    Some(match thing {
        Thing::Person(it) => Change::Person(Arc::new(it)),
        Thing::Machine(it) => Change::Machine(Arc::new(it)),
        Thing::Group(it) => Change::Group(Arc::new(it)),
        Thing::Project(it) => Change::Project(Arc::new(it)),
        Thing::Environment(it) => Change::Environment(Arc::new(it)),
        Thing::Model(it) => Change::Model(Arc::new(it)),
        Thing::Description(_) => return None,
        Thing::Version(it) => Change::Version(Arc::new(it)),
        Thing::Alias(it) => Change::Alias(Arc::new(it)),
        Thing::Dataset(it) => Change::Dataset(Arc::new(it)),
        Thing::Endpoint(it) => Change::Endpoint(Arc::new(it)),
    })
}
