//! Recorded decisions tried under a candidate, as a part of the gate's report. They are made again elsewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Finding;
use crate::gate::Step;

/// Decisions named in one group at most.
pub const EXAMPLES_MAX: usize = 20;

/// What would have been decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Replay {
    /// Decisions that were tried.
    pub replayed: u64,
    pub flips: u64,
    pub groups: Vec<Group>,
}

/// Decisions that flip for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub action: String,
    pub privilege: String,
    /// `looser`, `stricter` or `obligations`.
    pub direction: String,
    /// The policy that settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// Who asked for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    pub decision: String,
    pub principal: String,
    pub resource: String,
}

impl Replay {
    /// Both together, as if they had been made at once.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let mut groups: BTreeMap<_, Group> = BTreeMap::new();
        for group in self.groups.into_iter().chain(other.groups) {
            let key = (group.action.clone(), group.direction.clone(), group.policy.clone());
            match groups.get_mut(&key) {
                None => drop(groups.insert(key, group)),
                Some(known) => {
                    known.count = known.count.saturating_add(group.count);
                    let room = EXAMPLES_MAX.saturating_sub(known.examples.len());
                    known.examples.extend(group.examples.into_iter().take(room));
                }
            }
        }
        Self {
            replayed: self.replayed.saturating_add(other.replayed),
            flips: self.flips.saturating_add(other.flips),
            groups: groups.into_values().collect(),
        }
    }

    /// The step it makes. A verdict that flips may be what the change is for, so none fails the gate.
    pub fn step(&self) -> Step {
        let findings = self.groups.iter().map(|group| Finding::note("replay", group.told())).collect();
        let summary = format!("{} of {} recorded decisions would be others", self.flips, self.replayed);
        Step::new("replay", summary, findings)
    }
}

impl Group {
    /// In one sentence, with who and what.
    pub fn told(&self) -> String {
        let decisions = if self.count == 1 { "decision" } else { "decisions" };
        let would = match self.direction.as_str() {
            "looser" => "denied, would be allowed",
            "stricter" => "allowed, would be denied",
            _ => "allowed, would be allowed with other obligations",
        };
        let by = self.policy.as_ref().map(|policy| format!(" by `{policy}`")).unwrap_or_default();
        let shown = self.examples.iter().take(3);
        let shown = shown.map(|it| format!("{} on {} ({})", it.principal, it.resource, it.decision));
        let shown: Vec<String> = shown.collect();
        let such_as = if shown.is_empty() { String::new() } else { format!(": {}", shown.join(", ")) };
        format!("{} {decisions} on `{}`, {would}{by}{such_as}", self.count, self.action)
    }
}
