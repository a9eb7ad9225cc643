//! Proves what a bundle promises, in every request environment.

use std::collections::BTreeMap;

use cedar_policy::{Effect, Policy, PolicySet, Schema};
use modelward_decision::Bundle;
use modelward_seal::Digest;

use crate::ProofError;
use crate::counterexample::Telling;
use crate::environment::{Environment, Surroundings, set_of};
use crate::invariant::Invariant;
use crate::loosen::Narrow;
use crate::prover::Prover;
use crate::question::{self, Failing, Replied, Reply};
use crate::verdict::{Claim, Outcome, Verdict};

/// Checks that the bundle fulfils each invariant, and that no forbid and no obligation rule can fail. There is a verdict
/// for every claim and every question the solver had to answer for it.
pub fn prove(
    bundle: &Bundle,
    invariants: &[Invariant],
    prover: &Prover<'_>,
) -> Result<Vec<Verdict>, ProofError> {
    let environments = prover.environments(bundle.schema())?;
    let all = Surroundings::all(bundle.schema())?;
    invariants.iter().try_for_each(|invariant| concerns_something(invariant, &all))?;
    let policies = Narrow::new(bundle.policies())?;
    let pieces = prover.each(&environments, |at| in_environment(bundle, &policies, invariants, at, prover));
    let mut verdicts = verdicts(pieces.into_iter().collect::<Result<Vec<_>, _>>()?, bundle.schema(), prover);
    verdicts.sort_by(|a, b| (&a.claim, &a.environments).cmp(&(&b.claim, &b.environments)));
    Ok(verdicts)
}

/// Checks that all the permits of a project bundle allow lies within its envelope. Its forbids count for nothing: what
/// they take away today they may leave tomorrow.
pub fn within_envelope(
    schema: &Schema,
    project: &PolicySet,
    envelope: &PolicySet,
    prover: &Prover<'_>,
) -> Result<Vec<Verdict>, ProofError> {
    let permits = project.policies().filter(|policy| policy.effect() == Effect::Permit);
    let permits = set_of(permits)?;
    let permits = Narrow::new(&permits)?;
    let environments = prover.environments(schema)?;
    let pieces = prover.each(&environments, |at| {
        let replied = question::implied(&permits, envelope, at, schema, prover)?;
        Ok(vec![Piece { claim: Claim::WithinEnvelope, at: at.name.clone(), replied }])
    });
    Ok(verdicts(pieces.into_iter().collect::<Result<Vec<_>, _>>()?, schema, prover))
}

/// One claim in one environment.
struct Piece {
    claim: Claim,
    at: Environment,
    replied: Replied,
}

fn in_environment(
    bundle: &Bundle,
    policies: &Narrow<'_>,
    invariants: &[Invariant],
    at: &Surroundings,
    prover: &Prover<'_>,
) -> Result<Vec<Piece>, ProofError> {
    let schema = bundle.schema();
    let piece = |claim, replied| Piece { claim, at: at.name.clone(), replied };
    let mut pieces = Vec::new();
    for (invariant, replied) in promised(policies, invariants, at, schema, prover)? {
        pieces.push(piece(invariant.claim(), replied));
    }
    let id = |policy: &Policy| policy.id().to_string();
    let forbids = bundle.policies().policies().filter(|policy| policy.effect() == Effect::Forbid);
    for policy in forbids.filter(|policy| at.concerns(policy)) {
        let claim = Claim::ForbidNeverErrs { policy: id(policy) };
        pieces.push(piece(claim, question::never_errs(policy, at, schema, prover)));
    }
    for policy in bundle.obligations().policies().filter(|policy| at.concerns(policy)) {
        let claim = Claim::ObligationNeverErrs { policy: id(policy) };
        pieces.push(piece(claim, question::never_errs(policy, at, schema, prover)));
    }
    Ok(pieces)
}

