//! Security events of elsewhere: tokens of RFC 8417 as the Shared Signals Framework 1.0 narrows them, with the events of
//! CAEP 1.0 and RISC 1.0 as their payload.

use jiff::{SignedDuration, Timestamp};
use modelward_seal::Digest;
use serde_json::{Map, Value};

use super::foreign::{EVENT, Unverified, Wanted, seconds, text};
use super::{Algorithm, ForeignKeys, ForeignRefusal, TrustedIssuer};

mod subject;

pub use subject::{Party, Subject};

/// How long after it was issued an event is still taken.
pub const EVENT_AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Bytes of a text in an event at most.
const TEXT_MAX: usize = 512;

/// What a transmitter says has happened, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityEvent {
    /// `jti`, for the answer to whoever is asked for events.
    pub id: String,
    pub issuer: String,
    pub kind: EventKind,
    pub subject: Subject,
    /// When it happened, as far as the transmitter says; else when the token was issued.
    pub at: Timestamp,
    pub reason: Option<String>,
    /// To do the same event's bidding once, until this moment.
    pub once: Digest,
    pub once_until: Timestamp,
}

/// The events there are. Names are the last part of their URIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    // CAEP 1.0 section 3.
    SessionRevoked,
    TokenClaimsChange,
    CredentialChange(CredentialChange),
    AssuranceLevelChange {
        decreased: bool,
    },
    DeviceComplianceChange {
        compliant: bool,
    },
    SessionEstablished,
    SessionPresented,
    RiskLevelChange {
        of: RiskOf,
        level: Level,
    },
    // RISC 1.0 section 2.
    AccountCredentialChangeRequired,
    AccountPurged,
    AccountDisabled,
    AccountEnabled,
    IdentifierChanged,
    IdentifierRecycled,
    CredentialCompromise,
    RecoveryActivated,
    RecoveryInformationChanged,
    SessionsRevoked,
    /// The account holder's own say about being watched.
    OptChanged,
    // Shared Signals Framework 1.0 section 8.1.
    Verification {
        state: Option<String>,
    },
    StreamUpdated {
        enabled: bool,
    },
    /// One that none of these standards names.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialChange {
    Create,
    Revoke,
    Update,
    Delete,
}

/// Whose risk a change of risk is about (CAEP 1.0 section 3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RiskOf {
    User,
    Device,
    Session,
    /// A tenant, an organisational unit or a group: more than one person.
    Many,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Low,
    Medium,
    High,
}

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

impl TrustedIssuer {
    /// What key a security event needs, before the keys are at hand.
    pub fn key_of_event(&self, token: &str) -> Result<(Option<String>, Algorithm), ForeignRefusal> {
        let read = Unverified::read(token, &EVENT, &self.algorithms)?;
        Ok((read.key, read.algorithm))
    }

    /// Verifies a security event made for this audience.
    pub fn event(
        &self,
        token: &str,
        keys: &ForeignKeys,
        audience: &str,
        now: Timestamp,
    ) -> Result<SecurityEvent, ForeignRefusal> {
        let wanted = Wanted { issuer: self.url.as_str(), audience };
        let read = Unverified::read(token, &EVENT, &self.algorithms)?;
        let (claims, issued_at) = read.verify_endless(keys, &EVENT, &wanted, now)?;
        // Either would make a token of it that somebody could take for another (SSF 1.0 sections 4.1.2 and 4.1.7).
        if claims.contains_key("sub") || claims.contains_key("exp") || claims.contains_key("nonce") {
            return Err(ForeignRefusal::NoEvent);
        }
        let id = bounded(&claims, "jti")?.ok_or(ForeignRefusal::NoEvent)?;
        let subject = claims.get("sub_id").ok_or(ForeignRefusal::NoEvent)?;
        let subject = Subject::read(subject).ok_or(ForeignRefusal::NoEvent)?;
        let (uri, event) = only_event(&claims)?;
        let issuer = self.url.as_str().to_owned();
        let once = Digest::of(format!("modelward event v1\n{issuer}\n{id}").as_bytes());
        let once_until = crate::session::after(issued_at, EVENT_AGE_MAX);
        Ok(SecurityEvent {
            id,
            kind: EventKind::read(uri, event)?,
            subject,
            at: seconds(event, "event_timestamp")?.unwrap_or(issued_at).min(now),
            reason: reason(event),
            once,
            once_until: crate::session::after(once_until, super::FOREIGN_LEEWAY),
            issuer,
        })
    }
}

/// One event in a token, so that what is done about it and what is answered are about the same.
fn only_event(claims: &Map<String, Value>) -> Result<(&str, &Map<String, Value>), ForeignRefusal> {
    let events = claims.get("events").and_then(Value::as_object).ok_or(ForeignRefusal::NoEvent)?;
    let mut events = events.iter();
    match (events.next(), events.next()) {
        (Some((uri, Value::Object(event))), None) if uri.len() <= TEXT_MAX => Ok((uri, event)),
        _ => Err(ForeignRefusal::NoEvent),
    }
}

impl EventKind {
    fn read(uri: &str, event: &Map<String, Value>) -> Result<Self, ForeignRefusal> {
        if let Some(name) = uri.strip_prefix(CAEP) {
            return Self::caep(name, event);
        }
        if let Some(name) = uri.strip_prefix(RISC) {
            return Ok(Self::risc(name));
        }
        match uri.strip_prefix(SSF) {
            Some("verification") => Ok(Self::Verification { state: bounded(event, "state")? }),
            Some("stream-updated") => {
                Ok(Self::StreamUpdated { enabled: word(event, "status")? == "enabled" })
            }
            Some(_) | None => Ok(Self::Unknown),
        }
    }

