//! Benches that live in the room they measure and print their own table.

use std::process::Command;

use crate::{Error, packages, say};

pub(super) fn run(package: &str, bench: &str) -> Result<(), Error> {
    say(&format!("{package}: {bench}"));
    packages::run(Command::new("cargo").args([
        "bench",
        "--quiet",
        "--profile",
        "dist",
        "--package",
        package,
        "--bench",
        bench,
    ]))
}
