//! How long a newcomer waits.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::time::Instant;

use super::{Figure, Reach};
use crate::{Error, packages, tidy};

/// Clones what is committed, and runs the command of the README with nothing built before.
pub(super) async fn run() -> Result<Vec<Figure>, Error> {
    let folder = TempDir::new().map_err(Error::file("a temporary folder"))?;
    let clone = folder.path().join("clone");
    let begun = Instant::now();
    packages::run(Command::new("git").args(["clone", "--quiet"]).arg(tidy::root()).arg(&clone))?;
    let mut demo = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--", "demo", "--once", "--json"])
        .current_dir(&clone)
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::run("cargo run"))?;
    let mut first = String::new();
    if let Some(told) = demo.stdout.take() {
        let mut told = BufReader::new(told);
        told.read_line(&mut first).map_err(Error::run("modelward demo"))?;
        let waited = begun.elapsed();
        let _rest = std::io::copy(&mut told, &mut std::io::sink());
        let status = demo.wait().map_err(Error::run("modelward demo"))?;
        if first.is_empty() || !status.success() {
            return Err(Error::Ended { program: "modelward demo".to_owned(), status: status.to_string() });
        }
        return Ok(vec![Figure {
            name: "from clean clone to the demonstration's first step".to_owned(),
            unit: "min".to_owned(),
            ours: waited.as_secs_f64() / 60.0,
            peer: None,
            reach: Some(Reach::AtMost(10.0)),
        }]);
    }
    Err(Error::Unmet("the demonstration has no output".to_owned()))
}
