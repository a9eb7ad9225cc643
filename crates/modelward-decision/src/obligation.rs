//! What enforcement must do when it allows.
//!
//! A closed vocabulary. Two obligations of one kind join to the stricter; an enforcement point that cannot do
//! one it is handed must deny.

use std::collections::BTreeSet;

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
