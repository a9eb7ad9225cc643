//! What hyper lets through and this gateway does not.
//!
//! A message that two parsers could read in two ways is refused before anybody is asked who sent it. What hyper
//! hides from us (a `Content-Length` beside `Transfer-Encoding`, bare line feeds) is harmless because the request to
//! the upstream is built anew and nothing of this one is copied.

mod path;

pub(crate) use path::{Path, push_segment};

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Version};
use modelward_decision::vocabulary::Name;
use modelward_identity::token::Scheme;

use crate::refusal::{Challenge, Reason, Refusal};

/// Longest credential that is looked at, in bytes.
const CREDENTIAL_MAX: usize = 8 * 1024;

const API_KEY: HeaderName = HeaderName::from_static("api-key");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The proof that goes with a token (RFC 9449 section 4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");
/// A caller may say what it asks for; policy can only narrow on it.
const PURPOSE: HeaderName = HeaderName::from_static("x-modelward-purpose");
/// The binary tensor extension of the Open Inference Protocol.
const BINARY_TENSORS: HeaderName = HeaderName::from_static("inference-header-content-length");

/// Query parameters that carry a secret into logs and browser histories.
const SECRET_PARAMETERS: [&str; 8] =
    ["access_token", "api_key", "api-key", "apikey", "key", "token", "authorization", "code"];

/// A request whose head can be read in one way only.
#[derive(Debug)]
pub(crate) struct Head<'r> {
    pub(crate) method: &'r Method,
    pub(crate) path: Path<'r>,
    pub(crate) purpose: Option<Name>,
    /// Length of the body where the caller says one.
    pub(crate) length: Option<u64>,
    pub(crate) content_type: Option<&'r HeaderValue>,
    credential: Option<Presented<'r>>,
    proofs: Vec<&'r [u8]>,
}

/// A credential as it was presented. It is never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presented<'r> {
    secret: &'r str,
    scheme: Scheme,
}

/// Checks the head of a request.
pub(crate) fn read(parts: &Parts) -> Result<Head<'_>, Refusal> {
    let seen = Seen::of(&parts.headers)?;
    check_host(parts, &seen)?;
    check_framing(parts, &seen)?;
    check_query(parts)?;
    let dropped = |name: &HeaderName| is_named_in_connection(&parts.headers, name);
    let credential = credential(&parts.headers, dropped)?;
    let purpose = match parts.headers.get(&PURPOSE).filter(|_| !dropped(&PURPOSE)) {
        None => None,
        Some(value) => {
            let name = value.to_str().ok().and_then(|text| Name::new(text).ok());
            Some(name.ok_or_else(|| malformed("`x-modelward-purpose` is not a name"))?)
        }
    };
    let length = match parts.headers.get(CONTENT_LENGTH) {
        None => None,
        Some(value) => {
            let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.and_then(|text| text.parse().ok());
            Some(length.ok_or_else(|| malformed("`content-length` is not a number"))?)
        }
    };
    Ok(Head {
        method: &parts.method,
        path: Path::parse(parts.uri.path())?,
        purpose,
        length,
        content_type: parts.headers.get(CONTENT_TYPE),
        credential,
        proofs: proofs(&parts.headers, dropped(&DPOP)),
    })
}

/// The media type and coding a route with a JSON body takes. A body without a type is JSON or refused when it is read:
/// Triton's client sends none (RFC 9110, section 8.3, leaves it to us), and what is forwarded gets its type from us.
pub(crate) fn check_json_body(parts: &Parts, head: &Head<'_>) -> Result<(), Refusal> {
    if !head.content_type.is_none_or(is_json) {
        return Err(Refusal::new(Reason::MediaType, "the body must be `application/json` in UTF-8"));
    }
    let is_plain = parts.headers.get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    if !is_plain {
        return Err(Refusal::new(Reason::MediaType, "send the body without a content coding"));
    }
    if parts.headers.contains_key(&BINARY_TENSORS) {
        let message = "binary tensors are not taken here; send tensors as JSON (`binary_data=False`)";
        return Err(Refusal::new(Reason::MediaType, message));
    }
    Ok(())
}

fn is_json(content_type: &HeaderValue) -> bool {
    let Ok(text) = content_type.to_str() else { return false };
    let mut pieces = text.split(';').map(str::trim);
    let named = pieces.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    named && pieces.all(|piece| piece.eq_ignore_ascii_case("charset=utf-8"))
}

impl<'r> Head<'r> {
    /// The credential, or the challenge that asks for one.
    pub(crate) fn credential(&self) -> Result<Presented<'r>, Refusal> {
        self.credential.ok_or_else(|| {
            let message = "no credential was sent; put an access token in `Authorization`";
            Refusal::new(Reason::Unauthenticated, message).challenging(Challenge::Missing)
        })
    }

    /// The scheme of the credential, if there is one.
    pub(crate) fn scheme(&self) -> Scheme {
        self.credential.map_or(Scheme::Bearer, Presented::scheme)
    }

    /// Every proof there is; what is to become of two is for the verifier to say.
    pub(crate) fn proofs(&self) -> &[&'r [u8]] {
        &self.proofs
    }
}

impl<'r> Presented<'r> {
    /// For the verifier alone.
    pub(crate) const fn reveal(self) -> &'r str {
        self.secret
    }

    pub(crate) const fn scheme(self) -> Scheme {
        self.scheme
    }
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Presented(..)")
    }
}

/// How often the headers stand that must stand at most once.
#[derive(Default)]
struct Seen {
    hosts: u8,
    transfer_encodings: u8,
    content_types: u8,
    content_lengths: u8,
    authorizations: u8,
    api_keys: u8,
    x_api_keys: u8,
    purposes: u8,
}

