//! The report as a comment for a review.

use super::{Report, Status};
use crate::difference;
use crate::markup::markdown;

/// Findings and changed cells shown at most: a comment that nobody reads to the end helps nobody.
const FINDINGS_MAX: usize = 50;
const CHANGES_MAX: usize = 60;
const FLIPS_MAX: usize = 30;

impl Report {
    pub fn to_markdown(&self) -> String {
        let verdict = if self.passed() { "✔ The policy gate passed" } else { "✘ The policy gate failed" };
        let mut text = format!("## {verdict}\n\n");
        if let Some(bundle) = &self.bundle {
            text += &format!("`{}` {} · `{}`\n\n", bundle.name, bundle.version, bundle.digest);
        }
        text += "| step | result | |\n|---|---|---|\n";
        for step in &self.steps {
            let result = match step.status {
                Status::Passed => "✔ passed",
                Status::Failed => "✘ **failed**",
                Status::Skipped => "· skipped",
            };
            text += &format!("| {} | {result} | {} |\n", step.name, markdown(&step.summary));
        }
        text + &self.markdown_findings() + &self.markdown_changes() + &self.markdown_replay()
    }

    fn markdown_findings(&self) -> String {
        let all: Vec<_> = self.findings().collect();
        if all.is_empty() {
            return String::new();
        }
        let mut text = String::from("\n### Findings\n\n");
        for finding in all.iter().take(FINDINGS_MAX) {
            let at = finding.at.as_ref().map(|at| format!("`{at}` ")).unwrap_or_default();
            let level = finding.level.as_str();
            text += &format!("- **{level}** {at}{} ({})\n", markdown(&finding.message), finding.rule);
        }
        if let Some(left) = all.len().checked_sub(FINDINGS_MAX).filter(|left| *left > 0) {
            text += &format!("- and {left} more\n");
        }
        text
    }

    fn markdown_replay(&self) -> String {
        let Some(replay) = self.replay.as_ref().filter(|replay| !replay.groups.is_empty()) else {
            return String::new();
        };
        let mut text = String::from(
            "\n### Recorded decisions that would be others\n\n| decisions | change | action | policy | such as |\n|---|---|---|---|---|\n",
        );
        for group in replay.groups.iter().take(FLIPS_MAX) {
            let policy = group.policy.as_deref().unwrap_or_default();
            let first = group.examples.first();
            let first = first.map(|it| format!("{} on {}", it.principal, it.resource)).unwrap_or_default();
            text += &format!(
                "| {} | {} | `{}` | {} | {} |\n",
                group.count,
                markdown(&group.direction),
                group.action,
                markdown(policy),
                markdown(&first)
            );
        }
        if let Some(left) = replay.groups.len().checked_sub(FLIPS_MAX).filter(|left| *left > 0) {
            text += &format!("\nand {left} more groups\n");
        }
        text
    }

    fn markdown_changes(&self) -> String {
        if self.matrix.is_empty() {
            return String::new();
        }
        let (looser, stricter) = difference::count(&self.matrix);
        let rendered = difference::render(&self.matrix);
        let shown: Vec<&str> = rendered.lines().take(CHANGES_MAX).collect();
        let left = rendered.lines().count() - shown.len();
        let more = if left > 0 { format!("and {left} more\n") } else { String::new() };
        format!(
            "\n### What changes against the bundle in force\n\n{looser} cells of the matrix become looser, {stricter} \
             stricter.\n\n```text\n{}\n{more}```\n",
            shown.join("\n")
        )
    }
}
