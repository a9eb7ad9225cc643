//! What a setting can hold, and how it is written in a file or an environment variable.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use jiff::SignedDuration;
use modelward_decision::vocabulary::{Name, Privilege};
use modelward_gateway::pdp::CallerPrincipal;
use modelward_identity::federation::{Algorithm, ClaimMatch, ClaimMatchError, UrlRefusal, WebUrl};

use super::issuers::{AcrWorth, Worth};
use super::planes::{HostPort, Role};
use super::points::{Able, Asserted};

/// A value as TOML has it, before anybody knows what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<String>),
}

/// A type that a setting can have. The error is the second half of a sentence: "`x` …".
pub trait Form: Sized {
    /// What to write, for the reference page and for errors.
    const FORM: &'static str;

    /// How the text of an environment variable reads as this type.
    fn from_variable(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    fn read(raw: &Raw) -> Result<Self, String>;
}

/// Implements [`Form`] for what is written as a string.
macro_rules! text_form {
    ($($type:ty, $form:literal, $parse:expr;)+) => {$(
        impl Form for $type {
            const FORM: &'static str = $form;

            fn read(raw: &Raw) -> Result<Self, String> {
                match raw {
                    Raw::Text(text) => {
                        let parse: fn(&str) -> Result<$type, String> = $parse;
                        parse(text)
                    }
                    Raw::Integer(_) | Raw::Boolean(_) | Raw::List(_) => Err(expected($form)),
                }
            }
        }
    )+};
}

text_form! {
    String, "text", |text| Ok(text.to_owned());
    PathBuf, "path", |text| if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.into()) };
    SocketAddr, "address and port", |text| text.parse().map_err(|_| "is not an address and port such as `127.0.0.1:7070`".to_owned());
    Name, "name", |text| text.parse().map_err(|_| "is not a name: 1 to 128 characters out of A-Z a-z 0-9 . _ -".to_owned());
    Duration, "duration such as `30s`", read_duration;
    ByteSize, "size such as `16 MiB`", |text| text.parse();
    HeaderName, "name of an HTTP header", |text| text.parse().map_err(|_| "is not the name of an HTTP header".to_owned());
    HttpUrl, "http or https URL", |text| text.parse();
    LogFormat, "`auto`, `human` or `json`", |text| text.parse();
    VariableName, "name of an environment variable", |text| text.parse();
    PrivilegeFile, "privilege and path such as `inference-sensitive=secrets/sensitive`", |text| text.parse();
    CallerPrincipal, "`user:NAME` or `machine:NAME`", |text| text.parse().map_err(|_| "is neither `user:NAME` nor `machine:NAME`".to_owned());
    Able, "obligation such as `round`", |text| text.parse();
    Asserted, "`network` or `device`", |text| text.parse();
    Role, "`all`, `control` or `gateway`", |text| text.parse();
    HostPort, "host and port such as `control.example.org:7090`", |text| text.parse();
    WebUrl, "https URL such as `https://id.example.org`", |text| text.parse().map_err(|why: UrlRefusal| format!("cannot be asked: {why}"));
    Algorithm, "signature algorithm such as `RS256`", |text| text.parse().map_err(|_| "is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA".to_owned());
    Privilege, "privilege such as `inference`", |text| text.parse().map_err(|_| "is no privilege".to_owned());
    AcrWorth, "`acr` value and its worth such as `phr=phr`", |text| text.parse();
    Worth, "`1fa`, `2fa` or `phr`", |text| text.parse();
    ClaimMatch, "claim and pattern such as `ref=refs/heads/main`", |text| text.parse().map_err(|why: ClaimMatchError| format!("cannot be used: {why}"));
    Origin, "scheme-less URL such as `audit.example.org/modelward`", |text| text.parse();
}

impl Form for bool {
    const FORM: &'static str = "`true` or `false`";

    fn from_variable(text: &str) -> Raw {
        match text {
            "true" => Raw::Boolean(true),
            "false" => Raw::Boolean(false),
            other => Raw::Text(other.to_owned()),
        }
    }

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Boolean(value) => Ok(*value),
            Raw::Text(_) | Raw::Integer(_) | Raw::List(_) => Err(expected(Self::FORM)),
        }
    }
}

