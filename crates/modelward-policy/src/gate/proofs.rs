//! What a solver's verdicts mean to a bundle: only a proof of every claim, about exactly these texts, is a yes.

use modelward_decision::bundle::{Kind, Place};

use super::Step;
use crate::claim::{self, Claims};
use crate::parts::Demand;
use crate::project::ENVELOPE;
use crate::verdict::{Proof, Verdict, Verdicts};
use crate::{Bundle, Finding};

/// A bundle of which something has to be proved; for a project bundle the whole it makes with its root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) whole: &'a Bundle,
    pub(super) kind: Kind,
    pub(super) verdicts: Option<&'a Verdicts>,
}

impl Subject<'_> {
    /// The verdicts against the claims of the bundle, one to one.
    pub(super) fn proofs(self, demand: Demand) -> Step {
        let unproven = |message: String| match demand {
            Demand::Required => Finding::error("proof", message),
            Demand::Optional => Finding::warning("proof", message),
        };
        let claims = match Claims::of(self.whole, Kind::Root) {
            Ok(claims) => claims,
            Err(finding) => return Step::new("proofs", "the invariants cannot be read", vec![finding]),
        };
        let Some(verdicts) = self.verdicts.filter(|verdicts| !verdicts.checks.is_empty()) else {
            return match demand {
                Demand::Optional => Step::skipped("proofs", "not proven: no solver was asked"),
                Demand::Required => {
                    let message = "not proven: the bundle demands proofs, and there are none".to_owned();
                    Step::new("proofs", "not proven", vec![demanded(unproven(message))])
                }
            };
        };
        if let Some(message) = self.stale(verdicts) {
            return Step::new("proofs", "not proven", vec![demanded(unproven(message))]);
        }
        let checks: Vec<&Verdict> =
            verdicts.checks.iter().filter(|check| check.claim != claim::ENVELOPE).collect();
        let mut findings: Vec<Finding> = checks.iter().filter_map(|check| told(check, unproven)).collect();
        let held = checks.len() - findings.len();
        let proved = checks.iter().map(|check| check.claim.as_str()).collect();
        let missing = claims.missing(&proved);
        let summary = summary(held, checks.len(), missing.len(), verdicts);
        findings.extend(missing.iter().map(|claim| {
            unproven(format!("`{claim}` is not among the verdicts"))
                .hint("prove the bundle again: `modelward policy build --prove`")
        }));
        findings.extend(claims.unknown(&proved).iter().map(|claim| {
            unproven(format!("`{claim}` is among the verdicts, and the bundle does not claim it"))
        }));
        Step::new("proofs", summary, findings)
    }

    /// Whether all that a project permits lies within the envelope. Nobody can do without this proof.
    pub(super) fn envelope(self) -> Step {
        let refused = |summary: &str, message: String| {
            let finding = Finding::error("envelope", message)
                .hint("prove it with a solver: `modelward policy build --prove --root …`");
            Step::new("envelope", summary, vec![finding])
        };
        if !self.whole.sources().contains_key(ENVELOPE) {
            let message =
                format!("the root bundle has no `{ENVELOPE}`, so it lets no project permit anything");
            return Step::new("envelope", "there is none", vec![Finding::error("envelope", message)]);
        }
        let Some(verdicts) = self.verdicts else {
            return refused(
                "not proven",
                "that the project stays within its envelope is not proven".to_owned(),
            );
        };
        if let Some(message) = self.stale(verdicts) {
            return refused("not proven", message);
        }
        let of_envelope = |check: &&Verdict| check.claim == claim::ENVELOPE;
        let checks: Vec<&Verdict> = verdicts.checks.iter().filter(of_envelope).collect();
        if checks.is_empty() {
            return refused("not proven", "the verdicts say nothing of the envelope".to_owned());
        }
        let unproven = |message: String| Finding::error("envelope", message);
        let findings: Vec<Finding> = checks.iter().filter_map(|check| told(check, unproven)).collect();
        let findings: Vec<Finding> =
            findings.into_iter().map(|finding| Finding { rule: "envelope", ..finding }).collect();
        let summary = summary(checks.len() - findings.len(), checks.len(), 0, verdicts);
        Step::new("envelope", summary, findings)
    }

    /// Why the verdicts are not about this bundle.
    fn stale(self, verdicts: &Verdicts) -> Option<String> {
        if claim::subject(self.whole.sources()).is_ok_and(|subject| subject == verdicts.subject) {
            return None;
        }
        Some(match (self.kind, verdicts.root, self.whole.composition()) {
            (Kind::Project, Some(root), Some(composition)) if root != composition.root => {
                format!(
                    "the verdicts were made with the root bundle {root}, and this one is {}",
                    composition.root
                )
            }
            _ => "the verdicts are about other texts than these".to_owned(),
        })
    }
}

fn demanded(finding: Finding) -> Finding {
    finding.at(Place::start("bundle.toml")).hint("install cvc5 and run the check with proofs")
}

fn told(check: &Verdict, unproven: impl Fn(String) -> Finding) -> Option<Finding> {
    let finding = match &check.result {
        Proof::Holds => return None,
        Proof::Violated => {
            let told = check.counterexample.as_deref().unwrap_or("the solver gave no example");
            Finding::error("proof", format!("`{}` does not hold: {told}", check.name))
        }
        Proof::NotProven { reason } => unproven(format!("`{}` is not proven: {reason}", check.name)),
    };
    Some(match &check.test_case {
        Some(test) => finding.hint(format!("as a test:\n{test}")),
        None => finding,
    })
}

fn summary(held: usize, all: usize, missing: usize, verdicts: &Verdicts) -> String {
    let solver = &verdicts.solver;
    let missing = if missing > 0 { format!(", {missing} missing") } else { String::new() };
    format!("{held} of {all} hold{missing}, by {} {}", solver.name, solver.version)
}
