//! What enforcement must do when it allows.
//!
//! A closed vocabulary with an order: [`join`] of two sets is the least set at least as strict as both, and two that
//! cannot hold together have none. An enforcement point that cannot do one it is handed must deny.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::vocabulary::{Classification, Field, Name};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Obligation {
    /// Remove these parts from request and answer.
    StripFields { fields: BTreeSet<Field> },
    /// Numbers in answers keep at most this many decimals.
    Round { decimals: u8 },
    /// At most this many alternatives per position.
    TopK { k: u16 },
    /// Labels only: no number behind them.
    LabelOnly,
    /// Columns at or above this class are masked.
    MaskColumns { at: Classification },
    /// Rows outside the named filter are left out.
    RowFilter { filter: Name },
    /// No aggregate over fewer rows than this.
    MinimumCohort { rows: u32 },
    /// At most this many bytes in one answer.
    AnswerBytes { max: u64 },
    /// At most this many requests a minute for this principal and model.
    Rate { per_minute: u32 },
    /// The caller proves itself again first (RFC 9470).
    StepUp { strength: u8, max_age_seconds: u32 },
    /// The answer carries a mark that names its requester.
    Watermark,
    /// These people hear of it.
    Notify { audience: Name },
}

/// Two obligations that no enforcement point could honour together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("obligations `{left}` and `{right}` cannot hold together")]
pub struct Conflict {
    pub left: Obligation,
    pub right: Obligation,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an obligation: use strip:FIELD+FIELD, round:N, top-k:N, label-only, mask:CLASS, row-filter:NAME, \
     cohort:N, answer-bytes:N, rate:N, step-up:STRENGTH:SECONDS, watermark or notify:NAME"
)]
pub struct UnknownObligation(pub String);

/// The least strict set that honours every obligation given: at most one of each kind, in a fixed order.
///
/// Joining is associative, commutative and idempotent; `LabelOnly` takes the place of `Round` and `TopK`.
pub fn join(obligations: impl IntoIterator<Item = Obligation>) -> Result<Vec<Obligation>, Conflict> {
    let mut joined: Vec<Obligation> = Vec::new();
    for obligation in obligations {
        let mut merged = obligation;
        let mut kept = Vec::with_capacity(joined.len() + 1);
        for other in joined {
            match merge(merged.clone(), other.clone())? {
                Some(both) => merged = both,
                None => kept.push(other),
            }
        }
        kept.push(merged);
        joined = kept;
    }
    if joined.contains(&Obligation::LabelOnly) {
        joined.retain(|obligation| !matches!(obligation, Obligation::Round { .. } | Obligation::TopK { .. }));
    }
    joined.sort();
    Ok(joined)
}

/// Whether `left` asks no more than `right`. Both must be joined sets.
pub fn at_most_as_strict(left: &[Obligation], right: &[Obligation]) -> bool {
    join(left.iter().chain(right).cloned()).is_ok_and(|both| both == right)
}

/// One obligation that stands for both, or nothing where they are of different kinds.
fn merge(left: Obligation, right: Obligation) -> Result<Option<Obligation>, Conflict> {
    use Obligation as O;
    let both = match (left, right) {
        (O::StripFields { fields: a }, O::StripFields { fields: b }) => O::StripFields { fields: &a | &b },
        (O::Round { decimals: a }, O::Round { decimals: b }) => O::Round { decimals: a.min(b) },
        (O::TopK { k: a }, O::TopK { k: b }) => O::TopK { k: a.min(b) },
        (O::LabelOnly, O::LabelOnly) => O::LabelOnly,
        (O::MaskColumns { at: a }, O::MaskColumns { at: b }) => O::MaskColumns { at: a.min(b) },
        (O::RowFilter { filter: a }, O::RowFilter { filter: b }) if a == b => O::RowFilter { filter: a },
        (left @ O::RowFilter { .. }, right @ O::RowFilter { .. }) => return Err(Conflict { left, right }),
        (O::MinimumCohort { rows: a }, O::MinimumCohort { rows: b }) => O::MinimumCohort { rows: a.max(b) },
        (O::AnswerBytes { max: a }, O::AnswerBytes { max: b }) => O::AnswerBytes { max: a.min(b) },
        (O::Rate { per_minute: a }, O::Rate { per_minute: b }) => O::Rate { per_minute: a.min(b) },
        (O::StepUp { strength: a, max_age_seconds: x }, O::StepUp { strength: b, max_age_seconds: y }) => {
            O::StepUp { strength: a.max(b), max_age_seconds: x.min(y) }
        }
        (O::Watermark, O::Watermark) => O::Watermark,
        (O::Notify { audience: a }, O::Notify { audience: b }) if a == b => O::Notify { audience: a },
        _ => return Ok(None),
    };
    Ok(Some(both))
}

impl fmt::Display for Obligation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StripFields { fields } => {
                let names: Vec<_> = fields.iter().map(|field| field.as_str()).collect();
                write!(f, "strip:{}", names.join("+"))
            }
            Self::Round { decimals } => write!(f, "round:{decimals}"),
            Self::TopK { k } => write!(f, "top-k:{k}"),
            Self::LabelOnly => f.write_str("label-only"),
            Self::MaskColumns { at } => write!(f, "mask:{at}"),
            Self::RowFilter { filter } => write!(f, "row-filter:{filter}"),
            Self::MinimumCohort { rows } => write!(f, "cohort:{rows}"),
            Self::AnswerBytes { max } => write!(f, "answer-bytes:{max}"),
            Self::Rate { per_minute } => write!(f, "rate:{per_minute}"),
            Self::StepUp { strength, max_age_seconds } => write!(f, "step-up:{strength}:{max_age_seconds}"),
            Self::Watermark => f.write_str("watermark"),
            Self::Notify { audience } => write!(f, "notify:{audience}"),
        }
    }
}

impl FromStr for Obligation {
    type Err = UnknownObligation;

    fn from_str(text: &str) -> Result<Self, UnknownObligation> {
        parse(text).ok_or_else(|| UnknownObligation(text.chars().take(128).collect()))
    }
}

fn parse(text: &str) -> Option<Obligation> {
    let (kind, value) = text.split_once(':').unwrap_or((text, ""));
    Some(match kind {
        "strip" => {
            let fields: Option<BTreeSet<Field>> = value.split('+').map(|field| field.parse().ok()).collect();
            Obligation::StripFields { fields: fields? }
        }
        "round" => Obligation::Round { decimals: value.parse().ok()? },
        "top-k" => Obligation::TopK { k: value.parse().ok()? },
        "label-only" if value.is_empty() => Obligation::LabelOnly,
        "mask" => Obligation::MaskColumns { at: value.parse().ok()? },
        "row-filter" => Obligation::RowFilter { filter: value.parse().ok()? },
        "cohort" => Obligation::MinimumCohort { rows: value.parse().ok()? },
        "answer-bytes" => Obligation::AnswerBytes { max: value.parse().ok()? },
        "rate" => Obligation::Rate { per_minute: value.parse().ok()? },
        "step-up" => {
            let (strength, age) = value.split_once(':')?;
            Obligation::StepUp { strength: strength.parse().ok()?, max_age_seconds: age.parse().ok()? }
        }
        "watermark" if value.is_empty() => Obligation::Watermark,
        "notify" => Obligation::Notify { audience: value.parse().ok()? },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
