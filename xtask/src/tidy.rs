//! Rules of the house that the compiler cannot check.

mod links;
mod manifests;
mod pages;
mod rooms;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

pub use manifests::check_manifest;
pub use rooms::{Edge, Member, allowed_edges, check as check_rooms};

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Relative to the root of the repository.
    pub path: PathBuf,
    /// From 1; `None` when the whole file is meant.
    pub line: Option<usize>,
    pub message: String,
}

impl Finding {
    fn file(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, message: message.into() }
    }

    fn line(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Why the rules could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    #[error("failed to run `{program}`")]
    Run {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("`{program}` failed: {told}")]
    Refused { program: &'static str, told: String },
    #[error("failed to read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to understand the answer of `cargo metadata`")]
    Metadata(#[source] serde_json::Error),
    #[error("`{}` is not a valid manifest", path.display())]
    Manifest {
        path: PathBuf,
        #[source]
        source: toml::de::Error,
    },
}

/// One file under version control that holds text.
#[derive(Debug, Clone)]
pub struct Source {
    /// Relative to the root of the repository.
    pub path: PathBuf,
    pub text: String,
}

/// The root of this repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// Every rule on the repository at `root`; findings in the order of their paths.
pub fn check(root: &Path) -> Result<Vec<Finding>, TidyError> {
    let sources = sources(root)?;
    let members = rooms::members(root)?;
    let mut findings = rooms::check(&members, &sources);
    findings.extend(manifests::check(root, &members)?);
    findings.extend(check_sources(&sources));
    findings.sort();
    Ok(findings)
}

/// The rules that need nothing but the text of the files.
pub fn check_sources(sources: &[Source]) -> Vec<Finding> {
    let mut findings = text::check(sources);
    findings.extend(links::check(sources));
    findings.extend(pages::check(sources));
    findings
}

/// The text files under version control, as they lie in the working tree.
fn sources(root: &Path) -> Result<Vec<Source>, TidyError> {
    let listed = run(root, "git", &["ls-files", "--cached", "--others", "--exclude-standard", "-z"])?;
    let mut sources = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from) {
        let whole = root.join(&path);
        let bytes = match fs::read(&whole) {
            Ok(bytes) => bytes,
            // Deleted in the working tree, or a link to a folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
                continue;
            }
            Err(source) => return Err(TidyError::Read { path: whole, source }),
        };
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source { path, text });
        }
    }
    Ok(sources)
}

fn run(root: &Path, program: &'static str, arguments: &[&str]) -> Result<String, TidyError> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|source| TidyError::Run { program, source })?;
    if !output.status.success() {
        return Err(TidyError::Refused {
            program,
            told: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
