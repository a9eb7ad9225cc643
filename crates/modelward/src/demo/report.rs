//! What the story prints: one step after the other, each with what was expected and what happened.

use serde::Serialize;

use crate::output::Terminal;

/// One step of the story.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub(super) title: String,
    /// What a person sees: the sentence of a denial, the label of an answer.
    pub(super) shown: Vec<String>,
    pub(super) expected: String,
    pub(super) actual: String,
    pub(super) as_expected: bool,
}

#[derive(Debug)]
pub(super) struct Report {
    steps: Vec<Step>,
    quietly: bool,
}

impl Step {
    pub(super) fn new(title: &str, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        let (expected, actual) = (expected.into(), actual.into());
        Self { title: title.to_owned(), shown: Vec::new(), as_expected: expected == actual, expected, actual }
    }

    /// A line for the reader, which is no part of the expectation.
    pub(super) fn show(mut self, line: impl Into<String>) -> Self {
        self.shown.push(line.into());
        self
    }
}

impl Report {
    pub(super) const fn new(quietly: bool) -> Self {
        Self { steps: Vec::new(), quietly }
    }

    pub(super) fn add(&mut self, terminal: &Terminal, step: Step) -> std::io::Result<()> {
        if !terminal.json() && !self.quietly {
            let mark = if step.as_expected { "✔" } else { "✘ NOT AS EXPECTED" };
            terminal.line(&format!("{mark} {}", step.title))?;
            for line in &step.shown {
                terminal.line(&format!("    {line}"))?;
            }
            if !step.as_expected {
                terminal.line(&format!("    expected: {}\n    actual:   {}", step.expected, step.actual))?;
            }
        }
        self.steps.push(step);
        Ok(())
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(super) fn is_as_expected(&self) -> bool {
        self.steps.iter().all(|step| step.as_expected)
    }
}
