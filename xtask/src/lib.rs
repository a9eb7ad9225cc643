//! Chores of the repository, run as `cargo xtask …`.
//!
//! Rule: nothing here ships. Deliberately absent: any dependency on the rooms. What is measured or probed is the
//! built program, from outside, as a stranger would.
//!
//! Start at [`tidy`], [`mod@bench`] and [`interop`].

pub mod bench;
mod error;
pub mod interop;
mod load;
mod nginx;
mod packages;
mod process;
mod system;
pub mod tidy;
pub mod upstream;

pub use error::{Error, report};

/// A line for whoever runs the chore.
fn say(line: &str) {
    use std::io::Write as _;
    // Nobody is left to tell when this fails.
    let _written = writeln!(std::io::stdout(), "{line}");
}
