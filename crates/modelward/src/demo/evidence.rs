//! Checking the ledger as an outsider would: from its files and a public key, with nothing of the running system.

use std::fs;
use std::path::{Path, PathBuf};

use modelward_ledger::verify::{FolderSource, Options, Report, Verdict, verify_log};
use modelward_seal::note::Verifier;

use crate::exit::{Exit, Failure};

/// What a verification of the public part of the log found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) verdict: String,
    pub(super) entries: u64,
    pub(super) root: String,
}

/// The public part of a log, and the key that its checkpoints are checked with.
#[derive(Debug)]
pub(super) struct Evidence {
    log: PathBuf,
    key: Verifier,
}

impl Evidence {
    pub(super) fn new(ledger: &Path, key_file: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(key_file).map_err(|error| failed(key_file, &error))?;
        let key = text.trim().parse().map_err(|error| failed(key_file, &error))?;
        Ok(Self { log: ledger.join("log"), key })
    }

    pub(super) fn verify(&self) -> Found {
        found(&verify_log(&FolderSource::new(&self.log), &self.key, Options::default()))
    }

    /// Copies the log, changes one byte of its first entry, and verifies the copy.
    pub(super) fn verify_with_one_byte_changed(&self, scratch: &Path) -> Result<Found, Failure> {
        let copy = scratch.join("changed-log");
        copy_folder(&self.log, &copy)?;
        let size = verify_log(&FolderSource::new(&copy), &self.key, Options::default())
            .checkpoint
            .map_or(0, |checkpoint| checkpoint.size);
        // C2SP tlog-tiles: a bundle of fewer than 256 entries stands under its width.
        let bundle = if size < 256 { format!("000.p/{size}") } else { "000".to_owned() };
        let bundle = copy.join("tile/entries").join(bundle);
        let mut bytes = fs::read(&bundle).map_err(|error| failed(&bundle, &error))?;
        // An entry is its length in two bytes, then its text.
        if let Some(byte) = bytes.get_mut(2) {
            *byte ^= 1;
        }
        fs::write(&bundle, bytes).map_err(|error| failed(&bundle, &error))?;
        Ok(found(&verify_log(&FolderSource::new(&copy), &self.key, Options::default())))
    }
}

fn found(report: &Report) -> Found {
    let verdict = match (report.verdict, report.first_bad_index) {
        (Verdict::Intact, _) => "intact".to_owned(),
        (Verdict::Damaged, Some(index)) => format!("damaged at entry {index}"),
        (Verdict::Damaged, None) => "damaged".to_owned(),
        (Verdict::Incomplete, _) => "incomplete".to_owned(),
        (Verdict::Untrusted, _) => "untrusted".to_owned(),
    };
    let root = report.checkpoint.as_ref().map_or_else(String::new, |checkpoint| checkpoint.root.short());
    Found { verdict, entries: report.entries, root }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(|error| failed(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| failed(from, &error))? {
        let entry = entry.map_err(|error| failed(from, &error))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(|error| failed(&path, &error))?;
        }
    }
    Ok(())
}

fn failed(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Failure, format!("failed to read `{}`: {}", path.display(), crate::exit::chain(error)))
}
