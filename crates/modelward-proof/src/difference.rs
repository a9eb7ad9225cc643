//! What changes for people between two bundles: per action, whether anybody gains or loses, with a request that shows it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Effect, PolicySet, Schema};
use modelward_decision::Bundle;
use serde::{Deserialize, Serialize};

use crate::ProofError;
use crate::change::{self, PolicyChange, Schemas};
use crate::counterexample::{Counterexample, Telling};
use crate::environment::{Surroundings, set_of};
use crate::prover::Prover;
use crate::question::{self, Failing, Reply, Side};

/// The difference between two bundles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Policies and obligation rules whose texts differ.
    pub policies: Vec<PolicyChange>,
    /// Every action of either bundle, in order of name. What enforcement is obliged to is not compared here.
    pub actions: Vec<ActionDifference>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionDifference {
    pub action: String,
    pub direction: Direction,
    /// A request that is newly allowed.
    pub gained: Option<Counterexample>,
    /// A request that is no longer allowed.
    pub lost: Option<Counterexample>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "direction", rename_all = "kebab-case")]
pub enum Direction {
    Equivalent,
    Stricter,
    Looser,
    /// Somebody gains and somebody loses.
    Incomparable,
    /// Only the new bundle has the action.
    Added,
    /// Only the old bundle has the action.
    Removed,
    NotProven {
        why: String,
    },
}

impl Difference {
    /// The actions for which something changes, or may.
    pub fn changed(&self) -> impl Iterator<Item = &ActionDifference> {
        self.actions.iter().filter(|action| action.direction != Direction::Equivalent)
    }
}

/// Compares two bundles. Policies that both have cancel first; an action that no other policy can concern is equivalent
/// without a question.
pub fn difference(old: &Bundle, new: &Bundle, prover: &Prover<'_>) -> Result<Difference, ProofError> {
    let schema = new.schema();
    let (after, before) = (prover.environments(schema)?, prover.environments(old.schema())?);
    let comparison = Comparison {
        schema,
        schemas: change::schemas(old, new),
        old: old.policies(),
        new: new.policies(),
        removed: change::only_in(old.policies(), new.policies())?,
        added: change::only_in(new.policies(), old.policies())?,
        prover,
    };
    let known: BTreeSet<&str> = before.iter().map(|at| at.name.action.as_str()).collect();
    let mut by_action: BTreeMap<&str, Vec<Flips>> = BTreeMap::new();
    let flips = prover.each(&after, |at| match known.contains(at.name.action.as_str()) {
        true => comparison.at(at),
        false => Ok(Flips::default()),
    });
    for (at, flips) in after.iter().zip(flips) {
        by_action.entry(&at.name.action).or_default().push(flips?);
    }
    let by_action: Vec<_> = by_action.into_iter().collect();
    let mut actions = prover.each(&by_action, |(action, flips)| match known.contains(action) {
        true => told(action, flips, schema),
        false => bare(action, Direction::Added),
    });
    let gone = known.iter().filter(|action| !by_action.iter().any(|(other, _)| other == *action));
    actions.extend(gone.map(|action| bare(action, Direction::Removed)));
    actions.sort_by(|a, b| a.action.cmp(&b.action));
    Ok(Difference { policies: change::changes(old, new)?, actions })
}

struct Comparison<'a> {
    schema: &'a Schema,
    schemas: Schemas,
    old: &'a PolicySet,
    new: &'a PolicySet,
    /// What only the old or only the new bundle says.
    removed: PolicySet,
    added: PolicySet,
    prover: &'a Prover<'a>,
}

/// Requests of one environment that are decided otherwise.
#[derive(Default)]
struct Flips {
    gained: Option<Failing>,
    lost: Option<Failing>,
    unknown: Option<String>,
}

