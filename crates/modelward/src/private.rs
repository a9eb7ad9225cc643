//! Files nobody else may read: keys, sessions. Wrong permissions are refused, not repaired.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Why a private file or folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    #[error("failed to {doing} `{}`", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` can be read or written by others (mode {mode:04o})", path.display())]
    Open { path: PathBuf, mode: u32 },
    #[error("`{}` is larger than {max} bytes", path.display())]
    TooLarge { path: PathBuf, max: u64 },
    #[error("`{}` is not a file of its own", path.display())]
    NotAFile { path: PathBuf },
}

impl PrivateError {
    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open { path, mode: _ } => Some(format!("chmod go-rwx '{}'", path.display())),
            Self::Io { .. } | Self::TooLarge { .. } | Self::NotAFile { .. } => None,
        }
    }

    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> PrivateError + 'a {
    move |source| PrivateError::Io { doing, path: path.to_owned(), source }
}

/// Makes a folder with mode 0700, and those above it.
///
/// # Errors
/// It cannot be made.
pub fn make_folder(path: &Path) -> Result<(), PrivateError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make the folder", path))
}

/// # Errors
/// The folder is missing, or anybody but its owner may enter it.
pub fn check_folder(path: &Path) -> Result<(), PrivateError> {
    let metadata = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    closed(path, metadata.mode())
}

fn closed(path: &Path, mode: u32) -> Result<(), PrivateError> {
    let mode = mode & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(PrivateError::Open { path: path.to_owned(), mode }) }
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// It is missing, no plain file, too large, or not private.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, PrivateError> {
    let named = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    if !named.is_file() {
        return Err(PrivateError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed("open", path))?;
    // The mode of what was opened, not of what stood there a moment ago.
    closed(path, file.metadata().map_err(failed("look at", path))?.mode())?;
    let mut content = Vec::new();
    file.take(max + 1).read_to_end(&mut content).map_err(failed("read", path))?;
    if content.len() as u64 > max {
        return Err(PrivateError::TooLarge { path: path.to_owned(), max });
    }
    Ok(content)
}

/// Writes a file with mode 0600, whole or not at all, durable when this returns.
///
/// # Errors
/// It cannot be written or renamed.
pub fn write(path: &Path, content: &[u8]) -> Result<(), PrivateError> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("remove", &draft)(error)),
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(failed("create", &draft))?;
    file.write_all(content).map_err(failed("write", &draft))?;
    file.sync_all().map_err(failed("flush", &draft))?;
    fs::rename(&draft, path).map_err(failed("rename to", path))?;
    // A bare name has an empty parent: the folder one is in.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("flush", folder))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        write(&file, b"secret").unwrap();
        assert_eq!(read(&file, 100).unwrap(), b"secret");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);

        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(&file, 100).unwrap_err();
        assert!(matches!(error, PrivateError::Open { mode: 0o640, .. }));
        assert!(error.hint().unwrap().starts_with("chmod"));
    }

    #[test]
    fn a_link_or_a_long_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        write(&file, b"secret").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(matches!(read(&link, 100), Err(PrivateError::NotAFile { .. })));
        assert!(matches!(read(&file, 3), Err(PrivateError::TooLarge { .. })));
    }
}
