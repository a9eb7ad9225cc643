//! The verdicts a bundle carries, and how anybody checks them again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use modelward_decision::Bundle;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::ProofError;
use crate::environment::Environment;
use crate::invariant::Invariant;
use crate::prove::prove;
use crate::prover::Prover;
use crate::solver::SolverIdentity;
use crate::verdict::{Claim, Outcome, Verdict};

/// What wrote the questions. Another version may write them otherwise, and their digests then differ.
const COMPILER: &str = "cedar-policy-symcc 0.8.1";

/// Verdicts on a bundle, with all that is needed to get them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attestation {
    pub bundle: Digest,
    pub invariants: Digest,
    pub compiler: String,
    /// Absent where there was none, and nothing is proven.
    pub solver: Option<SolverIdentity>,
    pub made_at: Timestamp,
    pub verdicts: Vec<Verdict>,
}

/// What came of checking an attestation again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recheck {
    /// Absent where only the questions could be compared, not their answers.
    pub solver: Option<SolverIdentity>,
    pub mismatches: Vec<Mismatch>,
}

/// Something an attestation says that is not so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "mismatch", rename_all = "kebab-case")]
pub enum Mismatch {
    /// It is about another bundle.
    Bundle,
    /// It is about other invariants.
    Invariants,
    /// Another symbolic compiler wrote the questions.
    Compiler { theirs: String, ours: String },
    /// A claim that has to be proven is missing from it.
    Missing { claim: Claim, environment: Environment },
    /// It claims something that nobody asks for.
    Unexpected { claim: Claim, environment: Environment },
    /// Another question was asked.
    Query { claim: Claim, environment: Environment },
    /// The solver answers otherwise now.
    Result { claim: Claim, environment: Environment },
}

impl Attestation {
    /// Proves everything and writes it down.
    pub fn make(
        bundle: &Bundle,
        invariants: &[Invariant],
        prover: &Prover<'_>,
        made_at: Timestamp,
    ) -> Result<Self, ProofError> {
        Ok(Self {
            bundle: bundle.digest(),
            invariants: digest(invariants)?,
            compiler: COMPILER.to_owned(),
            solver: prover.solver().map(|solver| solver.identity().clone()),
            made_at,
            verdicts: prove(bundle, invariants, prover)?,
        })
    }

    /// Whether every claim holds, and there is one.
    pub fn holds(&self) -> bool {
        self.solver.is_some() && !self.verdicts.is_empty() && self.verdicts.iter().all(Verdict::holds)
    }

    /// Asks all questions again. Without a solver the questions are still written, and their digests compared: then it is
    /// known that the attestation is about this bundle, not that its answers are true.
    pub fn verify(
        &self,
        bundle: &Bundle,
        invariants: &[Invariant],
        prover: &Prover<'_>,
    ) -> Result<Recheck, ProofError> {
        let mut mismatches = Vec::new();
        if self.bundle != bundle.digest() {
            mismatches.push(Mismatch::Bundle);
        }
        if self.invariants != digest(invariants)? {
            mismatches.push(Mismatch::Invariants);
        }
        if self.compiler != COMPILER {
            let (theirs, ours) = (self.compiler.clone(), COMPILER.to_owned());
            mismatches.push(Mismatch::Compiler { theirs, ours });
        }
        let again = prove(bundle, invariants, prover)?;
        mismatches.extend(compare(&self.verdicts, &again, prover.solver().is_some()));
        Ok(Recheck { solver: prover.solver().map(|solver| solver.identity().clone()), mismatches })
    }
}

impl Recheck {
    /// Every answer was got again, and is what the attestation says.
    pub fn agrees(&self) -> bool {
        self.solver.is_some() && self.mismatches.is_empty()
    }
}

fn compare(attested: &[Verdict], again: &[Verdict], solved: bool) -> Vec<Mismatch> {
    let (attested, again) = (one_by_one(attested), one_by_one(again));
    let mut mismatches = Vec::new();
    for (&(claim, environment), now) in &again {
        let (claim, environment) = (claim.clone(), environment.clone());
        match attested.get(&(&claim, &environment)) {
            None => mismatches.push(Mismatch::Missing { claim, environment }),
            Some(then) if solved && kind(then) != kind(now) => {
                mismatches.push(Mismatch::Result { claim, environment });
            }
            // Only what held was decided by the question that a solver is asked first.
            Some(then) if then.query != now.query && (solved || then.holds()) => {
                mismatches.push(Mismatch::Query { claim, environment });
            }
            Some(_) => {}
        }
    }
    let unexpected = attested.keys().filter(|key| !again.contains_key(*key));
    mismatches.extend(unexpected.map(|&(claim, environment)| Mismatch::Unexpected {
        claim: claim.clone(),
        environment: environment.clone(),
    }));
    mismatches
}

fn one_by_one(verdicts: &[Verdict]) -> BTreeMap<(&Claim, &Environment), &Verdict> {
    let mut each = BTreeMap::new();
    for verdict in verdicts {
        each.extend(verdict.environments.iter().map(|environment| ((&verdict.claim, environment), verdict)));
    }
    each
}

const fn kind(verdict: &Verdict) -> u8 {
    match verdict.result {
        Outcome::Holds => 0,
        Outcome::Violated { .. } => 1,
        Outcome::NotProven { .. } => 2,
    }
}

fn digest(invariants: &[Invariant]) -> Result<Digest, ProofError> {
    let texts: BTreeMap<&str, String> =
        invariants.iter().map(|invariant| (invariant.id.as_str(), invariant.policy.to_string())).collect();
    Digest::of_canonical(&texts).map_err(ProofError::Digest)
}

#[cfg(test)]
mod tests {
    use super::COMPILER;

    #[test]
    fn the_compiler_is_the_one_in_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        let (name, version) = COMPILER.split_once(' ').expect("name and version");
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")));
    }
}
