//! `signals.toml`: what a security signal does to each privilege.

use modelward_decision::vocabulary::Privilege;

pub use modelward_decision::signal::{Response, Signal, Signals};

use super::Source;
use crate::Finding;

pub(super) const FILE: &str = Signals::FILE;

pub(super) fn read(source: Source<'_>) -> Result<Signals, Finding> {
    let table = source.read(Signals::read)?;
    if table.signals.len() > super::ENTRIES_MAX {
        let found = table.signals.len();
        return Err(source.wrong(0..0, format!("{found} signals, more than {}", super::ENTRIES_MAX)));
    }
    // Whoever cannot sign in or see why can do nothing about a signal.
    let shut_out =
        table.signals.iter().find(|(_, each)| each.responses.contains_key(&Privilege::SelfService));
    if let Some((name, _)) = shut_out {
        let message = format!("the signal `{name}` takes `self` away");
        return Err(source
            .wrong(0..0, message)
            .hint("everybody may always sign in, see and ask; end the sessions instead"));
    }
    Ok(table)
}
