//! The report as SARIF 2.1.0, which code hosts show beside the lines of a change.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Report;
use crate::lint::LINTS;
use crate::{Finding, Level};

/// Rules that are not lints, with what they are about.
const RULES: [(&str, &str); 10] = [
    ("bundle", "The files are a bundle"),
    ("project", "A project bundle only permits, within its project"),
    ("scenario", "Scenarios are well-formed"),
    ("cedar-test", "Tests in Cedar's form are well-formed"),
    ("test", "Tests pass"),
    ("coverage", "Tests see every clause true and false"),
    ("matrix", "The matrix is as reviewed"),
    ("proof", "Invariants are proven"),
    ("envelope", "A project permits nothing outside of its envelope"),
    ("replay", "Recorded decisions that would be others"),
];

impl Report {
    /// `root` is the folder of the bundle within the repository, such as `policies`; code hosts need paths from there.
    pub fn to_sarif(&self, root: &str) -> Result<String, serde_json::Error> {
        let results: Vec<Value> = self.findings().map(|finding| result(finding, root)).collect();
        let used: BTreeSet<&str> = self.findings().map(|finding| finding.rule).collect();
        let lints = LINTS.iter().map(|lint| (lint.id, lint.title));
        let rules = RULES.into_iter().chain(lints).chain(
            // Steps made elsewhere bring their own rules.
            used.iter().filter(|id| !is_known(id)).map(|id| (*id, *id)),
        );
        let rules: Vec<Value> =
            rules.map(|(id, title)| json!({ "id": id, "shortDescription": { "text": title } })).collect();
        serde_json::to_string_pretty(&json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "modelward policy check",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                } },
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        }))
    }
}

fn is_known(id: &str) -> bool {
    RULES.iter().any(|(known, _)| *known == id) || LINTS.iter().any(|lint| lint.id == id)
}

fn result(finding: &Finding, root: &str) -> Value {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let text = match &finding.hint {
        Some(hint) => format!("{}. Hint: {hint}", finding.message),
        None => finding.message.clone(),
    };
    let mut result = json!({ "ruleId": finding.rule, "level": level, "message": { "text": text } });
    if let Some(at) = &finding.at
        && let Value::Object(result) = &mut result
    {
        let root = root.trim_matches('/');
        let uri = if root.is_empty() { at.file.clone() } else { format!("{root}/{}", at.file) };
        let region = json!({
            "startLine": at.line,
            "startColumn": at.column,
            "endColumn": at.column.saturating_add(at.length),
        });
        let location =
            json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": region } });
        result.insert("locations".to_owned(), json!([location]));
    }
    result
}
