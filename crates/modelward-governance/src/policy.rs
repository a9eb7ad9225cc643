//! Which policy bundles are in force, and which one is on trial: one state that moves step by step.

use std::collections::{BTreeMap, BTreeSet};

use modelward_decision::Reach;
use modelward_decision::vocabulary::ProjectId;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

/// Project bundles beside a root bundle at most.
pub const PROJECTS_MAX: usize = 256;

/// What governs, by the digests of bundles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyState {
    /// Counts the steps, so that two people who both start from one state cannot both go on from it.
    pub step: u64,
    /// The root bundle.
    pub active: Digest,
    /// The bundles that permit beside it, each for one project.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub projects: BTreeMap<ProjectId, OfProject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_trial: Option<OnTrial>,
}

/// The bundle of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfProject {
    pub bundle: Digest,
    /// What its proof is about: the texts of the root bundle and its own that the proof rests on.
    pub proved: Digest,
    /// Taken out of force: its proof is not about the root bundle any more, or somebody said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
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
    #[error("{0} is no bundle of a project that is in force")]
    NotOfProject(Digest),
    #[error("{PROJECTS_MAX} projects have a bundle in force already")]
    TooManyProjects,
    #[error("a share is given in thousandths, from 1 to 1000, and {0} is not one")]
    Share(u16),
}

impl PolicyState {
    /// The first state of an installation.
    pub const fn first(active: Digest) -> Self {
        Self { step: 0, active, projects: BTreeMap::new(), on_trial: None }
    }

    /// Whether a bundle decides about something now.
    pub fn is_in_force(&self, bundle: Digest) -> bool {
        bundle == self.active || self.of_projects().any(|(_, of)| of.bundle == bundle)
    }

    /// The project bundles that are in force.
    pub fn of_projects(&self) -> impl Iterator<Item = (ProjectId, OfProject)> {
        self.projects.iter().filter(|(_, of)| !of.suspended).map(|(project, of)| (*project, *of))
    }

