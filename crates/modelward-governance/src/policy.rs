//! Which policy bundle is in force, and which one is on trial: one state that moves step by step.

use modelward_decision::Reach;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

/// What governs, by the digests of bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyState {
    /// Counts the steps, so that two people who both start from one state cannot both go on from it.
    pub step: u64,
    pub active: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_trial: Option<OnTrial>,
}

/// A bundle that is compared, or obeyed for a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnTrial {
    pub bundle: Digest,
    pub reach: Reach,
}

/// Why a step is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    #[error("{0} is in force already")]
    InForce(Digest),
    #[error("{0} is on trial; end its trial first, or activate it")]
    OtherOnTrial(Digest),
    #[error("nothing is on trial")]
    NothingOnTrial,
    #[error("a share is given in thousandths, from 1 to 1000, and {0} is not one")]
    Share(u16),
}

impl PolicyState {
    /// The first state of an installation.
    pub const fn first(active: Digest) -> Self {
        Self { step: 0, active, on_trial: None }
    }

    /// Puts a bundle on trial, or changes how far its trial reaches.
    pub fn try_out(self, bundle: Digest, reach: Reach) -> Result<Self, StepError> {
        if bundle == self.active {
            return Err(StepError::InForce(bundle));
        }
        if let Some(other) = self.on_trial.filter(|trial| trial.bundle != bundle) {
            return Err(StepError::OtherOnTrial(other.bundle));
        }
        if let Reach::Canary { per_mille } = reach
            && !(1..=1000).contains(&per_mille)
        {
            return Err(StepError::Share(per_mille));
        }
        Ok(Self { on_trial: Some(OnTrial { bundle, reach }), ..self.next() })
    }

    /// Ends the trial without an activation.
    pub fn end_trial(self) -> Result<Self, StepError> {
        match self.on_trial {
            Some(_) => Ok(Self { on_trial: None, ..self.next() }),
            None => Err(StepError::NothingOnTrial),
        }
    }

    /// Brings a bundle into force for everybody. A trial of it ends; one of another bundle has to be ended first.
    pub fn activate(self, bundle: Digest) -> Result<Self, StepError> {
        if bundle == self.active {
            return Err(StepError::InForce(bundle));
        }
        if let Some(other) = self.on_trial.filter(|trial| trial.bundle != bundle) {
            return Err(StepError::OtherOnTrial(other.bundle));
        }
        Ok(Self { active: bundle, on_trial: None, ..self.next() })
    }

    /// Goes back to a bundle that was in force before. Whatever is on trial ends: going back must not wait for anything.
    pub fn roll_back(self, bundle: Digest) -> Result<Self, StepError> {
        if bundle == self.active {
            return Err(StepError::InForce(bundle));
        }
        Ok(Self { active: bundle, on_trial: None, ..self.next() })
    }

    const fn next(self) -> Self {
        Self { step: self.step.saturating_add(1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    #[test]
    fn a_bundle_goes_from_shadow_by_a_share_into_force_and_back() {
        let old = PolicyState::first(digest("old"));
        let shadow = old.try_out(digest("new"), Reach::Shadow).unwrap();
        let canary = shadow.try_out(digest("new"), Reach::Canary { per_mille: 50 }).unwrap();
        let active = canary.activate(digest("new")).unwrap();
        assert_eq!((active.active, active.on_trial, active.step), (digest("new"), None, 3));
        let back = active.roll_back(digest("old")).unwrap();
        assert_eq!((back.active, back.step), (digest("old"), 4));
    }

    #[test]
    fn one_trial_at_a_time_and_never_of_what_is_in_force() {
        let old = PolicyState::first(digest("old"));
        assert_eq!(old.try_out(digest("old"), Reach::Shadow), Err(StepError::InForce(digest("old"))));
        assert_eq!(old.activate(digest("old")), Err(StepError::InForce(digest("old"))));
        assert_eq!(old.end_trial(), Err(StepError::NothingOnTrial));
        for per_mille in [0, 1001] {
            let refused = old.try_out(digest("new"), Reach::Canary { per_mille });
            assert_eq!(refused, Err(StepError::Share(per_mille)));
        }
        let shadow = old.try_out(digest("new"), Reach::Shadow).unwrap();
        let other = Err(StepError::OtherOnTrial(digest("new")));
        assert_eq!(shadow.try_out(digest("third"), Reach::Shadow), other);
        assert_eq!(shadow.activate(digest("third")), other);
        assert_eq!(shadow.roll_back(digest("third")).unwrap().on_trial, None, "going back waits for nothing");
    }
}
