//! The life of a bundle: draft, proposed, reviewed, shadow, canary, active, superseded.
//!
//! Each state holds what is true in it, and each step asks for the proof it needs: a passed gate to propose, signatures to
//! be reviewed. Rolling back is activating a bundle that was active before. Who may do a step at all is decided elsewhere;
//! here is what no one may do.

use jiff::Timestamp;
use modelward_decision::vocabulary::{Name, PrincipalRef};
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::gate::Report;
use crate::review::Reviewed;

/// One bundle on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub bundle: Digest,
    pub author: Name,
    pub state: State,
}

/// Where a bundle stands. Each state names who brought it there, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// Being written.
    Draft { step: Step },
    /// Passed the gate, waits for reviewers.
    Proposed { step: Step },
    /// Has its signatures; nothing is decided by it yet.
    Reviewed { step: Step, approved: Approved },
    /// Decided beside the bundle in force; differences are recorded and nothing follows from them.
    Shadow { step: Step, approved: Approved },
    /// Decides for a share of principals.
    Canary { step: Step, approved: Approved, share: Share },
    /// Decides for everybody.
    Active { step: Step, approved: Approved },
    /// Was in force until another took its place.
    Superseded { step: Step, approved: Approved, by: Digest },
    /// Given up before it was in force.
    Withdrawn { step: Step },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub by: Name,
    pub at: Timestamp,
}

/// What the signatures were for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// The bundle in force that the reviewers compared it with.
    pub previous: Digest,
    pub reviewers: Vec<Name>,
}

/// How many principals a canary decides for, in hundredths of a percent: more than none, fewer than all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Share(u16);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a share of {0} hundredths of a percent is none or all: use 1 to 9999")]
pub struct ShareError(pub u16);

/// Why a step cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a bundle that is {found} cannot be {asked}")]
    OutOfTurn { found: &'static str, asked: &'static str },
    #[error("the gate failed")]
    GateFailed,
    #[error("the report is about another bundle")]
    OtherReport,
    #[error("the signatures are for another bundle")]
    OtherBundle,
    #[error("the signatures name `{signed}` as the author, and it is `{author}`")]
    OtherAuthor { signed: Name, author: Name },
    #[error("`{by}` did not write this bundle")]
    NotAuthor { by: Name },
    #[error("it was reviewed against {reviewed}, and {active} is in force now")]
    Overtaken { reviewed: Digest, active: Digest },
    #[error("it is in force already")]
    InForce,
    #[error("the step is dated before the one it follows")]
    BackInTime,
}

impl Release {
    pub fn draft(bundle: Digest, author: Name, at: Timestamp) -> Self {
        let step = Step { by: author.clone(), at };
        Self { bundle, author, state: State::Draft { step } }
    }

    /// Hands a draft to the reviewers. Only its author can, and only with a gate that passed.
    pub fn propose(&self, report: &Report, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        let State::Draft { .. } = &self.state else { return Err(self.out_of_turn("proposed")) };
        if step.by != self.author {
            return Err(Refusal::NotAuthor { by: step.by });
        }
        if report.bundle.as_ref().is_none_or(|found| found.digest != self.bundle) {
            return Err(Refusal::OtherReport);
        }
        if !report.passed() {
            return Err(Refusal::GateFailed);
        }
        Ok(self.to(State::Proposed { step }))
    }

    /// Takes the signatures of the reviewers.
    pub fn review(&self, reviewed: &Reviewed, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        let State::Proposed { .. } = &self.state else { return Err(self.out_of_turn("reviewed")) };
        if reviewed.bundle() != self.bundle {
            return Err(Refusal::OtherBundle);
        }
        if *reviewed.author() != self.author {
            return Err(Refusal::OtherAuthor {
                signed: reviewed.author().clone(),
                author: self.author.clone(),
            });
        }
        let reviewers = reviewed.reviewers().iter().cloned().collect();
        let approved = Approved { previous: reviewed.previous(), reviewers };
        Ok(self.to(State::Reviewed { step, approved }))
    }

    /// Lets it decide beside the bundle in force.
    pub fn shadow(&self, active: Digest, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        let approved = self.ready("put in the shadow", active)?;
        Ok(self.to(State::Shadow { step, approved }))
    }

    /// Lets it decide for a share of principals; once more, for another share.
    pub fn canary(&self, share: Share, active: Digest, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        let approved = self.ready("a canary", active)?;
        Ok(self.to(State::Canary { step, approved, share }))
    }

    /// Takes it out of shadow or canary; its signatures stay.
    pub fn stop(&self, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        match &self.state {
            State::Shadow { approved, .. } | State::Canary { approved, .. } => {
                Ok(self.to(State::Reviewed { step, approved: approved.clone() }))
            }
            _ => Err(self.out_of_turn("stopped")),
        }
    }

