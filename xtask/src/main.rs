//! `cargo xtask`: see `cargo xtask --help`.

use std::io::Write as _;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand, ValueEnum as _};
use xtask::bench::Bench;
use xtask::interop::Suite;
use xtask::{bench, interop, tidy, upstream};

/// Chores of the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Hold manifests, sources and documents to the rules of the house
    Tidy,
    /// Measure against peers, and print figures, ratios and verdicts
    Bench {
        /// Which figures; all of them when none is named
        #[arg(value_enum)]
        benches: Vec<Bench>,
        /// How often each side is measured; the median counts
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
        rounds: u8,
        /// Fail when something promised is missed
        #[arg(long)]
        check: bool,
    },
    /// Try real clients against the demonstration system, and the store on a real database server
    Interop {
        /// Which suites; all of them when none is named
        #[arg(value_enum)]
        suites: Vec<Suite>,
    },
    /// Serve as the model server of the benches
    #[command(hide = true)]
    Upstream,
}

fn main() -> ExitCode {
    let chore = Cli::parse().command;
    if matches!(chore, Chore::Bench { .. }) && cfg!(debug_assertions) {
        return optimised();
    }
    let done = match chore {
        Chore::Tidy => check_tidy(),
        Chore::Bench { benches, rounds, check } => {
            let benches = if benches.is_empty() { Bench::value_variants().to_vec() } else { benches };
            block_on(bench::run(&benches, usize::from(rounds))).map(|reached| reached || !check)
        }
        Chore::Interop { suites } => block_on(interop::run(&suites)).map(|()| true),
        Chore::Upstream => block_on(upstream::run()).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(report) => {
            say(&report);
            ExitCode::FAILURE
        }
    }
}

/// The same command, built for speed: load from an unoptimised program measures the program.
fn optimised() -> ExitCode {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status();
    if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check_tidy() -> Result<bool, String> {
    let findings = tidy::check(&tidy::root()).map_err(|error| xtask::report(&error))?;
    for finding in &findings {
        say(&finding.to_string());
    }
    say(&format!("tidy: {} findings", findings.len()));
    Ok(findings.is_empty())
}

fn block_on<T>(chore: impl Future<Output = Result<T, xtask::Error>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| xtask::report(&error))?;
    runtime.block_on(chore).map_err(|error| xtask::report(&error))
}

fn say(line: &str) {
    // Nobody is left to tell when this fails.
    let _written = writeln!(std::io::stdout(), "{line}");
}
