//! The report for programs.

use serde::Serialize;

use super::Report;

#[derive(Serialize)]
struct Page<'a> {
    format: &'static str,
    passed: bool,
    #[serde(flatten)]
    report: &'a Report,
}

impl Report {
    /// One JSON object; `format` names its version.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&Page {
            format: "modelward-policy-report/1",
            passed: self.passed(),
            report: self,
        })
    }
}
