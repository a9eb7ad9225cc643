//! Certificates of our own listeners, read again when their files change.
//!
//! A connection takes the certificate of the moment it begins. A file that cannot be used leaves the one before in
//! force and says so: a half-written renewal must not end the service.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::TlsFiles;

/// A certificate chain with its key, as two files.
pub struct Certificate {
    files: TlsFiles,
    current: ArcSwap<CertifiedKey>,
    /// The files as they were when `current` was read.
    seen: Mutex<Stamp>,
}

/// When and how large: enough to notice a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([(SystemTime, u64); 2]);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("failed to read `{}`: {reason}", path.display())]
    Read { path: PathBuf, reason: String },
    #[error("there is no certificate in `{}`", path.display())]
    Empty { path: PathBuf },
    #[error("the private key in `{}` cannot be used", path.display())]
    Key {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("the private key in `{}` does not belong to the certificate in `{}`", key.display(), certificate.display())]
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
}

impl Certificate {
    /// # Errors
    /// A file cannot be read, or the two do not belong together.
    pub fn read(files: TlsFiles) -> Result<Arc<Self>, CertificateError> {
        let seen = stamp(&files)?;
        let current = ArcSwap::from_pointee(load(&files)?);
        Ok(Arc::new(Self { files, current, seen: Mutex::new(seen) }))
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
        self.current.store(Arc::new(load(&self.files)?));
        Ok(true)
    }

    /// TLS 1.2 and 1.3 with HTTP/2 and HTTP/1.1 on offer.
    ///
    /// # Errors
    /// The cryptographic provider offers neither version.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(CertificateError::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    pub fn path(&self) -> &Path {
        &self.files.certificate
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn stamp(files: &TlsFiles) -> Result<Stamp, CertificateError> {
    let one = |path: &Path| {
        let read = |error: std::io::Error| CertificateError::Read {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let metadata = fs::metadata(path).map_err(read)?;
        Ok((metadata.modified().map_err(read)?, metadata.len()))
    };
    Ok(Stamp([one(&files.certificate)?, one(&files.key)?]))
}

fn load(files: &TlsFiles) -> Result<CertifiedKey, CertificateError> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls::pki_types::pem::Error| CertificateError::Read { path, reason: error.to_string() }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(read(&files.certificate))?;
    if chain.is_empty() {
        return Err(CertificateError::Empty { path: files.certificate.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(read(&files.key))?;
    let key = aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|source| CertificateError::Key { path: files.key.clone(), source })?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        // Unknown means that this kind of key cannot say; the handshake will.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(pair),
        Err(source) => Err(CertificateError::Pair {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            source,
        }),
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
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
        let first = certificate.current.load_full();
        assert!(!certificate.refresh(false).unwrap(), "nothing changed");

        fs::write(&files.certificate, "half a file").unwrap();
        assert!(certificate.refresh(true).is_err());
        assert_eq!(certificate.current.load_full().cert, first.cert, "the one before stays in force");

        write_pair(folder.path(), "two.example");
        assert!(certificate.refresh(true).unwrap());
        assert_ne!(certificate.current.load_full().cert, first.cert);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let files = write_pair(folder.path(), "one.example");
        let stranger = write_pair(other.path(), "one.example");
        let mixed = TlsFiles { certificate: files.certificate, key: stranger.key };
        assert!(matches!(Certificate::read(mixed), Err(CertificateError::Pair { .. })));
    }
}
