//! Workloads: a token of a cluster, of a SPIFFE trust domain or of a CI system, and the machine it stands for here.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{CredentialScope, Name};
use serde_json::{Map, Value};

use super::foreign::{Unverified, Verified, WORKLOAD, Wanted, later, text};
use super::{Algorithm, ForeignKeys, ForeignRefusal, Identity, TrustedIssuer};
use crate::rights::Strength;
use crate::session::Origin;

/// No foreign token that lives longer is taken, whatever a rule says.
pub const LIFE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Which tokens of which issuer stand for which machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadRule {
    pub name: Name,
    /// The trusted issuer, by name.
    pub issuer: Name,
    /// The machine of the inventory, by name.
    pub machine: Name,
    /// All of them have to match.
    pub claims: Vec<ClaimMatch>,
    /// A token made to live longer is refused.
    pub life_max: SignedDuration,
    /// What this way to prove oneself is worth.
    pub strength: Strength,
}

/// One claim and what it has to be, written `CLAIM=PATTERN`.
///
/// `a/b` is the member `b` of the claim `a`. In a pattern, `*` stands for any characters but `/` and `:`, and `**` for
/// any at all; everything else stands for itself, and the whole value has to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimMatch {
    claim: String,
    pattern: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimMatchError {
    #[error("it is not of the form `CLAIM=PATTERN`")]
    Form,
    #[error("the claim or the pattern is empty or longer than {} bytes", ClaimMatch::BYTES_MAX)]
    Length,
    #[error("a pattern has at most {} stars", ClaimMatch::STARS_MAX)]
    Stars,
    #[error("the pattern says nothing: any value would match")]
    Anything,
}

/// A workload that proved itself, verified.
#[derive(Debug, Clone)]
pub struct Attested {
    identity: Identity,
    machine: Name,
    rule: Name,
    strength: Strength,
    scope: CredentialScope,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

/// The issuer a token names, to find out who could verify it. It proves nothing.
pub(super) fn named_issuer(token: &str) -> Option<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    if token.len() > super::FOREIGN_BYTES_MAX {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    Some(claims.get("iss")?.as_str()?.to_owned())
}

impl TrustedIssuer {
    /// Whether a token claims to be of this issuer.
    pub fn is_named_by(&self, token: &str) -> bool {
        named_issuer(token).is_some_and(|named| named == self.url.as_str())
    }

    pub fn key_of_workload(&self, token: &str) -> Result<(Option<String>, Algorithm), ForeignRefusal> {
        let read = Unverified::read(token, &WORKLOAD, &self.algorithms)?;
        Ok((read.key, read.algorithm))
    }

    /// Verifies a workload's token and finds the machine it stands for.
    pub fn attest(
        &self,
        token: &str,
        keys: &ForeignKeys,
        rules: &[WorkloadRule],
        now: Timestamp,
    ) -> Result<Attested, ForeignRefusal> {
        let wanted = Wanted { issuer: self.url.as_str(), audience: &self.workload_audience };
        let verified =
            Unverified::read(token, &WORKLOAD, &self.algorithms)?.verify(keys, &WORKLOAD, &wanted, now)?;
        // Neither a person's ID token nor a notice of a sign-out is a workload's.
        if verified.claims.contains_key("nonce") || verified.claims.contains_key("events") {
            return Err(ForeignRefusal::Type);
        }
        let subject = text(&verified.claims, "sub")?.ok_or(ForeignRefusal::Claims)?;
        let identity = Identity::new(&self.url, subject).map_err(|_| ForeignRefusal::Claims)?;
        let rule = the_rule(rules.iter().filter(|rule| rule.issuer == self.name), &verified.claims)?;
        check_life(&verified, rule.life_max, now)?;
        Ok(Attested {
            identity,
            machine: rule.machine.clone(),
            rule: rule.name.clone(),
            strength: rule.strength.min(Strength::TwoFactors),
            scope: CredentialScope::of_privileges(self.tier.privileges.iter().copied()),
            issued_at: verified.issued_at.unwrap_or(now).min(now),
            expires_at: verified.expires_at,
        })
    }
}

/// The rule whose claims all match. Where two rules name two machines, nobody meant that: none counts.
fn the_rule<'a>(
    rules: impl Iterator<Item = &'a WorkloadRule>,
    claims: &Map<String, Value>,
) -> Result<&'a WorkloadRule, ForeignRefusal> {
    let matches = |rule: &&WorkloadRule| {
        !rule.claims.is_empty() && rule.claims.iter().all(|wanted| wanted.matches(claims))
    };
    let mut found = rules.filter(matches);
    let first = found.next().ok_or(ForeignRefusal::NoMatch)?;
    if found.any(|other| other.machine != first.machine) {
        return Err(ForeignRefusal::NoMatch);
    }
    Ok(first)
}

