//! Copies of the database, and files that nobody else may read.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::{Store, StoreError};

/// How many backups stay next to the database.
const KEPT: usize = 3;

/// Makes the file if there is none, and takes it away from everybody but its owner.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    restrict(&file)
}

#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Copies the database into `NAME.before-migration-N.TIME` next to it, and forgets all but the newest such copies.
pub(crate) async fn take(
    store: &Store,
    database: &Path,
    migration: i64,
    now: Timestamp,
) -> Result<PathBuf, StoreError> {
    let stamp = now.strftime("%Y%m%dT%H%M%S%6fZ");
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(format!("{MARK}{migration}.{stamp}"));
    let path = database.with_file_name(name);
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Backup { path: path.clone(), source };
    // A half-written copy of an attempt that crashed is not worth anything.
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error.into())),
    }
    // The statement writes into an empty file, which has its permissions before it has any content.
    make_private(&path).map_err(|error| failed(error.into()))?;
    let text = path.to_str().ok_or_else(|| failed("the path is not valid UTF-8".into()))?;
    sqlx::query("VACUUM INTO $1")
        .bind(text.to_owned())
        .execute(store.pool())
        .await
        .map_err(|error| failed(error.into()))?;
    File::open(&path).and_then(|file| file.sync_all()).map_err(|error| failed(error.into()))?;
    forget_old(database).map_err(|error| failed(error.into()))?;
    Ok(path)
}

const MARK: &str = ".before-migration-";

/// The time in the name tells which are the oldest.
fn forget_old(database: &Path) -> io::Result<()> {
    let Some(folder) = database.parent() else { return Ok(()) };
    let prefix = format!("{}{MARK}", database.file_name().unwrap_or_default().to_string_lossy());
    let mut backups = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(rest) = name.strip_prefix(&prefix) {
            let (number, stamp) = rest.split_once('.').unwrap_or((rest, ""));
            backups.push((stamp.to_owned(), number.to_owned(), entry.path()));
        }
    }
    backups.sort();
    let surplus = backups.len().saturating_sub(KEPT);
    for (_, _, path) in backups.into_iter().take(surplus) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
