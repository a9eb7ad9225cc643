//! A notice of an issuer that somebody signed out there (OpenID Connect Back-Channel Logout 1.0).

use jiff::{SignedDuration, Timestamp};
use modelward_seal::Digest;
use serde_json::Value;

use super::foreign::{LOGOUT, Unverified, Wanted, text};
use super::{Algorithm, ForeignKeys, ForeignRefusal, Identity, TrustedIssuer};

/// Notices are sent when it happens; an old one is somebody else's copy.
pub const LOGOUT_AGE_MAX: SignedDuration = SignedDuration::from_mins(5);

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Whose sessions end: those of one session at the issuer, of one subject there, or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    pub issuer: String,
    pub subject: Option<String>,
    pub sid: Option<String>,
    /// To refuse the same notice a second time, until this moment.
    pub once: Digest,
    pub once_until: Timestamp,
}

impl TrustedIssuer {
    pub fn key_of_logout(&self, token: &str) -> Result<(Option<String>, Algorithm), ForeignRefusal> {
        let read = Unverified::read(token, &LOGOUT, &self.algorithms)?;
        Ok((read.key, read.algorithm))
    }

    /// Verifies a logout token for the client it names.
    pub fn notice(
        &self,
        token: &str,
        keys: &ForeignKeys,
        client: &str,
        now: Timestamp,
    ) -> Result<LogoutNotice, ForeignRefusal> {
        let wanted = Wanted { issuer: self.url.as_str(), audience: client };
        let verified =
            Unverified::read(token, &LOGOUT, &self.algorithms)?.verify(keys, &LOGOUT, &wanted, now)?;
        let claims = &verified.claims;
        let is_notice = claims
            .get("events")
            .and_then(Value::as_object)
            .and_then(|events| events.get(EVENT))
            .is_some_and(Value::is_object);
        // A nonce would make an ID token of it (section 2.4).
        if !is_notice || claims.contains_key("nonce") {
            return Err(ForeignRefusal::NoLogout);
        }
        let bounded = |name| -> Result<Option<String>, ForeignRefusal> {
            match text(claims, name)? {
                Some(text) if (1..=Identity::SUBJECT_MAX).contains(&text.len()) => Ok(Some(text.to_owned())),
                Some(_) => Err(ForeignRefusal::Claims),
                None => Ok(None),
            }
        };
        let (subject, sid) = (bounded("sub")?, bounded("sid")?);
        let id = bounded("jti")?.ok_or(ForeignRefusal::Claims)?;
        if subject.is_none() && sid.is_none() {
            return Err(ForeignRefusal::NoLogout);
        }
        let issuer = self.url.as_str().to_owned();
        let once = Digest::of(format!("modelward logout v1\n{issuer}\n{id}").as_bytes());
        let once_until = crate::session::after(verified.issued_at.unwrap_or(now), LOGOUT_AGE_MAX);
        let once_until = crate::session::after(once_until, super::FOREIGN_LEEWAY);
        Ok(LogoutNotice { issuer, subject, sid, once, once_until })
    }
}
