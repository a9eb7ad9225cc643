//! What a person or a script sees: data on stdout, all else on stderr.
//!
//! Text that came from a server is cleaned of control characters first, so that a model card or a display name
//! cannot move the cursor or rewrite what stands above it.

mod table;

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

pub use table::Table;

use crate::config::Environment;
use crate::exit::{Exit, Failure};

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// Where output goes, and how it looks there.
#[derive(Debug, Clone)]
pub struct Terminal {
    json: bool,
    color: bool,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

/// Emphasis. It never carries meaning alone: the words say the same without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Good,
    Bad,
    Warn,
    Strong,
    Faint,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warn => "33",
            Self::Strong => "1",
            Self::Faint => "2",
        }
    }
}

impl Terminal {
    pub fn new(json: bool, color: Color, environment: &Environment) -> Self {
        let stdout_is_terminal = io::stdout().is_terminal();
        let no_color = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match color {
            Color::Auto => stdout_is_terminal && !no_color,
            Color::Always => true,
            Color::Never => false,
        };
        Self { json, color, stdout_is_terminal, stderr_is_terminal: io::stderr().is_terminal() }
    }

    pub const fn json(&self) -> bool {
        self.json
    }

    /// Whether progress can be drawn.
    pub const fn draws_progress(&self) -> bool {
        self.stderr_is_terminal && !self.json
    }

    /// Text in a style, or as it is where colour is off.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
    }

    /// A line of data.
    pub fn line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// A line that is not data.
    pub fn note(&self, text: &str) {
        // Nobody to tell if stderr itself is gone.
        let _unread = writeln!(io::stderr().lock(), "{text}");
    }

    /// What to do next.
    pub fn hint(&self, text: &str) {
        self.note(&format!("hint: {text}"));
    }

    /// A value as JSON: one line, or indented for a person.
    pub fn value<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let text = if self.stdout_is_terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        let text = text.map_err(|error| Failure::of(Exit::Failure, &error))?;
        Ok(self.line(&text)?)
    }

    /// The end of a command that failed.
    pub fn failure(&self, failure: &Failure) {
        if failure.is_broken_pipe() {
            return;
        }
        if self.json {
            let error = serde_json::json!({
                "error": { "message": failure.message(), "hints": failure.hints(), "exit": failure.exit.code() }
            });
            self.note(&error.to_string());
            return;
        }
        self.note(&format!("error: {}", clean(failure.message())));
        for hint in failure.hints() {
            self.hint(&clean(hint));
        }
    }
}

/// Text without characters that steer a terminal: controls but for the line end, and marks that reorder text.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '\n',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_server_cannot_steer_the_terminal() {
        assert_eq!(clean("fraud\u{1b}[2J\rok\u{202e}"), "fraud\u{fffd}[2J\u{fffd}ok\u{fffd}");
        assert_eq!(clean("two\nlines"), "two\nlines");
    }
}
