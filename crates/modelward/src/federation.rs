//! From configured issuers to what the control plane believes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelward_identity::federation::{DOCUMENT_BYTES_MAX, ForeignKeys, JwksError, KeySource, TrustedIssuer};
use modelward_server::{ClientSecret, Federation};
use zeroize::Zeroizing;

use crate::client::TrustError;
use crate::config::{Config, Issuer, Jwks};
use crate::outbound::{Fetcher, SystemResolver};

/// Why an issuer cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    #[error("failed to read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the keys of the issuer `{issuer}` cannot be used")]
    Keys {
        issuer: String,
        #[source]
        source: JwksError,
    },
    #[error("the authorities of an issuer cannot be used")]
    Trust(#[from] TrustError),
    #[error("the secret in `{}` is empty or longer than {SECRET_BYTES_MAX} bytes", path.display())]
    Secret { path: PathBuf },
}

const SECRET_BYTES_MAX: usize = 1024;

/// Reads what the configuration names. Nothing is fetched before somebody signs in.
///
/// # Errors
/// A file cannot be read, or does not hold what it should.
pub fn build(config: &Config, control_url: &str) -> Result<Federation, FederationError> {
    let authorities = config.issuers.iter().map(|issuer| (issuer.name.clone(), issuer.ca_file.clone()));
    let fetcher = Fetcher::new(authorities, Arc::new(SystemResolver))?;
    let (mut issuers, mut stream_tokens) = (Vec::new(), Vec::new());
    for issuer in &config.issuers {
        let client_secret = issuer.client_secret_file.as_deref().map(secret).transpose()?;
        issuers.push((trusted(issuer, control_url)?, client_secret));
        if let Some(file) = &issuer.signals_token_file {
            stream_tokens.push((issuer.name.clone(), secret(file)?));
        }
    }
    let federation = Federation::new(issuers, config.workloads.clone(), Arc::new(fetcher));
    Ok(federation.authorised(stream_tokens))
}

fn trusted(issuer: &Issuer, control_url: &str) -> Result<TrustedIssuer, FederationError> {
    let fixed = |document: &[u8]| {
        ForeignKeys::read(document, &issuer.algorithms)
            .map(KeySource::Fixed)
            .map_err(|source| FederationError::Keys { issuer: issuer.name.to_string(), source })
    };
    let keys = match &issuer.jwks {
        Jwks::Discovery => KeySource::Discovery,
        Jwks::Url(url) => KeySource::Url(url.clone()),
        Jwks::File(path) => fixed(&read(path, DOCUMENT_BYTES_MAX)?)?,
        Jwks::Inline(text) => fixed(text.as_bytes())?,
    };
    Ok(TrustedIssuer {
        name: issuer.name.clone(),
        title: issuer.title.clone(),
        url: issuer.url.clone(),
        algorithms: issuer.algorithms.clone(),
        tier: issuer.tier.clone(),
        keys,
        console_client: issuer.client_id.clone(),
        cli_client: issuer.cli_client_id.clone(),
        scopes: issuer.scopes.clone(),
        groups_claim: issuer.groups_claim.clone(),
        workload_audience: issuer.audience.clone().unwrap_or_else(|| control_url.to_owned()),
        signals: issuer.signals.clone(),
        reach: issuer.reach.clone(),
    })
}

fn secret(path: &Path) -> Result<ClientSecret, FederationError> {
    let text = Zeroizing::new(read(path, SECRET_BYTES_MAX)?);
    let wrong = || FederationError::Secret { path: path.to_owned() };
    let text = std::str::from_utf8(&text).map_err(|_| wrong())?.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.len() > SECRET_BYTES_MAX {
        return Err(wrong());
    }
    Ok(ClientSecret::new(Zeroizing::new(text.to_owned())))
}

/// One byte more than allowed tells that there is more.
fn read(path: &Path, max: usize) -> Result<Vec<u8>, FederationError> {
    let failed = |source| FederationError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(failed)?.take(bound).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
