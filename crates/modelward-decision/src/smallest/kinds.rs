//! Which kinds of facts a policy looks at.

use cedar_policy_core::ast::{Expr, ExprKind, Var};

use crate::policy::Policy;

/// The kinds of facts that can be changed, the easiest to change first: of two sets of one size, the earlier wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Fields,
    Purpose,
    Environment,
    StepUp,
    Binding,
    Credential,
    Network,
    Place,
    Device,
    Wait,
    Approvals,
    Grant,
    Risk,
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u16);

impl Kind {
    pub(super) const ALL: [Self; 13] = [
        Self::Fields,
        Self::Purpose,
        Self::Environment,
        Self::StepUp,
        Self::Binding,
        Self::Credential,
        Self::Network,
        Self::Place,
        Self::Device,
        Self::Wait,
        Self::Approvals,
        Self::Grant,
        Self::Risk,
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Kinds {
    pub(super) const NONE: Self = Self(0);
    const ALL: Self = Self(u16::MAX);

    pub(super) fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |bits, kind| bits | kind.bit()))
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn contains(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }

    pub(super) const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Everything whose change can alter what the policy says. Rather too much than too little.
    pub(super) fn looked_at_by(policy: &Policy) -> Self {
        // Through another endpoint a resource stands in another scope.
        let scoped = policy.resource.below.is_some();
        let start = if scoped { Self::of(&[Kind::Environment]) } else { Self::NONE };
        let Some(body) = policy.body.as_deref() else { return start };
        let mut kinds = start;
        let (mut uses, mut named) = (0, 0);
        for part in body.subexpressions() {
            match part.expr_kind() {
                ExprKind::Var(Var::Context) => uses += 1,
                ExprKind::Var(Var::Resource) => kinds = kinds.and(Self::of(&[Kind::Environment])),
                ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } => {
                    if is_context(expr) {
                        named += 1;
                        kinds = kinds.and(of_context(attr));
                    } else if let Some(part) = context_attribute(expr) {
                        kinds = kinds.and(of_part(part, attr));
                    }
                }
                _ => {}
            }
        }
        // The context as a whole, compared or passed on.
        if uses > named { Self::ALL } else { kinds }
    }
}

fn is_context(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::Var(Var::Context))
}

/// The name in `context.name`.
pub(super) fn context_attribute(expr: &Expr) -> Option<&str> {
    match expr.expr_kind() {
        ExprKind::GetAttr { expr, attr } if is_context(expr) => Some(attr.as_str()),
        _ => None,
    }
}

fn of_context(attribute: &str) -> Kinds {
    match attribute {
        "now" | "grantWindowOpen" => Kinds::of(&[Kind::Wait]),
        "environment" | "production" | "endpoint" => Kinds::of(&[Kind::Environment]),
        "device" => Kinds::of(&[Kind::Device]),
        "network" => Kinds::of(&[Kind::Network]),
        "place" => Kinds::of(&[Kind::Place]),
        "risk" => Kinds::of(&[Kind::Risk]),
        // Their parts say which.
        "session" | "ask" | "grant" => Kinds::NONE,
        _ => Kinds::ALL,
    }
}

fn of_part(of: &str, attribute: &str) -> Kinds {
    match (of, attribute) {
        ("session", "strength") => Kinds::of(&[Kind::StepUp]),
        ("session", "ageSeconds") => Kinds::of(&[Kind::StepUp, Kind::Wait]),
        ("session", "bound") => Kinds::of(&[Kind::Binding]),
        ("session", "covers") => Kinds::of(&[Kind::Credential]),
        ("ask", "fields") => Kinds::of(&[Kind::Fields]),
        ("ask", "purpose") => Kinds::of(&[Kind::Purpose]),
        // What is held was decided on all the facts of a request of its own.
        ("ask", "held") => Kinds::ALL,
        ("grant", "approvals") => Kinds::of(&[Kind::Approvals]),
        _ => Kinds::NONE,
    }
}
