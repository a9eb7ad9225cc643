//! Addresses on the web that this program may ask by itself, and the ones it may not (server-side request forgery).
//!
//! One strict form of URL, so that no two readers see two hosts in it: no user, no fragment, no escape in the host, no
//! number that only some readers take for an address. Whoever fetches resolves the name, asks [`Reach::pin`] about what
//! came out, and connects to exactly that address; a redirect is an error.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

/// Most of a fetched document that is read.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// From resolving the name to the last byte.
pub const FETCH_TIMEOUT: Duration = Duration::from_millis(2500);

/// An `https` URL in one strict form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebUrl {
    text: String,
    /// Length of the host with its brackets, after `https://`.
    host: usize,
    port: u16,
    /// Where path and query begin.
    path: usize,
}

/// Hosts of our own network that may be asked all the same, as the configuration names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    private_hosts: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefusal {
    #[error("it is not an `https://` URL")]
    Scheme,
    #[error("it is longer than {} characters, or has others than URLs have", WebUrl::MAX)]
    Characters,
    #[error("it names a user, a fragment or an escaped host")]
    Parts,
    #[error("its host is neither a name nor a plain address")]
    Host,
    #[error("its port is not a number from 1 to 65535 without leading zeros")]
    Port,
    #[error("its host has no address")]
    NoAddress,
    #[error("its host leads to `{0}`, which is not on the public internet")]
    Private(IpAddr),
}

impl WebUrl {
    pub const MAX: usize = 1024;
    const SCHEME: &'static str = "https://";

    pub fn parse(text: &str) -> Result<Self, UrlRefusal> {
        let rest = text.strip_prefix(Self::SCHEME).ok_or(UrlRefusal::Scheme)?;
        let printable =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'`');
        if text.len() > Self::MAX || !text.bytes().all(printable) {
            return Err(UrlRefusal::Characters);
        }
        let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(authority_end).ok_or(UrlRefusal::Characters)?;
        if authority.contains(['@', '%']) || path.contains('#') {
            return Err(UrlRefusal::Parts);
        }
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        Ok(Self { text: text.to_owned(), host: host.len(), port, path: Self::SCHEME.len() + authority_end })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        let start = Self::SCHEME.len();
        let host = self.text.get(start..start + self.host).unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What stands in `Host`.
    pub fn authority(&self) -> &str {
        self.text.get(Self::SCHEME.len()..self.path).unwrap_or_default()
    }

    /// Path and query, `/` at least.
    pub fn target(&self) -> String {
        match self.text.get(self.path..) {
            None | Some("") => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            Some(query) => format!("/{query}"),
        }
    }

    /// The address the host is, where it is one.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    /// The URL with this path after its own (OpenID Connect Discovery 1.0 section 4: a final slash is left out).
    pub fn below(&self, path: &str) -> Result<Self, UrlRefusal> {
        Self::parse(&format!("{}{path}", self.text.trim_end_matches('/')))
    }

    pub fn has_query(&self) -> bool {
        self.text.contains('?')
    }
}

fn split_port(authority: &str) -> Result<(&str, u16), UrlRefusal> {
    let after_address = authority.rfind(']').map_or(0, |end| end + 1);
    let colon = authority.get(after_address..).and_then(|rest| rest.find(':')).map(|at| after_address + at);
    let Some(colon) = colon else { return Ok((authority, 443)) };
    let (host, port) = authority.split_at_checked(colon).ok_or(UrlRefusal::Port)?;
    let port = port.trim_start_matches(':');
    let plain = !port.is_empty() && !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if plain => Ok((host, port)),
        _ => Err(UrlRefusal::Port),
    }
}

fn check_host(host: &str) -> Result<(), UrlRefusal> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address.map(drop).ok_or(UrlRefusal::Host);
    }
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            })
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.is_empty() || host.len() > 253 || !host.split('.').all(label_fits) {
        return Err(UrlRefusal::Host);
    }
    // A host that ends in a number is an address to some readers in forms that others do not know (`127.1`,
    // `0x7f.1`, `2130706433`): it has to be the plain form that all of them know.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err(UrlRefusal::Host);
    }
    Ok(())
}

impl Reach {
    pub const HOSTS_MAX: usize = 64;

    /// Hosts as URLs write them.
    pub fn with_private(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { private_hosts: hosts.into_iter().take(Self::HOSTS_MAX).collect() }
    }

    /// The address to connect to, out of everything the name resolved to. One private address among public ones
    /// refuses all: that is how a name is rebound.
    pub fn pin(&self, url: &WebUrl, resolved: &[IpAddr]) -> Result<IpAddr, UrlRefusal> {
        let first = resolved.first().copied().ok_or(UrlRefusal::NoAddress)?;
        if self.private_hosts.contains(url.host()) {
            return Ok(first);
        }
        match resolved.iter().find(|address| !is_public(**address)) {
            Some(private) => Err(UrlRefusal::Private(*private)),
            None => Ok(first),
        }
    }
}

/// Whether an address is on the public internet and nowhere else: no loopback, link, site, documentation, benchmark,
/// translation or multicast range (IANA special-purpose registries), and no metadata service of a cloud.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    /// The wire server of Azure: public by its number only.
    const AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    let special = match address.octets() {
        [0 | 10 | 127 | 224..=255, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [169, 254, ..] | [192, 168, ..] | [198, 18 | 19, ..] => true,
        [172, second, ..] => (16..32).contains(&second),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        _ => address == AZURE,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is given out; within it, protocol assignments, documentation and 6to4 are not the internet.
    let given_out = (0x2000..0x4000).contains(&first);
    let special = match first {
        0x2001 => second < 0x0200 || second == 0x0db8,
        0x2002 => true,
        0x3fff => second < 0x1000,
        _ => false,
    };
    given_out && !special
}

impl FromStr for WebUrl {
    type Err = UrlRefusal;

    fn from_str(text: &str) -> Result<Self, UrlRefusal> {
        Self::parse(text)
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}
