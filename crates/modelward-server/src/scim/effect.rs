//! What follows here from what a source says of a person.

use std::collections::BTreeSet;

use modelward_decision::inventory::Person;
use modelward_decision::vocabulary::{GranteeRef, GroupId, Name, PrincipalRef};
use modelward_decision::{EpochScope, Snapshot};
use modelward_governance::inventory::Thing;
use modelward_scim::Object;
use modelward_store::StateChange;
use serde_json::Value;

use super::door::Source;
use crate::ops::federation::{given, mappings};
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};

/// In characters; what a person is shown as.
const DISPLAY_NAME_MAX: usize = 128;
/// In characters; leaves room for what is put behind a name that is taken.
const NAME_MAX: usize = 100;
/// Names tried for somebody before giving up.
const NAMES_TRIED: u32 = 1000;

pub(super) fn text<'a>(said: &'a Object, name: &str) -> Option<&'a str> {
    said.get(name).and_then(Value::as_str)
}

/// Whether the source says that somebody is active, if it says anything of it.
pub(super) fn active(said: &Object) -> Option<bool> {
    said.get("active").and_then(Value::as_bool)
}

/// The name to show: what the source shows, or else the parts of the name, or else what they sign in with there.
pub(super) fn display_name(said: &Object) -> String {
    let of_name = |part: &str| said.get("name").and_then(|name| name.get(part)).and_then(Value::as_str);
    let parts: Vec<&str> = [of_name("givenName"), of_name("familyName")].into_iter().flatten().collect();
    let joined = parts.join(" ");
    let shown = text(said, "displayName")
        .or_else(|| of_name("formatted"))
        .or_else(|| (!joined.is_empty()).then_some(joined.as_str()))
        .or_else(|| text(said, "userName"))
        .unwrap_or_default();
    shown.trim().chars().take(DISPLAY_NAME_MAX).collect()
}

/// A free name for somebody the source calls so: what stands before the `@` of an address, or else all of it.
pub(super) fn name(state: &Snapshot, user_name: &str, own: Option<&Person>) -> Result<Name, Problem> {
    let local = user_name.split('@').next().unwrap_or_default();
    let tries = [local, user_name].into_iter().map(plain);
    let numbered = (2..NAMES_TRIED).map(|number| format!("{}-{number}", plain(user_name)));
    let is_free = |name: &Name| {
        state.person_named(name.as_str()).is_none_or(|known| own.is_some_and(|own| own.id == known.id))
    };
    tries
        .chain(numbered)
        .filter_map(|text| Name::new(&text).ok())
        .find(is_free)
        .ok_or_else(|| Problem::malformed("no name is free for this user"))
}

/// Only what a name can hold.
fn plain(text: &str) -> String {
    let kept =
        |char: char| if char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-') { char } else { '-' };
    let plain: String = text.chars().map(kept).take(NAME_MAX).collect();
    if plain.starts_with(|first: char| first.is_ascii_alphanumeric()) { plain } else { format!("u{plain}") }
}

/// What somebody who went is called, so that their name is free for another.
pub(super) fn left(person: &Person) -> Result<Name, Problem> {
    let name: String = person.name.as_str().chars().take(NAME_MAX).collect();
    let id = person.id.to_string();
    let tail: String = id.chars().rev().take(8).collect();
    Name::new(&format!("{name}-left-{}", tail.to_lowercase()))
        .map_err(|error| Problem::internal("naming", &error))
}

/// Ends everything of a person in one breath: sessions, tokens and streams, grants, memberships. How many grants these
/// are.
pub(super) fn end(state: &Snapshot, mut person: Person, cause: Cause) -> (Bump, usize) {
    let own = GranteeRef::Person(person.id);
    person.active = false;
    person.groups.clear();
    let grants: Vec<EpochScope> = state
        .grants()
        .filter(|grant| grant.grantee == own)
        .map(|grant| EpochScope::Grant(grant.id))
        .collect();
    let ended = grants.len();
    let bump = Bump::new(None, cause)
        .of(EpochScope::Principal(PrincipalRef::Person(person.id)))
        .of_each(grants)
        .along(StateChange::Put(Box::new(Thing::Person(person))));
    (bump, ended)
}

/// The groups of ours that these groups of the source stand for, by the mapping of the bundle in force and as far as the
/// tier of the issuer lets them through.
pub(super) fn stands_for(
    state: &Snapshot,
    source: &Source,
    labels: &BTreeSet<String>,
) -> Result<BTreeSet<GroupId>, Problem> {
    Ok(given(state, &source.issuer.trusted, &mappings(state)?, labels))
}

/// Whether the mapping in force speaks of a group of the source.
pub(super) fn is_mapped(state: &Snapshot, source: &Source, label: &str) -> Result<bool, Problem> {
    let of_source = |mapping: &modelward_policy::parts::Mapping| {
        mapping.provider == source.client.issuer && mapping.external == label
    };
    Ok(mappings(state)?.mappings.iter().any(of_source))
}
