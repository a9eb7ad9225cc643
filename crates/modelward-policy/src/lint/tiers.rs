//! Where weights, rows, training, production or policy are at stake, what the network or the caller says may only narrow:
//! it stands in forbids, never in permits.

use modelward_decision::vocabulary::Privilege;

use super::uses::uses;
use super::{Lint, Subject};
use crate::Finding;

/// Tiers 3 and 4 of the context: what the socket or a proxy says, and what the caller says.
const UNTRUSTED: [&str; 3] = ["ask", "network", "place"];

pub(super) const LINT: Lint =
    Lint { id: "tier-rule", title: "Facts from network and caller widen nothing that is at stake", check };

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for policy in subject.policies.iter().filter(|policy| policy.permits()) {
        let Some(body) = policy.body() else { continue };
        let uses = uses(body);
        let found: Vec<&str> = UNTRUSTED.into_iter().filter(|fact| uses.context.contains(*fact)).collect();
        if found.is_empty() && !uses.whole_context {
            continue;
        }
        let Some(privilege) = policy.privileges().into_iter().find(|privilege| is_at_stake(*privilege))
        else {
            continue;
        };
        let facts = if found.is_empty() {
            "the whole context".to_owned()
        } else {
            format!("`context.{}`", found.join("`, `context."))
        };
        let message = format!("`{}` permits {privilege} by {facts}", policy.outline.id);
        findings.push(
            Finding::error(LINT.id, message)
                .at(policy.outline.at.clone())
                .hint("move the condition into a forbid with `unless`"),
        );
    }
}

const fn is_at_stake(privilege: Privilege) -> bool {
    match privilege {
        Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy
        | Privilege::Govern => true,
        Privilege::SelfService
        | Privilege::ReadOnly
        | Privilege::Inference
        | Privilege::InferenceSensitive
        | Privilege::Experiment
        | Privilege::Registry
        | Privilege::Audit => false,
    }
}
