//! Real clients against the demonstration system, each installed by its suite into the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::system::{Behind, System, target};
use crate::{Error, packages, report, say, tidy};

/// One kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// The `openai` package for Python
    Openai,
    /// The `tritonclient` package for Python
    Oip,
    /// A ledger verifier in Python that shares no code with ours
    Verifier,
    /// The console in Chromium
    Console,
}

impl Suite {
    const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Oip => "oip",
            Self::Verifier => "verifier",
            Self::Console => "console",
        }
    }

    /// What the suite installs, pinned.
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Openai => &["openai==3.51.0"],
            Self::Oip => &["tritonclient[http]==2.73.0"],
            Self::Verifier => &["cryptography>=42"],
            Self::Console => &["playwright-core@1"],
        }
    }
}

/// Runs suites against one system; tells all failures, not only the first.
pub async fn run(suites: &[Suite]) -> Result<(), Error> {
    let mut ready = Vec::new();
    for suite in suites {
        ready.push((*suite, install(*suite)?));
    }
    let system = System::start(&Behind::Own, None).await?;
    let mut failed = Vec::new();
    for (suite, folder) in &ready {
        say(&format!("interop: {}", suite.name()));
        match probe(*suite, folder, &system.info_file) {
            Ok(()) => say(&format!("interop: {} passed", suite.name())),
            Err(error) => {
                say(&report(&error));
                failed.push(suite.name());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Error::Unmet(format!("failed: {}", failed.join(", ")))) }
}

fn scripts() -> PathBuf {
    tidy::root().join("xtask").join("interop")
}

/// The suite's own folder, with its client in it. What is there already is kept.
fn install(suite: Suite) -> Result<PathBuf, Error> {
    let folder = target()?.join("interop").join(suite.name());
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    let mark = folder.join("installed.txt");
    let wanted = suite.packages().join("\n");
    match suite {
        Suite::Console => {
            packages::need("chromium", "chromium")?;
            packages::need("npm", "npm")?;
        }
        Suite::Openai | Suite::Oip | Suite::Verifier => packages::need("python3", "python3")?,
    }
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    say(&format!("installing {}", suite.packages().join(", ")));
    match suite {
        Suite::Console => {
            packages::run(
                Command::new("npm")
                    .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
                    .arg(&folder)
                    .args(suite.packages()),
            )?;
        }
        Suite::Openai | Suite::Oip | Suite::Verifier => {
            let venv = folder.join("venv");
            let make = || packages::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
            // Debian splits the module from the interpreter.
            if make().is_err() {
                packages::install("python3-venv")?;
                make()?;
            }
            packages::run(
                Command::new(venv.join("bin").join("python"))
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .args(suite.packages()),
            )?;
        }
    }
    fs::write(&mark, wanted).map_err(Error::file(&mark))?;
    Ok(folder)
}

fn probe(suite: Suite, folder: &Path, info: &Path) -> Result<(), Error> {
    let python = |script: &str| {
        packages::run(
            Command::new(folder.join("venv").join("bin").join("python"))
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .arg(scripts().join(script))
                .arg(info),
        )
    };
    match suite {
        Suite::Openai => python("openai_client.py"),
        Suite::Oip => python("oip_client.py"),
        Suite::Verifier => python("verify_ledger.py"),
        Suite::Console => packages::run(
            Command::new("node")
                .arg(scripts().join("console.mjs"))
                .arg(info)
                .arg(folder)
                .arg(tidy::root().join("docs").join("guide").join("images")),
        ),
    }
}
