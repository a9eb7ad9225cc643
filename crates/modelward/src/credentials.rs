//! Who this user is signed in as, per server: `$XDG_CONFIG_HOME/modelward/credentials.json`, mode 0600.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use modelward_server::wire::Secret;
use serde::{Deserialize, Serialize};

use crate::config::Environment;
use crate::exit::{Exit, Failure};
use crate::private::{self, PrivateError};

/// Sessions by server.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The server signed in to last: where commands go unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    #[serde(default)]
    pub servers: BTreeMap<String, Session>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Name of the person.
    pub name: String,
    pub secret: Secret,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// Certificate authority the server was signed in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// A thousand sessions fit.
const MAX_FILE: u64 = 1 << 20;

impl Credentials {
    /// # Errors
    /// The home folder is unknown.
    pub fn path(environment: &Environment) -> Result<PathBuf, Failure> {
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
        folder.map(|folder| folder.join("modelward").join("credentials.json")).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "neither `XDG_CONFIG_HOME` nor `HOME` is set, so there is no place for a session",
            )
        })
    }

    /// # Errors
    /// The file is not private, or is no list of sessions. A missing file is an empty list.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = match private::read(path, MAX_FILE) {
            Ok(text) => text,
            Err(error) if error.is_missing() => return Ok(Self::default()),
            Err(error) => return Err(failure(&error)),
        };
        // The parser's own message could quote a secret.
        serde_json::from_slice(&text).map_err(|_| {
            Failure::new(Exit::Failure, format!("`{}` is damaged", path.display()))
                .hint("remove it and sign in again with `modelward login`")
        })
    }

    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| Failure::of(Exit::Failure, &error))?;
        if let Some(folder) = path.parent() {
            private::make_folder(folder).map_err(|error| failure(&error))?;
        }
        private::write(path, &text).map_err(|error| failure(&error))
    }
}

fn failure(error: &PrivateError) -> Failure {
    let failure = Failure::of(Exit::Failure, error);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
