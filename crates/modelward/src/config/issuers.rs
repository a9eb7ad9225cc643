//! Issuers of elsewhere that are believed, and the workloads among those who come from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::SignedDuration;
use modelward_decision::vocabulary::{Name, Privilege};
use modelward_identity::Strength;
use modelward_identity::federation::{Algorithms, Reach, Stream, Tier, Transmitter, WebUrl, WorkloadRule};

use super::problem::Problem;
use super::read::Effective;
use super::setting::Setting;
use super::{noted, settings};

/// An issuer as it stands in the configuration; files are not read yet.
#[derive(Debug, Clone)]
pub struct Issuer {
    pub name: Name,
    pub title: String,
    pub url: WebUrl,
    pub algorithms: Algorithms,
    pub tier: Tier,
    pub jwks: Jwks,
    pub client_id: Option<String>,
    pub client_secret_file: Option<PathBuf>,
    pub cli_client_id: Option<String>,
    pub scopes: Vec<String>,
    pub groups_claim: String,
    /// Absent: the address of the control plane.
    pub audience: Option<String>,
    pub ca_file: Option<PathBuf>,
    /// Where its security events are believed.
    pub signals: Option<Transmitter>,
    pub signals_token_file: Option<PathBuf>,
    pub reach: Reach,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone)]
pub enum Jwks {
    Discovery,
    Url(WebUrl),
    File(PathBuf),
    Inline(String),
}

/// What one `acr` value is worth, written `phr=phr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcrWorth {
    pub acr: String,
    pub worth: Worth,
}

/// How much a proof is worth: `1fa`, `2fa` or `phr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth(pub Strength);

pub(super) fn issuers(from: &Effective, folder: &Path, problems: &mut Vec<Problem>) -> Vec<Issuer> {
    let mut issuers: Vec<Issuer> = Vec::new();
    for name in from.names_under("issuers") {
        let Some(parsed) = named(from, "issuer", &name, &settings::ISSUER_URL, problems) else { continue };
        let Some(issuer) = Issuer::build(from, parsed, folder, problems) else { continue };
        if let Some(other) = issuers.iter().find(|other| other.url == issuer.url) {
            problems.push(Problem {
                message: format!("the issuers `{}` and `{name}` are the same: `{}`", other.name, issuer.url),
                place: from.place(&settings::ISSUER_URL, Some(&name)),
                hint: Some("keep one of them".to_owned()),
            });
        }
        issuers.push(issuer);
    }
    issuers
}

fn named<T>(
    from: &Effective,
    kind: &str,
    name: &str,
    setting: &Setting<T>,
    problems: &mut Vec<Problem>,
) -> Option<Name> {
    let parsed = name.parse::<Name>().ok();
    if parsed.is_none() {
        problems.push(Problem {
            message: format!(
                "the {kind} `{name}` is not named by 1 to 128 characters out of A-Z a-z 0-9 . _ -"
            ),
            place: from.place(setting, Some(name)),
            hint: None,
        });
    }
    parsed
}

impl Issuer {
    fn build(from: &Effective, name: Name, folder: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let of = name.as_str();
        let url = noted(from.value_of(&settings::ISSUER_URL, of), problems)?;
        if url.has_query() {
            problems.push(Problem {
                message: format!("the URL of the issuer `{name}` has a query"),
                place: from.place(&settings::ISSUER_URL, Some(of)),
                hint: None,
            });
        }
        let client_id = noted(from.find_of(&settings::ISSUER_CLIENT_ID, of), problems)?;
        let secret = noted(from.find_of(&settings::ISSUER_CLIENT_SECRET_FILE, of), problems)?;
        if client_id.is_none() && secret.is_some() {
            problems.push(Problem {
                message: format!("the issuer `{name}` has a `client_secret_file` and no `client_id`"),
                place: from.place(&settings::ISSUER_CLIENT_SECRET_FILE, Some(of)),
                hint: Some("name the client the secret is of".to_owned()),
            });
        }
        let privileges = noted(from.value_of(&settings::ISSUER_PRIVILEGES, of), problems)?;
        let acr = noted(from.find_of(&settings::ISSUER_ACR, of), problems)?.unwrap_or_default();
        let tier = Tier {
            privileges: privileges.into_iter().collect::<BTreeSet<Privilege>>(),
            group_prefix: noted(from.find_of(&settings::ISSUER_GROUP_PREFIX, of), problems)?,
            acr: acr.into_iter().map(|AcrWorth { acr, worth }| (acr, worth.0)).collect::<BTreeMap<_, _>>(),
        };
        let algorithms = noted(from.value_of(&settings::ISSUER_ALGORITHMS, of), problems)?;
        let (signals, signals_token_file) = signals(from, of, folder, problems)?;
        let private = noted(from.find_of(&settings::ISSUER_PRIVATE_HOSTS, of), problems)?;
        Some(Self {
            title: noted(from.find_of(&settings::ISSUER_TITLE, of), problems)?
                .unwrap_or_else(|| of.to_owned()),
            url,
            algorithms: Algorithms::new(algorithms),
            tier,
            jwks: Jwks::build(from, of, folder, problems)?,
            client_id,
            client_secret_file: secret.map(|file| folder.join(file)),
            cli_client_id: noted(from.find_of(&settings::ISSUER_CLI_CLIENT_ID, of), problems)?,
            scopes: noted(from.value_of(&settings::ISSUER_SCOPES, of), problems)?,
            groups_claim: noted(from.value_of(&settings::ISSUER_GROUPS_CLAIM, of), problems)?,
            audience: noted(from.find_of(&settings::ISSUER_AUDIENCE, of), problems)?,
            ca_file: noted(from.find_of(&settings::ISSUER_CA_FILE, of), problems)?
                .map(|file| folder.join(file)),
            signals,
            signals_token_file,
            reach: Reach::with_private(private.unwrap_or_default()),
            name,
        })
    }
}