    /// Puts a bundle on trial, or changes how far its trial reaches.
    pub fn try_out(self, bundle: Digest, reach: Reach) -> Result<Self, StepError> {
        self.is_free_for(bundle)?;
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

    /// Brings a root bundle into force for everybody. A trial of it ends; one of another bundle has to be ended first. The
    /// bundles of `fallen` projects, whose proofs are not about it, go out of force.
    pub fn activate(self, bundle: Digest, fallen: &BTreeSet<ProjectId>) -> Result<Self, StepError> {
        self.is_free_for(bundle)?;
        Ok(self.under(bundle, fallen))
    }

    /// Goes back to a root bundle that was in force before. Whatever is on trial ends: going back must not wait for anything.
    pub fn roll_back(self, bundle: Digest, fallen: &BTreeSet<ProjectId>) -> Result<Self, StepError> {
        if bundle == self.active {
            return Err(StepError::InForce(bundle));
        }
        Ok(self.under(bundle, fallen))
    }

    /// Brings the bundle of a project into force beside the root bundle, in place of the one the project had.
    pub fn activate_project(
        self,
        project: ProjectId,
        bundle: Digest,
        proved: Digest,
    ) -> Result<Self, StepError> {
        self.is_free_for(bundle)?;
        if self.projects.len() >= PROJECTS_MAX && !self.projects.contains_key(&project) {
            return Err(StepError::TooManyProjects);
        }
        let mut next = Self { on_trial: None, ..self.next() };
        next.projects.insert(project, OfProject { bundle, proved, suspended: false });
        Ok(next)
    }

    /// Goes back to a bundle that the project had before; a trial ends.
    pub fn roll_back_project(
        self,
        project: ProjectId,
        bundle: Digest,
        proved: Digest,
    ) -> Result<Self, StepError> {
        Self { on_trial: None, ..self }.activate_project(project, bundle, proved)
    }

    /// Takes the bundle of a project out of force. It narrows, so it waits for nothing, and a trial ends that was compared
    /// with it.
    pub fn suspend(self, bundle: Digest) -> Result<Self, StepError> {
        let found = self.of_projects().find(|(_, of)| of.bundle == bundle);
        let Some((project, of)) = found else { return Err(StepError::NotOfProject(bundle)) };
        let mut next = Self { on_trial: None, ..self.next() };
        next.projects.insert(project, OfProject { suspended: true, ..of });
        Ok(next)
    }

    fn under(self, root: Digest, fallen: &BTreeSet<ProjectId>) -> Self {
        let mut next = Self { active: root, on_trial: None, ..self.next() };
        for (project, of) in &mut next.projects {
            of.suspended |= fallen.contains(project);
        }
        next
    }

    /// Whether this bundle can take a step forward.
    fn is_free_for(&self, bundle: Digest) -> Result<(), StepError> {
        if self.is_in_force(bundle) {
            return Err(StepError::InForce(bundle));
        }
        match self.on_trial.filter(|trial| trial.bundle != bundle) {
            Some(other) => Err(StepError::OtherOnTrial(other.bundle)),
            None => Ok(()),
        }
    }

    fn next(self) -> Self {
        Self { step: self.step.saturating_add(1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    const NONE: BTreeSet<ProjectId> = BTreeSet::new();
    const PAYMENTS: ProjectId = ProjectId::from_bits(1);
    const FRAUD: ProjectId = ProjectId::from_bits(2);

    #[test]
    fn a_bundle_goes_from_shadow_by_a_share_into_force_and_back() {
        let old = PolicyState::first(digest("old"));
        let shadow = old.try_out(digest("new"), Reach::Shadow).unwrap();
        let canary = shadow.try_out(digest("new"), Reach::Canary { per_mille: 50 }).unwrap();
        let active = canary.activate(digest("new"), &NONE).unwrap();
        assert_eq!((active.active, active.on_trial, active.step), (digest("new"), None, 3));
        let back = active.roll_back(digest("old"), &NONE).unwrap();
        assert_eq!((back.active, back.step), (digest("old"), 4));
    }

    #[test]
    fn one_trial_at_a_time_and_never_of_what_is_in_force() {
        let old = PolicyState::first(digest("old"));
        let in_force = Err(StepError::InForce(digest("old")));
        assert_eq!(old.clone().try_out(digest("old"), Reach::Shadow), in_force);
        assert_eq!(old.clone().activate(digest("old"), &NONE), in_force);
        assert_eq!(old.clone().end_trial(), Err(StepError::NothingOnTrial));
        for per_mille in [0, 1001] {
            let refused = old.clone().try_out(digest("new"), Reach::Canary { per_mille });
            assert_eq!(refused, Err(StepError::Share(per_mille)));
        }
        let shadow = old.try_out(digest("new"), Reach::Shadow).unwrap();
        let other = Err(StepError::OtherOnTrial(digest("new")));
        assert_eq!(shadow.clone().try_out(digest("third"), Reach::Shadow), other);
        assert_eq!(shadow.clone().activate(digest("third"), &NONE), other);
        assert_eq!(shadow.clone().activate_project(PAYMENTS, digest("third"), digest("proof")), other);
        let back = shadow.roll_back(digest("third"), &NONE).unwrap();
        assert_eq!(back.on_trial, None, "going back waits for nothing");
    }

    #[test]
    fn bundles_of_projects_stand_beside_the_root_until_it_lets_them_fall() {
        let root = PolicyState::first(digest("root"));
        let one = root.activate_project(PAYMENTS, digest("payments"), digest("proof")).unwrap();
        let two = one.activate_project(FRAUD, digest("fraud"), digest("proof")).unwrap();
        assert!(two.is_in_force(digest("payments")) && two.is_in_force(digest("fraud")));
        let again = two.clone().activate_project(FRAUD, digest("fraud"), digest("proof"));
        assert_eq!(again, Err(StepError::InForce(digest("fraud"))));

        let next = two.activate(digest("next"), &BTreeSet::from([FRAUD])).unwrap();
        assert!(next.is_in_force(digest("payments")) && !next.is_in_force(digest("fraud")));
        let gone = next.clone().suspend(digest("fraud"));
        assert_eq!(gone, Err(StepError::NotOfProject(digest("fraud"))), "it is suspended already");
        let back = next.roll_back(digest("root"), &NONE).unwrap();
        assert!(!back.is_in_force(digest("fraud")), "nothing comes back by itself");
        let resumed = back.roll_back_project(FRAUD, digest("fraud"), digest("proof")).unwrap();
        assert!(resumed.is_in_force(digest("fraud")));
        assert_eq!(resumed.suspend(digest("payments")).unwrap().of_projects().count(), 1);
    }

    #[test]
    fn a_state_that_was_written_without_projects_is_read() {
        let state = PolicyState::first(digest("root"));
        let written = serde_json::to_string(&state).unwrap();
        assert!(!written.contains("projects"), "{written}");
        assert_eq!(serde_json::from_str::<PolicyState>(&written).unwrap(), state);
        let more = state.activate_project(PAYMENTS, digest("payments"), digest("proof")).unwrap();
        let written = serde_json::to_string(&more).unwrap();
        assert_eq!(serde_json::from_str::<PolicyState>(&written).unwrap(), more);
    }
}
