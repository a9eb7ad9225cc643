//! From configured upstreams to what the gateway takes, with credentials that can be replaced under way.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use modelward_decision::vocabulary::Name;
use modelward_gateway::upstream::{
    Address, AddressError, Credential as GatewayCredential, Credentials, HealthCheck, Timeouts, Trust,
};
use modelward_gateway::{UpstreamConfig, UpstreamError, Upstreams};
use secrecy::SecretString;

use crate::config::{Credential, Environment, Upstream};
use crate::stamp::Stamp;

/// Why an upstream cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamSetupError {
    #[error("the address of the upstream `{name}` cannot be used")]
    Address {
        name: Name,
        #[source]
        source: AddressError,
    },
    #[error("failed to read `{}` for the upstream `{name}`", path.display())]
    Read {
        name: Name,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the environment variable `{variable}` with the credential of the upstream `{name}` is not set")]
    Variable { name: Name, variable: String },
    #[error("the credential of the upstream `{name}` is empty, or longer than {MAX_CREDENTIAL} bytes")]
    Length { name: Name },
    #[error(transparent)]
    Gateway(#[from] UpstreamError),
}

/// Tokens of cloud providers stay below this.
const MAX_CREDENTIAL: usize = 16 << 10;

/// The credential files of all upstreams, to look at again.
#[derive(Debug)]
pub struct CredentialFiles {
    watched: Mutex<BTreeMap<Name, Watched>>,
}

#[derive(Debug)]
struct Watched {
    upstream: Upstream,
    path: PathBuf,
    seen: Option<Stamp<1>>,
}

/// Reads every authority and credential.
///
/// # Errors
/// An address, a file or a credential cannot be used.
pub fn build(
    upstreams: &BTreeMap<Name, Upstream>,
    environment: &Environment,
) -> Result<(Upstreams, CredentialFiles), UpstreamSetupError> {
    let configs = upstreams
        .iter()
        .map(|(name, upstream)| config_of(name, upstream, environment))
        .collect::<Result<Vec<_>, _>>()?;
    let watched = upstreams.iter().filter_map(|(name, upstream)| {
        let Credential::File(path) = &upstream.credential else { return None };
        let seen = Stamp::of([path]).ok();
        Some((name.clone(), Watched { upstream: upstream.clone(), path: path.clone(), seen }))
    });
    let files = CredentialFiles { watched: Mutex::new(watched.collect()) };
    Ok((Upstreams::new(configs)?, files))
}

impl CredentialFiles {
    /// Reads files that changed, or all if told to, and puts what they hold to use. A file that cannot be used leaves
    /// the credential before in force.
    pub fn refresh(&self, upstreams: &Upstreams, in_any_case: bool) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, file) in watched.iter_mut() {
            let now = Stamp::of([&file.path]).ok();
            if now == file.seen && !in_any_case {
                continue;
            }
            file.seen = now;
            match credentials_of(name, &file.upstream, &Environment::default()) {
                Ok(credentials) => {
                    upstreams.replace_credentials(name, credentials);
                    tracing::info!(upstream = name.as_str(), "the credential was read again");
                }
                Err(error) => tracing::error!(
                    upstream = name.as_str(),
                    error = crate::exit::chain(&error),
                    "the credential cannot be used; the one before stays in force"
                ),
            }
        }
    }
}

fn config_of(
    name: &Name,
    upstream: &Upstream,
    environment: &Environment,
) -> Result<UpstreamConfig, UpstreamSetupError> {
    let replicas = upstream
        .urls
        .iter()
        .map(|url| url.to_string().parse::<Address>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| UpstreamSetupError::Address { name: name.clone(), source })?;
    let trust = match &upstream.ca_file {
        None => Trust::System,
        Some(path) => Trust::Authorities(fs::read(path).map_err(|source| UpstreamSetupError::Read {
            name: name.clone(),
            path: path.clone(),
            source,
        })?),
    };
    Ok(UpstreamConfig {
        trust,
        credentials: credentials_of(name, upstream, environment)?,
        timeouts: Timeouts {
            connect: upstream.connect_timeout,
            first_byte: upstream.head_timeout,
            idle: upstream.idle_timeout,
            ..Timeouts::default()
        },
        health: HealthCheck {
            path: upstream.health_path.clone(),
            every: upstream.health_interval,
            ..HealthCheck::default()
        },
        in_flight: upstream.in_flight,
        ..UpstreamConfig::new(name.clone(), replicas)
    })
}

fn credentials_of(
    name: &Name,
    upstream: &Upstream,
    environment: &Environment,
) -> Result<Credentials, UpstreamSetupError> {
    let secret = match &upstream.credential {
        Credential::None => return Ok(Credentials::default()),
        Credential::Inline(secret) => secret.clone(),
        Credential::Variable(variable) => {
            environment.get(variable.as_str()).map(SecretString::from).ok_or_else(|| {
                UpstreamSetupError::Variable { name: name.clone(), variable: variable.as_str().to_owned() }
            })?
        }
        Credential::File(path) => secret_of(name, path)?,
    };
    let credential = match &upstream.credential_header {
        None => GatewayCredential::bearer(&secret)?,
        Some(header) => GatewayCredential::header(header.clone(), secret)?,
    };
    Ok(Credentials::one(credential))
}

fn secret_of(name: &Name, path: &PathBuf) -> Result<SecretString, UpstreamSetupError> {
    let text = fs::read_to_string(path).map_err(|source| UpstreamSetupError::Read {
        name: name.clone(),
        path: path.clone(),
        source,
    })?;
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() || secret.len() > MAX_CREDENTIAL {
        return Err(UpstreamSetupError::Length { name: name.clone() });
    }
    Ok(SecretString::from(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    fn setup(text: &str, environment: &Environment) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("modelward.toml");
        fs::write(&file, text).unwrap();
        let config = Loaded::read(&file, environment).unwrap().config;
        build(&config.upstreams, environment).map(|_| ()).map_err(|error| crate::exit::chain(&error))
    }

    #[test]
    fn a_credential_that_is_not_there_stops_the_start() {
        let text = "[upstreams.a]\nurls = ['http://127.0.0.1:1/base']\ncredential_env = 'TOKEN_OF_A'\n";
        let missing = setup(text, &Environment::default());
        assert!(missing.unwrap_err().contains("TOKEN_OF_A"));
        let environment: Environment = [("TOKEN_OF_A".to_owned(), "s3cret".to_owned())].into_iter().collect();
        assert_eq!(setup(text, &environment), Ok(()));
        let text = "[upstreams.a]\nurls = ['http://127.0.0.1:1']\ncredential_file = 'nowhere'\n";
        assert!(setup(text, &environment).unwrap_err().contains("nowhere"));
    }

    #[test]
    fn a_credential_does_not_show_in_an_error() {
        let environment: Environment = [("T".to_owned(), "s3\u{7}cret".to_owned())].into_iter().collect();
        let text = "[upstreams.a]\nurls = ['http://127.0.0.1:1']\ncredential_env = 'T'\n";
        let error = setup(text, &environment).unwrap_err();
        assert!(!error.contains("cret"), "{error}");
    }
}
