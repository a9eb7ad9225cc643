//! An address the process serves on, with its certificate and the URL others know it by.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::form::HttpUrl;
use super::problem::Problem;
use super::read::Effective;
use super::setting::Setting;
use super::{noted, settings};

/// An address the process serves on.
#[derive(Debug, Clone)]
pub struct Listener {
    pub listen: SocketAddr,
    external_url: Option<HttpUrl>,
    pub tls: Option<TlsFiles>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The settings of one listener.
pub(super) struct ListenerSettings {
    pub(super) listen: &'static Setting<SocketAddr>,
    /// Of a listener that nobody names by URL, none.
    pub(super) external_url: Option<&'static Setting<HttpUrl>>,
    pub(super) certificate: &'static Setting<PathBuf>,
    pub(super) key: &'static Setting<PathBuf>,
    pub(super) danger_plain: &'static Setting<bool>,
}

pub(super) static CONTROL: ListenerSettings = ListenerSettings {
    listen: &settings::CONTROL_LISTEN,
    external_url: Some(&settings::CONTROL_EXTERNAL_URL),
    certificate: &settings::CONTROL_TLS_CERTIFICATE,
    key: &settings::CONTROL_TLS_KEY,
    danger_plain: &settings::CONTROL_DANGER_PLAIN,
};

pub(super) static GATEWAY: ListenerSettings = ListenerSettings {
    listen: &settings::GATEWAY_LISTEN,
    external_url: Some(&settings::GATEWAY_EXTERNAL_URL),
    certificate: &settings::GATEWAY_TLS_CERTIFICATE,
    key: &settings::GATEWAY_TLS_KEY,
    danger_plain: &settings::GATEWAY_DANGER_PLAIN,
};

impl Listener {
    pub(super) fn build(
        from: &Effective,
        settings: &ListenerSettings,
        folder: &Path,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let listen = noted(from.value(settings.listen), problems)?;
        Self::build_at(listen, from, settings, folder, problems)
    }

    /// One that is off unless it has an address: the outer option is for problems.
    pub(super) fn build_if_set(
        from: &Effective,
        settings: &ListenerSettings,
        folder: &Path,
        problems: &mut Vec<Problem>,
    ) -> Option<Option<Self>> {
        match noted(from.find(settings.listen), problems)? {
            None => Some(None),
            Some(listen) => Self::build_at(listen, from, settings, folder, problems).map(Some),
        }
    }

    fn build_at(
        listen: SocketAddr,
        from: &Effective,
        settings: &ListenerSettings,
        folder: &Path,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let external_url = match settings.external_url {
            None => None,
            Some(setting) => noted(from.find(setting), problems)?,
        };
        let certificate = noted(from.find(settings.certificate), problems)?;
        let key = noted(from.find(settings.key), problems)?;
        let danger_plain = noted(from.value(settings.danger_plain), problems)?;
        let tls = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                Some(TlsFiles { certificate: folder.join(certificate), key: folder.join(key) })
            }
            (Some(_), None) => {
                problems.push(missing_half(from, settings.certificate, settings.key));
                None
            }
            (None, Some(_)) => {
                problems.push(missing_half(from, settings.key, settings.certificate));
                None
            }
        };
        if tls.is_none() && !listen.ip().is_loopback() && !danger_plain {
            problems.push(Problem {
                message: format!("`{}` is beyond loopback and has no TLS", settings.listen.path),
                place: from.place(settings.listen, None),
                hint: Some(format!(
                    "set `{}` and `{}`, or, behind a proxy that encrypts, `{} = true`",
                    settings.certificate.path, settings.key.path, settings.danger_plain.path
                )),
            });
        }
        if let Some(setting) = settings.external_url {
            check_url(from, (settings.listen, listen), (setting, external_url.as_ref()), problems);
        }
        Some(Self { listen, external_url, tls })
    }

    /// How others name this listener, once it is bound.
    pub fn url(&self, bound: SocketAddr) -> String {
        match &self.external_url {
            Some(url) => url.origin(),
            None if self.tls.is_some() => format!("https://{bound}"),
            None => format!("http://{bound}"),
        }
    }
}

/// The URL of a listener can be told, and is an origin.
fn check_url(
    from: &Effective,
    (listen, address): (&Setting<SocketAddr>, SocketAddr),
    (setting, url): (&Setting<HttpUrl>, Option<&HttpUrl>),
    problems: &mut Vec<Problem>,
) {
    if address.ip().is_unspecified() && url.is_none() {
        problems.push(Problem {
            message: format!("`{}` names every address, so nobody can tell its URL", listen.path),
            place: from.place(listen, None),
            hint: Some(format!("set `{}`", setting.path)),
        });
    }
    if let Some(url) = url.filter(|url| url.uri().path() != "/") {
        problems.push(Problem {
            message: format!("`{}` has the path `{}`", setting.path, url.uri().path()),
            place: from.place(setting, None),
            hint: Some("name scheme, host and port only".to_owned()),
        });
    }
}

fn missing_half<A, B>(from: &Effective, have: &Setting<A>, lack: &Setting<B>) -> Problem {
    Problem {
        message: format!("`{}` is set but `{}` is not", have.path, lack.path),
        place: from.place(have, None),
        hint: Some("TLS needs the certificate chain and its private key".to_owned()),
    }
}
