//! The configuration: a TOML file, environment variables over it, and nothing unknown in either.
//!
//! [`settings`] is the list of all keys; this file says what they mean together.

mod form;
mod issuers;
mod listener;
mod planes;
mod points;
mod problem;
mod read;
mod reference;
mod setting;
pub mod settings;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use modelward_decision::vocabulary::{Name, Privilege};
use modelward_identity::federation::WorkloadRule;
use secrecy::SecretString;

pub use form::{
    ByteSize, Count, Form, HttpUrl, LogFormat, Origin as LedgerOrigin, PrivilegeFile, Raw, VariableName,
};
pub use issuers::{AcrWorth, Issuer, Jwks, Worth};
pub use listener::{Listener, TlsFiles};
pub use planes::{HostPort, Planes, Role};
pub use points::{Able, Asserted, Caller, Points};
pub use problem::{ConfigError, Place, Problem};
pub use read::{CLIENT_VARIABLES, Effective, Origin};
pub use reference::reference;
pub use setting::{AnySetting, Default, PREFIX, Setting, variable_of};

/// No configuration is longer than this.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The environment variables the process was started with, read once.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// What the process runs with.
#[derive(Debug)]
pub struct Config {
    pub role: Role,
    pub data_dir: PathBuf,
    pub planes: Planes,
    pub control: Listener,
    pub gateway: Listener,
    pub gateway_bounds: GatewayBounds,
    pub points: Points,
    /// Who is believed from elsewhere.
    pub issuers: Vec<Issuer>,
    pub workloads: Vec<WorkloadRule>,
    /// Ranges with the segment they make up; the longest match wins.
    pub networks: Vec<(IpNet, Name)>,
    pub upstreams: BTreeMap<Name, Upstream>,
    pub ledger: Ledger,
    /// What authenticator apps show beside the account.
    pub issuer_name: Name,
    pub drain_timeout: Duration,
    pub telemetry: Telemetry,
}

/// A model server behind the gateway.
#[derive(Debug, Clone)]
pub struct Upstream {
    pub urls: Vec<HttpUrl>,
    pub credential: Credential,
    /// Credentials of their own for requests under these privileges.
    pub credential_files: BTreeMap<Privilege, PathBuf>,
    /// The header the credential stands in; `Authorization: Bearer …` unless another is named.
    pub credential_header: Option<HeaderName>,
    pub ca_file: Option<PathBuf>,
    pub health_path: Option<String>,
    pub health_interval: Duration,
    /// Requests under way at one replica.
    pub in_flight: usize,
    pub connect_timeout: Duration,
    pub head_timeout: Duration,
    pub idle_timeout: Duration,
}

/// Where the bearer token for an upstream comes from.
#[derive(Debug, Clone)]
pub enum Credential {
    None,
    File(PathBuf),
    Variable(VariableName),
    Inline(SecretString),
}

#[derive(Debug, Clone)]
pub struct Ledger {
    pub origin: LedgerOrigin,
    pub segment_size: ByteSize,
}

/// Upper bounds of connections, messages and what one request may ask a model for.
#[derive(Debug, Clone)]
pub struct GatewayBounds {
    pub connections: usize,
    pub h2_streams: u32,
    pub head_timeout: Duration,
    pub body: ByteSize,
    pub body_timeout: Duration,
    pub request_timeout: Duration,
    pub stream_timeout: Duration,
    pub answer: ByteSize,
    pub event: ByteSize,
    pub choices: u32,
    pub tokens: u32,
    pub alternatives: u32,
}

#[derive(Debug, Clone)]
pub struct Telemetry {
    /// Where a gateway alone answers probes and metrics.
    pub listen: Option<SocketAddr>,
    pub log_format: LogFormat,
    pub log_filter: String,
    pub otlp_endpoint: Option<HttpUrl>,
    /// Of 1000 root traces, how many are sent.
    pub otlp_sample_per_mille: u32,
}

/// A configuration together with where each value came from.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub effective: Effective,
    /// The file it was read from.
    pub path: PathBuf,
}

impl Loaded {
    /// Reads a configuration file and the environment over it.
    ///
    /// # Errors
    /// The file cannot be read, or anything in it or in the environment is unknown or wrong: all of it is named.
    pub fn read(path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let text = read_bounded(path)?;
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::parse(path, folder, text, environment)
    }

    fn parse(
        path: &Path,
        folder: &Path,
        text: String,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let effective = Effective::read(&text, environment, &mut problems);
        match Config::build(&effective, folder, &mut problems) {
            Some(config) if problems.is_empty() => Ok(Self { config, effective, path: path.to_owned() }),
            _ => {
                problems.sort_by_key(|problem| match &problem.place {
                    Place::File(span) => (0, span.start),
                    Place::Variable(_) => (1, 0),
                    Place::Nowhere => (2, 0),
                });
                Err(ConfigError::Invalid { path: path.to_owned(), text, problems })
            }
        }
    }
}

