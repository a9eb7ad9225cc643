//! Where a replica is.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// `http://host:port/base` or `https://…`. Only operators see it; it never stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    is_tls: bool,
    /// What stands before every path; empty, or beginning with a slash and not ending in one.
    base: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an upstream address of the form `http://host:port/base` or `https://host:port/base`")]
pub struct AddressError(pub String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // A user name would be a credential in a URL, and is not repeated.
        let error =
            || AddressError(text.split('@').next_back().unwrap_or_default().chars().take(200).collect());
        let uri: Uri = text.parse().map_err(|_| error())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(error()),
        };
        let authority = uri.authority().ok_or_else(error)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(error());
        }
        Ok(Self {
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            is_tls,
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl Address {
    pub fn host(&self) -> &str {
        &self.host
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// As it stands in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_credentials() {
        let address: Address = "https://models.test:8443/api/".parse().unwrap();
        assert_eq!((address.host(), address.port(), address.is_tls()), ("models.test", 8443, true));
        assert_eq!(address.to_string(), "https://models.test:8443/api");
        assert_eq!("http://[::1]:80".parse::<Address>().unwrap().authority(), "[::1]:80");
        for bad in ["", "models.test", "ftp://x", "http://", "http://x?y=1", "http://u:secret@x"] {
            let error = bad.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
