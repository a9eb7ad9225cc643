//! A grant: who holds which privilege on what, under which conditions, from when to when, and by whose word.
//!
//! Grants are data. They expire by themselves, and no policy changes when one comes or goes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use serde::{Deserialize, Serialize};

use crate::vocabulary::{EventId, Field, GrantId, GranteeRef, Name, PersonId, Privilege, ScopeRef};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: GrantId,
    pub grantee: GranteeRef,
    pub privilege: Privilege,
    pub scope: ScopeRef,
    pub conditions: Conditions,
    /// First moment at which it counts.
    pub not_before: Timestamp,
    /// First moment at which it no longer counts.
    pub not_after: Timestamp,
    pub origin: Origin,
}

/// What narrows a grant. An absent list narrows nothing; an empty one lets nothing through.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environments: Option<BTreeSet<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<BTreeSet<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<BTreeSet<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<Window>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purposes: Option<BTreeSet<Name>>,
    /// The sensitive fields an `InferenceSensitive` grant names; it reaches no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeSet<Field>>,
    /// How often it can be used in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u64>,
    /// How many bytes may leave under it in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// A recurring span of local time. `until` before `from` runs past midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Days on which the window opens.
    pub days: BTreeSet<Day>,
    pub from: Time,
    pub until: Time,
    /// IANA time zone, such as `Europe/Berlin`.
    pub zone: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// By whose word the grant exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Origin {
    /// Given directly, before two people in two groups held second factors.
    Bootstrap { by: PersonId },
    /// Given through a request, with this many approvals over distinct people and groups.
    Request { request: EventId, approvals: u8 },
}

impl Grant {
    /// Whether it counts at this moment. The end is exclusive.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

impl Origin {
    pub const fn approvals(&self) -> u8 {
        match self {
            Self::Bootstrap { .. } => 0,
            Self::Request { approvals, .. } => *approvals,
        }
    }
}

impl From<Weekday> for Day {
    fn from(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}
