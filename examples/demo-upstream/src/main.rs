//! The server as a process of its own; see [`demo_upstream::run`].

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Err(error) = demo_upstream::run() else {
        return ExitCode::SUCCESS;
    };
    let mut report = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        report.push_str(&format!("\n  caused by: {cause}"));
        source = cause.source();
    }
    // Nobody is left to tell when this fails.
    let _written = writeln!(std::io::stderr(), "{report}");
    ExitCode::FAILURE
}
