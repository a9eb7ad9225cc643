//! What is in force of one item, and making it so.

use std::collections::BTreeSet;

use jiff::Timestamp;
use modelward_decision::Grant;
use modelward_decision::vocabulary::EventId;
use modelward_governance::Bootstrap;
use modelward_governance::inventory::Thing;
use modelward_governance::policy::PolicyState;
use sqlx::AnyConnection;

use crate::StoreError;
use crate::change::{Item, Key};
use crate::error::Doing;
use crate::sql::{FOREVER, from_json, micros, text, to_json};

/// The revision under which something comes into force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) revision: i64,
    pub(crate) at: Timestamp,
    pub(crate) event: EventId,
}

pub(crate) async fn in_force(connection: &mut AnyConnection, key: &Key) -> Result<Option<Item>, StoreError> {
    match key.kind {
        "grant" => {
            Ok(crate::grants::in_force(connection, &key.id).await?.map(|grant| Item::Grant(Box::new(grant))))
        }
        "bootstrap" => match body(connection, key).await? {
            Some(body) => Ok(Some(Item::Bootstrap(from_json::<Bootstrap>(&body, "the bootstrap state")?))),
            None => Ok(None),
        },
        "policy" => match body(connection, key).await? {
            Some(body) => Ok(Some(Item::Policy(from_json::<PolicyState>(&body, "the state of policy")?))),
            None => Ok(None),
        },
        "identity" => match body(connection, key).await? {
            Some(body) => Ok(Some(Item::Link(from_json(&body, "a link")?))),
            None => Ok(None),
        },
        "issuer" => match body(connection, key).await? {
            Some(body) => Ok(Some(Item::Issuer(from_json(&body, "the standing of an issuer")?))),
            None => Ok(None),
        },
        "signal" => match body(connection, key).await? {
            Some(body) => Ok(Some(Item::Signal(from_json(&body, "a signal")?))),
            None => Ok(None),
        },
        _ => match body(connection, key).await? {
            Some(body) => Ok(Some(Item::Thing(from_json::<Thing>(&body, "an entity")?))),
            None => Ok(None),
        },
    }
}

async fn body(connection: &mut AnyConnection, key: &Key) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "SELECT body FROM entity WHERE kind = $1 AND id = $2 AND revision_to = 9223372036854775807",
    )
    .bind(key.kind)
    .bind(&key.id)
    .fetch_optional(connection)
    .await
    .doing("read an entity")?;
    row.map(|row| text(&row, 0).map(str::to_owned)).transpose()
}

/// Ends what is in force of an item and begins something else, or nothing.
pub(crate) async fn put_in_force(
    connection: &mut AnyConnection,
    key: &Key,
    item: Option<&Item>,
    stamp: Stamp,
) -> Result<(), StoreError> {
    match item {
        Some(Item::Grant(grant)) => crate::grants::begin(connection, grant, stamp).await,
        None if key.kind == "grant" => crate::grants::end(connection, &key.id, stamp).await,
        Some(Item::Thing(thing)) => {
            let body = to_json(thing, "an entity")?;
            replace(connection, key, item, Some(&body), stamp).await
        }
        Some(Item::Bootstrap(state)) => {
            let body = to_json(state, "the bootstrap state")?;
            replace(connection, key, item, Some(&body), stamp).await
        }
        Some(Item::Policy(state)) => {
            let body = to_json(state, "the state of policy")?;
            replace(connection, key, item, Some(&body), stamp).await
        }
        Some(Item::Link(link)) => {
            let body = to_json(link, "a link")?;
            replace(connection, key, item, Some(&body), stamp).await
        }
        Some(Item::Issuer(standing)) => {
            let body = to_json(standing, "the standing of an issuer")?;
            replace(connection, key, item, Some(&body), stamp).await
        }
        Some(Item::Signal(raised)) => {
            let body = to_json(raised, "a signal")?;
            replace(connection, key, item, Some(&body), stamp).await
        }
        None => replace(connection, key, None, None, stamp).await,
    }
}

async fn replace(
    connection: &mut AnyConnection,
    key: &Key,
    item: Option<&Item>,
    body: Option<&str>,
    stamp: Stamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE entity SET valid_to = $1, revision_to = $2
         WHERE kind = $3 AND id = $4 AND revision_to = 9223372036854775807",
    )
    .bind(micros(stamp.at))
    .bind(stamp.revision)
    .bind(key.kind)
    .bind(&key.id)
    .execute(&mut *connection)
    .await
    .doing("end an entity")?;
    if let (Some(item), Some(body)) = (item, body) {
        sqlx::query(
            "INSERT INTO entity
                 (kind, id, name, body, event, valid_from, valid_to, revision_from, revision_to)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(key.kind)
        .bind(&key.id)
        .bind(item.unique_name())
        .bind(body)
        .bind(stamp.event.to_string())
        .bind(micros(stamp.at))
        .bind(FOREVER)
        .bind(stamp.revision)
        .bind(FOREVER)
        .execute(&mut *connection)
        .await
        .doing("begin an entity")?;
    }
    relink(connection, key, item, stamp).await
}

/// Brings the references of an item up to date, so that a membership that stays keeps its beginning.
async fn relink(
    connection: &mut AnyConnection,
    key: &Key,
    item: Option<&Item>,
    stamp: Stamp,
) -> Result<(), StoreError> {
    // A description shares the identifier of its model, whose references must not be taken for its own.
    if key.kind == "description" {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT relation, target FROM link WHERE source = $1 AND revision_to = 9223372036854775807",
    )
    .bind(&key.id)
    .fetch_all(&mut *connection)
    .await
    .doing("read the references of an entity")?;
    let mut before = BTreeSet::new();
    for row in rows {
        before.insert((text(&row, 0)?.to_owned(), text(&row, 1)?.to_owned()));
    }
    let after: BTreeSet<(String, String)> = item
        .map(Item::references)
        .unwrap_or_default()
        .into_iter()
        .map(|(relation, target)| (relation.to_owned(), target.id))
        .collect();
    for (relation, target) in before.difference(&after) {
        sqlx::query(
            "UPDATE link SET valid_to = $1, revision_to = $2
             WHERE source = $3 AND relation = $4 AND target = $5 AND revision_to = 9223372036854775807",
        )
        .bind(micros(stamp.at))
        .bind(stamp.revision)
        .bind(&key.id)
        .bind(relation)
        .bind(target)
        .execute(&mut *connection)
        .await
        .doing("end a reference")?;
    }
    for (relation, target) in after.difference(&before) {
        sqlx::query(
            "INSERT INTO link
                 (relation, source_kind, source, target, event, valid_from, valid_to, revision_from, revision_to)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(relation)
        .bind(key.kind)
        .bind(&key.id)
        .bind(target)
        .bind(stamp.event.to_string())
        .bind(micros(stamp.at))
        .bind(FOREVER)
        .bind(stamp.revision)
        .bind(FOREVER)
        .execute(&mut *connection)
        .await
        .doing("begin a reference")?;
    }
    Ok(())
}

/// A grant as it is kept: to the microsecond, and never longer than asked.
pub(crate) fn rounded(mut grant: Grant) -> Grant {
    let floor = |at: Timestamp| Timestamp::from_microsecond(micros(at)).unwrap_or(at);
    let from = floor(grant.not_before);
    grant.not_before = if from < grant.not_before {
        Timestamp::from_microsecond(micros(from).saturating_add(1)).unwrap_or(grant.not_before)
    } else {
        from
    };
    grant.not_after = floor(grant.not_after);
    grant
}