fn read_bounded(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned(), max: MAX_FILE_BYTES });
    }
    Ok(text)
}

/// Collects problems instead of stopping at the first.
fn noted<T>(outcome: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    outcome.map_err(|problem| problems.push(problem)).ok()
}

impl Config {
    /// `None` if anything is missing or wrong; the problems say what.
    fn build(from: &Effective, folder: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let role = noted(from.value(&settings::ROLE), problems);
        let planes = Planes::build(from, role.unwrap_or(Role::All), problems);
        let data_dir = noted(from.find(&settings::DATA_DIR), problems);
        let control = Listener::build(from, &listener::CONTROL, folder, problems);
        let gateway = Listener::build(from, &listener::GATEWAY, folder, problems);
        let gateway_bounds = noted(GatewayBounds::build(from), problems);
        let points = Points::build(from, folder, problems);
        let issuers = issuers::issuers(from, folder, problems);
        let workloads = issuers::workloads(from, &issuers, problems);
        let networks = networks(from, problems);
        let upstreams = upstreams(from, folder, problems);
        let origin = noted(from.value(&settings::LEDGER_ORIGIN), problems);
        let segment_size = noted(from.value(&settings::LEDGER_SEGMENT_SIZE), problems);
        let issuer_name = noted(from.value(&settings::LOGIN_ISSUER), problems);
        let drain_timeout = noted(from.value(&settings::DRAIN_TIMEOUT), problems);
        let telemetry = noted(Telemetry::build(from), problems);
        Some(Self {
            role: role?,
            planes: planes?,
            data_dir: data_dir?.map_or_else(|| folder.to_owned(), |chosen| folder.join(chosen)),
            control: control?,
            gateway: gateway?,
            gateway_bounds: gateway_bounds?,
            points: points?,
            issuers,
            workloads,
            networks,
            upstreams,
            ledger: Ledger { origin: origin?, segment_size: segment_size? },
            issuer_name: issuer_name?,
            drain_timeout: drain_timeout?,
            telemetry: telemetry?,
        })
    }
}

fn networks(from: &Effective, problems: &mut Vec<Problem>) -> Vec<(IpNet, Name)> {
    let mut ranges = Vec::new();
    for range in from.names_under("networks") {
        let Some(segment) = noted(from.value_of(&settings::NETWORKS, &range), problems) else { continue };
        match form::read_range(&range) {
            Ok(parsed) => ranges.push((parsed, segment)),
            Err(why) => problems.push(Problem {
                message: format!("the network `{range}` {why}"),
                place: from.place(&settings::NETWORKS, Some(&range)),
                hint: None,
            }),
        }
    }
    ranges
}

fn upstreams(from: &Effective, folder: &Path, problems: &mut Vec<Problem>) -> BTreeMap<Name, Upstream> {
    let mut upstreams = BTreeMap::new();
    for name in from.names_under("upstreams") {
        let Ok(parsed) = name.parse::<Name>() else {
            problems.push(Problem {
                message: format!(
                    "the upstream `{name}` is not named by 1 to 128 characters out of A-Z a-z 0-9 . _ -"
                ),
                place: from.place(&settings::UPSTREAM_URLS, Some(&name)),
                hint: None,
            });
            continue;
        };
        if let Some(upstream) = Upstream::build(from, &name, folder, problems) {
            upstreams.insert(parsed, upstream);
        }
    }
    upstreams
}

impl Upstream {
    fn build(from: &Effective, name: &str, folder: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let urls = noted(from.value_of(&settings::UPSTREAM_URLS, name), problems)?;
        let danger_plain = noted(from.value_of(&settings::UPSTREAM_DANGER_PLAIN, name), problems)?;
        if !danger_plain && let Some(open) = urls.iter().find(|url| !url.is_https() && !url.is_loopback()) {
            problems.push(Problem {
                message: format!("the upstream `{name}` is reached in plain text beyond loopback: `{open}`"),
                place: from.place(&settings::UPSTREAM_URLS, Some(name)),
                hint: Some(
                    "use https, or, on a network nobody else can read, `danger_plain_text_beyond_loopback = true`"
                        .to_owned(),
                ),
            });
        }
        let health_path = noted(from.find_of(&settings::UPSTREAM_HEALTH_PATH, name), problems)?;
        if health_path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            problems.push(Problem {
                message: format!("`upstreams.{name}.health_path` does not start with `/`"),
                place: from.place(&settings::UPSTREAM_HEALTH_PATH, Some(name)),
                hint: None,
            });
        }
        Some(Self {
            urls,
            credential: Credential::build(from, name, folder, problems)?,
            credential_files: credential_files(from, name, folder, problems)?,
            credential_header: noted(from.find_of(&settings::UPSTREAM_CREDENTIAL_HEADER, name), problems)?,
            ca_file: noted(from.find_of(&settings::UPSTREAM_CA_FILE, name), problems)?
                .map(|file| folder.join(file)),
            health_path,
            health_interval: noted(from.value_of(&settings::UPSTREAM_HEALTH_INTERVAL, name), problems)?,
            in_flight: whole(noted(from.value_of(&settings::UPSTREAM_IN_FLIGHT, name), problems)?),
            connect_timeout: noted(from.value_of(&settings::UPSTREAM_CONNECT_TIMEOUT, name), problems)?,
            head_timeout: noted(from.value_of(&settings::UPSTREAM_HEAD_TIMEOUT, name), problems)?,
            idle_timeout: noted(from.value_of(&settings::UPSTREAM_IDLE_TIMEOUT, name), problems)?,
        })
    }
}

