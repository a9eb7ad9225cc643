//! The report as JUnit XML, which build servers count and chart.

use std::collections::BTreeMap;

use super::{Report, Status};
use crate::markup::escape;
use crate::scenario::TestResult;

impl Report {
    /// One suite for the steps, and one for each scenario.
    pub fn to_junit(&self) -> String {
        let mut suites: BTreeMap<&str, Vec<&TestResult>> = BTreeMap::new();
        for test in &self.tests {
            suites.entry(&test.suite).or_default().push(test);
        }
        let mut text = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"modelward policy check\">\n",
        );
        text += &self.steps_suite();
        for (name, tests) in suites {
            let failed = tests.iter().filter(|test| !test.passed()).count();
            text += &suite(name, tests.len(), failed, 0);
            for test in tests {
                text += &case(&test.name, &test.at.file, test.failure.as_deref(), "");
            }
            text += "  </testsuite>\n";
        }
        text + "</testsuites>\n"
    }

    fn steps_suite(&self) -> String {
        let with = |status| self.steps.iter().filter(|step| step.status == status).count();
        let mut text = suite("gate", self.steps.len(), with(Status::Failed), with(Status::Skipped));
        for step in &self.steps {
            if step.status == Status::Skipped {
                let message = escape(&step.summary);
                text += &format!(
                    "    <testcase name=\"{}\" classname=\"gate\"><skipped message=\"{message}\"/></testcase>\n",
                    step.name
                );
                continue;
            }
            let told = |errors: bool| -> String {
                let findings = step.findings.iter().filter(|finding| finding.is_error() == errors);
                let told = findings.map(|finding| match &finding.at {
                    Some(at) => format!("{at}: {}", finding.message),
                    None => finding.message.clone(),
                });
                told.collect::<Vec<_>>().join("\n")
            };
            let failure = (step.status == Status::Failed).then(|| told(true));
            text += &case(step.name, "gate", failure.as_deref(), &told(false));
        }
        text + "  </testsuite>\n"
    }
}

fn suite(name: &str, tests: usize, failed: usize, skipped: usize) -> String {
    let name = escape(name);
    format!(
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\">\n"
    )
}

/// One line of a report: `said` is what is told of it whether or not it failed.
fn case(name: &str, class: &str, failure: Option<&str>, said: &str) -> String {
    let (name, class) = (escape(name), escape(class));
    let failure = failure.map_or_else(String::new, |failure| {
        let first = escape(failure.lines().next().unwrap_or_default());
        format!("<failure message=\"{first}\">{}</failure>", escape(failure))
    });
    let said =
        if said.is_empty() { said.to_owned() } else { format!("<system-out>{}</system-out>", escape(said)) };
    if failure.is_empty() && said.is_empty() {
        return format!("    <testcase name=\"{name}\" classname=\"{class}\"/>\n");
    }
    format!("    <testcase name=\"{name}\" classname=\"{class}\">{failure}{said}</testcase>\n")
}
