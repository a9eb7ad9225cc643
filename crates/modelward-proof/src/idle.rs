//! Policies that do nothing: those that no request matches, and those that another one makes superfluous.

use cedar_policy::{Policy, PolicySet, Schema};
use modelward_decision::Bundle;
use serde::{Deserialize, Serialize};

use crate::ProofError;
use crate::environment::{Surroundings, set_of};
use crate::prover::Prover;
use crate::question;
use crate::session::Finding;
use crate::world::World;

const OBLIGATION: &str = "obligation";

/// A policy that could go without any request being allowed or denied otherwise, or of which this could not be found out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Idle {
    pub policy: String,
    pub why: IdleWhy,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum IdleWhy {
    /// No request matches it.
    Dead,
    /// Whatever it matches, this one matches too, with the same effect.
    ShadowedBy {
        policy: String,
    },
    NotProven {
        why: String,
    },
}

/// The idle policies and obligation rules of a bundle, in order of id. Of two that match the same, the first is idle.
pub fn idle(bundle: &Bundle, prover: &Prover<'_>) -> Result<Vec<Idle>, ProofError> {
    let environments = prover.environments(bundle.schema())?;
    let with = |set: &'static str, policies: &PolicySet| -> Vec<(&'static str, Policy)> {
        policies.policies().map(|policy| (set, policy.clone())).collect()
    };
    let mut policies = with("policies", bundle.policies());
    policies.extend(with("obligations", bundle.obligations()));
    policies.sort_by(|(_, a), (_, b)| a.id().cmp(b.id()));

    let found = prover.each(&policies, |(set, policy)| {
        let search = Search { policy, environments: &environments, schema: bundle.schema(), prover };
        // Two obligation rules oblige to different things, even where they match the same.
        let others = policies.iter().filter(|(other, _)| *set == "policies" && other == set);
        search.idle(others.map(|(_, other)| other))
    });
    let mut idle: Vec<Idle> = Vec::new();
    for found in found.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let twin = idle.iter().any(|before| {
            matches!(&found.why, IdleWhy::ShadowedBy { policy } if *policy == before.policy)
                && matches!(&before.why, IdleWhy::ShadowedBy { policy } if *policy == found.policy)
        });
        if !twin {
            idle.push(found);
        }
    }
    Ok(idle)
}

struct Search<'a> {
    policy: &'a Policy,
    environments: &'a [Surroundings],
    schema: &'a Schema,
    prover: &'a Prover<'a>,
}

impl Search<'_> {
    fn idle<'a>(&self, others: impl Iterator<Item = &'a Policy>) -> Result<Option<Idle>, ProofError> {
        let idle = |why| Some(Idle { policy: self.policy.id().to_string(), why });
        let witness = match self.witness() {
            Ok(Some(witness)) => witness,
            Ok(None) => return Ok(idle(IdleWhy::Dead)),
            Err(why) => return Ok(idle(IdleWhy::NotProven { why })),
        };
        for other in others.filter(|other| self.may_stand_for(other)) {
            // One that does not match the first request found is out, without a question.
            let judged = witness.judge(self.schema, &[&set_of([other])?]);
            if judged.is_some_and(|judged| judged.iter().all(|judged| judged.policies.is_empty())) {
                continue;
            }
            match self.implied_by(other) {
                Ok(true) => return Ok(idle(IdleWhy::ShadowedBy { policy: other.id().to_string() })),
                Ok(false) => {}
                Err(why) => return Ok(idle(IdleWhy::NotProven { why })),
            }
        }
        Ok(None)
    }

    /// Whether the other one would do the same where it matches.
    fn may_stand_for(&self, other: &Policy) -> bool {
        other.id() != self.policy.id()
            && other.effect() == self.policy.effect()
            && other.annotation(OBLIGATION) == self.policy.annotation(OBLIGATION)
    }

    fn concerned(&self) -> impl Iterator<Item = &Surroundings> {
        self.environments.iter().filter(|at| at.concerns(self.policy))
    }

    /// A request the policy matches; nothing if there is none.
    fn witness(&self) -> Result<Option<World>, String> {
        for at in self.concerned() {
            match question::matching(self.policy, at, self.schema, self.prover) {
                Finding::None => {}
                Finding::Unknown(why) => return Err(why),
                Finding::Example(example) => {
                    return World::of(&example)
                        .map(Some)
                        .ok_or_else(|| "the example is incomplete".to_owned());
                }
            }
        }
        Ok(None)
    }

    fn implied_by(&self, other: &Policy) -> Result<bool, String> {
        // Where only this policy can apply, one match settles it.
        let (shared, alone): (Vec<_>, Vec<_>) = self.concerned().partition(|at| at.concerns(other));
        for at in alone {
            match question::matching(self.policy, at, self.schema, self.prover) {
                Finding::None => {}
                Finding::Example(_) => return Ok(false),
                Finding::Unknown(why) => return Err(why),
            }
        }
        for at in shared {
            match question::matching_alone(self.policy, other, at, self.schema, self.prover) {
                Finding::None => {}
                Finding::Example(_) => return Ok(false),
                Finding::Unknown(why) => return Err(why),
            }
        }
        Ok(true)
    }
}
