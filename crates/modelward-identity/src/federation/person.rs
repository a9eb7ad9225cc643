//! What an ID token says about a person (OpenID Connect Core 1.0 section 3.1.3.7), as far as its issuer is trusted.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{CredentialScope, Name, PersonId, Privilege};
use modelward_seal::Digest;
use serde_json::{Map, Value};

use super::foreign::{ID_TOKEN, Unverified, Wanted, later, seconds, text};
use super::{Algorithm, FOREIGN_LEEWAY, ForeignKeys, ForeignRefusal, Identity, TrustedIssuer};
use crate::login::Login;
use crate::rights::Strength;
use crate::session::Origin;
use crate::token::METHODS_MAX;

/// Most groups a token may list.
pub const GROUPS_MAX: usize = 1000;
const GROUP_BYTES_MAX: usize = 512;
const HINT_CHARS_MAX: usize = 128;

/// What an ID token has to answer.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The client it was made for.
    pub client: &'a str,
    /// The nonce of the request. A token that names one answers no request without.
    pub nonce: Option<&'a str>,
    /// How long ago the person may have signed in at the issuer.
    pub login_age_max: SignedDuration,
}

/// Who an issuer says has signed in there, verified.
#[derive(Debug, Clone)]
pub struct Assertion {
    identity: Identity,
    strength: Strength,
    methods: Vec<Name>,
    authenticated_at: Timestamp,
    expires_at: Timestamp,
    groups: BTreeSet<String>,
    sid: Option<String>,
    privileges: BTreeSet<Privilege>,
    token: Digest,
    said: Said,
}

/// What the issuer says about the person besides, for people to recognise them by. It identifies nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    pub name: Option<String>,
    pub email: Option<String>,
}

impl TrustedIssuer {
    /// What key a token of this kind needs, before the keys are at hand.
    pub fn key_of_id_token(&self, token: &str) -> Result<(Option<String>, Algorithm), ForeignRefusal> {
        let read = Unverified::read(token, &ID_TOKEN, &self.algorithms)?;
        Ok((read.key, read.algorithm))
    }

    /// Verifies an ID token and takes from it what this issuer may say.
    pub fn assert(
        &self,
        token: &str,
        keys: &ForeignKeys,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Assertion, ForeignRefusal> {
        let wanted = Wanted { issuer: self.url.as_str(), audience: expected.client };
        let verified =
            Unverified::read(token, &ID_TOKEN, &self.algorithms)?.verify(keys, &ID_TOKEN, &wanted, now)?;
        let claims = &verified.claims;
        // A notice of a sign-out is signed by the same keys for the same audience.
        if claims.contains_key("events") {
            return Err(ForeignRefusal::Type);
        }
        if text(claims, "azp")?.is_some_and(|party| party != expected.client) {
            return Err(ForeignRefusal::Audience);
        }
        if text(claims, "nonce")? != expected.nonce {
            return Err(ForeignRefusal::Nonce);
        }
        let authenticated_at = seconds(claims, "auth_time")?.ok_or(ForeignRefusal::NoAuthTime)?;
        if authenticated_at > later(now, FOREIGN_LEEWAY) {
            return Err(ForeignRefusal::NotYet);
        }
        if now >= later(later(authenticated_at, expected.login_age_max), FOREIGN_LEEWAY) {
            return Err(ForeignRefusal::StaleLogin);
        }
        let subject = text(claims, "sub")?.ok_or(ForeignRefusal::Claims)?;
        let identity = Identity::new(&self.url, subject).map_err(|_| ForeignRefusal::Claims)?;
        let sid = text(claims, "sid")?.filter(|sid| (1..=Identity::SUBJECT_MAX).contains(&sid.len()));
        Ok(Assertion {
            identity,
            strength: self.strength_of(text(claims, "acr")?),
            methods: methods(claims)?,
            authenticated_at: authenticated_at.min(now),
            expires_at: verified.expires_at,
            groups: groups(claims, &self.groups_claim)?,
            sid: sid.map(str::to_owned),
            privileges: self.tier.privileges.clone(),
            token: Digest::of(token.as_bytes()),
            said: Said { name: hint(claims, "name"), email: hint(claims, "email") },
        })
    }
}

impl Assertion {
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    pub const fn said(&self) -> &Said {
        &self.said
    }

    /// Groups as the issuer calls them. They mean what the policy bundle says they mean, and nothing else.
    pub const fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }

    /// To refuse the same token a second time, until [`Self::expires_at`] and the leeway have passed.
    pub const fn token(&self) -> &Digest {
        &self.token
    }

    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The sign-in this is, of the person this identity was linked to.
    pub fn login(&self, person: PersonId) -> Login {
        let scope = CredentialScope::of_privileges(self.privileges.iter().copied());
        let origin = Origin { identity: self.identity.clone(), sid: self.sid.clone() };
        Login::by_issuer(person, self.strength, self.methods.clone(), self.authenticated_at, scope, origin)
    }
}

/// `amr` (RFC 8176), as far as it is made of words.
fn methods(claims: &Map<String, Value>) -> Result<Vec<Name>, ForeignRefusal> {
    let listed = match claims.get("amr") {
        None => return Ok(Vec::new()),
        Some(Value::Array(listed)) => listed,
        Some(_) => return Err(ForeignRefusal::Claims),
    };
    let words = listed.iter().filter_map(Value::as_str).filter_map(|word| Name::new(word).ok());
    Ok(words.take(METHODS_MAX).collect())
}

fn groups(claims: &Map<String, Value>, claim: &str) -> Result<BTreeSet<String>, ForeignRefusal> {
    let names_elsewhere = |member: &str| {
        claims.get(member).and_then(Value::as_object).is_some_and(|names| names.contains_key(claim))
    };
    // Too many groups, left out by the issuer: the person is not group-less, we just do not know.
    if names_elsewhere("_claim_names") || claims.get("hasgroups") == Some(&Value::Bool(true)) {
        return Err(ForeignRefusal::GroupOverage);
    }
    let listed = match claims.get(claim) {
        None => return Ok(BTreeSet::new()),
        Some(Value::Array(listed)) if listed.len() <= GROUPS_MAX => listed,
        Some(_) => return Err(ForeignRefusal::Groups),
    };
    let one = |group: &Value| match group {
        Value::String(group) if (1..=GROUP_BYTES_MAX).contains(&group.len()) => Ok(group.clone()),
        _ => Err(ForeignRefusal::Groups),
    };
    listed.iter().map(one).collect()
}

fn hint(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?.trim();
    let shown: String = text.chars().filter(|char| !char.is_control()).take(HINT_CHARS_MAX).collect();
    (!shown.is_empty()).then_some(shown)
}
