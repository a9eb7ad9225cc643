//! The header and claims of our tokens, exactly: an unknown, missing, doubled or mistyped member is refused.

use std::borrow::Cow;
use std::collections::BTreeSet;

use modelward_decision::vocabulary::{Action, ModelId, Name, PrincipalRef, Privilege, SessionId, TokenId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ACTIONS_MAX, ACTORS_MAX, METHODS_MAX, MODELS_MAX, TokenBinding};
use crate::authenticated::{Actor, EpochMark};

/// The JOSE header (RFC 7515 section 4). `crit`, `b64`, `jku`, `jwk`, `x5u`, `x5c`, `zip`, `cty` and all others fail.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header<'a> {
    #[serde(borrow)]
    pub(super) alg: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) typ: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kid: Cow<'a, str>,
}

/// The only algorithm there is (RFC 8037 section 3.1).
pub(super) const ALG: &str = "EdDSA";

/// The claims set. Times are whole seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims<'a> {
    #[serde(borrow)]
    pub(super) iss: Cow<'a, str>,
    pub(super) sub: Subject,
    #[serde(borrow)]
    pub(super) aud: Cow<'a, str>,
    pub(super) client_id: Name,
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    pub(super) jti: TokenId,
    pub(super) sid: SessionId,
    #[serde(borrow)]
    pub(super) acr: Cow<'a, str>,
    pub(super) amr: Methods,
    pub(super) auth_time: i64,
    /// Exactly one object (RFC 9396 section 2).
    pub(super) authorization_details: [Details<'a>; 1],
    pub(super) mw_epoch: EpochMark,
    /// Absent: whoever holds the token may use it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(super) cnf: Option<TokenBinding>,
    /// Absent: the holder acts for themselves.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(super) act: Option<Act>,
}

/// Who acts for the subject, and who acted before (RFC 8693 section 4.1): the outermost is the current actor. Each with
/// the credential they proved themselves with, so that what ends it ends the token.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    pub(super) sub: Subject,
    pub(super) sid: SessionId,
    pub(super) mw_epoch: EpochMark,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(super) act: Option<Box<Self>>,
}

impl Act {
    /// The chain as it is written, of actors with the current one first.
    pub(super) fn of(actors: &[Actor]) -> Option<Self> {
        actors.iter().rev().fold(None, |former, actor| {
            Some(Self {
                sub: Subject(actor.principal),
                sid: actor.session,
                mw_epoch: actor.epoch,
                act: former.map(Box::new),
            })
        })
    }

    /// The actors, the current one first; `None` of a chain longer than any we write.
    pub(super) fn actors(this: Option<&Self>) -> Option<Vec<Actor>> {
        let mut actors = Vec::new();
        let mut next = this;
        while let Some(act) = next {
            if actors.len() == ACTORS_MAX {
                return None;
            }
            actors.push(Actor { principal: act.sub.0, session: act.sid, epoch: act.mw_epoch });
            next = act.act.as_deref();
        }
        Some(actors)
    }
}

/// What the token is for. `privileges` and `actions` are members RFC 9396 section 2.2 names; `models` is ours.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Details<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    pub(super) privileges: Set<Privilege, { Privilege::ALL.len() }>,
    /// Absent: any model. Present: at least one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(super) models: Option<Set<ModelId, MODELS_MAX>>,
    /// Absent: all actions of the privileges. Present: these alone, at least one of each privilege.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(super) actions: Option<Set<Action, ACTIONS_MAX>>,
}

pub(super) const DETAILS_TYPE: &str = "modelward";

/// A principal as `sub` has it: the identifier, whose prefix says person or machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subject(pub(super) PrincipalRef);

/// One to `MAX` different things in ascending order; the order leaves one way to write a set.
#[derive(Debug)]
pub(super) struct Set<T, const MAX: usize>(pub(super) BTreeSet<T>);

/// At most [`METHODS_MAX`] methods, as they happened.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Methods(pub(super) Vec<Name>);

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        if let Ok(person) = text.parse() {
            return Ok(Self(PrincipalRef::Person(person)));
        }
        if let Ok(machine) = text.parse() {
            return Ok(Self(PrincipalRef::Machine(machine)));
        }
        Err(D::Error::custom("`sub` is neither a person nor a machine"))
    }
}

impl<T: Serialize, const MAX: usize> Serialize for Set<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Ord, const MAX: usize> Deserialize<'de> for Set<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The token is at most 8 KiB, so the list cannot be long.
        let listed = Vec::<T>::deserialize(deserializer)?;
        let count = listed.len();
        if count == 0 || count > MAX || !listed.is_sorted_by(|one, next| one < next) {
            return Err(D::Error::custom(format_args!("not 1 to {MAX} different values in order")));
        }
        Ok(Self(listed.into_iter().collect()))
    }
}

impl<'de> Deserialize<'de> for Methods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let listed = Vec::deserialize(deserializer)?;
        if listed.len() > METHODS_MAX {
            return Err(D::Error::custom("too many methods"));
        }
        Ok(Self(listed))
    }
}

/// `null` is not a way to leave a member out.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
