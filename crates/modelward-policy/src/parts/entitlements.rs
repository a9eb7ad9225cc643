//! `entitlements.toml`: what may be requested, by members of which groups, for how long, and who has to say yes.

use std::collections::{BTreeMap, BTreeSet};

use modelward_decision::vocabulary::{Name, Privilege};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::Source;
use crate::Finding;

pub(super) const FILE: &str = "entitlements.toml";

/// People who have to say yes at most.
const SLOTS_MAX: usize = 8;
/// A year.
const HOURS_MAX: u32 = 8_784;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entitlements {
    pub entitlements: Vec<Entitlement>,
    pub rules: BTreeMap<Name, ApprovalRule>,
}

/// What members of some groups may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entitlement {
    pub name: Name,
    pub title: String,
    pub privilege: Privilege,
    /// Who may ask: members of one of these.
    pub groups: BTreeSet<Name>,
    /// What a grant may be on.
    pub scopes: BTreeSet<ScopeKind>,
    /// How long a grant lasts at most.
    pub hours_max: u32,
    /// The approval rule, by name.
    pub approval: Name,
}

/// What a grant can be on, as [`ScopeRef`](modelward_decision::vocabulary::ScopeRef) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeKind {
    Platform,
    Project,
    Model,
    Version,
    Alias,
    Endpoint,
    Dataset,
}

/// Slots to be filled by distinct people out of distinct groups, none of them the requester.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    pub title: String,
    #[serde(default)]
    pub slots: Vec<Slot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    pub name: Name,
    /// A member of one of these fills it.
    pub groups: BTreeSet<Name>,
}

impl Entitlements {
    /// What members of a group may ask for.
    pub fn of_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Entitlement> {
        self.entitlements.iter().filter(move |each| each.groups.contains(group))
    }

    pub fn rule(&self, entitlement: &Entitlement) -> Option<&ApprovalRule> {
        self.rules.get(&entitlement.approval)
    }
}

impl ScopeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Project => "project",
            Self::Model => "model",
            Self::Version => "version",
            Self::Alias => "alias",
            Self::Endpoint => "endpoint",
            Self::Dataset => "dataset",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    entitlement: Vec<Spanned<Entitlement>>,
    #[serde(default)]
    approval: BTreeMap<Name, Spanned<ApprovalRule>>,
}

pub(super) fn read(source: Source<'_>) -> Result<Entitlements, Finding> {
    let page: Page = source.parse()?;
    source.bounded(&page.entitlement)?;
    for (name, rule) in &page.approval {
        check_rule(name, rule.as_ref())
            .map_err(|(message, hint)| source.wrong(rule.span(), message).hint(hint))?;
    }
    let mut names = BTreeSet::new();
    for entry in &page.entitlement {
        let entitlement = entry.as_ref();
        let wrong = |(message, hint)| source.wrong(entry.span(), message).hint(hint);
        if !names.insert(&entitlement.name) {
            let message = format!("the entitlement `{}` stands here twice", entitlement.name);
            return Err(wrong((message, "give one of them another name".to_owned())));
        }
        let rule = page.approval.get(&entitlement.approval).map(Spanned::as_ref);
        check(entitlement, rule).map_err(wrong)?;
    }
    Ok(Entitlements {
        entitlements: page.entitlement.into_iter().map(Spanned::into_inner).collect(),
        rules: page.approval.into_iter().map(|(name, rule)| (name, rule.into_inner())).collect(),
    })
}

/// What is wrong, and what to do.
type Wrong = (String, String);

fn check_rule(name: &Name, rule: &ApprovalRule) -> Result<(), Wrong> {
    if rule.slots.len() > SLOTS_MAX {
        return Err((
            format!("the rule `{name}` has {} slots, more than {SLOTS_MAX}", rule.slots.len()),
            "ask fewer people".to_owned(),
        ));
    }
    let distinct: BTreeSet<&Name> = rule.slots.iter().map(|slot| &slot.name).collect();
    if distinct.len() < rule.slots.len() {
        return Err((
            format!("two slots of the rule `{name}` have one name"),
            "name each slot apart".to_owned(),
        ));
    }
    if let Some(empty) = rule.slots.iter().find(|slot| slot.groups.is_empty()) {
        return Err((
            format!("nobody can fill the slot `{}` of the rule `{name}`", empty.name),
            "name at least one group".to_owned(),
        ));
    }
    let groups: BTreeSet<&Name> = rule.slots.iter().flat_map(|slot| &slot.groups).collect();
    if groups.len() < rule.slots.len() {
        return Err((
            format!("the rule `{name}` has more slots than groups, so it can never be met"),
            "each slot is filled out of a group of its own".to_owned(),
        ));
    }
    Ok(())
}

fn check(entitlement: &Entitlement, rule: Option<&ApprovalRule>) -> Result<(), Wrong> {
    let Entitlement { name, privilege, .. } = entitlement;
    let Some(rule) = rule else {
        return Err((
            format!("`{name}` needs the approval rule `{}`, which does not exist", entitlement.approval),
            format!("add `[approval.{}]`", entitlement.approval),
        ));
    };
    if *privilege == Privilege::SelfService {
        return Err((
            format!("`{name}` gives what everybody has already"),
            "`self` needs no grant".to_owned(),
        ));
    }
    if entitlement.groups.is_empty() || entitlement.scopes.is_empty() {
        return Err((
            format!("`{name}` can be asked for by nobody, or on nothing"),
            "name at least one group and one kind of scope".to_owned(),
        ));
    }
    if !(1..=HOURS_MAX).contains(&entitlement.hours_max) {
        return Err((
            format!("`{name}` lasts {} hours", entitlement.hours_max),
            format!("a grant lasts 1 to {HOURS_MAX} hours"),
        ));
    }
    let needed = slots_needed(*privilege);
    if rule.slots.len() < needed {
        return Err((
            format!(
                "`{name}` gives {privilege} with {} approvals, and {privilege} takes {needed}",
                rule.slots.len()
            ),
            "name a rule with more slots".to_owned(),
        ));
    }
    Ok(())
}

/// How many people have to say yes at least, whatever a bundle's policies ask.
const fn slots_needed(privilege: Privilege) -> usize {
    match privilege {
        Privilege::Retraining | Privilege::Export | Privilege::DataExport => 2,
        Privilege::InferenceSensitive
        | Privilege::Experiment
        | Privilege::Registry
        | Privilege::Deploy
        | Privilege::Govern
        | Privilege::Audit => 1,
        Privilege::SelfService | Privilege::ReadOnly | Privilege::Inference => 0,
    }
}
