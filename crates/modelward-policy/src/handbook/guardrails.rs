//! Which guardrails concern a privilege, in the words of their titles.

use cedar_policy::{ActionConstraint, PolicyId};
use modelward_decision::vocabulary::Privilege;

use crate::Bundle;

pub(super) fn of(bundle: &Bundle, privilege: Privilege) -> Vec<String> {
    let concerns = |id: &str| {
        let policy = bundle.policies().policy(&PolicyId::new(id));
        policy.is_some_and(|policy| match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::In(uids) => uids.iter().any(|uid| names(uid.id().unescaped(), privilege)),
            ActionConstraint::Eq(uid) => names(uid.id().unescaped(), privilege),
        })
    };
    bundle
        .outline()
        .into_iter()
        .filter(|policy| policy.forbids && !policy.is_obligation_rule && concerns(&policy.id))
        .map(|policy| format!("{} (`{}`)", policy.title, policy.id))
        .collect()
}

/// Whether an action or group of actions is of the privilege.
fn names(id: &str, privilege: Privilege) -> bool {
    id == privilege.group() || privilege.actions().any(|action| action.as_str() == id)
}