impl Seen {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut seen = Self::default();
        for name in headers.iter().map(|(name, _)| name) {
            let text = name.as_str();
            // A proxy that maps `-` to `_` would let `content_length` stand for `content-length`.
            if text.contains('_') {
                return Err(malformed("header names with an underscore are not taken"));
            }
            let count = match text {
                "host" => &mut seen.hosts,
                "transfer-encoding" => &mut seen.transfer_encodings,
                "content-type" => &mut seen.content_types,
                "content-length" => &mut seen.content_lengths,
                "authorization" => &mut seen.authorizations,
                "api-key" => &mut seen.api_keys,
                "x-api-key" => &mut seen.x_api_keys,
                "x-modelward-purpose" => &mut seen.purposes,
                _ => continue,
            };
            *count = count.saturating_add(1);
        }
        let single = [
            ("transfer-encoding", seen.transfer_encodings),
            ("content-type", seen.content_types),
            ("content-length", seen.content_lengths),
            ("authorization", seen.authorizations),
            ("api-key", seen.api_keys),
            ("x-api-key", seen.x_api_keys),
            ("x-modelward-purpose", seen.purposes),
        ];
        match single.into_iter().find(|(_, count)| *count > 1) {
            Some((name, _)) => Err(malformed(format!("`{name}` stands more than once"))),
            None => Ok(seen),
        }
    }
}

fn check_host(parts: &Parts, seen: &Seen) -> Result<(), Refusal> {
    let is_h2 = parts.version == Version::HTTP_2;
    let target = parts.uri.authority();
    if seen.hosts > 1 || (seen.hosts == 0 && !is_h2) {
        return Err(malformed("exactly one `host` header is needed"));
    }
    if is_h2 && target.is_none() {
        return Err(malformed("an `:authority` is needed"));
    }
    let host = match parts.headers.get(HOST) {
        None => None,
        Some(value) => {
            let authority = value.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
            Some(authority.ok_or_else(|| malformed("the `host` header is not an authority"))?)
        }
    };
    let has_user = |authority: &Authority| authority.as_str().contains('@');
    if host.as_ref().is_some_and(has_user) || target.is_some_and(has_user) {
        return Err(malformed("a user name in the authority is not taken"));
    }
    if is_named_in_connection(&parts.headers, &HOST) {
        return Err(malformed("`connection` names `host`"));
    }
    match (target, &host) {
        (Some(target), Some(host)) if !target.as_str().eq_ignore_ascii_case(host.as_str()) => {
            Err(malformed("the request target names another host than the `host` header"))
        }
        _ => Ok(()),
    }
}

fn check_framing(parts: &Parts, seen: &Seen) -> Result<(), Refusal> {
    let Some(coding) = parts.headers.get(TRANSFER_ENCODING) else { return Ok(()) };
    if seen.content_lengths > 0 {
        return Err(malformed("`content-length` and `transfer-encoding` cannot both stand"));
    }
    let is_chunked = coding.to_str().is_ok_and(|text| text.eq_ignore_ascii_case("chunked"));
    if !is_chunked || parts.version != Version::HTTP_11 {
        return Err(malformed("the only transfer coding taken is one `chunked`"));
    }
    Ok(())
}

fn check_query(parts: &Parts) -> Result<(), Refusal> {
    let Some(query) = parts.uri.query() else { return Ok(()) };
    let holds_secret = query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        let plain: String = path::decode_leniently(name).to_ascii_lowercase();
        SECRET_PARAMETERS.contains(&plain.as_str())
    });
    if holds_secret {
        // The value is a secret that has leaked into URLs; it is neither read nor repeated.
        return Err(malformed("a credential in the URL is not taken; send it in `Authorization: Bearer`"));
    }
    Err(malformed("no route here takes query parameters"))
}

/// Longer lists are no better than two.
const PROOFS_MAX: usize = 2;

fn proofs(headers: &HeaderMap, is_dropped: bool) -> Vec<&[u8]> {
    if is_dropped {
        return Vec::new();
    }
    headers.get_all(&DPOP).iter().take(PROOFS_MAX).map(HeaderValue::as_bytes).collect()
}

fn credential(
    headers: &HeaderMap,
    dropped: impl Fn(&HeaderName) -> bool,
) -> Result<Option<Presented<'_>>, Refusal> {
    let mut found = None;
    for name in [AUTHORIZATION, API_KEY, X_API_KEY] {
        let Some(value) = headers.get(&name).filter(|_| !dropped(&name)) else { continue };
        let unreadable = || {
            let message = format!("`{name}` does not hold a bearer or DPoP credential");
            Refusal::new(Reason::Unauthenticated, message).challenging(Challenge::Invalid(Scheme::Bearer))
        };
        let text = value.to_str().map_err(|_| unreadable())?;
        let (scheme, secret) = if name == AUTHORIZATION {
            let (scheme, secret) = text.split_once(' ').ok_or_else(unreadable)?;
            let scheme = match scheme {
                scheme if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
                scheme if scheme.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
                _ => return Err(unreadable()),
            };
            (scheme, secret.trim_start_matches(' '))
        } else {
            (Scheme::Bearer, text)
        };
        // RFC 6750: b64token.
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if secret.is_empty() || secret.len() > CREDENTIAL_MAX || !secret.bytes().all(is_token) {
            return Err(unreadable());
        }
        let presented = Presented { secret, scheme };
        if found.is_some_and(|other| other != presented) {
            return Err(malformed("two different credentials were sent"));
        }
        found = Some(presented);
    }
    Ok(found)
}

/// A header that `Connection` names is for the hop before us alone (RFC 9110 section 7.6.1).
fn is_named_in_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|named| named.trim().eq_ignore_ascii_case(name.as_str()))
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::Http, message)
}

#[cfg(test)]
mod tests;
