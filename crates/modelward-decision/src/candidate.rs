//! A bundle on trial beside the active one: first only compared, then obeyed for a share of principals.

use std::sync::Arc;

use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::decision::{Decision, Outcome};
use crate::vocabulary::PrincipalRef;

/// How far a candidate reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Reach {
    /// Evaluated beside the active bundle and obeyed for nobody.
    Shadow,
    /// Obeyed for this many principals in a thousand, evaluated beside for the others.
    Canary { per_mille: u16 },
}

/// A bundle that may become the active one.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub bundle: Arc<Bundle>,
    pub reach: Reach,
}

/// What the bundle that was not obeyed says about the same request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    pub bundle: Digest,
    pub outcome: Outcome,
    /// Same outcome, same obligations, same fields let out.
    pub agrees: bool,
}

impl Candidate {
    /// Whether this principal's requests are decided by the candidate: always the same answer for one bundle and
    /// principal, and whoever is in a share is in every larger one.
    pub fn governs(&self, principal: PrincipalRef) -> bool {
        match self.reach {
            Reach::Shadow => false,
            Reach::Canary { per_mille } => place(self.bundle.digest(), principal) < u64::from(per_mille),
        }
    }
}

impl Comparison {
    pub fn of(obeyed: &Decision, other: &Decision) -> Self {
        let agrees = (obeyed.outcome, &obeyed.obligations, &obeyed.held_fields)
            == (other.outcome, &other.obligations, &other.held_fields);
        Self { bundle: other.bundle, outcome: other.outcome, agrees }
    }
}

/// Where a principal stands among a thousand.
fn place(bundle: Digest, principal: PrincipalRef) -> u64 {
    let hash = Digest::of(format!("modelward/canary/v1\n{bundle}\n{principal}").as_bytes());
    hash.as_bytes().first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first)) % 1000
}

#[cfg(test)]
mod tests;
