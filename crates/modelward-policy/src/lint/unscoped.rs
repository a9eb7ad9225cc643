//! A permit whose scope names neither a principal nor a resource is looked at by every request of its actions.

use cedar_policy::{PrincipalConstraint, ResourceConstraint};
use modelward_decision::bundle::Place;

use super::{Lint, Policy, Subject};
use crate::Finding;

/// Names in one message.
const SHOWN_MAX: usize = 24;

pub(super) const LINT: Lint =
    Lint { id: "unscoped-permits", title: "Permits without a scope stay within the budget", check };

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let budget = subject.gate.unscoped_permits.0;
    let unscoped: Vec<&str> = subject
        .policies
        .iter()
        .filter(|policy| policy.permits() && is_unscoped(policy))
        .map(|policy| policy.outline.id.as_str())
        .collect();
    if unscoped.len() <= budget {
        return;
    }
    let some = unscoped.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>().join("`, `");
    let more = if unscoped.len() > SHOWN_MAX { ", …" } else { "" };
    let message = format!(
        "{} permits name neither a principal nor a resource, and the budget is {budget}: `{some}`{more}",
        unscoped.len()
    );
    findings.push(
        Finding::error(LINT.id, message)
            .at(Place::start("bundle.toml"))
            .hint("name one in their scope, or raise `unscoped_permits` in `[gate]`"),
    );
}

fn is_unscoped(policy: &Policy<'_>) -> bool {
    let principal =
        matches!(policy.cedar.principal_constraint(), PrincipalConstraint::Any | PrincipalConstraint::Is(_));
    let resource =
        matches!(policy.cedar.resource_constraint(), ResourceConstraint::Any | ResourceConstraint::Is(_));
    principal && resource
}
