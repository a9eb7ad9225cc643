//! A policy that can never apply. For a forbid that means a guardrail somebody counts on and nobody has.

use cedar_policy_core::ast::{Expr, ExprKind, Literal};
use modelward_decision::bundle::WarningKind;

use super::{Lint, Subject};
use crate::Finding;

pub(super) const LINT: Lint = Lint { id: "dead-policy", title: "Every policy can apply", check };

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for policy in &subject.policies {
        let mut warnings = subject.bundle.warnings().iter();
        let warning =
            warnings.find(|warning| warning.kind == WarningKind::Dead && warning.policy == policy.outline.id);
        let has_false = policy.body().is_some_and(|body| body.subexpressions().any(is_false_clause));
        let why = match (warning, has_false) {
            (Some(warning), _) => format!("`{}`: {}", policy.outline.id, warning.message),
            (None, true) => format!("`{}`: it asks for `false`", policy.outline.id),
            (None, false) => continue,
        };
        findings.push(
            Finding::error(LINT.id, why)
                .at(policy.outline.at.clone())
                .hint("correct its scope or condition, or remove it"),
        );
    }
}

/// `… && false`.
fn is_false_clause(expr: &Expr) -> bool {
    let is_false = |expr: &Expr| matches!(expr.expr_kind(), ExprKind::Lit(Literal::Bool(false)));
    match expr.expr_kind() {
        ExprKind::And { left, right } => is_false(left) || is_false(right),
        _ => false,
    }
}