/// One file for each privilege that has a credential of its own.
fn credential_files(
    from: &Effective,
    name: &str,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<BTreeMap<Privilege, PathBuf>> {
    let setting = &settings::UPSTREAM_CREDENTIAL_FILES;
    let mut files = BTreeMap::new();
    for PrivilegeFile { privilege, path } in noted(from.find_of(setting, name), problems)?.unwrap_or_default()
    {
        if files.insert(privilege, folder.join(path)).is_some() {
            problems.push(Problem {
                message: format!("the upstream `{name}` has two credential files for `{privilege}`"),
                place: from.place(setting, Some(name)),
                hint: None,
            });
            return None;
        }
    }
    Some(files)
}

impl Credential {
    fn build(from: &Effective, name: &str, folder: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let file = noted(from.find_of(&settings::UPSTREAM_CREDENTIAL_FILE, name), problems)?;
        let variable = noted(from.find_of(&settings::UPSTREAM_CREDENTIAL_ENV, name), problems)?;
        let inline = noted(from.find_of(&settings::UPSTREAM_DANGER_CREDENTIAL, name), problems)?;
        match (file, variable, inline) {
            (None, None, None) => Some(Self::None),
            (Some(file), None, None) => Some(Self::File(folder.join(file))),
            (None, Some(variable), None) => Some(Self::Variable(variable)),
            (None, None, Some(inline)) => Some(Self::Inline(inline.into())),
            _ => {
                problems.push(Problem {
                    message: format!("the upstream `{name}` has more than one credential"),
                    place: from.place(&settings::UPSTREAM_URLS, Some(name)),
                    hint: Some("keep one of `credential_file` and `credential_env`".to_owned()),
                });
                None
            }
        }
    }
}

impl GatewayBounds {
    fn build(from: &Effective) -> Result<Self, Problem> {
        Ok(Self {
            connections: whole(from.value(&settings::GATEWAY_CONNECTIONS)?),
            h2_streams: from.value(&settings::GATEWAY_H2_STREAMS)?.0,
            head_timeout: from.value(&settings::GATEWAY_HEAD_TIMEOUT)?,
            body: from.value(&settings::GATEWAY_BODY)?,
            body_timeout: from.value(&settings::GATEWAY_BODY_TIMEOUT)?,
            request_timeout: from.value(&settings::GATEWAY_REQUEST_TIMEOUT)?,
            stream_timeout: from.value(&settings::GATEWAY_STREAM_TIMEOUT)?,
            answer: from.value(&settings::GATEWAY_ANSWER)?,
            event: from.value(&settings::GATEWAY_EVENT)?,
            choices: from.value(&settings::GATEWAY_CHOICES)?.0,
            tokens: from.value(&settings::GATEWAY_TOKENS)?.0,
            alternatives: from.value(&settings::GATEWAY_ALTERNATIVES)?.0,
        })
    }
}

fn whole<const MIN: u32, const MAX: u32>(count: Count<MIN, MAX>) -> usize {
    usize::try_from(count.0).unwrap_or(usize::MAX)
}

impl Telemetry {
    fn build(from: &Effective) -> Result<Self, Problem> {
        let Count(otlp_sample_per_mille) = from.value(&settings::OTLP_SAMPLE)?;
        Ok(Self {
            listen: from.find(&settings::TELEMETRY_LISTEN)?,
            log_format: from.value(&settings::LOG_FORMAT)?,
            log_filter: from.value(&settings::LOG_FILTER)?,
            otlp_endpoint: from.find(&settings::OTLP_ENDPOINT)?,
            otlp_sample_per_mille,
        })
    }
}

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Environment {
    /// The same with one variable set.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut variables = self.0.clone();
        variables.insert(name.to_owned(), value.to_owned());
        Self(variables)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

// Names only: values can be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
