//! A permit that rests on nothing but where somebody seems to be, or on what somebody says of their own device.

use super::uses::uses;
use super::{Lint, Subject};
use crate::Finding;

/// Easily pretended, so never enough alone.
const WEAK: [&str; 4] = ["ask", "device", "network", "place"];

pub(super) const LINT: Lint =
    Lint { id: "weak-condition", title: "Geography and self-claimed posture are never enough alone", check };

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for policy in subject.policies.iter().filter(|policy| policy.permits()) {
        let Some(body) = policy.body() else { continue };
        let uses = uses(body);
        let only_weak = uses.context.iter().all(|fact| WEAK.contains(&fact.as_str()));
        if uses.context.is_empty() || !only_weak || uses.whole_context || uses.others {
            continue;
        }
        let facts = uses.context.into_iter().collect::<Vec<_>>().join("`, `context.");
        findings.push(
            Finding::error(LINT.id, format!("`{}` permits by `context.{facts}` alone", policy.outline.id))
                .at(policy.outline.at.clone())
                .hint("ask for a grant too: `context has grant && …`"),
        );
    }
}