/// Without `iat`, what is left of its life is all there is to go by.
fn check_life(verified: &Verified, life_max: SignedDuration, now: Timestamp) -> Result<(), ForeignRefusal> {
    let begins = verified.issued_at.unwrap_or(now);
    if verified.expires_at > later(begins, life_max.min(LIFE_MAX)) {
        return Err(ForeignRefusal::Life);
    }
    Ok(())
}

impl Attested {
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    pub const fn machine(&self) -> &Name {
        &self.machine
    }

    pub const fn rule(&self) -> &Name {
        &self.rule
    }

    pub(crate) const fn strength(&self) -> Strength {
        self.strength
    }

    pub(crate) const fn scope(&self) -> &CredentialScope {
        &self.scope
    }

    pub(crate) const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin { identity: self.identity.clone(), sid: None }
    }
}

impl ClaimMatch {
    pub const BYTES_MAX: usize = 512;
    pub const STARS_MAX: usize = 8;

    fn matches(&self, claims: &Map<String, Value>) -> bool {
        let mut steps = self.claim.split('/');
        let Some(mut value) = steps.next().and_then(|first| claims.get(first)) else { return false };
        for step in steps {
            let Some(inner) = value.get(step) else { return false };
            value = inner;
        }
        match value {
            Value::String(text) => text.len() <= 4096 && fits(self.pattern.as_bytes(), text.as_bytes()),
            Value::Number(number) => number.to_string().as_str() == self.pattern,
            Value::Bool(true) => self.pattern == "true",
            Value::Bool(false) => self.pattern == "false",
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

/// Keeps every place of the text that the pattern read so far can end at, so that no text takes long.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let mut at = vec![false; text.len() + 1];
    if let Some(start) = at.first_mut() {
        *start = true;
    }
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        let any = *first == b'*' && after.first() == Some(&b'*');
        rest = if any { after.get(1..).unwrap_or_default() } else { after };
        at = advance(&at, text, *first, any);
    }
    at.last().copied().unwrap_or(false)
}

fn advance(at: &[bool], text: &[u8], step: u8, any: bool) -> Vec<bool> {
    let mut next = Vec::with_capacity(at.len());
    let mut carried = false;
    for (index, here) in at.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| text.get(before)).copied();
        if step == b'*' {
            let passes = before.is_some_and(|byte| any || !matches!(byte, b'/' | b':'));
            carried = *here || (carried && passes);
            next.push(carried);
        } else {
            let earlier = index.checked_sub(1).and_then(|before| at.get(before)).copied().unwrap_or(false);
            next.push(earlier && before == Some(step));
        }
    }
    next
}

impl FromStr for ClaimMatch {
    type Err = ClaimMatchError;

    fn from_str(text: &str) -> Result<Self, ClaimMatchError> {
        let (claim, pattern) = text.split_once('=').ok_or(ClaimMatchError::Form)?;
        let length_fits = |part: &str| (1..=Self::BYTES_MAX).contains(&part.len());
        if !length_fits(claim) || !length_fits(pattern) || claim.split('/').any(str::is_empty) {
            return Err(ClaimMatchError::Length);
        }
        if pattern.bytes().filter(|byte| *byte == b'*').count() > Self::STARS_MAX {
            return Err(ClaimMatchError::Stars);
        }
        if pattern.bytes().all(|byte| byte == b'*') {
            return Err(ClaimMatchError::Anything);
        }
        Ok(Self { claim: claim.to_owned(), pattern: pattern.to_owned() })
    }
}

impl fmt::Display for ClaimMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.claim, self.pattern)
    }
}
