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
    let clauses: Vec<BTreeSet<&str>> = subject
        .policies
        .iter()
        .map(|policy| policy.outline.clauses.iter().map(|clause| clause.text.as_str()).collect())
        .collect();
    let mut holders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, set) in clauses.iter().enumerate() {
        for clause in set {
            holders.entry(clause).or_default().push(index);
        }
    }
    let all: Vec<usize> = (0..clauses.len()).collect();
    let mut reported = BTreeSet::new();
    for (wider, (policy, asked)) in subject.policies.iter().zip(&clauses).enumerate() {
        // Whatever it shadows holds every clause of it, so also its rarest.
        let rarest =
            asked.iter().filter_map(|clause| holders.get(clause)).min_by_key(|holders| holders.len());
        for other in rarest.unwrap_or(&all).iter().copied().filter(|other| *other != wider) {
            let (Some(narrow), Some(its)) = (subject.policies.get(other), clauses.get(other)) else {
                continue;
            };
            let twins = asked == its && covers(narrow, policy);
            if !asked.is_subset(its) || !covers(policy, narrow) || (twins && other < wider) {
                continue;
            }
            if reported.insert(other) {
                findings.push(finding(narrow, policy));
            }
        }
    }
}

fn finding(narrow: &Policy<'_>, wide: &Policy<'_>) -> Finding {
    let (narrow, wide) = (narrow.outline, wide.outline);
    Finding::warning(LINT.id, format!("`{}` applies only where `{}` does too", narrow.id, wide.id))
        .at(narrow.at.clone())
        .hint(format!("remove it, or narrow `{}` at {}", wide.id, wide.at))
}

/// Whether `wide` reaches every request `narrow` reaches, and does the same there.
fn covers(wide: &Policy<'_>, narrow: &Policy<'_>) -> bool {
    let same = wide.outline.forbids == narrow.outline.forbids
        && wide.outline.is_obligation_rule == narrow.outline.is_obligation_rule
        && wide.outline.obligation == narrow.outline.obligation;
    same && principal(wide, narrow) && resource(wide, narrow) && action(wide, narrow)
}

fn principal(wide: &Policy<'_>, narrow: &Policy<'_>) -> bool {
    let (wide, narrow) = (wide.cedar.principal_constraint(), narrow.cedar.principal_constraint());
    matches!(wide, PrincipalConstraint::Any) || wide == narrow
}

fn resource(wide: &Policy<'_>, narrow: &Policy<'_>) -> bool {
    let (wide, narrow) = (wide.cedar.resource_constraint(), narrow.cedar.resource_constraint());
    matches!(wide, ResourceConstraint::Any) || wide == narrow
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
