//! What a bundle's policies are, one by one, with their clauses and where those stand: for lints, coverage and handbooks.

use std::collections::BTreeMap;

use cedar_policy::Effect;
use cedar_policy_core::ast::Expr;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::bundle::{Bundle, Lines, Place};
use crate::explain::{conjuncts, text};
use crate::obligation::Obligation;
use crate::policy::Policy;

/// One policy or obligation rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyOutline {
    pub id: SmolStr,
    pub title: SmolStr,
    pub owner: SmolStr,
    /// What the caller reads where it denies.
    pub reason: SmolStr,
    pub forbids: bool,
    /// Stands in `obligations.cedar`: it grants nothing.
    pub is_obligation_rule: bool,
    pub obligation: Option<Obligation>,
    pub at: Place,
    /// The parts that must all hold, in order.
    pub clauses: Vec<ClauseOutline>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseOutline {
    /// As its author wrote it, on one line.
    pub text: String,
    pub at: Place,
}

impl Bundle {
    /// Every policy, then every obligation rule, each in order of id.
    pub fn outline(&self) -> Vec<PolicyOutline> {
        let lines: BTreeMap<&str, Lines<'_>> =
            self.sources().iter().map(|(file, text)| (file.as_str(), Lines::new(file, text))).collect();
        let outline = |policy: &Policy| Some(outline(policy, lines.get(policy.file.as_str())?, self));
        self.index().all().filter_map(|policy| outline(policy)).collect()
    }
}

fn outline(policy: &Policy, lines: &Lines<'_>, bundle: &Bundle) -> PolicyOutline {
    let at = lines.place(policy.bytes());
    let mut clauses = Vec::new();
    if let Some(body) = policy.body.as_deref() {
        conjuncts(body, &mut |expr: &Expr| {
            let place = expr.source_loc().map(|loc| lines.place(loc.start()..loc.end()));
            clauses.push(ClauseOutline { text: text(expr), at: place.unwrap_or_else(|| at.clone()) });
        });
    }
    let id = cedar_policy::PolicyId::new(&policy.id);
    PolicyOutline {
        id: policy.id.clone(),
        title: policy.title.clone(),
        owner: policy.owner.clone(),
        reason: policy.reason.clone(),
        forbids: policy.effect == Effect::Forbid,
        is_obligation_rule: bundle.obligations().policy(&id).is_some(),
        obligation: policy.obligation.clone(),
        at,
        clauses,
    }
}
