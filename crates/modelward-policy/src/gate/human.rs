//! The report for a terminal.

use super::{Report, Status};
use crate::Level;
use crate::difference;

/// Changed cells shown at most.
const CHANGES_MAX: usize = 40;

impl Report {
    /// Steps, findings with carets, changed rows, and the verdict last.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        if let Some(bundle) = &self.bundle {
            text += &format!("bundle {} {} ({})\n", bundle.name, bundle.version, bundle.digest);
        }
        for step in &self.steps {
            let mark = match step.status {
                Status::Passed => "✔",
                Status::Failed => "✘",
                Status::Skipped => "·",
            };
            text += &format!("{mark} {:<10} {:<8} {}\n", step.name, step.status.as_str(), step.summary);
        }
        for finding in self.findings() {
            text += &format!("\n{}", finding.render(&self.sources));
        }
        text += &self.changes();
        let verdict = if self.passed() { "passed" } else { "failed" };
        let (errors, warnings) = (self.count(Level::Error), self.count(Level::Warning));
        text + &format!("\n{verdict}: {errors} errors, {warnings} warnings\n")
    }

    fn changes(&self) -> String {
        if self.matrix.is_empty() {
            return String::new();
        }
        let rendered = difference::render(&self.matrix);
        let shown: Vec<&str> = rendered.lines().take(CHANGES_MAX).collect();
        let left = rendered.lines().count() - shown.len();
        let more = if left > 0 { format!("  and {left} more\n") } else { String::new() };
        format!("\nchanges against the bundle in force:\n  {}\n{more}", shown.join("\n  "))
    }
}
