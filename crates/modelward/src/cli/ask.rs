//! Asks a person, or reads what a script pipes in.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use modelward_server::wire::Secret;

use crate::exit::{Exit, Failure};

/// No line typed or piped in is longer than this.
const MAX_LINE: u64 = 4096;

/// A question whose answer is shown while it is typed.
pub(super) fn line(question: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(not_a_terminal(question));
    }
    write!(io::stderr().lock(), "{question}: ")?;
    piped(question)
}

/// A question whose answer is not shown.
pub(super) fn secret(question: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        return Err(not_a_terminal(question));
    }
    let answer = rpassword::prompt_password(format!("{question}: "))?;
    Ok(Secret::new(answer))
}

/// A password nobody has seen yet: typed twice.
pub(super) fn new_password() -> Result<Secret, Failure> {
    let first = secret("New password")?;
    let second = secret("The same again")?;
    if first == second {
        Ok(first)
    } else {
        Err(Failure::new(Exit::Usage, "the two passwords are not the same"))
    }
}

/// One line of standard input, whoever writes it.
pub(super) fn piped(what: &str) -> Result<String, Failure> {
    let mut line = String::new();
    let mut stdin = io::Read::take(io::stdin().lock(), MAX_LINE);
    stdin.read_line(&mut line)?;
    if !line.ends_with('\n') && line.len() as u64 >= MAX_LINE {
        return Err(Failure::new(
            Exit::Usage,
            format!("the line for `{what}` is longer than {MAX_LINE} bytes"),
        ));
    }
    let trimmed = line.trim_end_matches(['\n', '\r']);
    if trimmed.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("standard input has no line for `{what}`")));
    }
    Ok(trimmed.to_owned())
}

/// Whether to go on; without a terminal nobody says yes.
pub(super) fn agreed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr().lock(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::Read::take(io::stdin().lock(), MAX_LINE).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn not_a_terminal(question: &str) -> Failure {
    Failure::new(Exit::Usage, format!("cannot ask for `{question}`: standard input is no terminal"))
        .hint("pass it by an option or on standard input; `--help` says how")
}
