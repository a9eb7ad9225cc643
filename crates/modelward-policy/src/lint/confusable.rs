//! Text that does not read as it is: characters that look like others, or turn the direction of reading around.

use modelward_decision::bundle::WarningKind;

use super::{Lint, Subject};
use crate::Finding;

pub(super) const LINT: Lint = Lint { id: "confusable-text", title: "Policies read as they are", check };

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for warning in subject.bundle.warnings().iter().filter(|warning| warning.kind == WarningKind::Confusable)
    {
        let Some(policy) = subject.policies.iter().find(|policy| policy.outline.id == warning.policy) else {
            continue;
        };
        findings.push(
            Finding::error(LINT.id, format!("`{}`: {}", warning.policy, warning.message))
                .at(policy.outline.at.clone())
                .hint("write it in plain letters of one alphabet"),
        );
    }
}
