//! The whole trace of one request, clause by clause, for whoever may see it.
//!
//! It evaluates again what [`decide`](crate::decide) evaluated, and a little more: each condition of each policy whose
//! scope holds, with the values it looked at and where they came from. It is made when somebody asks, never on the way
//! of a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::Effect;
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, SlotEnv, UnaryOp, Var};
use cedar_policy_core::evaluator::Evaluator;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::cedar::Verdict;
use crate::decide::{Finding, Trial, find};
use crate::decision::{Outcome, Request};
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::vocabulary::{Field, GrantId};

/// What every policy whose scope holds said, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub outcome: Outcome,
    /// Policies that do not look at a grant.
    pub without_grant: Vec<PolicyTrace>,
    /// The others, under each covering grant in canonical order.
    pub per_grant: Vec<GrantTrace>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantTrace {
    pub grant: GrantId,
    pub allows: bool,
    pub policies: Vec<PolicyTrace>,
}

/// One policy: its effect applies when every clause holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTrace {
    pub policy: SmolStr,
    pub title: SmolStr,
    pub forbids: bool,
    pub applies: ClauseResult,
    /// Clauses in order; those after the first that does not hold were not looked at by the decision.
    pub clauses: Vec<Clause>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    pub text: String,
    pub result: ClauseResult,
    /// What the clause looked at, by path: `context.network.value` is `"office"`.
    pub values: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClauseResult {
    Holds,
    DoesNotHold,
    Errs,
}

impl From<Verdict> for ClauseResult {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Holds => Self::Holds,
            Verdict::DoesNotHold => Self::DoesNotHold,
            Verdict::Errs => Self::Errs,
        }
    }
}

/// Explains one request. `held` are the sensitive fields its decision found the caller to hold.
pub fn explain(snapshot: &Snapshot, request: &Request, held: &[Field]) -> Trace {
    let governed = snapshot.governed(request.principal);
    let snapshot = governed.as_ref().unwrap_or(snapshot);
    let ask = &request.facts.ask;
    let finding = find(snapshot, request, ask, held);
    let Some(trial) = Trial::new(snapshot, request, ask, held) else {
        return Trace { outcome: finding.outcome, without_grant: Vec::new(), per_grant: Vec::new() };
    };
    let without_grant = match trial.context(snapshot, None) {
        Some(context) => policies(&trial.evaluator(context), &trial.slice.once),
        None => Vec::new(),
    };
    let per_grant = grants(snapshot, &trial, &finding);
    Trace { outcome: finding.outcome, without_grant, per_grant }
}

fn grants(snapshot: &Snapshot, trial: &Trial, finding: &Finding) -> Vec<GrantTrace> {
    let one = |grant: &Arc<crate::Grant>| {
        let context = trial.context(snapshot, Some(grant))?;
        let policies = policies(&trial.evaluator(context), &trial.slice.per_grant);
        let applies = |forbids: bool| {
            policies.iter().any(|policy| policy.forbids == forbids && policy.applies == ClauseResult::Holds)
        };
        let erred = policies.iter().any(|policy| policy.forbids && policy.applies == ClauseResult::Errs);
        let allows = applies(false) && !applies(true) && !erred;
        Some(GrantTrace { grant: grant.id, allows, policies })
    };
    finding.covering.iter().take(crate::COVERING_MAX).filter_map(one).collect()
}

fn policies(evaluator: &Evaluator<'_>, policies: &[Arc<Policy>]) -> Vec<PolicyTrace> {
    policies.iter().map(|policy| trace(evaluator, policy)).collect()
}

fn trace(evaluator: &Evaluator<'_>, policy: &Policy) -> PolicyTrace {
    let mut clauses = Vec::new();
    if let Some(body) = policy.body.as_deref() {
        conjuncts(body, &mut |expr| clauses.push(clause(evaluator, expr)));
    }
    let first_failing =
        clauses.iter().map(|clause| clause.result).find(|result| *result != ClauseResult::Holds);
    PolicyTrace {
        policy: policy.id.clone(),
        title: policy.title.clone(),
        forbids: policy.effect == Effect::Forbid,
        applies: first_failing.unwrap_or(ClauseResult::Holds),
        clauses,
    }
}

/// The parts of a chain of `&&`, left to right. `unless { a || b }` counts as two clauses: not `a`, not `b`.
pub(crate) fn conjuncts(expr: &Expr, each: &mut impl FnMut(&Expr)) {
    match expr.expr_kind() {
        ExprKind::And { left, right } => {
            conjuncts(left, each);
            conjuncts(right, each);
        }
        _ => each(expr),
    }
}

fn clause(evaluator: &Evaluator<'_>, expr: &Expr) -> Clause {
    let mut values = BTreeMap::new();
    for path in expr.subexpressions().filter(|part| is_path(part)) {
        let shown = match evaluator.interpret(path, &SlotEnv::new()) {
            Ok(value) => value.to_string(),
            Err(_) => "absent".to_owned(),
        };
        values.insert(path.to_string(), shown);
    }
    // `context.network` is no news beside `context.network.value`.
    let paths: Vec<String> = values.keys().cloned().collect();
    values.retain(|path, _| !paths.iter().any(|longer| longer.starts_with(&format!("{path}."))));
    Clause { text: text(expr), result: crate::cedar::evaluate(evaluator, Some(expr)).into(), values }
}

/// `principal.…`, `resource.…` or `context.…`.
fn is_path(expr: &Expr) -> bool {
    let mut at = expr;
    let mut depth = 0;
    while let ExprKind::GetAttr { expr, .. } = at.expr_kind() {
        at = expr;
        depth += 1;
    }
    depth > 0 && matches!(at.expr_kind(), ExprKind::Var(Var::Principal | Var::Resource | Var::Context))
}

/// The clause as its author wrote it, on one line.
pub(crate) fn text(expr: &Expr) -> String {
    if let ExprKind::UnaryApp { op: UnaryOp::Not, arg } = expr.expr_kind() {
        // `unless`, and `>=`, which Cedar keeps as "not less".
        let is_comparison =
            matches!(arg.expr_kind(), ExprKind::BinaryApp { op: BinaryOp::Less | BinaryOp::LessEq, .. });
        let same_place = match (expr.source_loc(), arg.source_loc()) {
            (Some(outer), Some(inner)) => outer.start() == inner.start(),
            _ => false,
        };
        if !is_comparison && same_place {
            return format!("not ({})", text(arg));
        }
    }
    let written = expr.source_loc().and_then(|loc| loc.snippet()).map(str::to_owned);
    let text = written.unwrap_or_else(|| expr.to_string());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
