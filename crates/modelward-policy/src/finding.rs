//! Something to tell whoever wrote a bundle: what, where, and what to do next.

use std::collections::BTreeMap;

use modelward_decision::bundle::Place;
use serde::Serialize;

use crate::BundleError;

/// How bad it is. Only errors fail a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Error,
    Warning,
    Note,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    pub level: Level,
    pub at: Option<Place>,
    /// What kind of finding, such as `tier-rule`: stable, for filters and reports.
    pub rule: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl Finding {
    pub fn error(rule: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Error, at: None, rule, message: message.into(), hint: None }
    }

    pub fn warning(rule: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(rule, message) }
    }

    pub fn note(rule: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::error(rule, message) }
    }

    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { at: Some(place), ..self }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub const fn is_error(&self) -> bool {
        matches!(self.level, Level::Error)
    }

    /// With the line it is about and a caret under the spot, as compilers print it.
    pub fn render(&self, sources: &BTreeMap<String, String>) -> String {
        let mut text = format!("{}[{}]: {}\n", self.level.as_str(), self.rule, self.message);
        if let Some(at) = &self.at {
            text += &excerpt(at, sources);
        }
        if let Some(hint) = &self.hint {
            text += &format!("  hint: {hint}\n");
        }
        text
    }
}

/// The place, its line, and a caret under the spot.
fn excerpt(at: &Place, sources: &BTreeMap<String, String>) -> String {
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    let place = format!("{margin}--> {at}\n");
    let line = sources.get(&at.file).and_then(|file| file.lines().nth(at.line.saturating_sub(1)));
    let Some(line) = line else { return place };
    // A tab is as wide as one column, so that the caret stands where the column says.
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let width = line.chars().count();
    let before = at.column.saturating_sub(1).min(width);
    let carets = "^".repeat(at.length.min(width.saturating_sub(before)).max(1));
    let indent = " ".repeat(before);
    format!("{place}{margin} |\n{number} | {line}\n{margin} | {indent}{carets}\n")
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl From<&BundleError> for Finding {
    fn from(error: &BundleError) -> Self {
        let mut message = error.message();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self { at: error.place().cloned(), hint: error.hint(), ..Self::error("bundle", message) }
    }
}
