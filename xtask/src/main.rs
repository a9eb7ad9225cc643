//! `cargo xtask`: see `cargo xtask --help`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold manifests, sources and documents to the rules of the house
    Tidy,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Tidy => tidy(),
    }
}

fn tidy() -> ExitCode {
    match xtask::tidy::check(&xtask::tidy::root()) {
        Ok(findings) if findings.is_empty() => {
            say("tidy: nothing to say");
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            for finding in &findings {
                say(&finding.to_string());
            }
            say(&format!("tidy: {} findings", findings.len()));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    // Nobody is left to tell when this fails.
    let _written = writeln!(std::io::stdout(), "{line}");
}
