//! `modelward policy`

mod life;
mod local;
mod proofs;
mod replay;
mod review;
mod single;
mod whole;

use std::path::{Path, PathBuf};

use modelward_policy::BundleFile;

use super::Context;
use crate::exit::{Exit, Failure, Outcome, chain};

/// Check, build, sign, try out and activate policy bundles
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Check(local::CheckArgs),
    Build(local::BuildArgs),
    Verify(local::VerifyArgs),
    Diff(local::DiffArgs),
    Handbook(local::HandbookArgs),
    Key(review::KeyArgs),
    Sign(review::SignArgs),
    Propose(life::ProposeArgs),
    Log(life::LogArgs),
    Show(life::ShowArgs),
    Replay(replay::ReplayArgs),
    Try(life::TryArgs),
    EndTrial(life::EndTrialArgs),
    Activate(life::ActivateArgs),
    /// Go back to a bundle that was in force before
    Rollback(life::StepArgs),
    /// Take a project's bundle out of force at once
    Suspend(life::StepArgs),
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Check(args) => local::check(context, &args),
        Command::Build(args) => local::build(context, &args),
        Command::Verify(args) => local::verify(context, &args),
        Command::Diff(args) => local::diff(context, &args),
        Command::Handbook(args) => local::handbook(context, &args),
        Command::Key(args) => review::key(context, &args),
        Command::Sign(args) => review::sign(context, &args),
        Command::Propose(args) => life::propose(context, &args),
        Command::Log(args) => life::log(context, &args),
        Command::Show(args) => life::show(context, &args),
        Command::Replay(args) => replay::replay(context, &args),
        Command::Try(args) => life::try_out(context, &args),
        Command::EndTrial(args) => life::end_trial(context, &args),
        Command::Activate(args) => life::activate(context, &args),
        Command::Rollback(args) => life::roll_back(context, &args),
        Command::Suspend(args) => life::suspend(context, &args),
    }
}

/// A bundle from a folder or from a file that `policy build` wrote.
fn read_bundle(path: &Path) -> Result<BundleFile, Failure> {
    let read = if path.is_dir() {
        BundleFile::pack(folder(path)?)
    } else {
        let length = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
        if length > u64::try_from(modelward_policy::file::FILE_BYTES_MAX).unwrap_or(u64::MAX) {
            return Err(Failure::new(Exit::Usage, format!("`{}` is too large for a bundle", path.display())));
        }
        BundleFile::open(&std::fs::read(path).map_err(|error| unreadable(path, &error))?)
    };
    read.map_err(|error| Failure::new(Exit::Failure, format!("`{}`: {}", path.display(), chain(&error))))
}

/// The texts of a folder by their path in it, with `/` between. Dot files stay out.
fn folder(root: &Path) -> Result<Vec<(String, String)>, Failure> {
    let mut files = Vec::new();
    let mut waiting = vec![(root.to_owned(), String::new())];
    while let Some((dir, prefix)) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|error| unreadable(&dir, &error))? {
            let entry = entry.map_err(|error| unreadable(&dir, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let (path, name) = (entry.path(), format!("{prefix}{name}"));
            if path.is_dir() {
                waiting.push((path, format!("{name}/")));
            } else {
                files
                    .push((name, std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("`{}` cannot be read: {error}", path.display()))
}

fn write(path: &PathBuf, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Failure::new(Exit::Failure, format!("`{}` cannot be written: {error}", path.display()))
    })
}
