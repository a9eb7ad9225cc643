//! What a credential can be used for at most: privileges or single actions, and models, with intersection and the rule of
//! what joins.

use std::collections::BTreeSet;
use std::fmt;

use modelward_decision::vocabulary::{Action, CredentialScope, ModelId, Privilege};

/// Privileges on models: every privilege named, or those of its actions that are, on every model named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    pub privileges: BTreeSet<Privilege>,
    pub models: Models,
    /// INVARIANT: where actions are named, `privileges` are theirs, no more and no fewer.
    pub actions: Actions,
}

/// A set of actions. [`Actions::Any`] is all of the privileges beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actions {
    Any,
    Only(BTreeSet<Action>),
}

/// A set of models. [`Models::Any`] and "none at all" are different things, so emptiness has no two meanings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Models {
    Any,
    Only(BTreeSet<ModelId>),
}

/// How strongly somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    Nothing,
    OneFactor,
    TwoFactors,
    PhishingResistant,
}

/// Privileges that may stand in one token. A token stolen from a predicting client must not retrain, export or
/// govern, so each family is minted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Joins any family.
    Free,
    Use,
    Track,
    Alone(Privilege),
}

impl Rights {
    pub fn new(privileges: impl IntoIterator<Item = Privilege>, models: Models) -> Self {
        Self { privileges: privileges.into_iter().collect(), models, actions: Actions::Any }
    }

    /// Single actions.
    pub fn of_actions(actions: impl IntoIterator<Item = Action>, models: Models) -> Self {
        let actions: BTreeSet<Action> = actions.into_iter().collect();
        let privileges = actions.iter().map(|action| action.privilege()).collect();
        Self { privileges, models, actions: Actions::Only(actions) }
    }

    /// Every privilege on every model: the scope of a session of the holder itself.
    pub fn full() -> Self {
        Self::new(Privilege::ALL, Models::Any)
    }

    /// What both allow.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let privileges: BTreeSet<Privilege> =
            self.privileges.intersection(&other.privileges).copied().collect();
        let models = self.models.intersection(&other.models);
        match self.actions.intersection(&other.actions) {
            Actions::Any => Self { privileges, models, actions: Actions::Any },
            Actions::Only(actions) => {
                let held = actions.into_iter().filter(|action| privileges.contains(&action.privilege()));
                Self::of_actions(held, models)
            }
        }
    }

    /// Whether nothing is left that could be done.
    pub fn is_nothing(&self) -> bool {
        self.privileges.is_empty() || matches!(&self.models, Models::Only(models) if models.is_empty())
    }

    /// Whether each of these rights is among the other's.
    pub fn is_within(&self, other: &Self) -> bool {
        self.is_nothing()
            || (self.privileges.is_subset(&other.privileges)
                && self.models.is_within(&other.models)
                && self.actions.is_within(&other.actions))
    }

    /// Two privileges that may not stand in one token, if there are any.
    ///
    /// `SelfService` and `ReadOnly` join any; `Inference` and `InferenceSensitive` join each other, so do `Experiment`
    /// and `Registry`; every other privilege stands alone.
    pub fn conflict(&self) -> Option<(Privilege, Privilege)> {
        let bound = |privilege: &&Privilege| family(**privilege) != Family::Free;
        let first = self.privileges.iter().find(bound)?;
        let other = self.privileges.iter().filter(bound).find(|other| family(**other) != family(*first))?;
        Some((*first, *other))
    }

    pub(crate) fn of_scope(scope: &CredentialScope) -> Self {
        match scope {
            CredentialScope::Full => Self::full(),
            CredentialScope::Limited { privileges, models, actions } => {
                let models = if models.is_empty() { Models::Any } else { Models::Only(models.clone()) };
                if actions.is_empty() {
                    return Self { privileges: privileges.clone(), models, actions: Actions::Any };
                }
                let held = actions.iter().copied().filter(|action| privileges.contains(&action.privilege()));
                Self::of_actions(held, models)
            }
        }
    }

    /// `None` when nothing is left: a scope whose list of models is empty would mean any model.
    pub(crate) fn into_scope(self) -> Option<CredentialScope> {
        if self.is_nothing() {
            return None;
        }
        let models = match self.models {
            Models::Any => BTreeSet::new(),
            Models::Only(models) => models,
        };
        let actions = match self.actions {
            Actions::Any => BTreeSet::new(),
            Actions::Only(actions) => actions,
        };
        Some(CredentialScope::Limited { privileges: self.privileges, models, actions })
    }
}

impl Actions {
    fn intersection(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, rest) | (rest, Self::Any) => rest.clone(),
            (Self::Only(mine), Self::Only(theirs)) => {
                Self::Only(mine.intersection(theirs).copied().collect())
            }
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Any) => true,
            (Self::Any, Self::Only(_)) => false,
            (Self::Only(mine), Self::Only(theirs)) => mine.is_subset(theirs),
        }
    }
}

impl Models {
    pub fn only(models: impl IntoIterator<Item = ModelId>) -> Self {
        Self::Only(models.into_iter().collect())
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, rest) | (rest, Self::Any) => rest.clone(),
            (Self::Only(mine), Self::Only(theirs)) => {
                Self::Only(mine.intersection(theirs).copied().collect())
            }
        }
    }

    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Any) => true,
            (Self::Any, Self::Only(_)) => false,
            (Self::Only(mine), Self::Only(theirs)) => mine.is_subset(theirs),
        }
    }

    pub fn contains(&self, model: ModelId) -> bool {
        match self {
            Self::Any => true,
            Self::Only(models) => models.contains(&model),
        }
    }
}

const fn family(privilege: Privilege) -> Family {
    match privilege {
        Privilege::SelfService | Privilege::ReadOnly => Family::Free,
        Privilege::Inference | Privilege::InferenceSensitive => Family::Use,
        Privilege::Experiment | Privilege::Registry => Family::Track,
        Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy
        | Privilege::Govern
        | Privilege::Audit => Family::Alone(privilege),
    }
}

impl Strength {
    pub const ALL: [Self; 4] = [Self::Nothing, Self::OneFactor, Self::TwoFactors, Self::PhishingResistant];

    /// The figure policies compare.
    pub const fn level(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::OneFactor => 1,
            Self::TwoFactors => 2,
            Self::PhishingResistant => 3,
        }
    }

    pub fn of_level(level: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.level() == level)
    }

    /// The `acr` claim. `phr` is the value registered for phishing-resistant (OpenID EAP ACR Values 1.0).
    pub const fn acr(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::OneFactor => "1fa",
            Self::TwoFactors => "2fa",
            Self::PhishingResistant => "phr",
        }
    }

    pub fn of_acr(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.acr() == text)
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "no factor",
            Self::OneFactor => "one factor",
            Self::TwoFactors => "two factors",
            Self::PhishingResistant => "a phishing-resistant factor",
        })
    }
}
