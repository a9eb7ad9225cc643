//! A policy that changes nothing, because another of the same effect applies whenever it does.
//!
//! Seen by form alone: the other's scope is as wide or wider in every part, and each of its clauses stands in this one too.
//! What only meaning shows is the solver's to find.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{ActionConstraint, PrincipalConstraint, ResourceConstraint};

use super::{Lint, Policy, Subject};
use crate::Finding;

pub(super) const LINT: Lint =
    Lint { id: "shadowed-policy", title: "No policy says what a wider one says already", check };

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let scoped: Vec<Scoped<'_>> = subject.policies.iter().map(Scoped::new).collect();
    let by_clause = index(&scoped, |policy| policy.clauses.iter().copied().collect());
    let by_principal = index(&scoped, |policy| vec![&policy.principal]);
    let by_resource = index(&scoped, |policy| vec![&policy.resource]);
    let all: Vec<usize> = (0..scoped.len()).collect();
    let mut reported = BTreeSet::new();
    for (wider, wide) in scoped.iter().enumerate() {
        // Whatever it shadows holds each of its clauses, and its bounds where it has some: the fewest are looked at.
        let rarest = wide.clauses.iter().filter_map(|clause| by_clause.get(clause));
        let principal = by_principal.get(&wide.principal).filter(|_| wide.principal != Bound::Any);
        let resource = by_resource.get(&wide.resource).filter(|_| wide.resource != Bound::Any);
        let fewest = rarest.chain(principal).chain(resource).min_by_key(|holders| holders.len());
        for other in fewest.unwrap_or(&all).iter().copied().filter(|other| *other != wider) {
            let Some(narrow) = scoped.get(other) else { continue };
            if !wide.shadows(narrow) || (narrow.shadows(wide) && other < wider) {
                continue;
            }
            if reported.insert(other) {
                findings.push(finding(narrow.policy, wide.policy));
            }
        }
    }
}

/// A policy as it is compared.
struct Scoped<'a> {
    policy: &'a Policy<'a>,
    clauses: BTreeSet<&'a str>,
    principal: Bound,
    resource: Bound,
}

/// One side of a scope.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Any,
    /// As the scope writes it.
    To(String),
}

fn index<'a, K: Ord>(
    scoped: &'a [Scoped<'a>],
    keys: impl Fn(&'a Scoped<'a>) -> Vec<K>,
) -> BTreeMap<K, Vec<usize>> {
    let mut index: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (position, policy) in scoped.iter().enumerate() {
        for key in keys(policy) {
            index.entry(key).or_default().push(position);
        }
    }
    index
}

impl<'a> Scoped<'a> {
    fn new(policy: &'a Policy<'a>) -> Self {
        Self {
            policy,
            clauses: policy.outline.clauses.iter().map(|clause| clause.text.as_str()).collect(),
            principal: match policy.cedar.principal_constraint() {
                PrincipalConstraint::Any => Bound::Any,
                bound => Bound::To(format!("{bound:?}")),
            },
            resource: match policy.cedar.resource_constraint() {
                ResourceConstraint::Any => Bound::Any,
                bound => Bound::To(format!("{bound:?}")),
            },
        }
    }

    /// Whether it reaches every request the other reaches, asks no more there, and does the same.
    fn shadows(&self, other: &Self) -> bool {
        let (wide, narrow) = (self.policy.outline, other.policy.outline);
        let within = |wide: &Bound, narrow: &Bound| *wide == Bound::Any || wide == narrow;
        within(&self.principal, &other.principal)
            && within(&self.resource, &other.resource)
            && wide.forbids == narrow.forbids
            && wide.is_obligation_rule == narrow.is_obligation_rule
            && wide.obligation == narrow.obligation
            && self.clauses.is_subset(&other.clauses)
            && action(self.policy, other.policy)
    }
}

fn finding(narrow: &Policy<'_>, wide: &Policy<'_>) -> Finding {
    let (narrow, wide) = (narrow.outline, wide.outline);
    Finding::warning(LINT.id, format!("`{}` applies only where `{}` does too", narrow.id, wide.id))
        .at(narrow.at.clone())
        .hint(format!("remove it, or narrow `{}` at {}", wide.id, wide.at))
}

fn action(wide: &Policy<'_>, narrow: &Policy<'_>) -> bool {
    if matches!(wide.cedar.action_constraint(), ActionConstraint::Any) {
        return true;
    }
    if matches!(narrow.cedar.action_constraint(), ActionConstraint::Any) {
        return false;
    }
    let reached = wide.actions();
    narrow.actions().iter().all(|action| reached.contains(action))
}