/// What is believed of an issuer's security events, and the file of what is shown to it.
fn signals(
    from: &Effective,
    of: &str,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<(Option<Transmitter>, Option<PathBuf>)> {
    let audience = noted(from.find_of(&settings::ISSUER_SIGNALS, of), problems)?;
    let mail_domain = noted(from.find_of(&settings::ISSUER_SIGNALS_MAIL, of), problems)?;
    let lasts = noted(from.value_of(&settings::ISSUER_SIGNALS_LAST, of), problems)?;
    let id = noted(from.find_of(&settings::ISSUER_SIGNALS_STREAM, of), problems)?;
    let poll = noted(from.find_of(&settings::ISSUER_SIGNALS_POLL, of), problems)?;
    let verify = noted(from.find_of(&settings::ISSUER_SIGNALS_VERIFY, of), problems)?;
    let silence = noted(from.value_of(&settings::ISSUER_SIGNALS_SILENCE, of), problems)?;
    let token_file = noted(from.find_of(&settings::ISSUER_SIGNALS_TOKEN, of), problems)?;
    let is_asked = poll.is_some() || verify.is_some() || token_file.is_some();
    let lacking = match (&audience, &id) {
        (None, _) if is_asked || id.is_some() || mail_domain.is_some() => Some("signals_audience"),
        (Some(_), None) if is_asked => Some("signals_stream"),
        _ => None,
    };
    if let Some(lacking) = lacking {
        problems.push(Problem {
            message: format!("the issuer `{of}` has settings for security events and no `{lacking}`"),
            place: from.place(&settings::ISSUER_URL, Some(of)),
            hint: Some(format!("add `{lacking}`")),
        });
    }
    let span = |span| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    let stream = id.map(|id| Stream { id, poll, verify, silence: span(silence) });
    let signals = audience.map(|audience| Transmitter { audience, mail_domain, lasts: span(lasts), stream });
    Some((signals, token_file.map(|file| folder.join(file))))
}

impl Jwks {
    fn build(from: &Effective, of: &str, folder: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let url = noted(from.find_of(&settings::ISSUER_JWKS_URL, of), problems)?;
        let file = noted(from.find_of(&settings::ISSUER_JWKS_FILE, of), problems)?;
        let inline = noted(from.find_of(&settings::ISSUER_JWKS, of), problems)?;
        match (url, file, inline) {
            (None, None, None) => Some(Self::Discovery),
            (Some(url), None, None) => Some(Self::Url(url)),
            (None, Some(file), None) => Some(Self::File(folder.join(file))),
            (None, None, Some(inline)) => Some(Self::Inline(inline)),
            _ => {
                problems.push(Problem {
                    message: format!("the issuer `{of}` has its keys from more than one place"),
                    place: from.place(&settings::ISSUER_URL, Some(of)),
                    hint: Some("keep one of `jwks_url`, `jwks_file` and `jwks`".to_owned()),
                });
                None
            }
        }
    }
}

pub(super) fn workloads(
    from: &Effective,
    issuers: &[Issuer],
    problems: &mut Vec<Problem>,
) -> Vec<WorkloadRule> {
    let mut rules = Vec::new();
    for name in from.names_under("workloads") {
        let Some(parsed) = named(from, "workload", &name, &settings::WORKLOAD_ISSUER, problems) else {
            continue;
        };
        let Some(rule) = rule(from, parsed, problems) else { continue };
        if !issuers.iter().any(|issuer| issuer.name == rule.issuer) {
            problems.push(Problem {
                message: format!(
                    "the workload `{name}` is of the issuer `{}`, which does not exist",
                    rule.issuer
                ),
                place: from.place(&settings::WORKLOAD_ISSUER, Some(&name)),
                hint: Some(format!("add `[issuers.{}]`", rule.issuer)),
            });
        }
        rules.push(rule);
    }
    rules
}

fn rule(from: &Effective, name: Name, problems: &mut Vec<Problem>) -> Option<WorkloadRule> {
    let of = name.as_str();
    let Worth(strength) = noted(from.value_of(&settings::WORKLOAD_STRENGTH, of), problems)?;
    if strength > Strength::TwoFactors {
        problems.push(Problem {
            message: format!("the workload `{name}` counts as phishing-resistant, which takes a person"),
            place: from.place(&settings::WORKLOAD_STRENGTH, Some(of)),
            hint: Some("`1fa` or `2fa`".to_owned()),
        });
    }
    let life = noted(from.value_of(&settings::WORKLOAD_LIFE, of), problems)?;
    Some(WorkloadRule {
        issuer: noted(from.value_of(&settings::WORKLOAD_ISSUER, of), problems)?,
        machine: noted(from.value_of(&settings::WORKLOAD_MACHINE, of), problems)?,
        claims: noted(from.value_of(&settings::WORKLOAD_MATCH, of), problems)?,
        life_max: SignedDuration::try_from(life).unwrap_or(SignedDuration::ZERO),
        strength,
        name,
    })
}

impl FromStr for AcrWorth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (acr, worth) = text.rsplit_once('=').ok_or("has no `=` between the value and its worth")?;
        if acr.is_empty() || acr.len() > 255 {
            return Err("names an `acr` value that is empty or longer than 255 bytes".to_owned());
        }
        Ok(Self { acr: acr.to_owned(), worth: worth.parse()? })
    }
}

impl FromStr for Worth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Strength::of_acr(text).filter(|strength| *strength > Strength::Nothing);
        known.map(Self).ok_or_else(|| "is none of `1fa`, `2fa` and `phr`".to_owned())
    }
}
