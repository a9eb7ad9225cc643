//! What a chore needs from the system.

use std::process::{Command, Stdio};

use crate::{Error, say};

/// Makes sure that `program` can be run: installs the Debian package that brings it where that is possible.
pub(crate) fn need(program: &str, package: &str) -> Result<(), Error> {
    if is_there(program) {
        return Ok(());
    }
    install(package)?;
    if is_there(program) {
        return Ok(());
    }
    Err(Error::Unmet(format!("the package `{package}` did not bring `{program}`")))
}

/// Installs a Debian package as root, else says what is missing.
pub(crate) fn install(package: &str) -> Result<(), Error> {
    if !is_root() || !is_there("apt-get") {
        return Err(Error::Unmet(format!("the package `{package}` is missing: install it")));
    }
    say(&format!("installing `{package}`"));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", package]))
}

/// Runs to the end; an error unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().map_err(Error::run(&program))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Ended { program, status: status.to_string() })
}

/// Runs to the end and gives what it printed; an error, with what it printed, unless it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let told =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(Error::run(&program))?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    if told.status.success() {
        return Ok(text);
    }
    say(text.trim());
    Err(Error::Ended { program, status: told.status.to_string() })
}

pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout.trim_ascii() == b"0")
}

fn is_there(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
