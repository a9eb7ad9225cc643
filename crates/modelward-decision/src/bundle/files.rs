//! Which files a bundle can have: what is not on the list does not belong in it.

use std::collections::BTreeMap;

use super::BundleError;
use crate::vocabulary::Name;

/// What a file of a bundle is for, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `bundle.toml`.
    Manifest,
    /// `schema.cedarschema`.
    Schema,
    /// `obligations.cedar`.
    Obligations,
    /// Any other `.cedar` file at the top.
    Policies,
    /// `entitlements.toml`: what may be requested by whom, with which approval rule.
    Entitlements,
    /// `groups.toml`: groups of identity providers as groups of ours.
    Groups,
    /// `signals.toml`: what a security signal does to each privilege.
    Signals,
    /// `reviewers.toml`: who may sign the next bundle.
    Reviewers,
    /// `matrix.txt`: the reviewed permission matrix.
    Matrix,
    /// `invariants/*.cedar`: what the whole bundle must imply.
    Invariant,
    /// `tests/*.scenario`.
    Scenario,
    /// `tests/*.json`, as Cedar's own test runner reads them.
    CedarTest,
}

impl FileKind {
    pub fn of(file: &str) -> Option<Self> {
        let named =
            |suffix: &str, text: &str| text.strip_suffix(suffix).is_some_and(|stem| Name::new(stem).is_ok());
        Some(match file {
            super::MANIFEST => Self::Manifest,
            super::SCHEMA => Self::Schema,
            super::OBLIGATIONS => Self::Obligations,
            "entitlements.toml" => Self::Entitlements,
            "groups.toml" => Self::Groups,
            "signals.toml" => Self::Signals,
            "reviewers.toml" => Self::Reviewers,
            "matrix.txt" => Self::Matrix,
            _ => match file.split_once('/') {
                None if named(".cedar", file) => Self::Policies,
                Some(("invariants", name)) if named(".cedar", name) => Self::Invariant,
                Some(("tests", name)) if named(".scenario", name) => Self::Scenario,
                Some(("tests", name)) if named(".json", name) => Self::CedarTest,
                _ => return None,
            },
        })
    }
}

/// Refuses a file that is of no known kind.
pub(super) fn check(sources: &BTreeMap<String, String>) -> Result<(), BundleError> {
    match sources.keys().find(|file| FileKind::of(file).is_none()) {
        Some(file) => Err(BundleError::UnknownFile { file: file.chars().take(256).collect() }),
        None => Ok(()),
    }
}

/// The files of the bundle in `policies/`, built into the program.
pub(super) const DEFAULT: &[(&str, &str)] = &[
    ("bundle.toml", include_str!("../../../../policies/bundle.toml")),
    ("entitlements.toml", include_str!("../../../../policies/entitlements.toml")),
    ("groups.toml", include_str!("../../../../policies/groups.toml")),
    ("guardrails.cedar", include_str!("../../../../policies/guardrails.cedar")),
    ("invariants/envelope.cedar", include_str!("../../../../policies/invariants/envelope.cedar")),
    ("invariants/grants.cedar", include_str!("../../../../policies/invariants/grants.cedar")),
    ("invariants/guardrails.cedar", include_str!("../../../../policies/invariants/guardrails.cedar")),
    ("matrix.txt", include_str!("../../../../policies/matrix.txt")),
    ("obligations.cedar", include_str!("../../../../policies/obligations.cedar")),
    ("privileges.cedar", include_str!("../../../../policies/privileges.cedar")),
    ("reviewers.toml", include_str!("../../../../policies/reviewers.toml")),
    ("schema.cedarschema", include_str!("../../../../policies/schema.cedarschema")),
    ("signals.toml", include_str!("../../../../policies/signals.toml")),
    ("tests/grants.scenario", include_str!("../../../../policies/tests/grants.scenario")),
    ("tests/guardrails.scenario", include_str!("../../../../policies/tests/guardrails.scenario")),
    ("tests/obligations.scenario", include_str!("../../../../policies/tests/obligations.scenario")),
    ("tests/privileges.scenario", include_str!("../../../../policies/tests/privileges.scenario")),
];