    /// Brings it into force. Whoever holds the bundle that was in force calls [`Self::supersede`] on that.
    pub fn activate(&self, active: Digest, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        let approved = self.ready("activated", active)?;
        Ok(self.to(State::Active { step, approved }))
    }

    /// Brings a bundle that was in force back, with the signatures it had.
    pub fn roll_back(&self, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        match &self.state {
            State::Superseded { approved, .. } => {
                Ok(self.to(State::Active { step, approved: approved.clone() }))
            }
            State::Active { .. } => Err(Refusal::InForce),
            _ => Err(self.out_of_turn("rolled back to")),
        }
    }

    /// Makes way for another.
    pub fn supersede(&self, next: Digest, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        match &self.state {
            State::Active { .. } if next == self.bundle => Err(Refusal::InForce),
            State::Active { approved, .. } => {
                Ok(self.to(State::Superseded { step, approved: approved.clone(), by: next }))
            }
            _ => Err(self.out_of_turn("superseded")),
        }
    }

    /// Gives it up.
    pub fn withdraw(&self, by: Name, at: Timestamp) -> Result<Self, Refusal> {
        let step = self.step(by, at)?;
        match &self.state {
            State::Draft { .. }
            | State::Proposed { .. }
            | State::Reviewed { .. }
            | State::Shadow { .. }
            | State::Canary { .. } => Ok(self.to(State::Withdrawn { step })),
            State::Active { .. } | State::Superseded { .. } | State::Withdrawn { .. } => {
                Err(self.out_of_turn("withdrawn"))
            }
        }
    }

    fn to(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }

    /// Has its signatures, and they were given for what is in force now.
    fn ready(&self, asked: &'static str, active: Digest) -> Result<Approved, Refusal> {
        match &self.state {
            State::Reviewed { approved, .. }
            | State::Shadow { approved, .. }
            | State::Canary { approved, .. } => {
                if approved.previous == active {
                    return Ok(approved.clone());
                }
                Err(Refusal::Overtaken { reviewed: approved.previous, active })
            }
            State::Active { .. } => Err(Refusal::InForce),
            State::Draft { .. }
            | State::Proposed { .. }
            | State::Superseded { .. }
            | State::Withdrawn { .. } => Err(self.out_of_turn(asked)),
        }
    }

    const fn out_of_turn(&self, asked: &'static str) -> Refusal {
        Refusal::OutOfTurn { found: self.state.as_str(), asked }
    }

    fn step(&self, by: Name, at: Timestamp) -> Result<Step, Refusal> {
        if at < self.state.step().at { Err(Refusal::BackInTime) } else { Ok(Step { by, at }) }
    }
}

impl State {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Draft { .. } => "draft",
            Self::Proposed { .. } => "proposed",
            Self::Reviewed { .. } => "reviewed",
            Self::Shadow { .. } => "shadow",
            Self::Canary { .. } => "canary",
            Self::Active { .. } => "active",
            Self::Superseded { .. } => "superseded",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }

    /// Who brought it there, and when.
    pub const fn step(&self) -> &Step {
        match self {
            Self::Draft { step }
            | Self::Proposed { step }
            | Self::Reviewed { step, .. }
            | Self::Shadow { step, .. }
            | Self::Canary { step, .. }
            | Self::Active { step, .. }
            | Self::Superseded { step, .. }
            | Self::Withdrawn { step } => step,
        }
    }
}

impl Share {
    /// All, in the unit of shares.
    const WHOLE: u16 = 10_000;

    pub const fn new(hundredths_of_percent: u16) -> Result<Self, ShareError> {
        if hundredths_of_percent > 0 && hundredths_of_percent < Self::WHOLE {
            return Ok(Self(hundredths_of_percent));
        }
        Err(ShareError(hundredths_of_percent))
    }

    pub const fn hundredths_of_percent(self) -> u16 {
        self.0
    }

    /// Whether the canary decides for this principal. The same answer everywhere and every time; a greater share keeps
    /// everybody a smaller one had; another bundle picks others.
    pub fn includes(self, bundle: Digest, principal: PrincipalRef) -> bool {
        let digest =
            Digest::of_parts(&[b"modelward canary v1", bundle.as_bytes(), principal.to_string().as_bytes()]);
        let [first, second, third, fourth, ..] = *digest.as_bytes();
        let draw = u32::from_be_bytes([first, second, third, fourth]) % u32::from(Self::WHOLE);
        draw < u32::from(self.0)
    }
}

impl TryFrom<u16> for Share {
    type Error = ShareError;

    fn try_from(share: u16) -> Result<Self, ShareError> {
        Self::new(share)
    }
}

impl From<Share> for u16 {
    fn from(share: Share) -> Self {
        share.0
    }
}
