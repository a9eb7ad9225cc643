//! What a condition looks at.

use std::collections::BTreeSet;

use cedar_policy_core::ast::{Expr, ExprKind, Var};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Top-level attributes of the context.
    pub(super) context: BTreeSet<String>,
    /// The context as a whole, so that any attribute may be meant.
    pub(super) whole_context: bool,
    /// Principal, action or resource.
    pub(super) others: bool,
}

pub(super) fn uses(body: &Expr) -> Uses {
    let mut uses = Uses::default();
    let (mut mentions, mut attributes) = (0_usize, 0_usize);
    for part in body.subexpressions() {
        match part.expr_kind() {
            ExprKind::Var(Var::Context) => mentions += 1,
            ExprKind::Var(Var::Principal | Var::Resource | Var::Action) => uses.others = true,
            ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr }
                if matches!(expr.expr_kind(), ExprKind::Var(Var::Context)) =>
            {
                attributes += 1;
                uses.context.insert(attr.to_string());
            }
            _ => {}
        }
    }
    uses.whole_context = mentions > attributes;
    uses
}
