//! Clients that know nothing of this project, as their makers publish them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::system::{System, target};
use crate::{Error, packages, say, tidy};

pub(super) fn openai(system: &System) -> Result<(), Error> {
    say(
        "interop openai: the stock `openai` package asks, streams, and is refused, with a token and with an agent",
    );
    python("openai", &["openai==3.51.0"], "openai_client.py", system)
}

pub(super) fn oip(system: &System) -> Result<(), Error> {
    say("interop oip: the stock `tritonclient` package asks, and is refused");
    python("oip", &["tritonclient[http]==2.73.0"], "oip_client.py", system)
}

pub(super) fn ledger(system: &System) -> Result<(), Error> {
    say(
        "interop ledger: a verifier of another hand reads the log and checks every entry, tile and signature",
    );
    python("ledger", &["cryptography>=42"], "verify_ledger.py", system)
}

pub(super) fn console(system: &System) -> Result<(), Error> {
    say("interop console: Chromium signs in and walks every page, in light, dark and narrow");
    packages::need("chromium", "chromium")?;
    packages::need("node", "nodejs")?;
    packages::need("npm", "npm")?;
    let folder = folder("console")?;
    install(&folder, &["playwright-core@1.65.1"], |wanted| npm(&folder, wanted))?;
    let pictures = folder.join("pictures");
    say(&format!("pictures: {}", pictures.display()));
    packages::run(
        Command::new("node").arg(script("console.mjs")).arg(&system.info_file).arg(&folder).arg(&pictures),
    )
}

/// An installation of its own: browsers make passkeys for a host with a name, and the demonstration has an address.
pub(super) fn passkeys(program: &Path) -> Result<(), Error> {
    say(
        "interop console: Chromium with a virtual authenticator enrols, signs in and changes what it signs in with",
    );
    let folder = folder("console")?;
    let pictures = folder.join("pictures").join("passkeys");
    packages::run(Command::new("node").arg(script("passkeys.mjs")).arg(program).arg(&folder).arg(&pictures))
}

/// An installation of its own, since it believes an issuer that the demonstration does not.
pub(super) fn identity(program: &Path) -> Result<(), Error> {
    say("interop identity: people of `oidc-provider` sign in, are linked, signed out and distrusted");
    for (program, package) in
        [("chromium", "chromium"), ("node", "nodejs"), ("npm", "npm"), ("openssl", "openssl")]
    {
        packages::need(program, package)?;
    }
    let folder = folder("identity")?;
    install(&folder, &["oidc-provider@9.13.3", "playwright-core@1.65.1"], |wanted| npm(&folder, wanted))?;
    packages::run(Command::new("node").arg(script("identity.mjs")).arg(program).arg(&folder))
}

/// An installation of its own too.
pub(super) fn scim(program: &Path) -> Result<(), Error> {
    say("interop scim: the conformance suite `scim2-tester` provisions people and groups");
    let interpreter = interpreter("scim", &["scim2-cli==0.6.0", "scim2-tester==0.5.2"])?;
    packages::run(
        Command::new(&interpreter).env("PYTHONDONTWRITEBYTECODE", "1").arg(script("scim.py")).arg(program),
    )
}

fn npm(folder: &Path, wanted: &[&str]) -> Result<(), Error> {
    packages::run(
        Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder)
            .args(wanted),
    )
}

/// Runs a script in an environment of its own, with the program under `MODELWARD`.
fn python(name: &str, wanted: &[&str], file: &str, system: &System) -> Result<(), Error> {
    let interpreter = interpreter(name, wanted)?;
    packages::run(
        Command::new(&interpreter)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("MODELWARD", &system.program)
            .arg(script(file))
            .arg(&system.info_file),
    )
}

/// The Python of an environment of its own that has these packages.
fn interpreter(name: &str, wanted: &[&str]) -> Result<PathBuf, Error> {
    packages::need("python3", "python3")?;
    let folder = folder(name)?;
    let venv = folder.join("venv");
    let interpreter = venv.join("bin").join("python");
    install(&folder, wanted, |wanted| {
        let make = || packages::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        // Debian splits the module from the interpreter.
        if make().is_err() {
            packages::install("python3-venv")?;
            make()?;
        }
        packages::run(
            Command::new(&interpreter)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(wanted),
        )
    })?;
    Ok(interpreter)
}

/// Installs unless the same was installed before.
fn install(
    folder: &Path,
    wanted: &[&str],
    make: impl FnOnce(&[&str]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mark = folder.join("installed.txt");
    let list = wanted.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == list) {
        return Ok(());
    }
    say(&format!("installing {}", wanted.join(", ")));
    make(wanted)?;
    fs::write(&mark, list).map_err(Error::file(&mark))
}

fn folder(name: &str) -> Result<PathBuf, Error> {
    let folder = target()?.join("interop").join(name);
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    Ok(folder)
}

fn script(file: &str) -> PathBuf {
    tidy::root().join("xtask").join("interop").join(file)
}
