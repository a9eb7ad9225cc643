//! Certificates of our own listeners, read again when their files change.
//!
//! A connection takes the certificate of the moment it begins. A file that cannot be used leaves the one before in
//! force and says so: a half-written renewal must not end the service.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use modelward_gateway::{Tls, TlsError};
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use crate::stamp::Stamp;

/// A certificate chain with its key, as two files.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    tls: Tls,
    /// The files as they were when they were last read.
    seen: Mutex<Stamp<2>>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("failed to read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is larger than {MAX_FILE} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("`{}` and `{}` make no certificate", certificate.display(), key.display())]
    Unusable {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: TlsError,
    },
}

/// Chains of dozens of certificates fit.
const MAX_FILE: u64 = 1 << 20;

impl Certificate {
    /// # Errors
    /// A file cannot be read, or the two do not belong together.
    pub fn read(files: TlsFiles) -> Result<Self, CertificateError> {
        let seen = stamp(&files)?;
        let (chain, key) = load(&files)?;
        let tls = Tls::from_pem(&chain, &key).map_err(unusable(&files))?;
        Ok(Self { files, tls, seen: Mutex::new(seen) })
    }

    /// Reads the files again if they changed, or in any case if told to. Answers whether a new pair is in force.
    ///
    /// # Errors
    /// The files cannot be used; the pair before stays in force.
    pub fn refresh(&self, in_any_case: bool) -> Result<bool, CertificateError> {
        let now = stamp(&self.files)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now && !in_any_case {
            return Ok(false);
        }
        // Noted before reading: what cannot be used is reported once, and again only after another change.
        *seen = now;
        let (chain, key) = load(&self.files)?;
        self.tls.replace(&chain, &key).map_err(unusable(&self.files))?;
        Ok(true)
    }

    /// What a listener serves with; it follows each refresh.
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    pub fn path(&self) -> &Path {
        &self.files.certificate
    }
}

fn stamp(files: &TlsFiles) -> Result<Stamp<2>, CertificateError> {
    Stamp::of([&files.certificate, &files.key])
        .map_err(|(path, source)| CertificateError::Read { path, source })
}

fn load(files: &TlsFiles) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CertificateError> {
    Ok((read(&files.certificate)?, Zeroizing::new(read(&files.key)?)))
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let failed = |source| CertificateError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err(CertificateError::TooLarge { path: path.to_owned() });
    }
    let mut content = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut content)).map_err(failed)?;
    Ok(content)
}

fn unusable(files: &TlsFiles) -> impl Fn(TlsError) -> CertificateError + '_ {
    |source| CertificateError::Unusable {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_pair(folder: &Path, name: &str) -> TlsFiles {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        fs::write(&files.certificate, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_pair(folder.path(), "one.example");
        let certificate = Certificate::read(files.clone()).unwrap();
        let first = certificate.tls().current();
        assert!(!certificate.refresh(false).unwrap(), "nothing changed");

        fs::write(&files.certificate, "half a file").unwrap();
        assert!(certificate.refresh(false).is_err());
        assert!(
            std::sync::Arc::ptr_eq(&certificate.tls().current(), &first),
            "the one before stays in force"
        );
        assert!(!certificate.refresh(false).unwrap(), "it is said once");

        write_pair(folder.path(), "two.example");
        assert!(certificate.refresh(true).unwrap());
        assert!(!std::sync::Arc::ptr_eq(&certificate.tls().current(), &first));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let files = write_pair(folder.path(), "one.example");
        let stranger = write_pair(other.path(), "one.example");
        let mixed = TlsFiles { certificate: files.certificate, key: stranger.key };
        assert!(matches!(Certificate::read(mixed), Err(CertificateError::Unusable { .. })));
    }
}
