//! The first days of a house: from nothing, to one person who may let others in, to the rule of four eyes for good.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::Snapshot;
use modelward_decision::grant::{Conditions, Grant, Origin};
use modelward_decision::vocabulary::{GrantId, GranteeRef, GroupId, PersonId, Privilege, ScopeRef};
use serde::{Deserialize, Serialize};

/// How far the house has come. It only ever moves downwards in this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Bootstrap {
    /// Nobody was let in yet.
    #[default]
    Uninitialised,
    /// The first person may give a few rights directly.
    Open { first: PersonId, opened_at: Timestamp },
    /// Two people in two groups hold second factors: from here on every grant needs a request.
    Closed { pair: [PersonId; 2], closed_at: Timestamp },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this installation is initialised already")]
pub struct AlreadyInitialised;

/// A person who proved to hold a second factor.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    pub person: PersonId,
    /// The groups the person is a direct member of.
    pub groups: &'a BTreeSet<GroupId>,
}

/// The longest a directly given grant lasts, from the moment it is given.
pub const GRANT_DAYS_MAX: i64 = 30;

/// How many people can hold `Govern` by somebody's word alone at one time: the two that are needed to close the state.
pub const GOVERNORS_MAX: usize = 2;

impl Bootstrap {
    /// Works once.
    pub const fn initialise(self, first: PersonId, now: Timestamp) -> Result<Self, AlreadyInitialised> {
        match self {
            Self::Uninitialised => Ok(Self::Open { first, opened_at: now }),
            Self::Open { .. } | Self::Closed { .. } => Err(AlreadyInitialised),
        }
    }

    /// The state after this set of people was seen to hold second factors. Closing is for good: losing a factor
    /// later opens nothing.
    #[must_use]
    pub fn observe<'a>(self, holders: impl IntoIterator<Item = Holder<'a>>, now: Timestamp) -> Self {
        match self {
            Self::Uninitialised | Self::Closed { .. } => self,
            Self::Open { .. } => match two_in_two_groups(holders) {
                Some(pair) => Self::Closed { pair, closed_at: now },
                None => self,
            },
        }
    }

    pub const fn is_open(self) -> bool {
        match self {
            Self::Open { .. } => true,
            Self::Uninitialised | Self::Closed { .. } => false,
        }
    }

    /// How far along: 0, 1 or 2. A lower stage never follows a higher one.
    pub const fn stage(self) -> u8 {
        match self {
            Self::Uninitialised => 0,
            Self::Open { .. } => 1,
            Self::Closed { .. } => 2,
        }
    }
}

/// The grants that `init` makes itself: `Govern` and `Audit` over the platform for the first person. Without the second
/// nobody could watch what the first is used for (decision 0011).
pub fn first_grants(ids: [GrantId; 2], first: PersonId, now: Timestamp) -> [Grant; 2] {
    let [govern, audit] = ids;
    [(govern, Privilege::Govern), (audit, Privilege::Audit)].map(|(id, privilege)| Grant {
        id,
        grantee: GranteeRef::Person(first),
        privilege,
        scope: ScopeRef::Platform,
        conditions: Conditions::default(),
        not_before: now,
        not_after: latest_end(now),
        origin: Origin::Bootstrap { by: first },
    })
}

/// The last moment at which a grant given directly at `now` may end.
pub(crate) fn latest_end(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(24 * GRANT_DAYS_MAX)).unwrap_or(Timestamp::MAX)
}

/// People who hold `Govern` by bootstrap at this moment.
pub(crate) fn governors(snapshot: &Snapshot, now: Timestamp) -> BTreeSet<GranteeRef> {
    snapshot
        .grants()
        .filter(|grant| match grant.origin {
            Origin::Bootstrap { .. } => grant.privilege == Privilege::Govern && now < grant.not_after,
            Origin::Request { .. } => false,
        })
        .map(|grant| grant.grantee)
        .collect()
}

/// Two different people who can stand for two different groups.
///
/// Whoever cannot be paired with the first candidate has exactly the one group that candidate has, and is paired with
/// whomever the candidate is: looking at each person once is enough.
fn two_in_two_groups<'a>(holders: impl IntoIterator<Item = Holder<'a>>) -> Option<[PersonId; 2]> {
    let mut first: Option<Holder<'a>> = None;
    for holder in holders {
        if holder.groups.is_empty() {
            continue;
        }
        let Some(candidate) = first else {
            first = Some(holder);
            continue;
        };
        let same_person = candidate.person == holder.person;
        let only_one_group = candidate.groups.len() == 1 && candidate.groups == holder.groups;
        if !same_person && !only_one_group {
            return Some([candidate.person, holder.person]);
        }
    }
    None
}
