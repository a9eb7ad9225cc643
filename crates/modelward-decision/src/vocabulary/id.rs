//! Typed identifiers: a prefix that says the kind, then a UUIDv7 in Crockford base 32.
//!
//! A `GrantId` cannot be passed as a `ModelId`, and both read well in a terminal:
//! `gr_06ey3m9k1v7xj8t2c0d4qz5rnw`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// What an identifier names; the prefix stands before the underscore.
pub trait Kind {
    const PREFIX: &'static str;
}

/// An opaque identifier of one kind. Equal ids name the same thing for ever.
pub struct Id<K> {
    bits: u128,
    kind: PhantomData<fn() -> K>,
}

/// Why a text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an identifier of the form `{prefix}_` and 26 characters of Crockford base 32")]
pub struct IdError {
    pub text: String,
    pub prefix: &'static str,
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

impl<K: Kind> Id<K> {
    pub const fn from_bits(bits: u128) -> Self {
        Self { bits, kind: PhantomData }
    }

    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self::from_bits(uuid.as_u128())
    }

    pub const fn bits(self) -> u128 {
        self.bits
    }

    /// The prefix and the last six characters: enough to tell ids apart on a screen.
    pub fn short(self) -> String {
        let full = self.to_string();
        let tail: String = full.chars().skip(full.chars().count().saturating_sub(6)).collect();
        format!("{}_{tail}", K::PREFIX)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_", K::PREFIX)?;
        for place in (0..DIGITS).rev() {
            let digit = (self.bits >> (5 * place)) & 31;
            let index = usize::try_from(digit).unwrap_or_default();
            write!(f, "{}", char::from(ALPHABET.get(index).copied().unwrap_or(b'0')))?;
        }
        Ok(())
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.chars().take(64).collect(), prefix: K::PREFIX };
        let digits =
            text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or_else(error)?;
        // 26 digits hold 130 bits: the first may carry only three.
        if digits.len() != DIGITS || digits.as_bytes().first().is_some_and(|first| *first > b'7') {
            return Err(error());
        }
        let mut bits = 0_u128;
        for digit in digits.bytes() {
            let value = ALPHABET.iter().position(|known| *known == digit).ok_or_else(error)?;
            bits = (bits << 5) | u128::try_from(value).map_err(|_| error())?;
        }
        Ok(Self::from_bits(bits))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Written by hand because derives would ask the same of the kind marker.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bits.cmp(&other.bits)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $marker:ident, $alias:ident, $prefix:literal;)+) => {$(
        #[derive(Debug)]
        pub enum $marker {}
        impl Kind for $marker {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $alias = Id<$marker>;
    )+};
}

// Append only: an id keeps its prefix for ever.
kinds! {
    /// A human being; two accounts of one human share it.
    PersonKind, PersonId, "pe";
    /// A workload with an owner.
    MachineKind, MachineId, "ma";
    /// A named set of people and machines.
    GroupKind, GroupId, "gp";
    ProjectKind, ProjectId, "pr";
    ModelKind, ModelId, "mo";
    VersionKind, VersionId, "ve";
    /// A movable name of a version, such as `champion`.
    AliasKind, AliasId, "al";
    EndpointKind, EndpointId, "ep";
    DatasetKind, DatasetId, "da";
    GrantKind, GrantId, "gr";
    SessionKind, SessionId, "se";
    /// One evaluation of one request.
    DecisionKind, DecisionId, "de";
    /// One state change; appending it twice is appending it once.
    EventKind, EventId, "ev";
    TokenKind, TokenId, "tk";
    /// A family of refresh handles.
    RefreshKind, RefreshId, "rf";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        for bits in [0, 1, u128::MAX, 0x0193_4f1c_7a2b_7c3d_8e4f_5a6b_7c8d_9e0f] {
            let id = GrantId::from_bits(bits);
            assert_eq!(id.to_string().parse::<GrantId>(), Ok(id));
        }
    }

    #[test]
    fn an_id_of_another_kind_is_rejected() {
        let model = ModelId::from_bits(7).to_string();
        assert!(model.parse::<GrantId>().is_err());
        assert!("gr_8zzzzzzzzzzzzzzzzzzzzzzzzz".parse::<GrantId>().is_err(), "more than 128 bits");
        assert!("gr_".parse::<GrantId>().is_err());
    }
}
