//! What is wrong with a configuration, shown where it stands.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One thing to correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub message: String,
    pub place: Place,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Bytes of the file.
    File(Range<usize>),
    Variable(String),
    /// Nowhere: something is missing.
    Nowhere,
}

/// A configuration that is not used, with everything that is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("failed to read the configuration file `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration file `{}` is larger than {max} bytes", path.display())]
    TooLarge { path: PathBuf, max: u64 },
    #[error("{}", self.report())]
    Invalid { path: PathBuf, text: String, problems: Vec<Problem> },
}

impl ConfigError {
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid { problems, .. } => problems,
            Self::Read { .. } | Self::TooLarge { .. } => &[],
        }
    }

    fn report(&self) -> String {
        let Self::Invalid { path, text, problems } = self else { return String::new() };
        let reports: Vec<String> =
            problems.iter().map(|problem| Report { problem, path, text }.to_string()).collect();
        reports.join("\n\nerror: ")
    }
}

/// A problem with the line it stands on and a caret below.
struct Report<'a> {
    problem: &'a Problem,
    path: &'a Path,
    text: &'a str,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)?;
        match &self.problem.place {
            Place::File(span) => self.excerpt(span, f)?,
            Place::Variable(name) => write!(f, "\n  --> environment variable {name}")?,
            Place::Nowhere => write!(f, "\n  --> {}", self.path.display())?,
        }
        if let Some(hint) = &self.problem.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl Report<'_> {
    fn excerpt(&self, span: &Range<usize>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column, text } = Position::of(self.text, span.start);
        let room = text.chars().count().saturating_sub(column - 1).max(1);
        let marked = self.text.get(span.clone()).map_or(1, |marked| marked.chars().count());
        let carets = "^".repeat(marked.clamp(1, room));
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let before = " ".repeat(column - 1);
        write!(
            f,
            "\n{margin} --> {}:{line}:{column}\n{margin}  |\n{number}  | {text}\n{margin}  | {before}{carets}",
            self.path.display(),
        )
    }
}

/// Line and column, both from 1, of a byte offset.
pub(super) struct Position<'a> {
    pub(super) line: usize,
    pub(super) column: usize,
    text: &'a str,
}

impl<'a> Position<'a> {
    pub(super) fn of(text: &'a str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).map_or(0, |part| part.chars().count()) + 1;
        let text = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        Self { line, column, text }
    }
}