/// A whole number between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> Form for Count<MIN, MAX> {
    const FORM: &'static str = "whole number";

    fn from_variable(text: &str) -> Raw {
        text.parse().map_or_else(|_| Raw::Text(text.to_owned()), Raw::Integer)
    }

    fn read(raw: &Raw) -> Result<Self, String> {
        let Raw::Integer(value) = raw else { return Err(expected(Self::FORM)) };
        u32::try_from(*value)
            .ok()
            .filter(|value| (MIN..=MAX).contains(value))
            .map(Self)
            .ok_or_else(|| format!("is not between {MIN} and {MAX}"))
    }
}

impl<T: Form + FromStr> Form for Vec<T> {
    const FORM: &'static str = "list";

    fn from_variable(text: &str) -> Raw {
        Raw::List(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    fn read(raw: &Raw) -> Result<Self, String> {
        let Raw::List(parts) = raw else { return Err("is not a list".to_owned()) };
        if parts.is_empty() {
            return Err("is an empty list".to_owned());
        }
        parts
            .iter()
            .map(|part| {
                T::read(&Raw::Text(part.clone())).map_err(|why| format!("has the part `{part}`, which {why}"))
            })
            .collect()
    }
}

fn expected(form: &str) -> String {
    format!("is not of the form: {form}")
}

fn read_duration(text: &str) -> Result<Duration, String> {
    let asked: SignedDuration =
        text.parse().map_err(|_| "is not a duration such as `30s`, `5m` or `12h`".to_owned())?;
    let duration = Duration::try_from(asked).map_err(|_| "is negative".to_owned())?;
    if duration.is_zero() {
        return Err("is zero; every wait has a bound above zero".to_owned());
    }
    if duration > Duration::from_secs(366 * 24 * 3600) {
        return Err("is longer than a year".to_owned());
    }
    Ok(duration)
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The same as a length in memory; saturates on machines with a smaller address space.
    pub fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "is not a size such as `64 KiB`, `16 MiB` or `1 GiB`".to_owned();
        let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at_checked(digits_end).ok_or_else(wrong)?;
        let factor: u64 = match unit.trim_start() {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).filter(|bytes| *bytes > 0).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        for (unit, factor) in units {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{} {unit}", self.0 / factor);
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// An `http://` or `https://` address without user, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(http::Uri);

impl HttpUrl {
    pub const fn uri(&self) -> &http::Uri {
        &self.0
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Whether the host is a literal loopback address or `localhost`.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Scheme and authority, without a path: the form of an origin.
    pub fn origin(&self) -> String {
        let scheme = self.0.scheme_str().unwrap_or("http");
        let authority = self.0.authority().map_or("", http::uri::Authority::as_str);
        format!("{scheme}://{authority}")
    }
}

impl FromStr for HttpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: http::Uri = text.parse().map_err(|_| "is not a URL".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("does not start with `http://` or `https://`".to_owned());
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err("names a user; credentials go into a file or the environment".to_owned());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("has a query or a fragment".to_owned());
        }
        Ok(Self(uri))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.path().trim_end_matches('/');
        write!(f, "{}{path}", self.origin())
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    Human,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err("is none of `auto`, `human` and `json`".to_owned()),
        }
    }
}

/// The name of an environment variable that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableName(String);

impl VariableName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VariableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !text.starts_with(|c: char| c.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err("is not a name out of A-Z, 0-9 and _".to_owned()) }
    }
}

/// A file for one privilege, written `inference-sensitive=secrets/sensitive`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivilegeFile {
    pub privilege: Privilege,
    pub path: PathBuf,
}

impl FromStr for PrivilegeFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (privilege, path) = text.split_once('=').ok_or("has no `=` between privilege and path")?;
        let privilege = privilege.parse().map_err(|_| format!("names no privilege: `{privilege}`"))?;
        Ok(Self { privilege, path: PathBuf::read(&Raw::Text(path.to_owned()))? })
    }
}

/// The identity of a ledger for ever: a scheme-less URL without space or `+` (C2SP tlog-checkpoint).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (1..=200).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'+')
            && !text.contains("://");
        if fits { Ok(Self(text.to_owned())) } else { Err(expected("scheme-less URL without space or `+`")) }
    }
}

/// A range of addresses in CIDR notation, such as `10.0.0.0/8`.
pub(super) fn read_range(text: &str) -> Result<IpNet, String> {
    let range: IpNet = text.parse().map_err(|_| "is not a range such as `10.0.0.0/8`".to_owned())?;
    if range.trunc() == range {
        Ok(range)
    } else {
        Err(format!("has address bits beyond its prefix; `{}` has not", range.trunc()))
    }
}
