//! `guardrails.cedar` only forbids, so that whoever reviews it need not look for what it lets through.

use super::{Lint, Subject};
use crate::Finding;

const FILE: &str = "guardrails.cedar";

pub(super) const LINT: Lint = Lint { id: "permitting-guardrail", title: "Guardrails only forbid", check };

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for policy in subject.policies.iter().filter(|policy| policy.permits() && policy.outline.at.file == FILE)
    {
        findings.push(
            Finding::error(
                LINT.id,
                format!("`{}` permits, and stands among the guardrails", policy.outline.id),
            )
            .at(policy.outline.at.clone())
            .hint("move it to a file of its own"),
        );
    }
}
