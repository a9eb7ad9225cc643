//! The strict reader of foreign tokens. One row of [`Profile`] per kind: what serves in one place is refused in another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use modelward_seal::canonical::{Limits, parse_strict};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::jwk::is_key_id;
use super::{Algorithm, Algorithms, FOREIGN_LEEWAY, ForeignKeys};

/// Longest compact form that is looked at. Tokens of elsewhere list groups, so they are longer than ours.
pub const FOREIGN_BYTES_MAX: usize = 16 * 1024;
pub const CLAIMS_DEPTH_MAX: usize = 16;

/// Why a foreign token does not count. Callers are told the kind of fault and never the content of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ForeignRefusal {
    #[error("the token is longer than {FOREIGN_BYTES_MAX} bytes")]
    TooLong,
    #[error("the token does not consist of three parts")]
    Parts,
    #[error("a part of the token is not canonical base64url without padding")]
    Encoding,
    #[error("the token's header has a member missing, unknown, doubled or of the wrong kind")]
    Header,
    #[error("the token is of another type")]
    Type,
    #[error("the token is signed under an algorithm this issuer is not trusted with")]
    Algorithm,
    #[error("the token is signed by a key its issuer does not publish")]
    Key,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token's claims have a member missing, doubled or of the wrong kind")]
    Claims,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience, or for others too")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token is too old to be shown here, or lives too long")]
    Life,
    #[error("the token answers another request")]
    Nonce,
    #[error("the issuer does not say when the person signed in there (`auth_time`)")]
    NoAuthTime,
    #[error("the person signed in at the issuer too long ago")]
    StaleLogin,
    #[error("the issuer left the groups out because there are too many (`_claim_names`)")]
    GroupOverage,
    #[error("the groups of the token are not a list of at most {} texts", super::GROUPS_MAX)]
    Groups,
    #[error("the token is no notice of a sign-out")]
    NoLogout,
    #[error("the token is no security event as the Shared Signals Framework writes it")]
    NoEvent,
    #[error("no configured workload matches the claims of the token")]
    NoMatch,
}

impl ForeignRefusal {
    /// What the holder, or whoever runs the issuer, can do about it.
    pub const fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::NoAuthTime => {
                "have the issuer put `auth_time` into ID tokens: without it nobody knows how fresh the sign-in is"
            }
            Self::GroupOverage => {
                "have the issuer send only the groups assigned to this application, so that the list fits the token"
            }
            Self::Audience => "the token has to be made for this installation alone: ask for its audience",
            Self::Expired | Self::Life | Self::StaleLogin => "get a new token and show it at once",
            Self::Key => "if the issuer changed its keys a moment ago, try again in a minute",
            Self::Algorithm => "the algorithms an issuer is trusted with stand in the configuration",
            Self::NoEvent => {
                "a security event token has one event, `jti`, `iat` and `sub_id`, and neither `sub` nor `exp`"
            }
            Self::NoMatch => "compare the claims of the token with `match` of the configured workloads",
            _ => return None,
        })
    }
}

impl ForeignRefusal {
    /// The word for whoever delivers security events (RFC 8935 section 2.4).
    pub const fn delivery_code(self) -> &'static str {
        match self {
            Self::Key | Self::Signature => "invalid_key",
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
            _ => "invalid_request",
        }
    }
}

/// What tells the tokens of one kind from those of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    /// Accepted `typ` headers, lower case; the empty text stands for none.
    pub(super) typ: &'static [&'static str],
    pub(super) leeway: SignedDuration,
    /// Whether `iat` has to be there.
    pub(super) needs_iat: bool,
    /// How long ago it may have been issued.
    pub(super) age_max: SignedDuration,
}

/// An ID token is shown where it was asked for, at once.
pub(super) const ID_TOKEN: Profile = Profile {
    typ: &["", "jwt"],
    leeway: FOREIGN_LEEWAY,
    needs_iat: true,
    age_max: SignedDuration::from_mins(10),
};

/// Back-Channel Logout 1.0 section 2.4.
pub(super) const LOGOUT: Profile =
    Profile { typ: &["logout+jwt"], leeway: FOREIGN_LEEWAY, needs_iat: true, age_max: super::LOGOUT_AGE_MAX };

/// Tokens of Kubernetes service accounts have no `typ`, SPIFFE allows `JWT` and `JOSE`.
pub(super) const WORKLOAD: Profile =
    Profile { typ: &["", "jwt", "jose"], leeway: FOREIGN_LEEWAY, needs_iat: false, age_max: super::LIFE_MAX };

/// RFC 8417, as the Shared Signals Framework 1.0 narrows it. A transmitter keeps an event until it is taken, so it may
/// be days old; what it tells of is not undone by that.
pub(super) const EVENT: Profile = Profile {
    typ: &["secevent+jwt"],
    leeway: FOREIGN_LEEWAY,
    needs_iat: true,
    age_max: super::EVENT_AGE_MAX,
};

/// `x5t` only names the key once more, by its certificate; whatever brings or points to a key, or changes what the
/// bytes mean, is unknown here (`jwk`, `jku`, `x5u`, `x5c`, `crit`, `b64`, `zip`, `cty`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    #[serde(rename = "x5t")]
    _thumbprint: Option<String>,
    #[serde(rename = "x5t#S256")]
    _thumbprint_s256: Option<String>,
}

