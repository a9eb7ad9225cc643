//! `reviewers.toml`: who may sign the next bundle, and with which keys.

use std::collections::BTreeSet;

use modelward_decision::vocabulary::Name;
use modelward_seal::note::{Algorithm, Verifier};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::Source;
use crate::Finding;

pub(super) const FILE: &str = "reviewers.toml";
/// Keys of one reviewer at most.
const KEYS_MAX: usize = 8;

/// The group one of whose members must sign a change of guardrails.
pub const SECURITY: &str = "security";

/// Reviewers with distinct names and distinct keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Reviewers(Vec<Reviewer>);

/// Someone whose signature counts on the bundle after this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewer {
    pub name: Name,
    pub group: Name,
    /// Ed25519 keys in the form `name+keyid+base64`, under the reviewer's name.
    pub keys: Vec<Verifier>,
    /// The projects whose bundles the reviewer signs. Whoever names none signs every bundle, the root bundle included.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub projects: BTreeSet<Name>,
}

/// Why some reviewers cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewersError {
    #[error("the reviewer `{name}` stands here twice")]
    Twice { name: Name },
    #[error("the reviewer `{name}` has {found} keys, and 1 to {KEYS_MAX} are expected")]
    Keys { name: Name, found: usize },
    #[error("a key of `{name}` is called `{found}`")]
    KeyName { name: Name, found: String },
    #[error("a key of `{name}` makes no plain Ed25519 signatures")]
    Algorithm { name: Name },
    #[error("`{name}` and another reviewer have one key")]
    SharedKey { name: Name },
}

impl Reviewers {
    pub fn new(reviewers: Vec<Reviewer>) -> Result<Self, ReviewersError> {
        let mut checked = Self::default();
        for reviewer in reviewers {
            checked.check(&reviewer)?;
            checked.0.push(reviewer);
        }
        Ok(checked)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Reviewer> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn named(&self, name: &Name) -> Option<&Reviewer> {
        self.0.iter().find(|reviewer| reviewer.name == *name)
    }

    /// Whether two of them, one from security, can sign a change whoever wrote it.
    pub fn can_change_guardrails(&self) -> bool {
        let of_all: Vec<_> = self.0.iter().filter(|reviewer| reviewer.signs(None)).collect();
        of_all.len() >= 2 && of_all.iter().any(|reviewer| reviewer.is_of_security())
    }

    fn check(&self, reviewer: &Reviewer) -> Result<(), ReviewersError> {
        let name = || reviewer.name.clone();
        if self.named(&reviewer.name).is_some() {
            return Err(ReviewersError::Twice { name: name() });
        }
        if !(1..=KEYS_MAX).contains(&reviewer.keys.len()) {
            return Err(ReviewersError::Keys { name: name(), found: reviewer.keys.len() });
        }
        let others = self.0.iter().flat_map(|other| &other.keys);
        let known: BTreeSet<&[u8; 32]> = others.map(Verifier::public_key).collect();
        for key in &reviewer.keys {
            if key.name().as_str() != reviewer.name.as_str() {
                return Err(ReviewersError::KeyName { name: name(), found: key.name().to_string() });
            }
            if key.algorithm() != Algorithm::Ed25519 {
                return Err(ReviewersError::Algorithm { name: name() });
            }
            if known.contains(key.public_key()) {
                return Err(ReviewersError::SharedKey { name: name() });
            }
        }
        Ok(())
    }
}

impl Reviewer {
    pub fn is_of_security(&self) -> bool {
        self.group.as_str() == SECURITY
    }

    /// Whether the reviewer signs bundles of this project, or the root bundle where it is none.
    pub fn signs(&self, project: Option<&Name>) -> bool {
        self.projects.is_empty() || project.is_some_and(|project| self.projects.contains(project))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    reviewer: Vec<Spanned<Reviewer>>,
}

pub(super) fn read(source: Source<'_>) -> Result<Reviewers, Finding> {
    let page: Page = source.parse()?;
    source.bounded(&page.reviewer)?;
    let mut reviewers = Reviewers::default();
    for entry in page.reviewer {
        let span = entry.span();
        let reviewer = entry.into_inner();
        reviewers.check(&reviewer).map_err(|error| {
            source
                .wrong(span, error.to_string())
                .hint("each reviewer has a name and keys of its own, the keys under that name")
        })?;
        reviewers.0.push(reviewer);
    }
    Ok(reviewers)
}