/// Asks for all invariants at once: mostly they hold, and one question is enough. Where they do not, those that the example
/// breaks are set aside, and the others asked for again.
fn promised<'a>(
    policies: &Narrow<'_>,
    invariants: &'a [Invariant],
    at: &Surroundings,
    schema: &Schema,
    prover: &Prover<'_>,
) -> Result<Vec<(&'a Invariant, Replied)>, ProofError> {
    let ask =
        |some: &[&Invariant]| question::implied(policies, &Invariant::jointly(some)?, at, schema, prover);
    let mut left: Vec<&Invariant> = invariants.iter().filter(|one| at.concerns(&one.policy)).collect();
    let mut decided = Vec::new();
    while !left.is_empty() {
        let Replied { query, reply, micros } = ask(&left)?;
        let micros = micros / u64::try_from(left.len()).unwrap_or(1).max(1);
        let before = left.len();
        let mut kept = Vec::new();
        for one in left {
            match &reply {
                Reply::Holds => decided.push((one, Replied { query, reply: Reply::Holds, micros })),
                // Without a solver the parts would not be answered either.
                Reply::Unknown(why) if prover.solver().is_none() => {
                    decided.push((one, Replied { query, reply: Reply::Unknown(why.clone()), micros }));
                }
                Reply::Unknown(_) => kept.push(one),
                Reply::Fails(failing) => match failing.breaking(set_of([&one.policy])?, schema) {
                    Some(failing) => {
                        decided.push((one, Replied { query, reply: Reply::Fails(failing), micros }));
                    }
                    None => kept.push(one),
                },
            }
        }
        // No progress together: one by one.
        if kept.len() == before {
            for one in kept {
                decided.push((one, ask(&[one])?));
            }
            break;
        }
        left = kept;
    }
    Ok(decided)
}

/// An invariant that concerns no request promises nothing, which is hardly what was meant.
fn concerns_something(invariant: &Invariant, environments: &[Surroundings]) -> Result<(), ProofError> {
    if environments.iter().any(|at| at.concerns(&invariant.policy)) {
        return Ok(());
    }
    Err(invariant.wrong("concerns no request: no action of the schema lies in its scope"))
}

/// Joins environments whose questions read the same, and tells each counterexample once.
fn verdicts(pieces: Vec<Vec<Piece>>, schema: &Schema, prover: &Prover<'_>) -> Vec<Verdict> {
    let mut groups: BTreeMap<(Claim, Option<Digest>, Kind), Group> = BTreeMap::new();
    for Piece { claim, at, replied } in pieces.into_iter().flatten() {
        let (kind, failing) = match replied.reply {
            Reply::Holds => (Kind::Holds, None),
            Reply::Fails(failing) => (Kind::Fails, Some(failing)),
            Reply::Unknown(why) => (Kind::Unknown(why), None),
        };
        let group = groups.entry((claim, replied.query, kind)).or_default();
        group.environments.push(at);
        group.failing = group.failing.take().or(failing);
        group.micros += replied.micros;
    }
    let groups: Vec<_> = groups.into_iter().collect();
    prover.each(&groups, |((claim, query, kind), group)| Verdict {
        claim: claim.clone(),
        environments: group.environments.clone(),
        query: *query,
        result: outcome(kind, group.failing.as_ref(), schema),
        millis: group.micros.div_ceil(1000),
    })
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Holds,
    Fails,
    Unknown(String),
}

#[derive(Default)]
struct Group {
    environments: Vec<Environment>,
    /// In the first of the environments.
    failing: Option<Failing>,
    micros: u64,
}

fn outcome(kind: &Kind, failing: Option<&Failing>, schema: &Schema) -> Outcome {
    match (kind, failing.map(|failing| failing.tell(schema, Telling::Could))) {
        (Kind::Unknown(why), _) => Outcome::NotProven { why: why.clone() },
        (Kind::Holds, None) => Outcome::Holds,
        (_, Some(Ok(counterexample))) => Outcome::Violated { counterexample: Box::new(counterexample) },
        (_, Some(Err(why))) => Outcome::NotProven { why },
        (Kind::Fails, None) => {
            Outcome::NotProven { why: "the example of the violation is missing".to_owned() }
        }
    }
}

impl Invariant {
    fn claim(&self) -> Claim {
        Claim::Invariant { id: self.id.clone(), title: self.title.clone(), file: self.file.clone() }
    }
}
