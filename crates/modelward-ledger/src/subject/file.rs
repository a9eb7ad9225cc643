//! Data keys as files, each wrapped under one key-encryption key.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use modelward_seal::source::Ids;

use super::{DataKey, DataKeyId, KeyError, Month, SubjectKeys};

/// One file per data key: `<pseudonym>/<yyyy-mm>.<generation>`, mode 0600, holding nonce and wrapped key.
#[derive(Debug)]
pub struct FileSubjectKeys {
    dir: PathBuf,
    wrapping: DataKey,
    ids: Arc<dyn Ids>,
    cache: Mutex<HashMap<(String, Month), (DataKeyId, DataKey)>>,
}

/// Keys kept in memory; past it the cache starts anew, which costs a file read per subject.
const CACHED_MAX: usize = 4096;
const NONCE_BYTES: usize = 24;

impl FileSubjectKeys {
    /// Uses the folder `dir`, which is made if it is missing. `wrapping` encrypts every key in it.
    pub fn open(dir: &Path, wrapping: DataKey, ids: Arc<dyn Ids>) -> Result<Self, KeyError> {
        fs::create_dir_all(dir).map_err(|source| failed("make a folder for", "*", source))?;
        Ok(Self { dir: dir.to_owned(), wrapping, ids, cache: Mutex::default() })
    }

    fn make(&self, pseudonym: &str, month: Month) -> Result<(DataKeyId, DataKey), KeyError> {
        let mut random = [0; 4 + 32 + NONCE_BYTES];
        self.ids.fill(&mut random);
        let (generation, rest) = random.split_at(4);
        let (key, nonce) = rest.split_at(32);
        let id = DataKeyId::new(format!("{pseudonym}.{month}.{}", hex::encode(generation)));
        let key = DataKey::new(key.try_into().map_err(|_| KeyError::Seal)?);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| KeyError::Seal)?;
        let wrapped = self.wrapping.seal(&nonce, key.bytes(), id.0.as_bytes())?;
        self.write(&id, &[&nonce, wrapped.as_slice()].concat())
            .map_err(|source| failed("write", &id.0, source))?;
        Ok((id, key))
    }

    /// Durable before it returns: an entry sealed under a key that a crash takes away could never be read.
    fn write(&self, id: &DataKeyId, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(&id.0).ok_or(io::ErrorKind::InvalidInput)?;
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(folder)?;
        let temporary = path.with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        fs::File::open(folder)?.sync_all()?;
        fs::File::open(&self.dir)?.sync_all()
    }

    fn read(&self, id: &str) -> Result<Option<DataKey>, KeyError> {
        let path = self.path(id).ok_or_else(|| KeyError::BadName { key: id.chars().take(120).collect() })?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("read", id, source)),
        };
        let unwrap = || KeyError::Unwrap { key: id.to_owned() };
        let (nonce, wrapped) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(unwrap)?;
        let key = self.wrapping.open(nonce, wrapped, id.as_bytes()).map_err(|_| unwrap())?;
        Ok(Some(DataKey::new(key.try_into().map_err(|_| unwrap())?)))
    }

    /// Where the key is, if the id has exactly the form we make: ids come from log entries, hence from outside.
    fn path(&self, id: &str) -> Option<PathBuf> {
        let mut parts = id.splitn(3, '.');
        let (pseudonym, month, generation) = (parts.next()?, parts.next()?, parts.next()?);
        let hex =
            |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
        let dated = month.len() == 7 && month.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let fits = hex(pseudonym, 64) && dated && hex(generation, 8);
        fits.then(|| self.dir.join(pseudonym).join(format!("{month}.{generation}")))
    }

    /// The ids of a subject's keys, oldest first.
    fn list(&self, pseudonym: &str, month: Option<Month>) -> Result<Vec<DataKeyId>, KeyError> {
        let fits = pseudonym.len() == 64 && pseudonym.bytes().all(|b| b.is_ascii_hexdigit());
        if !fits {
            return Err(KeyError::BadName { key: pseudonym.chars().take(120).collect() });
        }
        let entries = match fs::read_dir(self.dir.join(pseudonym)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed("list", pseudonym, source)),
        };
        let prefix = month.map(|month| format!("{month}.")).unwrap_or_default();
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| failed("list", pseudonym, source))?;
            let id = entry.file_name().to_str().map(|name| format!("{pseudonym}.{name}"));
            let wanted = |id: &String| {
                id.strip_prefix(pseudonym)
                    .is_some_and(|rest| rest.trim_start_matches('.').starts_with(&prefix))
                    && self.path(id).is_some()
            };
            ids.extend(id.filter(wanted).map(DataKeyId::new));
        }
        ids.sort();
        Ok(ids)
    }

    fn remove(&self, id: &DataKeyId) -> io::Result<()> {
        let path = self.path(&id.0).ok_or(io::ErrorKind::InvalidInput)?;
        // Overwriting reaches the same blocks on file systems that write in place; elsewhere the wrapping
        // key's rotation is what makes an old block unreadable.
        let length = fs::metadata(&path)?.len();
        let mut file = fs::OpenOptions::new().write(true).open(&path)?;
        file.write_all(&vec![0; usize::try_from(length).unwrap_or(0)])?;
        file.sync_all()?;
        fs::remove_file(&path)?;
        fs::File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?.sync_all()
    }
}

impl SubjectKeys for FileSubjectKeys {
    fn current(&self, pseudonym: &str, month: Month) -> Result<(DataKeyId, DataKey), KeyError> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = (pseudonym.to_owned(), month);
        if let Some((id, key)) = cache.get(&slot) {
            return Ok((id.clone(), key.clone()));
        }
        let newest = self.list(pseudonym, Some(month))?.pop();
        let found = match newest {
            Some(id) => self.read(&id.0)?.map(|key| (id, key)),
            None => None,
        };
        let (id, key) = match found {
            Some(found) => found,
            None => self.make(pseudonym, month)?,
        };
        if cache.len() >= CACHED_MAX {
            cache.clear();
        }
        cache.insert(slot, (id.clone(), key.clone()));
        Ok((id, key))
    }

    fn find(&self, id: &str) -> Result<Option<DataKey>, KeyError> {
        self.read(id)
    }

    fn erase(&self, pseudonym: &str, month: Option<Month>) -> Result<Vec<DataKeyId>, KeyError> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|(subject, of), _| subject != pseudonym || month.is_some_and(|month| month != *of));
        let ids = self.list(pseudonym, month)?;
        for id in &ids {
            self.remove(id).map_err(|source| failed("erase", &id.0, source))?;
        }
        Ok(ids)
    }
}

fn failed(action: &'static str, key: &str, source: io::Error) -> KeyError {
    KeyError::Io { action, key: key.to_owned(), source }
}
