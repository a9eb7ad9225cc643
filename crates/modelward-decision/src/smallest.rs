//! The smallest change of facts that would turn a denial into an allow.
//!
//! The search starts from the request as it is and asks, each time it is denied, which facts the deciding policies look
//! at. Only a change of one of these can help, so nothing else is tried: every solution must touch every such conflict
//! (Reiter's hitting sets). Sets are tried by size, so the first that allows is a smallest one. It is worked out when
//! somebody asks, never on the way of a request.
//!
//! What the caller is told names no policy and no other person, and of a thing the caller may not know of it is the same
//! whether that thing exists or not.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::COVERING_MAX;
use crate::decide::{Said, Trial, covering, held_fields};
use crate::decision::Request;
use crate::policy::Policy;
use crate::remedy::may_know_of;
use crate::snapshot::Snapshot;

mod change;
mod kinds;
mod options;
mod unknown;
mod words;

pub use change::{Counterfactual, FactChange, GrantWanted};
use kinds::{Kind, Kinds};
use options::Options;
pub use words::{AccessRequest, authzen_context};

/// Evaluations one search makes at most.
pub const EVALUATIONS_MAX: usize = 4_096;

/// What would allow a denied request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Smallest {
    Change(Counterfactual),
    /// Nothing of the kinds in [`FactChange`] would.
    Nothing,
    /// [`EVALUATIONS_MAX`] was reached before an answer.
    TooFar,
}

/// The smallest change of facts under which this request would be allowed; an empty one if it is allowed already.
///
/// For whoever may know of the resource. See [`smallest_told`] for everybody else.
pub fn smallest(snapshot: &Snapshot, request: &Request) -> Smallest {
    let governed = snapshot.governed(request.principal);
    let snapshot = governed.as_ref().unwrap_or(snapshot);
    let options = Options::new(snapshot, request);
    let mut look = Look { known: FxHashMap::default() };
    let mut left = EVALUATIONS_MAX;
    let mut level = BTreeSet::from([Choices::new()]);
    while !level.is_empty() {
        let mut larger = BTreeSet::new();
        for choices in level {
            let Some(rest) = left.checked_sub(1) else { return Smallest::TooFar };
            left = rest;
            let change = options.change(&choices);
            let (changed, asked) = change.apply(snapshot, request);
            match look.at(&changed, &asked) {
                Answer::Allowed => return Smallest::Change(change),
                Answer::Denied(by) => larger.extend(extensions(&choices, by, &options)),
            }
        }
        level = larger;
    }
    Smallest::Nothing
}

/// The same for the caller: of a thing they may not know of, what it would take on a thing of its kind that nothing
/// speaks against.
pub fn smallest_told(snapshot: &Snapshot, request: &Request) -> Smallest {
    if may_know_of(snapshot, request) {
        return smallest(snapshot, request);
    }
    let (imagined, asked) = unknown::imagine(snapshot, request);
    match smallest(&imagined, &asked) {
        // Whoever could do it on any such thing, but not on this one, hears that it is not to be had.
        Smallest::Change(change) if change.changes.is_empty() => Smallest::Nothing,
        Smallest::Change(change) => Smallest::Change(change.about(request.resource)),
        other @ (Smallest::Nothing | Smallest::TooFar) => other,
    }
}

/// One value of each kind that is changed, in order of kinds.
type Choices = Vec<(Kind, usize)>;

/// The sets with one more change, out of those that can touch what denied this one.
fn extensions(choices: &Choices, by: Kinds, options: &Options) -> Vec<Choices> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        if !by.contains(kind) || choices.iter().any(|(chosen, _)| *chosen == kind) {
            continue;
        }
        for value in 0..options.count(kind) {
            let mut more = choices.clone();
            more.push((kind, value));
            more.sort_unstable();
            found.push(more);
        }
    }
    found
}

enum Answer {
    Allowed,
    /// Denied, and a change must touch one of these to alter that.
    Denied(Kinds),
}

/// Decides like [`decide`](crate::decide()), and says what a denial depends on.
struct Look {
    known: FxHashMap<SmolStr, Kinds>,
}

impl Look {
    fn at(&mut self, snapshot: &Snapshot, request: &Request) -> Answer {
        let held = held_fields(snapshot, request);
        let Some(trial) = Trial::new(snapshot, request, &request.facts.ask, &held) else {
            return Answer::Denied(Kinds::NONE);
        };
        let covering = covering(snapshot, request, &trial.slice);
        let Some(base) = trial.context(snapshot, None) else { return Answer::Denied(Kinds::NONE) };
        if covering.len() > COVERING_MAX {
            return Answer::Denied(Kinds::NONE);
        }
        let once = trial.run(&trial.slice.once, base);
        if let Some(conflict) = self.conflict(&once) {
            return Answer::Denied(conflict);
        }
        // Another grant could count than those that cover the request now, or a permit that needs none.
        let mut by =
            Kinds::of(&[Kind::Grant, Kind::Wait, Kind::Environment]).and(self.all(&trial.slice.once));
        for grant in covering.iter().map(Some).chain(once.permits.first().map(|_| None)) {
            let Some(context) = trial.context(snapshot, grant) else { return Answer::Denied(Kinds::NONE) };
            let said = match grant {
                Some(_) => trial.run(&trial.slice.per_grant, context.clone()),
                None => Said::default(),
            };
            if let Some(conflict) = self.conflict(&said) {
                by = by.and(conflict);
                continue;
            }
            let permits: Vec<Arc<Policy>> = once.permits.iter().chain(&said.permits).cloned().collect();
            if permits.is_empty() {
                by = by.and(self.all(&trial.slice.per_grant));
                continue;
            }
            if trial.obligations(&permits, context, grant.is_some()).is_ok() {
                return Answer::Allowed;
            }
            by = by.and(self.all(&trial.slice.per_grant));
            by = by.and(self.all(&trial.slice.obligations_once));
            by = by.and(self.all(&trial.slice.obligations_per_grant));
        }
        Answer::Denied(by)
    }

    /// What the forbid that depends on least looks at: it has to give way, whatever else happens.
    fn conflict(&mut self, said: &Said) -> Option<Kinds> {
        let forbids = said.forbids.iter().chain(&said.erring_forbids);
        forbids.map(|policy| self.one(policy)).min_by_key(|kinds| kinds.len())
    }

    fn all(&mut self, policies: &[Arc<Policy>]) -> Kinds {
        policies.iter().fold(Kinds::NONE, |kinds, policy| kinds.and(self.one(policy)))
    }

    fn one(&mut self, policy: &Policy) -> Kinds {
        if let Some(kinds) = self.known.get(&policy.id) {
            return *kinds;
        }
        let kinds = Kinds::looked_at_by(policy);
        self.known.insert(policy.id.clone(), kinds);
        kinds
    }
}