    fn caep(name: &str, event: &Map<String, Value>) -> Result<Self, ForeignRefusal> {
        Ok(match name {
            "session-revoked" => Self::SessionRevoked,
            "token-claims-change" => match event.get("claims") {
                Some(Value::Object(_)) => Self::TokenClaimsChange,
                Some(_) | None => return Err(ForeignRefusal::NoEvent),
            },
            "credential-change" => {
                word(event, "credential_type")?;
                Self::CredentialChange(match word(event, "change_type")? {
                    "create" => CredentialChange::Create,
                    "revoke" => CredentialChange::Revoke,
                    "update" => CredentialChange::Update,
                    "delete" => CredentialChange::Delete,
                    _ => return Err(ForeignRefusal::NoEvent),
                })
            }
            "assurance-level-change" => {
                word(event, "namespace")?;
                word(event, "current_level")?;
                // A level may have gone anywhere where nobody says which way.
                Self::AssuranceLevelChange {
                    decreased: bounded(event, "change_direction")?.as_deref() != Some("increase"),
                }
            }
            "device-compliance-change" => {
                word(event, "previous_status")?;
                Self::DeviceComplianceChange {
                    compliant: match word(event, "current_status")? {
                        "compliant" => true,
                        "not-compliant" => false,
                        _ => return Err(ForeignRefusal::NoEvent),
                    },
                }
            }
            "session-established" => Self::SessionEstablished,
            "session-presented" => Self::SessionPresented,
            "risk-level-change" => Self::RiskLevelChange {
                of: match word(event, "principal")? {
                    "USER" => RiskOf::User,
                    "DEVICE" => RiskOf::Device,
                    "SESSION" => RiskOf::Session,
                    "TENANT" | "ORG_UNIT" | "GROUP" => RiskOf::Many,
                    _ => return Err(ForeignRefusal::NoEvent),
                },
                level: match word(event, "current_level")? {
                    "LOW" => Level::Low,
                    "MEDIUM" => Level::Medium,
                    "HIGH" => Level::High,
                    _ => return Err(ForeignRefusal::NoEvent),
                },
            },
            _ => Self::Unknown,
        })
    }

    fn risc(name: &str) -> Self {
        match name {
            "account-credential-change-required" => Self::AccountCredentialChangeRequired,
            "account-purged" => Self::AccountPurged,
            "account-disabled" => Self::AccountDisabled,
            "account-enabled" => Self::AccountEnabled,
            "identifier-changed" => Self::IdentifierChanged,
            "identifier-recycled" => Self::IdentifierRecycled,
            "credential-compromise" => Self::CredentialCompromise,
            "recovery-activated" => Self::RecoveryActivated,
            "recovery-information-changed" => Self::RecoveryInformationChanged,
            "sessions-revoked" => Self::SessionsRevoked,
            "opt-in" | "opt-out-initiated" | "opt-out-cancelled" | "opt-out-effective" => Self::OptChanged,
            _ => Self::Unknown,
        }
    }

    /// The word for people and for the ledger.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::SessionRevoked => "session-revoked",
            Self::TokenClaimsChange => "token-claims-change",
            Self::CredentialChange(_) => "credential-change",
            Self::AssuranceLevelChange { .. } => "assurance-level-change",
            Self::DeviceComplianceChange { .. } => "device-compliance-change",
            Self::SessionEstablished => "session-established",
            Self::SessionPresented => "session-presented",
            Self::RiskLevelChange { .. } => "risk-level-change",
            Self::AccountCredentialChangeRequired => "account-credential-change-required",
            Self::AccountPurged => "account-purged",
            Self::AccountDisabled => "account-disabled",
            Self::AccountEnabled => "account-enabled",
            Self::IdentifierChanged => "identifier-changed",
            Self::IdentifierRecycled => "identifier-recycled",
            Self::CredentialCompromise => "credential-compromise",
            Self::RecoveryActivated => "recovery-activated",
            Self::RecoveryInformationChanged => "recovery-information-changed",
            Self::SessionsRevoked => "sessions-revoked",
            Self::OptChanged => "opt-changed",
            Self::Verification { .. } => "verification",
            Self::StreamUpdated { .. } => "stream-updated",
            Self::Unknown => "unknown",
        }
    }
}

/// A text that has to be there.
fn word<'a>(event: &'a Map<String, Value>, name: &str) -> Result<&'a str, ForeignRefusal> {
    let word = text(event, name).map_err(|_| ForeignRefusal::NoEvent)?;
    word.filter(|word| (1..=TEXT_MAX).contains(&word.len())).ok_or(ForeignRefusal::NoEvent)
}

/// A text of bounded length where it is there at all.
fn bounded(members: &Map<String, Value>, name: &str) -> Result<Option<String>, ForeignRefusal> {
    if !members.contains_key(name) {
        return Ok(None);
    }
    word(members, name).map(|word| Some(word.to_owned()))
}

/// `reason_admin`, in whatever language comes first, for people to read.
fn reason(event: &Map<String, Value>) -> Option<String> {
    let told = match event.get("reason_admin")? {
        Value::String(text) => text,
        Value::Object(languages) => languages.get("en").or_else(|| languages.values().next())?.as_str()?,
        _ => return None,
    };
    let shown: String = told.chars().filter(|char| !char.is_control()).take(160).collect();
    (!shown.is_empty()).then_some(shown)
}
