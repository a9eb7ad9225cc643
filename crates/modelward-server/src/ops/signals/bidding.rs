//! What each event has us do: a table, and no more.

use modelward_identity::federation::{CredentialChange, EventKind, Level, RiskOf};

/// What an event has us do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bidding {
    pub(super) ends: Ends,
    /// A row of `signals.toml` that stands from now on.
    pub(super) raises: Option<&'static str>,
    /// Rows that stand no more, as far as the same transmitter raised them.
    pub(super) lifts: &'static [&'static str],
    /// Against whom the signals stand.
    pub(super) of: Of,
    /// Whether the identity is nobody here any more.
    pub(super) unlinks: bool,
}

/// Which credentials end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Nothing,
    /// Those of the session it names; of everything, where it names none.
    Session,
    /// Those that rest on what the transmitter said of the person.
    FromIssuer,
    Everything,
}

/// What a signal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Person,
    Device,
    Session,
}

const COMPROMISED: &str = "device-compromised";
const HIGH: &str = "risk-high";
const ELEVATED: &str = "risk-elevated";
const DISABLED: &str = "account-disabled";
const STOLEN: &str = "credential-stolen";
const RECOVERED: &str = "account-recovered";

const NOTHING: Bidding =
    Bidding { ends: Ends::Nothing, raises: None, lifts: &[], of: Of::Person, unlinks: false };

impl Bidding {
    /// What the event has us do; for one that has us do nothing, why.
    pub(super) const fn of(event: &EventKind) -> Result<Self, &'static str> {
        Ok(match event {
            EventKind::SessionRevoked => Self { ends: Ends::Session, of: Of::Session, ..NOTHING },
            EventKind::SessionsRevoked => Self { ends: Ends::Everything, ..NOTHING },
            // What was said at the sign-in is no longer so: whoever signs in again gets what is said then.
            EventKind::TokenClaimsChange
            | EventKind::IdentifierChanged
            | EventKind::AssuranceLevelChange { decreased: true }
            | EventKind::CredentialChange(
                CredentialChange::Revoke | CredentialChange::Update | CredentialChange::Delete,
            ) => Self { ends: Ends::FromIssuer, ..NOTHING },
            EventKind::DeviceComplianceChange { compliant: false } => {
                Self { raises: Some(COMPROMISED), of: Of::Device, ..NOTHING }
            }
            EventKind::DeviceComplianceChange { compliant: true } => {
                Self { lifts: &[COMPROMISED], of: Of::Device, ..NOTHING }
            }
            EventKind::RiskLevelChange { of, level } => match risk(*of, *level) {
                Some(bidding) => bidding,
                None => return Err("it is about more than one person, whom nothing here tells apart"),
            },
            EventKind::AccountDisabled => Self { ends: Ends::Everything, raises: Some(DISABLED), ..NOTHING },
            EventKind::AccountPurged | EventKind::IdentifierRecycled => {
                Self { ends: Ends::Everything, raises: Some(DISABLED), unlinks: true, ..NOTHING }
            }
            EventKind::AccountEnabled => Self { lifts: &[DISABLED], ..NOTHING },
            EventKind::CredentialCompromise => {
                Self { ends: Ends::Everything, raises: Some(STOLEN), ..NOTHING }
            }
            EventKind::AccountCredentialChangeRequired
            | EventKind::RecoveryActivated
            | EventKind::RecoveryInformationChanged => Self { raises: Some(RECOVERED), ..NOTHING },
            EventKind::CredentialChange(CredentialChange::Create)
            | EventKind::AssuranceLevelChange { decreased: false } => {
                return Err("it takes nothing from anybody");
            }
            EventKind::SessionEstablished | EventKind::SessionPresented | EventKind::OptChanged => {
                return Err("noted");
            }
            EventKind::Verification { .. } => return Err("a sign of life"),
            EventKind::StreamUpdated { enabled: true } => return Err("the stream goes on"),
            EventKind::StreamUpdated { enabled: false } => return Err("the stream is paused or ended"),
            EventKind::Unknown => return Err("no such event is known here"),
        })
    }
}

const fn risk(of: RiskOf, level: Level) -> Option<Bidding> {
    let of = match of {
        RiskOf::User => Of::Person,
        RiskOf::Device => Of::Device,
        RiskOf::Session => Of::Session,
        RiskOf::Many => return None,
    };
    Some(match level {
        Level::High => Bidding { raises: Some(HIGH), lifts: &[ELEVATED], of, ..NOTHING },
        Level::Medium => Bidding { raises: Some(ELEVATED), lifts: &[HIGH], of, ..NOTHING },
        Level::Low => Bidding { lifts: &[HIGH, ELEVATED], of, ..NOTHING },
    })
}
