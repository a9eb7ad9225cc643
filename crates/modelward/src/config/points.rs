//! Other enforcement points: their listeners, and who may ask there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use modelward_decision::vocabulary::Name;
use modelward_enforcement::{Capabilities, ObligationKind};
use modelward_gateway::pdp::{CallerPrincipal, Reach};

use super::form::HttpUrl;
use super::listener::{Listener, ListenerSettings};
use super::problem::Problem;
use super::read::Effective;
use super::setting::Setting;
use super::{noted, settings};

/// Each listener is off unless it has an address.
#[derive(Debug, Clone)]
pub struct Points {
    pub authzen: Option<Listener>,
    pub ext_authz: Option<Listener>,
    pub forward_auth: Option<Listener>,
    /// Whether AuthZEN answers carry what the draft profiles add.
    pub drafts: bool,
    /// Where people ask for access.
    pub access_request_url: Option<HttpUrl>,
    pub callers: BTreeMap<Name, Caller>,
}

/// Somebody who may ask about others.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: CallerPrincipal,
    pub subjects: Reach,
    pub projects: Reach,
    pub obligations: Capabilities,
    pub asserts: BTreeSet<Asserted>,
    pub endpoint: Option<Name>,
    pub secret_file: Option<PathBuf>,
}

/// A fact a caller may give its word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asserted {
    Network,
    Device,
}

static AUTHZEN: ListenerSettings = ListenerSettings {
    listen: &settings::AUTHZEN_LISTEN,
    external_url: Some(&settings::AUTHZEN_EXTERNAL_URL),
    certificate: &settings::AUTHZEN_TLS_CERTIFICATE,
    key: &settings::AUTHZEN_TLS_KEY,
    danger_plain: &settings::AUTHZEN_DANGER_PLAIN,
};

static EXT_AUTHZ: ListenerSettings = ListenerSettings {
    listen: &settings::EXT_AUTHZ_LISTEN,
    external_url: None,
    certificate: &settings::EXT_AUTHZ_TLS_CERTIFICATE,
    key: &settings::EXT_AUTHZ_TLS_KEY,
    danger_plain: &settings::EXT_AUTHZ_DANGER_PLAIN,
};

static FORWARD_AUTH: ListenerSettings = ListenerSettings {
    listen: &settings::FORWARD_AUTH_LISTEN,
    external_url: None,
    certificate: &settings::FORWARD_AUTH_TLS_CERTIFICATE,
    key: &settings::FORWARD_AUTH_TLS_KEY,
    danger_plain: &settings::FORWARD_AUTH_DANGER_PLAIN,
};

impl Points {
    pub(super) fn build(from: &Effective, folder: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let authzen = Listener::build_if_set(from, &AUTHZEN, folder, problems);
        let ext_authz = Listener::build_if_set(from, &EXT_AUTHZ, folder, problems);
        let forward_auth = Listener::build_if_set(from, &FORWARD_AUTH, folder, problems);
        let drafts = noted(from.value(&settings::AUTHZEN_DRAFTS), problems);
        let access_request_url = noted(from.find(&settings::AUTHZEN_ACCESS_REQUEST_URL), problems);
        let callers = callers(from, folder, problems);
        Some(Self {
            authzen: authzen?,
            ext_authz: ext_authz?,
            forward_auth: forward_auth?,
            drafts: drafts?,
            access_request_url: access_request_url?,
            callers,
        })
    }
}

fn callers(from: &Effective, folder: &Path, problems: &mut Vec<Problem>) -> BTreeMap<Name, Caller> {
    let mut callers: BTreeMap<Name, Caller> = BTreeMap::new();
    for name in from.names_under("callers") {
        let Ok(parsed) = name.parse::<Name>() else {
            problems.push(Problem {
                message: format!(
                    "the caller `{name}` is not named by 1 to 128 characters out of A-Z a-z 0-9 . _ -"
                ),
                place: from.place(&settings::CALLER_PRINCIPAL, Some(&name)),
                hint: None,
            });
            continue;
        };
        let Some(caller) = Caller::build(from, &name, folder, problems) else { continue };
        if let Some((other, _)) = callers.iter().find(|(_, other)| other.principal == caller.principal) {
            problems.push(Problem {
                message: format!("the callers `{other}` and `{name}` are the same principal"),
                place: from.place(&settings::CALLER_PRINCIPAL, Some(&name)),
                hint: Some("give each caller a principal of its own, or join the two".to_owned()),
            });
        }
        callers.insert(parsed, caller);
    }
    callers
}

impl Caller {
    fn build(from: &Effective, name: &str, folder: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let principal = noted(from.value_of(&settings::CALLER_PRINCIPAL, name), problems);
        let subjects =
            reach(from, name, (&settings::CALLER_ALL_SUBJECTS, &settings::CALLER_SUBJECT_GROUPS), problems);
        let projects =
            reach(from, name, (&settings::CALLER_ALL_PROJECTS, &settings::CALLER_PROJECTS), problems);
        let obligations = noted(from.find_of(&settings::CALLER_OBLIGATIONS, name), problems)?;
        let asserts = noted(from.find_of(&settings::CALLER_ASSERTS, name), problems)?;
        let endpoint = noted(from.find_of(&settings::CALLER_ENDPOINT, name), problems)?;
        let secret_file = noted(from.find_of(&settings::CALLER_SECRET_FILE, name), problems)?;
        let able =
            |all: Vec<Able>| all.into_iter().fold(Capabilities::NONE, |all, Able(kind)| all.with(kind));
        Some(Self {
            principal: principal?,
            subjects: subjects?,
            projects: projects?,
            obligations: obligations.map_or(Capabilities::NONE, able),
            asserts: asserts.unwrap_or_default().into_iter().collect(),
            endpoint,
            secret_file: secret_file.map(|file| folder.join(file)),
        })
    }
}

/// Everything or a list, and not both; neither is nothing.
fn reach(
    from: &Effective,
    name: &str,
    (all, named): (&Setting<bool>, &Setting<Vec<Name>>),
    problems: &mut Vec<Problem>,
) -> Option<Reach> {
    let is_all = noted(from.value_of(all, name), problems)?;
    let listed = noted(from.find_of(named, name), problems)?;
    if is_all && listed.is_some() {
        problems.push(Problem {
            message: format!("the caller `{name}` reaches everything, and has a list beside"),
            place: from.place(named, Some(name)),
            hint: Some(format!("keep one of `{}` and `{}`", all.path, named.path)),
        });
    }
    if is_all {
        return Some(Reach::All);
    }
    Some(Reach::Named(listed.unwrap_or_default().into_iter().collect()))
}

/// An obligation a caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Able(pub ObligationKind);

impl FromStr for Able {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = ObligationKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.map(Self).ok_or_else(|| {
            let all = ObligationKind::ALL.map(|kind| format!("`{}`", kind.as_str()));
            format!("is none of {}", all.join(", "))
        })
    }
}

impl FromStr for Asserted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "network" => Ok(Self::Network),
            "device" => Ok(Self::Device),
            _ => Err("is neither `network` nor `device`".to_owned()),
        }
    }
}
