//! What is valid and still not good policy: one file a rule.

use std::collections::BTreeSet;

use cedar_policy::{ActionConstraint, Effect, PolicyId};
use cedar_policy_core::ast::{self, Expr};
use modelward_decision::outline::PolicyOutline;
use modelward_decision::vocabulary::{Action, Privilege};

use crate::parts::Gate;
use crate::{Bundle, Finding};

mod confusable;
mod dead;
mod guardrails;
mod shadowed;
mod tiers;
mod ungrouped;
mod unscoped;
mod uses;
mod weak;

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Lint {
    /// As findings name it.
    pub id: &'static str,
    pub title: &'static str,
    check: fn(&Subject<'_>, &mut Vec<Finding>),
}

/// Every rule, in the order they are checked.
pub const LINTS: [Lint; 8] = [
    ungrouped::LINT,
    tiers::LINT,
    weak::LINT,
    unscoped::LINT,
    dead::LINT,
    shadowed::LINT,
    guardrails::LINT,
    confusable::LINT,
];

/// Checks a bundle by every rule: worst first, then by place.
pub fn check(bundle: &Bundle, gate: &Gate) -> Vec<Finding> {
    let outline = bundle.outline();
    let policies = outline.iter().filter_map(|outline| Policy::find(bundle, outline)).collect();
    let subject = Subject { bundle, gate, policies };
    let mut findings = Vec::new();
    for lint in LINTS {
        (lint.check)(&subject, &mut findings);
    }
    findings.sort();
    findings.dedup();
    findings
}

/// What is looked at.
struct Subject<'a> {
    bundle: &'a Bundle,
    gate: &'a Gate,
    policies: Vec<Policy<'a>>,
}

/// A policy with its outline.
struct Policy<'a> {
    outline: &'a PolicyOutline,
    cedar: &'a cedar_policy::Policy,
}

impl<'a> Policy<'a> {
    fn find(bundle: &'a Bundle, outline: &'a PolicyOutline) -> Option<Self> {
        let id = PolicyId::new(&outline.id);
        let cedar = bundle.policies().policy(&id).or_else(|| bundle.obligations().policy(&id))?;
        Some(Self { outline, cedar })
    }

    /// A permit of something, not a rule that obliges.
    fn permits(&self) -> bool {
        self.cedar.effect() == Effect::Permit && !self.outline.is_obligation_rule
    }

    fn body(&self) -> Option<&Expr> {
        let core: &ast::Policy = self.cedar.as_ref();
        core.non_scope_constraints()
    }

    /// Every leaf action its scope reaches.
    fn actions(&self) -> Vec<Action> {
        let uids = match self.cedar.action_constraint() {
            ActionConstraint::Any => return Action::ALL.to_vec(),
            ActionConstraint::In(uids) => uids,
            ActionConstraint::Eq(uid) => vec![uid],
        };
        let names: BTreeSet<String> = uids.iter().map(|uid| uid.id().unescaped().to_owned()).collect();
        let is_named =
            |action: &Action| names.contains(action.as_str()) || names.contains(action.privilege().group());
        Action::ALL.into_iter().filter(is_named).collect()
    }

    fn privileges(&self) -> BTreeSet<Privilege> {
        self.actions().into_iter().map(Action::privilege).collect()
    }
}
