//! How a command ends: an exit code a script can act on, and an error a person can act on.

use std::error::Error;
use std::process::ExitCode;

/// The exit codes. They are part of the interface: `docs/reference/cli.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done, or the answer is yes.
    Ok,
    /// Something failed.
    Failure,
    /// The command line or the configuration cannot be used.
    Usage,
    /// Policy denied it, a workflow refused it, or the answer is no.
    Denied,
    /// Nobody is signed in, or the sign-in no longer counts.
    Unauthenticated,
    /// The server cannot be reached or cannot serve now.
    Unavailable,
    /// What the command that `modelward exec` ran ended with.
    Ran(u8),
}

impl Exit {
    pub const ALL: [Self; 6] =
        [Self::Ok, Self::Failure, Self::Usage, Self::Denied, Self::Unauthenticated, Self::Unavailable];

    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::Unauthenticated => 4,
            Self::Unavailable => 5,
            Self::Ran(code) => code,
        }
    }

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, or the answer is yes",
            Self::Failure => "something failed",
            Self::Usage => "the command line or the configuration cannot be used",
            Self::Denied => "policy denied it, a workflow refused it, or the answer is no",
            Self::Unauthenticated => "nobody is signed in, or the sign-in no longer counts",
            Self::Unavailable => "the server cannot be reached or cannot serve now",
            Self::Ran(_) => "what the command that was run ended with",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    message: String,
    hints: Vec<String>,
}

/// What a command answers.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hints: Vec::new() }
    }

    /// An error with its causes.
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        Self::new(exit, chain(error))
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Nothing listens on the other end of the output any more, as after `| head`.
    pub fn is_broken_pipe(&self) -> bool {
        self.message == BROKEN_PIPE
    }
}

const BROKEN_PIPE: &str = "the reader of the output is gone";

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Ok, BROKEN_PIPE);
        }
        Self::of(Exit::Failure, &error)
    }
}

/// An error and its causes in one line, outermost first.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
