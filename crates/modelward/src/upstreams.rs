//! From configured upstreams to what the gateway takes, with credentials that can be replaced under way.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use http::HeaderName;
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
    environment: Environment,
}

#[derive(Debug)]
struct Watched {
    upstream: Upstream,
    seen: Vec<Option<Stamp<1>>>,
}

/// How each credential file of an upstream looks now.
fn stamps(upstream: &Upstream) -> Vec<Option<Stamp<1>>> {
    let own = match &upstream.credential {
        Credential::File(path) => Some(path),
        Credential::None | Credential::Variable(_) | Credential::Inline(_) => None,
    };
    own.into_iter().chain(upstream.credential_files.values()).map(|path| Stamp::of([path]).ok()).collect()
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
        let seen = stamps(upstream);
        (!seen.is_empty()).then(|| (name.clone(), Watched { upstream: upstream.clone(), seen }))
    });
    let files = CredentialFiles { watched: Mutex::new(watched.collect()), environment: environment.clone() };
    Ok((Upstreams::new(configs)?, files))
}

impl CredentialFiles {
    /// Reads files that changed, or all if told to, and puts what they hold to use. A file that cannot be used leaves
    /// the credential before in force.
    pub fn refresh(&self, upstreams: &Upstreams, in_any_case: bool) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, file) in watched.iter_mut() {
            let now = stamps(&file.upstream);
            if now == file.seen && !in_any_case {
                continue;
            }
            file.seen = now;
            match credentials_of(name, &file.upstream, &self.environment) {
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
    let header = upstream.credential_header.as_ref();
    let mut credentials = match &upstream.credential {
        Credential::None => Credentials::default(),
        Credential::Inline(secret) => Credentials::one(in_header(header, secret.clone())?),
        Credential::Variable(variable) => {
            let secret = environment.get(variable.as_str()).map(SecretString::from).ok_or_else(|| {
                UpstreamSetupError::Variable { name: name.clone(), variable: variable.as_str().to_owned() }
            })?;
            Credentials::one(in_header(header, secret)?)
        }
        Credential::File(path) => Credentials::one(in_header(header, secret_of(name, path)?)?),
    };
    for (privilege, path) in &upstream.credential_files {
        credentials = credentials.with(*privilege, in_header(header, secret_of(name, path)?)?);
    }
    Ok(credentials)
}

fn in_header(header: Option<&HeaderName>, secret: SecretString) -> Result<GatewayCredential, UpstreamError> {
    match header {
        None => GatewayCredential::bearer(&secret),
        Some(header) => GatewayCredential::header(header.clone(), secret),
    }
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
    use modelward_decision::vocabulary::Privilege;

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
    fn each_privilege_can_have_a_credential_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("modelward.toml");
        fs::write(folder.path().join("sensitive"), "s3nsitive\n").unwrap();
        let text = "[upstreams.a]\nurls = ['http://127.0.0.1:1']\ncredential_env = 'T'\n";
        fs::write(&file, format!("{text}credential_files = ['inference-sensitive=sensitive']\n")).unwrap();
        let environment: Environment = [("T".to_owned(), "plain".to_owned())].into_iter().collect();
        let config = Loaded::read(&file, &environment).unwrap().config;
        let (name, upstream) = config.upstreams.first_key_value().unwrap();
        let credentials = credentials_of(name, upstream, &environment).unwrap();
        assert!(credentials.has_own(Privilege::InferenceSensitive));
        assert!(!credentials.has_own(Privilege::Inference));

        // Both are read again when the file changes.
        let (upstreams, files) = build(&config.upstreams, &environment).unwrap();
        fs::write(folder.path().join("sensitive"), "renewed, and longer\n").unwrap();
        files.refresh(&upstreams, false);
        fs::remove_file(folder.path().join("sensitive")).unwrap();
        assert!(build(&config.upstreams, &environment).is_err(), "a file that is not there stops the start");

        for wrong in ["['inference-sensitive']", "['everything=sensitive']", "['inference=a', 'inference=b']"]
        {
            fs::write(&file, format!("{text}credential_files = {wrong}\n")).unwrap();
            assert!(Loaded::read(&file, &environment).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_credential_does_not_show_in_an_error() {
        let environment: Environment = [("T".to_owned(), "s3\u{7}cret".to_owned())].into_iter().collect();
        let text = "[upstreams.a]\nurls = ['http://127.0.0.1:1']\ncredential_env = 'T'\n";
        let error = setup(text, &environment).unwrap_err();
        assert!(!error.contains("cret"), "{error}");
    }
}
