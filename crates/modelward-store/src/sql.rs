//! The few things all statements share: how times and identifiers are written, and how columns are read.

use std::str::FromStr;

use jiff::Timestamp;
use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{
    AliasId, DatasetId, EndpointId, GrantId, GranteeRef, GroupId, MachineId, ModelId, PersonId, PrincipalRef,
    ProjectId, ScopeRef, SessionId, TokenId, VersionId,
};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::StoreError;
use crate::error::Doing;

/// Stands in `valid_to` and `revision_to` of what is still in force. Statements that have to use a partial index
/// write the number out.
pub(crate) const FOREVER: i64 = i64::MAX;

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(crate) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::damaged("a time", error))
}

pub(crate) fn text(row: &AnyRow, column: usize) -> Result<&str, StoreError> {
    row.try_get(column).doing("read a text column")
}

pub(crate) fn number(row: &AnyRow, column: usize) -> Result<i64, StoreError> {
    row.try_get(column).doing("read a number column")
}

pub(crate) fn time(row: &AnyRow, column: usize) -> Result<Timestamp, StoreError> {
    timestamp(number(row, column)?)
}

pub(crate) fn count(row: &AnyRow, column: usize) -> Result<u64, StoreError> {
    u64::try_from(number(row, column)?).map_err(|error| StoreError::damaged("a negative number", error))
}

pub(crate) fn parse<T: FromStr>(text: &str, what: &'static str) -> Result<T, StoreError>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| StoreError::damaged(what, error))
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    text: &str,
    what: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged(what, error))
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged(what, error))
}

/// A limit asked for, as what it is cut to.
pub(crate) fn page(limit: u32) -> i64 {
    i64::from(limit.clamp(1, crate::PAGE_MAX))
}

/// The prefix of an identifier tells its kind; no two kinds share one.
fn prefix(text: &str) -> &str {
    text.split('_').next().unwrap_or_default()
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` names nothing of the expected kind")]
struct UnknownKind(String);

pub(crate) fn unknown(text: &str, what: &'static str) -> StoreError {
    StoreError::damaged(what, UnknownKind(text.chars().take(64).collect()))
}

pub(crate) fn grantee(text: &str) -> Result<GranteeRef, StoreError> {
    Ok(match prefix(text) {
        "pe" => GranteeRef::Person(parse::<PersonId>(text, "a grantee")?),
        "ma" => GranteeRef::Machine(parse::<MachineId>(text, "a grantee")?),
        "gp" => GranteeRef::Group(parse::<GroupId>(text, "a grantee")?),
        _ => return Err(unknown(text, "a grantee")),
    })
}

pub(crate) fn principal(text: &str) -> Result<PrincipalRef, StoreError> {
    Ok(match prefix(text) {
        "pe" => PrincipalRef::Person(parse::<PersonId>(text, "a principal")?),
        "ma" => PrincipalRef::Machine(parse::<MachineId>(text, "a principal")?),
        _ => return Err(unknown(text, "a principal")),
    })
}

pub(crate) fn scope(text: &str) -> Result<ScopeRef, StoreError> {
    Ok(match prefix(text) {
        "platform" => ScopeRef::Platform,
        "pr" => ScopeRef::Project(parse::<ProjectId>(text, "a scope")?),
        "mo" => ScopeRef::Model(parse::<ModelId>(text, "a scope")?),
        "ve" => ScopeRef::Version(parse::<VersionId>(text, "a scope")?),
        "al" => ScopeRef::Alias(parse::<AliasId>(text, "a scope")?),
        "ep" => ScopeRef::Endpoint(parse::<EndpointId>(text, "a scope")?),
        "da" => ScopeRef::Dataset(parse::<DatasetId>(text, "a scope")?),
        _ => return Err(unknown(text, "a scope")),
    })
}

pub(crate) fn epoch_scope(text: &str) -> Result<EpochScope, StoreError> {
    Ok(match prefix(text) {
        "se" => EpochScope::Session(parse::<SessionId>(text, "an epoch")?),
        "gr" => EpochScope::Grant(parse::<GrantId>(text, "an epoch")?),
        "tk" => EpochScope::Token(parse::<TokenId>(text, "an epoch")?),
        _ => EpochScope::Principal(principal(text)?),
    })
}

pub(crate) fn epoch_scope_text(scope: EpochScope) -> String {
    match scope {
        EpochScope::Principal(id) => id.to_string(),
        EpochScope::Session(id) => id.to_string(),
        EpochScope::Grant(id) => id.to_string(),
        EpochScope::Token(id) => id.to_string(),
    }
}
