//! Identities of elsewhere: people who sign in through an issuer of their organisation, and workloads that show a token
//! of theirs. Both are exchanged here for something of ours; nothing foreign counts at the gateway.
//!
//! What an issuer says is worth what the configuration allows it ([`TrustedIssuer`]): its keys verify under algorithms
//! that are named here and never by the token, its people reach at most the privileges of its tier, and its groups mean
//! what the policy bundle says they mean. Who somebody is are two texts, issuer and subject ([`Identity`]); an e-mail
//! address or a name never is.
//!
//! Fetching is somebody else's: [`WebUrl`] and [`Reach`] say what may be fetched from where, [`KeyCache`] when, and
//! [`Metadata`] and [`ForeignKeys`] what of the answer counts.

mod algorithm;
mod cache;
mod event;
mod flow;
mod foreign;
mod jwk;
mod logout;
mod metadata;
mod person;
mod web;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{Name, PersonId, Privilege};
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::rights::Strength;

pub use algorithm::{Algorithm, Algorithms, UnknownAlgorithm};
pub use cache::{FETCH_EVERY, FRESH, KeyCache, LAST_GOOD, Plan, Unusable};
pub use event::{CredentialChange, EVENT_AGE_MAX, EventKind, Level, Party, RiskOf, SecurityEvent, Subject};
pub use flow::{Callback, CallbackRefusal, FLOW_TTL, Flow, FlowStart, Purpose};
pub use foreign::{CLAIMS_DEPTH_MAX, FOREIGN_BYTES_MAX, ForeignRefusal};
pub use jwk::{ForeignKeys, JwksError};
pub use logout::{LOGOUT_AGE_MAX, LogoutNotice};
pub use metadata::{Metadata, MetadataError};
pub use person::{Assertion, Expected, GROUPS_MAX, Said};
pub use web::{DOCUMENT_BYTES_MAX, FETCH_TIMEOUT, Reach, UrlRefusal, WebUrl, is_public};
pub use workload::{Attested, ClaimMatch, ClaimMatchError, LIFE_MAX, WorkloadRule};

/// An issuer that is believed, and how far.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    /// How the configuration and the policy bundle call it.
    pub name: Name,
    /// What people read on the button.
    pub title: String,
    /// Compared byte for byte with `iss` and with what discovery says.
    pub url: WebUrl,
    pub algorithms: Algorithms,
    pub tier: Tier,
    /// Where its keys come from.
    pub keys: KeySource,
    /// The client ids people may sign in with here: of the console, and of the command line.
    pub console_client: Option<String>,
    pub cli_client: Option<String>,
    pub scopes: Vec<String>,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// What `aud` of a workload's token has to be.
    pub workload_audience: String,
    /// Where its security events are believed.
    pub signals: Option<Transmitter>,
    pub reach: Reach,
}

/// An issuer that also tells of security events (Shared Signals Framework 1.0).
#[derive(Debug, Clone)]
pub struct Transmitter {
    /// What `aud` of its events has to be.
    pub audience: String,
    /// People are found by their address where it is `NAME@` this domain: their name here is the part before. An address
    /// never lets anybody in; here it can only take.
    pub mail_domain: Option<String>,
    /// How long a signal stands unless it is lifted.
    pub lasts: SignedDuration,
    /// How the stream is asked for events and for a sign of life.
    pub stream: Option<Stream>,
}

/// What is asked of a transmitter, and where.
#[derive(Debug, Clone)]
pub struct Stream {
    pub id: String,
    /// Where events are fetched (RFC 8936); without it they are pushed (RFC 8935).
    pub poll: Option<WebUrl>,
    /// Where a verification event is asked for (SSF 1.0 section 8.1.4.2).
    pub verify: Option<WebUrl>,
    /// How long it may say nothing.
    pub silence: SignedDuration,
}

/// How far an issuer is trusted, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// What sessions of its people and workloads can be used for at most.
    pub privileges: BTreeSet<Privilege>,
    /// Only groups of ours whose names begin with this can come from it; `None` means no group at all.
    pub group_prefix: Option<String>,
    /// What its `acr` values are worth. Any other value, or none, is one factor.
    pub acr: BTreeMap<String, Strength>,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// From `jwks_uri` of its discovery document.
    Discovery,
    Url(WebUrl),
    /// Named in the configuration, inline or as a file: never fetched.
    Fixed(ForeignKeys),
}

/// Who somebody is elsewhere. Nothing else identifies: names and addresses change hands, these do not
/// (OpenID Connect Core 1.0 section 5.7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
}

/// Which person here an identity of elsewhere is. Somebody who manages people said so; nothing the issuer says does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub identity: Identity,
    pub person: PersonId,
    pub linked_at: Timestamp,
}

/// Whether an issuer is believed at this moment. One that nobody ever spoke about is, if it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Its URL, so that another name for the same issuer changes nothing.
    pub issuer: String,
    /// Since when it is distrusted.
    pub distrusted_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject has 1 to 255 printable ASCII characters")]
pub struct SubjectError;

impl TrustedIssuer {
    /// What an `acr` value of this issuer is worth.
    pub fn strength_of(&self, acr: Option<&str>) -> Strength {
        acr.and_then(|acr| self.tier.acr.get(acr)).copied().unwrap_or(Strength::OneFactor)
    }

    /// Whether a group of ours may come from this issuer at all.
    pub fn may_give(&self, group: &str) -> bool {
        self.tier.group_prefix.as_deref().is_some_and(|prefix| group.starts_with(prefix))
    }
}

impl Identity {
    pub const SUBJECT_MAX: usize = 255;

    pub fn new(issuer: &WebUrl, subject: &str) -> Result<Self, SubjectError> {
        let fits = (1..=Self::SUBJECT_MAX).contains(&subject.len())
            && subject.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if !fits {
            return Err(SubjectError);
        }
        Ok(Self { issuer: issuer.as_str().to_owned(), subject: subject.to_owned() })
    }

    /// What it is kept under. A URL has no line feed, so no two identities share it.
    pub fn digest(&self) -> Digest {
        Digest::of(format!("modelward identity v1\n{}\n{}", self.issuer, self.subject).as_bytes())
    }
}

impl Tier {
    /// What a newly trusted issuer reaches unless the configuration says more.
    pub fn modest() -> Self {
        Self {
            privileges: BTreeSet::from([Privilege::ReadOnly, Privilege::Inference]),
            group_prefix: None,
            acr: BTreeMap::new(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.subject, self.issuer)
    }
}

/// Foreign clocks may differ by this much.
pub const FOREIGN_LEEWAY: SignedDuration = SignedDuration::from_secs(30);
