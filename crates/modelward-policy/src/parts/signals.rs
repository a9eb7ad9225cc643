//! `signals.toml`: what a security signal does to each privilege.

use std::collections::BTreeMap;

use modelward_decision::vocabulary::{Name, Privilege};
use serde::{Deserialize, Serialize};

use super::Source;
use crate::Finding;

pub(super) const FILE: &str = "signals.toml";

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signals {
    pub signals: BTreeMap<Name, Signal>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    pub title: String,
    /// A privilege that is not named goes on as before.
    pub responses: BTreeMap<Privilege, Response>,
}

/// What happens to a privilege, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Fewer requests go through.
    Throttle,
    /// The holder proves itself again first.
    StepUp,
    /// Nothing goes through until somebody lifts it.
    Suspend,
    /// Suspended, and what is under way is ended.
    Cut,
}

impl Signals {
    /// What a signal does to a privilege.
    pub fn response(&self, signal: &str, privilege: Privilege) -> Option<Response> {
        self.signals.get(signal)?.responses.get(&privilege).copied()
    }
}

impl Response {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::StepUp => "step-up",
            Self::Suspend => "suspend",
            Self::Cut => "cut",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    signal: BTreeMap<Name, Signal>,
}

pub(super) fn read(source: Source<'_>) -> Result<Signals, Finding> {
    let page: Page = source.parse()?;
    if page.signal.len() > super::ENTRIES_MAX {
        return Err(
            source.wrong(0..0, format!("{} signals, more than {}", page.signal.len(), super::ENTRIES_MAX))
        );
    }
    // Whoever cannot sign in or see why can do nothing about a signal.
    let shut_out = page.signal.iter().find(|(_, each)| each.responses.contains_key(&Privilege::SelfService));
    if let Some((name, _)) = shut_out {
        let message = format!("the signal `{name}` takes `self` away");
        return Err(source
            .wrong(0..0, message)
            .hint("everybody may always sign in, see and ask; end the sessions instead"));
    }
    Ok(Signals { signals: page.signal })
}
