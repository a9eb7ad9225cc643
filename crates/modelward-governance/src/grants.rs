//! Giving a right and taking it back.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use modelward_decision::Snapshot;
use modelward_decision::grant::{Conditions, Grant, Origin};
use modelward_decision::vocabulary::{
    GrantId, GranteeRef, GroupId, MachineId, PersonId, PrincipalRef, Privilege, ScopeRef,
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::bootstrap::{Bootstrap, GOVERNORS_MAX, GRANT_DAYS_MAX, governors, latest_end};
use crate::own::{groups_of, machines_of};

/// Why a grant is not given or not taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("nobody was let in yet")]
    NotInitialised,
    #[error("every grant needs a request since two people in two groups hold second factors")]
    RequestNeeded,
    #[error("`{}` cannot be given directly", .0.as_str())]
    AboveBootstrap(Privilege),
    #[error("`{}` is held by one person or one machine, never by a group", .0.as_str())]
    GroupGrantee(Privilege),
    #[error("`govern` is given directly to people only")]
    MachineGovernor,
    #[error("{GOVERNORS_MAX} people hold `govern` by direct grant already")]
    EnoughGovernors,
    #[error("`{}` needs no grant", .0.as_str())]
    NeedsNoGrant(Privilege),
    #[error("nobody grants to themselves, to a group they belong to or to a machine they answer for")]
    SelfGrant,
    #[error("the grantee is unknown or inactive")]
    UnknownGrantee,
    #[error("the giver is unknown or inactive")]
    UnknownGiver,
    #[error("what the grant covers does not exist")]
    UnknownScope,
    #[error("the grant has no moment at which it counts")]
    NeverLive,
    #[error("a direct grant ends within {GRANT_DAYS_MAX} days")]
    TooLong,
    #[error("the grant does not name its giver as its origin")]
    WrongOrigin,
    #[error("sensitive fields stand only in a grant of `inference-sensitive`")]
    FieldsWithoutUse,
    #[error("a condition of the grant can never be met")]
    EmptyCondition,
    #[error("the time zone `{0}` is unknown")]
    UnknownZone(String),
    #[error("the grant is held by somebody else")]
    NotHolder,
    #[error("the grant is held by a group, and one member cannot give it back for all")]
    HeldByGroup,
    #[error("the grant is over already")]
    Over,
    #[error("a reason has 1 to {} characters and no control character", Reason::MAX)]
    BadReason,
}

/// Who gives, and everything through which a grant would come back to the giver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Giver {
    person: PersonId,
    groups: BTreeSet<GroupId>,
    machines: BTreeSet<MachineId>,
}

/// A right taken back: by whom, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub grant: GrantId,
    pub by: PrincipalRef,
    pub at: Timestamp,
    pub reason: Reason,
    pub kind: RevocationKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationKind {
    /// Somebody who governs took it back.
    Revoked,
    /// Its holder gave it back.
    Dropped,
}

/// One to 500 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reason(String);