impl Comparison<'_> {
    fn at(&self, at: &Surroundings) -> Result<Flips, ProofError> {
        if !self.comparable(&at.name.action) {
            let why = "the schema says something else about it than before".to_owned();
            return Ok(Flips { unknown: Some(why), ..Flips::default() });
        }
        let (gained, why) = self.newly_allowed(at, self.old, self.new, &self.removed, &self.added)?;
        let (lost, why_lost) = self.newly_allowed(at, self.new, self.old, &self.added, &self.removed)?;
        Ok(Flips { gained, lost, unknown: why.or(why_lost) })
    }

    fn comparable(&self, action: &str) -> bool {
        match &self.schemas {
            Schemas::Same => true,
            Schemas::SameBut { actions } => actions.iter().any(|same| same == action),
            Schemas::Different => false,
        }
    }

    /// A request that `to` allows and `from` does not, where `from` alone says `less` and `to` alone says `more`.
    fn newly_allowed(
        &self,
        at: &Surroundings,
        from: &PolicySet,
        to: &PolicySet,
        less: &PolicySet,
        more: &PolicySet,
    ) -> Result<(Option<Failing>, Option<String>), ProofError> {
        let says = |set: &PolicySet, effect| {
            set.policies().any(|policy| policy.effect() == effect && at.concerns(policy))
        };
        let lifted = says(less, Effect::Forbid);
        // Only a new permit or a lifted forbid can allow anything new.
        if !lifted && !says(more, Effect::Permit) {
            return Ok((None, None));
        }
        let side = |policies: &PolicySet| Side::new(policies, at, self.schema);
        if !lifted {
            // What both permit cannot make the difference. Mostly the new permits lie within the old ones they replace, or
            // allow something that no other permit does either.
            let narrow = side(&join(more, Effect::Permit, to)?)?;
            let wide = side(&join(less, Effect::Permit, from)?)?;
            match question::implies(&narrow, &wide, self.prover).reply {
                Reply::Holds => return Ok((None, None)),
                Reply::Fails(failing) => {
                    let (by, not_by) = (at.concerned(to)?, at.concerned(from)?);
                    if let Some(failing) = failing.instead(by, not_by, self.schema) {
                        return Ok((Some(failing), None));
                    }
                }
                Reply::Unknown(_) => {}
            }
            return Ok(flip(question::implies(&narrow, &side(from)?, self.prover).reply));
        }
        Ok(flip(question::implies(&side(to)?, &side(from)?, self.prover).reply))
    }
}

/// The policies of one effect of a set, with the forbids of another.
fn join(some: &PolicySet, effect: Effect, forbids: &PolicySet) -> Result<PolicySet, ProofError> {
    let some = some.policies().filter(|policy| policy.effect() == effect);
    set_of(some.chain(forbids.policies().filter(|policy| policy.effect() == Effect::Forbid)))
}

fn flip(reply: Reply) -> (Option<Failing>, Option<String>) {
    match reply {
        Reply::Holds => (None, None),
        Reply::Fails(failing) => (Some(failing), None),
        Reply::Unknown(why) => (None, Some(why)),
    }
}

fn told(action: &str, flips: &[Flips], schema: &Schema) -> ActionDifference {
    let mut unknown = flips.iter().find_map(|flips| flips.unknown.clone());
    let mut tell = |failing: Option<&Failing>, telling| match failing?.tell(schema, telling) {
        Ok(counterexample) => Some(counterexample),
        Err(why) => {
            unknown = Some(why);
            None
        }
    };
    let gained = tell(flips.iter().find_map(|flips| flips.gained.as_ref()), Telling::CouldNow);
    let lost = tell(flips.iter().find_map(|flips| flips.lost.as_ref()), Telling::CouldNoLonger);
    let direction = match (unknown, &gained, &lost) {
        // One example each way is enough, whatever stays open elsewhere.
        (_, Some(_), Some(_)) => Direction::Incomparable,
        (Some(why), _, _) => Direction::NotProven { why },
        (None, Some(_), None) => Direction::Looser,
        (None, None, Some(_)) => Direction::Stricter,
        (None, None, None) => Direction::Equivalent,
    };
    ActionDifference { action: action.to_owned(), direction, gained, lost }
}

fn bare(action: &str, direction: Direction) -> ActionDifference {
    ActionDifference { action: action.to_owned(), direction, gained: None, lost: None }
}
