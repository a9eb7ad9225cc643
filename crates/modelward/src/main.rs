//! `modelward`: see `modelward help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    modelward::cli::main()
}
