//! What the control plane asks of issuers over the network. Somebody else connects: see [`Outbound`].

use std::fmt;
use std::pin::Pin;

use modelward_decision::vocabulary::Name;
use modelward_identity::federation::{Reach, UrlRefusal, WebUrl};
use zeroize::Zeroizing;

/// Fetches small documents, under the rules of `modelward_identity::federation`: the name is resolved once, every
/// address that comes out is checked by [`Reach::pin`], the connection goes to the pinned one, no redirect is followed,
/// and size and time are bounded.
pub trait Outbound: fmt::Debug + Send + Sync {
    fn fetch(&self, outgoing: Outgoing) -> Fetched<'_>;
}

pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, OutboundError>> + Send + 'a>>;

/// One request: `POST` with a form or JSON, or `GET` without.
pub struct Outgoing {
    /// The issuer it is for, whose authorities count.
    pub issuer: Name,
    pub url: WebUrl,
    pub reach: Reach,
    /// As `application/x-www-form-urlencoded`.
    pub form: Option<Zeroizing<String>>,
    /// As `application/json`, where there is no form.
    pub json: Option<String>,
    /// What goes after `Authorization: Basic`.
    pub basic: Option<Zeroizing<String>>,
    /// What goes after `Authorization: Bearer`, where nothing goes after `Basic`.
    pub bearer: Option<Zeroizing<String>>,
}

#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("the address is not one to be asked: {0}")]
    Address(#[from] UrlRefusal),
    #[error("there is no answer: {0}")]
    Unreachable(String),
    #[error("there is no answer within the time allowed")]
    Slow,
    #[error("the answer is larger than allowed")]
    TooLarge,
    #[error("the answer is {status}")]
    Status {
        status: u16,
        /// Small and unread: token endpoints say why in it.
        body: Vec<u8>,
    },
}

/// Asks nobody: for an installation without issuers.
#[derive(Debug, Clone, Copy)]
pub struct NoOutbound;

impl Outbound for NoOutbound {
    fn fetch(&self, _outgoing: Outgoing) -> Fetched<'_> {
        Box::pin(std::future::ready(Err(OutboundError::Unreachable("nothing is configured".to_owned()))))
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("issuer", &self.issuer)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// `application/x-www-form-urlencoded` text.
pub fn form(fields: &[(&str, &str)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        escape(name, &mut text);
        text.push('=');
        escape(value, &mut text);
    }
    text
}

/// Everything but the unreserved characters of RFC 3986.
pub(crate) fn escape(value: &str, into: &mut String) {
    use std::fmt::Write as _;
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            // Writing to a `String` does not fail.
            write!(into, "%{byte:02X}").unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_no_character_that_could_mean_something_else() {
        let written = form(&[("redirect_uri", "https://a.example/b?c=d&e"), ("scope", "openid ü")]);
        assert_eq!(
            written.as_str(),
            "redirect_uri=https%3A%2F%2Fa.example%2Fb%3Fc%3Dd%26e&scope=openid%20%C3%BC"
        );
    }
}