/// A token that was read but proves nothing yet.
pub(super) struct Unverified<'a> {
    signed: &'a [u8],
    signature: Vec<u8>,
    claims: Vec<u8>,
    pub(super) key: Option<String>,
    pub(super) algorithm: Algorithm,
}

/// The claims of a token whose signature, issuer, audience and times hold.
pub(super) struct Verified {
    pub(super) claims: Map<String, Value>,
    pub(super) issued_at: Option<Timestamp>,
    pub(super) expires_at: Timestamp,
}

/// What a verified token has to say of itself.
pub(super) struct Wanted<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(
        token: &'a str,
        profile: &Profile,
        trusted: &Algorithms,
    ) -> Result<Self, ForeignRefusal> {
        if token.len() > FOREIGN_BYTES_MAX {
            return Err(ForeignRefusal::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ForeignRefusal::Parts);
        };
        let signed = token.as_bytes().get(..header.len() + 1 + claims.len()).ok_or(ForeignRefusal::Parts)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| ForeignRefusal::Encoding);
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
        let header = object(&header).ok_or(ForeignRefusal::Header)?;
        let header: Header =
            serde_json::from_value(Value::Object(header)).map_err(|_| ForeignRefusal::Header)?;
        let typ = header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
        if !profile.typ.contains(&typ.as_str()) {
            return Err(ForeignRefusal::Type);
        }
        let algorithm: Algorithm = header.alg.parse().map_err(|_| ForeignRefusal::Algorithm)?;
        if !trusted.contains(algorithm) {
            return Err(ForeignRefusal::Algorithm);
        }
        if header.kid.as_deref().is_some_and(|id| !is_key_id(id)) {
            return Err(ForeignRefusal::Key);
        }
        Ok(Self { signed, signature, claims, key: header.kid, algorithm })
    }

    pub(super) fn verify(
        self,
        keys: &ForeignKeys,
        profile: &Profile,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<Verified, ForeignRefusal> {
        let claims = self.signed(keys, wanted)?;
        let expires_at = seconds(&claims, "exp")?.ok_or(ForeignRefusal::Claims)?;
        if now >= later(expires_at, profile.leeway) {
            return Err(ForeignRefusal::Expired);
        }
        let issued_at = issued(&claims, profile, now)?;
        Ok(Verified { claims, issued_at, expires_at })
    }

    /// The claims of a token of a kind that has no end.
    pub(super) fn verify_endless(
        self,
        keys: &ForeignKeys,
        profile: &Profile,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<(Map<String, Value>, Timestamp), ForeignRefusal> {
        let claims = self.signed(keys, wanted)?;
        let issued_at = issued(&claims, profile, now)?.ok_or(ForeignRefusal::Claims)?;
        Ok((claims, issued_at))
    }

    /// Nothing of the claims is looked at before the signature over them holds.
    fn signed(self, keys: &ForeignKeys, wanted: &Wanted<'_>) -> Result<Map<String, Value>, ForeignRefusal> {
        match keys.is_signature(self.key.as_deref(), self.algorithm, self.signed, &self.signature) {
            None => return Err(ForeignRefusal::Key),
            Some(false) => return Err(ForeignRefusal::Signature),
            Some(true) => {}
        }
        let claims = object(&self.claims).ok_or(ForeignRefusal::Claims)?;
        if text(&claims, "iss")? != Some(wanted.issuer) {
            return Err(ForeignRefusal::Issuer);
        }
        let audience = match claims.get("aud") {
            Some(Value::String(one)) => Some(one.as_str()),
            // One entry is a way to write one audience; several are several, and then it is not for us alone.
            Some(Value::Array(list)) if list.len() == 1 => list.first().and_then(Value::as_str),
            _ => None,
        };
        if audience != Some(wanted.audience) {
            return Err(ForeignRefusal::Audience);
        }
        Ok(claims)
    }
}

/// When a token was issued: neither in the future nor too long ago.
fn issued(
    claims: &Map<String, Value>,
    profile: &Profile,
    now: Timestamp,
) -> Result<Option<Timestamp>, ForeignRefusal> {
    let issued_at = seconds(claims, "iat")?;
    if profile.needs_iat && issued_at.is_none() {
        return Err(ForeignRefusal::Claims);
    }
    for begins in [issued_at, seconds(claims, "nbf")?].into_iter().flatten() {
        if later(now, profile.leeway) < begins {
            return Err(ForeignRefusal::NotYet);
        }
    }
    if issued_at.is_some_and(|issued| now >= later(later(issued, profile.age_max), profile.leeway)) {
        return Err(ForeignRefusal::Life);
    }
    Ok(issued_at)
}

/// An object in which no member stands twice.
fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    let limits = Limits { bytes: FOREIGN_BYTES_MAX, depth: CLAIMS_DEPTH_MAX, values: 4096 };
    match parse_strict(bytes, limits).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// A claim that is a text where it is there at all.
pub(super) fn text<'a>(
    claims: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, ForeignRefusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ForeignRefusal::Claims),
    }
}

/// A claim in whole seconds since 1970, where it is there at all.
pub(super) fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, ForeignRefusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_i64().filter(|seconds| *seconds >= 0).ok_or(ForeignRefusal::Claims)?;
    Timestamp::from_second(whole).map(Some).map_err(|_| ForeignRefusal::Claims)
}

pub(super) fn later(start: Timestamp, span: SignedDuration) -> Timestamp {
    crate::session::after(start, span)
}
