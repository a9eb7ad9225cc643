//! Why a chore could not be done.

use std::path::PathBuf;
use std::{io, iter};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to run `{program}`")]
    Run {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("`{program}` ended with {status}")]
    Ended { program: String, status: String },
    #[error("failed to access `{}`", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to understand {what}")]
    Parse {
        what: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("failed to talk to `{address}`")]
    Connect {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("`{url}` answered {status}: {told}")]
    Refused { url: String, status: u16, told: String },
    #[error("gave up waiting for {what} after {seconds} s")]
    Late { what: String, seconds: u64 },
    #[error("{0}")]
    Unmet(String),
}

impl Error {
    pub(crate) fn run(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        |source| Self::Run { program, source }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::File { path, source }
    }

    pub(crate) fn connect<E>(address: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let address = address.into();
        |source| Self::Connect { address, source: source.into() }
    }
}

/// An error with everything behind it, one line each.
pub fn report(error: &dyn std::error::Error) -> String {
    let chain = iter::successors(error.source(), |cause| cause.source());
    let causes: String = chain.map(|cause| format!("\n  caused by: {cause}")).collect();
    format!("error: {error}{causes}")
}
