//! Whose certificates are believed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Why no authority can be believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("failed to read certificates from `{}`: {reason}", path.display())]
    Read { path: PathBuf, reason: String },
    #[error("there is no certificate in `{}`", path.display())]
    Empty { path: PathBuf },
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
}

/// TLS 1.2 and 1.3, against these authorities or those of the system.
pub(crate) fn client_config(ca: Option<PathBuf>) -> Result<ClientConfig, TrustError> {
    let roots = match ca {
        Some(path) => roots_of(&path)?,
        None => system_roots(),
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Tls)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn roots_of(path: &Path) -> Result<RootCertStore, TrustError> {
    let read = |reason: String| TrustError::Read { path: path.to_owned(), reason };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| read(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| read(error.to_string()))?;
        roots.add(certificate).map_err(|error| read(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(TrustError::Empty { path: path.to_owned() });
    }
    Ok(roots)
}

/// A machine may hold no authorities at all; then every certificate is refused, and the error says so.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    for error in found.errors {
        tracing::debug!(error = %io::Error::other(error), "a certificate of the system was skipped");
    }
    roots
}