/// Whether this person may bring this grant into being without a request. Needed besides, not instead of, the decision
/// that lets the person use the command at all.
pub fn may_grant_directly(
    state: Bootstrap,
    giver: &Giver,
    grant: &Grant,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<(), Refusal> {
    match state {
        Bootstrap::Uninitialised => return Err(Refusal::NotInitialised),
        Bootstrap::Closed { .. } => return Err(Refusal::RequestNeeded),
        Bootstrap::Open { .. } => {}
    }
    directly_grantable(grant.privilege)?;
    grantee_rule(grant.privilege, grant.grantee)?;
    well_formed(grant)?;
    if grant.origin != (Origin::Bootstrap { by: giver.person }) {
        return Err(Refusal::WrongOrigin);
    }
    if grant.not_after <= now {
        return Err(Refusal::NeverLive);
    }
    if grant.not_after > latest_end(now) {
        return Err(Refusal::TooLong);
    }
    if !snapshot.person(giver.person).is_some_and(|person| person.active) {
        return Err(Refusal::UnknownGiver);
    }
    if giver.is_reached_by(grant.grantee) {
        return Err(Refusal::SelfGrant);
    }
    if !is_known_grantee(snapshot, grant.grantee) {
        return Err(Refusal::UnknownGrantee);
    }
    if !is_known_scope(snapshot, grant.scope) {
        return Err(Refusal::UnknownScope);
    }
    if grant.privilege == Privilege::Govern {
        return may_govern(grant.grantee, snapshot, now);
    }
    Ok(())
}

/// Above `Inference` a grant is held by one person or one machine.
pub const fn grantee_rule(privilege: Privilege, grantee: GranteeRef) -> Result<(), Refusal> {
    if grantee.is_personal() || privilege.may_be_held_by_group() {
        return Ok(());
    }
    Err(Refusal::GroupGrantee(privilege))
}

/// What holds for every grant, however it comes into being: it can count at some moment, and each condition can be met.
pub fn well_formed(grant: &Grant) -> Result<(), Refusal> {
    if grant.privilege == Privilege::SelfService {
        return Err(Refusal::NeedsNoGrant(grant.privilege));
    }
    grantee_rule(grant.privilege, grant.grantee)?;
    if grant.not_after <= grant.not_before {
        return Err(Refusal::NeverLive);
    }
    let Conditions { environments, regions, segments, windows, purposes, fields, max_uses, max_bytes } =
        &grant.conditions;
    let names = [environments, regions, segments, purposes];
    let never = names.into_iter().flatten().any(BTreeSet::is_empty)
        || fields.as_ref().is_some_and(BTreeSet::is_empty)
        || windows.as_ref().is_some_and(|windows| windows.iter().all(|window| window.days.is_empty()))
        || *max_uses == Some(0)
        || *max_bytes == Some(0);
    if never {
        return Err(Refusal::EmptyCondition);
    }
    if fields.is_some() && grant.privilege != Privilege::InferenceSensitive {
        return Err(Refusal::FieldsWithoutUse);
    }
    for window in windows.iter().flatten() {
        if jiff::tz::TimeZone::get(&window.zone).is_err() {
            return Err(Refusal::UnknownZone(window.zone.chars().take(64).collect()));
        }
    }
    Ok(())
}

/// Takes a grant back. Who may do so is a matter of policy; that it can be done is never in doubt.
pub fn revoke(
    grant: &Grant,
    by: PrincipalRef,
    reason: Reason,
    now: Timestamp,
) -> Result<Revocation, Refusal> {
    if grant.not_after <= now {
        return Err(Refusal::Over);
    }
    Ok(Revocation { grant: grant.id, by, at: now, reason, kind: RevocationKind::Revoked })
}

/// Gives a grant back. A person can give back what a machine of theirs holds.
pub fn drop_own(
    grant: &Grant,
    by: PrincipalRef,
    snapshot: &Snapshot,
    reason: Reason,
    now: Timestamp,
) -> Result<Revocation, Refusal> {
    let holds = match (grant.grantee, by) {
        (GranteeRef::Group(_), _) => return Err(Refusal::HeldByGroup),
        (GranteeRef::Person(holder), PrincipalRef::Person(person)) => holder == person,
        (GranteeRef::Machine(holder), PrincipalRef::Machine(machine)) => holder == machine,
        (GranteeRef::Machine(holder), PrincipalRef::Person(person)) => {
            snapshot.machine(holder).is_some_and(|machine| machine.owner == person)
        }
        (GranteeRef::Person(_), PrincipalRef::Machine(_)) => false,
    };
    if !holds {
        return Err(Refusal::NotHolder);
    }
    let revocation = revoke(grant, by, reason, now)?;
    Ok(Revocation { kind: RevocationKind::Dropped, ..revocation })
}

/// The privileges one person's word is enough for, while the state is open.
const fn directly_grantable(privilege: Privilege) -> Result<(), Refusal> {
    match privilege {
        Privilege::ReadOnly | Privilege::Inference | Privilege::Govern | Privilege::Audit => Ok(()),
        Privilege::SelfService => Err(Refusal::NeedsNoGrant(privilege)),
        Privilege::InferenceSensitive
        | Privilege::Experiment
        | Privilege::Registry
        | Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy => Err(Refusal::AboveBootstrap(privilege)),
    }
}

fn may_govern(grantee: GranteeRef, snapshot: &Snapshot, now: Timestamp) -> Result<(), Refusal> {
    if !matches!(grantee, GranteeRef::Person(_)) {
        return Err(Refusal::MachineGovernor);
    }
    let mut governors = governors(snapshot, now);
    governors.insert(grantee);
    if governors.len() > GOVERNORS_MAX {
        return Err(Refusal::EnoughGovernors);
    }
    Ok(())
}

fn is_known_grantee(snapshot: &Snapshot, grantee: GranteeRef) -> bool {
    match grantee {
        GranteeRef::Person(id) => snapshot.person(id).is_some_and(|person| person.active),
        GranteeRef::Machine(id) => snapshot.machine(id).is_some_and(|machine| machine.active),
        GranteeRef::Group(id) => snapshot.group(id).is_some(),
    }
}

fn is_known_scope(snapshot: &Snapshot, scope: ScopeRef) -> bool {
    match scope {
        ScopeRef::Platform => true,
        ScopeRef::Project(id) => snapshot.project(id).is_some(),
        ScopeRef::Model(id) => snapshot.model(id).is_some(),
        ScopeRef::Version(id) => snapshot.version(id).is_some(),
        ScopeRef::Alias(id) => snapshot.alias(id).is_some(),
        ScopeRef::Endpoint(id) => snapshot.endpoint(id).is_some(),
        ScopeRef::Dataset(id) => snapshot.dataset(id).is_some(),
    }
}

impl Giver {
    /// A person, with the machines the person answers for and the groups any of them belongs to, followed upwards.
    pub fn of(person: PersonId, snapshot: &Snapshot) -> Self {
        let machines = machines_of(snapshot, person);
        let mut groups = groups_of(snapshot, PrincipalRef::Person(person));
        for machine in &machines {
            groups.append(&mut groups_of(snapshot, PrincipalRef::Machine(*machine)));
        }
        Self { person, groups, machines }
    }

    pub const fn person(&self) -> PersonId {
        self.person
    }

    fn is_reached_by(&self, grantee: GranteeRef) -> bool {
        match grantee {
            GranteeRef::Person(id) => id == self.person,
            GranteeRef::Machine(id) => self.machines.contains(&id),
            GranteeRef::Group(id) => self.groups.contains(&id),
        }
    }
}

impl Refusal {
    /// What to do instead, where there is something.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotInitialised => Some("run `modelward init`"),
            Self::RequestNeeded => Some("file a request; it is decided by people of other groups"),
            Self::AboveBootstrap(_) => Some(
                "only `read-only`, `inference` and `govern` are given directly; the rest needs a request",
            ),
            Self::GroupGrantee(_) => Some("name each person or machine"),
            Self::EnoughGovernors => {
                Some("have both enrol a second factor in two different groups, or revoke one of the two")
            }
            Self::SelfGrant => Some("ask the other person who governs"),
            Self::HeldByGroup => Some("leave the group, or ask somebody who governs to revoke the grant"),
            Self::TooLong => Some("choose an earlier end"),
            Self::MachineGovernor
            | Self::NeedsNoGrant(_)
            | Self::UnknownGrantee
            | Self::UnknownGiver
            | Self::UnknownScope
            | Self::NeverLive
            | Self::WrongOrigin
            | Self::FieldsWithoutUse
            | Self::EmptyCondition
            | Self::UnknownZone(_)
            | Self::NotHolder
            | Self::Over
            | Self::BadReason => None,
        }
    }

    /// A stable code for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotInitialised => "not-initialised",
            Self::RequestNeeded => "request-needed",
            Self::AboveBootstrap(_) => "above-bootstrap",
            Self::GroupGrantee(_) => "group-grantee",
            Self::MachineGovernor => "machine-governor",
            Self::EnoughGovernors => "enough-governors",
            Self::NeedsNoGrant(_) => "needs-no-grant",
            Self::SelfGrant => "self-grant",
            Self::UnknownGrantee => "unknown-grantee",
            Self::UnknownGiver => "unknown-giver",
            Self::UnknownScope => "unknown-scope",
            Self::NeverLive => "never-live",
            Self::TooLong => "too-long",
            Self::WrongOrigin => "wrong-origin",
            Self::FieldsWithoutUse => "fields-without-use",
            Self::EmptyCondition => "empty-condition",
            Self::UnknownZone(_) => "unknown-zone",
            Self::NotHolder => "not-holder",
            Self::HeldByGroup => "held-by-group",
            Self::Over => "over",
            Self::BadReason => "bad-reason",
        }
    }
}

impl Reason {
    /// In characters.
    pub const MAX: usize = 500;

    pub fn new(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > Self::MAX || text.chars().any(char::is_control) {
            return Err(Refusal::BadReason);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
