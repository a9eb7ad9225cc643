//! The solver: a program outside, given one question at a time on its standard input.
//!
//! Every question gets a process of its own. A process that failed once answers nonsense afterwards, and starting one
//! costs a few milliseconds, so none is ever used twice.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What every verdict says where there is no solver.
pub const NO_SOLVER: &str = "no solver found: install cvc5 or set MODELWARD_CVC5";

/// The program looked for on the search path.
const PROGRAM: &str = "cvc5";
/// How long one question may take unless told otherwise.
const LIMIT: Duration = Duration::from_secs(60);
/// What the process gets on top of the solver's own limit before it is ended.
const GRACE: Duration = Duration::from_secs(1);
/// How long a program may take to say which version it is.
const VERSION_LIMIT: Duration = Duration::from_secs(5);
/// A longer answer is no answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A solver that was found and said its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solver {
    program: PathBuf,
    identity: SolverIdentity,
    limit: Duration,
}

/// Which solver answered, as an attestation names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SolverIdentity {
    pub name: String,
    pub version: String,
}

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing satisfies it.
    Unsatisfiable,
    /// Something does: the model as the solver wrote it.
    Satisfiable { model: String },
    /// No answer to rely on.
    Unknown { why: String },
}

impl Solver {
    /// The program named by `chosen` (the value of `MODELWARD_CVC5`), else the first `cvc5` on `search_path` (the value of
    /// `PATH`). Nothing if it cannot be started or does not say a version.
    pub fn find(chosen: Option<&OsStr>, search_path: Option<&OsStr>) -> Option<Self> {
        let candidates: Vec<PathBuf> = match chosen.filter(|chosen| !chosen.is_empty()) {
            Some(chosen) => vec![PathBuf::from(chosen)],
            None => std::env::split_paths(search_path?).map(|folder| folder.join(PROGRAM)).collect(),
        };
        candidates.into_iter().filter(|program| program.is_file()).find_map(|program| {
            let identity = identity(&program)?;
            Some(Self { program, identity, limit: LIMIT })
        })
    }

    /// The same solver with another limit for each question.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub const fn identity(&self) -> &SolverIdentity {
        &self.identity
    }

    /// Asks one question, given as a whole SMT-LIB script that ends with `(check-sat)`.
    pub(crate) fn ask(&self, script: &[u8]) -> Answer {
        let mut command = Command::new(&self.program);
        command.args(["--lang", "smt"]).arg(format!("--tlimit={}", self.limit.as_millis()));
        // After "unsat" the second command only draws an error, which nobody reads.
        let said =
            converse(&mut command, vec![script.to_vec(), b"(get-model)\n".to_vec()], self.limit + GRACE);
        match said {
            Ok(said) => read_answer(&said, self.limit),
            Err(Silence::TimedOut) => Answer::Unknown { why: timed_out(self.limit) },
            Err(Silence::Failed(source)) => {
                Answer::Unknown { why: format!("the solver could not be asked: {source}") }
            }
        }
    }
}

fn timed_out(limit: Duration) -> String {
    format!("the solver gave no answer within {} ms", limit.as_millis())
}

fn read_answer(said: &str, limit: Duration) -> Answer {
    let (first, rest) = said.split_once('\n').unwrap_or((said, ""));
    match first.trim() {
        "unsat" => Answer::Unsatisfiable,
        // A model is an opening parenthesis on a line of its own; anything else is an error message.
        "sat" if rest.trim_start().starts_with("(\n") => {
            Answer::Satisfiable { model: rest.trim().to_owned() }
        }
        "sat" => Answer::Unknown { why: "the solver found a violation and gave no example of it".to_owned() },
        "unknown" => Answer::Unknown { why: "the solver answered that it does not know".to_owned() },
        // This is how cvc5 ends when its limit is reached.
        "" => Answer::Unknown {
            why: format!("the solver ended without an answer; its limit is {} ms", limit.as_millis()),
        },
        other => {
            let start: String = other.chars().take(200).collect();
            Answer::Unknown { why: format!("the solver answered `{start}`") }
        }
    }
}

fn identity(program: &Path) -> Option<SolverIdentity> {
    let mut command = Command::new(program);
    command.arg("--version");
    let said = converse(&mut command, Vec::new(), VERSION_LIMIT).ok()?;
    let mut words = said.split_whitespace().skip_while(|word| *word != "version").skip(1);
    let version = words.next()?.chars().take(40).collect();
    Some(SolverIdentity { name: PROGRAM.to_owned(), version })
}

/// Why nothing was said.
enum Silence {
    TimedOut,
    Failed(std::io::Error),
}

/// Starts a program, gives it `input`, and reads all that it says. However this ends, the process has ended too.
fn converse(command: &mut Command, input: Vec<Vec<u8>>, limit: Duration) -> Result<String, Silence> {
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut process = Process(started.map_err(Silence::Failed)?);
    let (Some(mut stdin), Some(stdout)) = (process.0.stdin.take(), process.0.stdout.take()) else {
        return Err(Silence::Failed(std::io::ErrorKind::BrokenPipe.into()));
    };
    let (say, heard) = mpsc::channel();
    // A program may answer before it has read everything: writing and reading never wait for each other. The threads are
    // let go, not joined: whatever the program started itself may hold the pipes open for longer than it lives.
    std::thread::spawn(move || input.iter().try_for_each(|part| stdin.write_all(part)).is_ok());
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.take(ANSWER_BYTES_MAX).read_to_string(&mut text).map(|_| text);
        // Nobody listens any more where the time is up.
        say.send(read).is_ok()
    });
    match heard.recv_timeout(limit) {
        Ok(read) => read.map_err(Silence::Failed),
        Err(_) => Err(Silence::TimedOut),
    }
}

/// A process that ends with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is no error; either way it is reaped.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[cfg(test)]
mod tests;
