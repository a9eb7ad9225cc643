//! `modelward completions`

use std::io::{self, Write as _};

use clap_complete::Shell;

use crate::exit::{Exit, Outcome};

/// Write a completion script for a shell
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "modelward", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Exit::Ok)
}
