//! Values of the domain in words for people: obligations, remedies, conditions, facts.

use std::collections::BTreeSet;
use std::fmt::Display;

use modelward_decision::grant::{Conditions, Day, Window};
use modelward_decision::inventory::{OnSensitiveAsk, Protocol};
use modelward_decision::vocabulary::{Confidence, Source};
use modelward_decision::{Obligation, Remedy, Snapshot};
use modelward_identity::session::EMBEDDED;

use crate::names;
use crate::wire::{ObligationView, RemedyView};

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match words.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
    }
}

pub(crate) const fn strength(level: u8) -> &'static str {
    match level {
        0 => "nothing",
        1 => "one factor",
        2 => "two factors",
        _ => "a phishing-resistant key",
    }
}

/// `300` as `5 minutes`.
pub(crate) fn span(seconds: u32) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        0..=119 => format!("{seconds} seconds"),
        120..=7199 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    }
}

/// `pwd`, `otp` and the like as people call them.
pub(crate) fn methods<T: AsRef<str>>(methods: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = methods
        .into_iter()
        .filter_map(|method| match method.as_ref() {
            "pwd" => Some("password".to_owned()),
            "otp" => Some("code".to_owned()),
            "recovery" => Some("recovery code".to_owned()),
            "hwk" | "swk" => Some("passkey".to_owned()),
            // That the device knew its holder goes with a passkey; where one signed in is told apart.
            "user" | EMBEDDED => None,
            other => Some(other.to_owned()),
        })
        .collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" and ") }
}

pub(crate) fn obligation(obligation: &Obligation) -> ObligationView {
    let (kind, text) = match obligation {
        Obligation::StripFields { fields } => {
            ("strip-fields", format!("{} are removed from the answer", list(fields)))
        }
        Obligation::Round { decimals } => ("round", format!("numbers keep at most {decimals} decimals")),
        Obligation::TopK { k } => ("top-k", format!("at most {k} alternatives per position")),
        Obligation::LabelOnly => ("label-only", "labels only, no number behind them".to_owned()),
        Obligation::MaskColumns { at } => {
            ("mask-columns", format!("columns of class {at} and above are masked"))
        }
        Obligation::RowFilter { filter } => {
            ("row-filter", format!("only rows that pass the filter {filter}"))
        }
        Obligation::MinimumCohort { rows } => {
            ("minimum-cohort", format!("no aggregate over fewer than {rows} rows"))
        }
        Obligation::AnswerBytes { max } => ("answer-bytes", format!("at most {max} bytes in one answer")),
        Obligation::Rate { per_minute } => ("rate", format!("at most {per_minute} requests a minute")),
        Obligation::StepUp { strength: level, max_age_seconds } => (
            "step-up",
            format!("a sign-in with {}, at most {} old", strength(*level), span(*max_age_seconds)),
        ),
        Obligation::Watermark => {
            ("watermark", "the answer carries a mark that names its requester".to_owned())
        }
        Obligation::Notify { audience } => ("notify", format!("{audience} hear of it")),
    };
    ObligationView { kind: kind.to_owned(), text }
}

pub(crate) fn remedy(remedy: &Remedy, snapshot: &Snapshot) -> RemedyView {
    let (kind, text, command) = match remedy {
        Remedy::Grant { privilege, resource } => {
            let name = names::resource_view(snapshot, *resource).name;
            (
                "grant",
                format!(
                    "Hold a grant of {privilege} on {name}. Somebody who governs can give or request it."
                ),
                None,
            )
        }
        Remedy::Wait { grant, until: Some(until) } => {
            ("wait", format!("Wait until {until}, when the grant {} begins to count.", grant.short()), None)
        }
        Remedy::Wait { grant, until: None } => {
            ("wait", format!("Wait for the next time window of the grant {}.", grant.short()), None)
        }
        Remedy::StepUp { strength: level, max_age_seconds } => (
            "step-up",
            format!("Sign in again with {}, at most {} before.", strength(*level), span(*max_age_seconds)),
            Some("modelward login".to_owned()),
        ),
        Remedy::BoundCredential => {
            ("bound-credential", "Use a credential that is bound to its holder.".to_owned(), None)
        }
        Remedy::WiderCredential { privilege } => (
            "wider-credential",
            format!("Use a credential that covers {privilege}."),
            Some(format!("modelward token --privilege {privilege}")),
        ),
        Remedy::Device => ("device", "Use a managed, compliant device.".to_owned(), None),
        Remedy::Network { segments } => {
            ("network", format!("Come from the network {}.", list(segments)), None)
        }
        Remedy::Place { regions } => ("place", format!("Come from the region {}.", list(regions)), None),
        Remedy::Environment { environments } => {
            ("environment", format!("Use the environment {}.", list(environments)), None)
        }
        Remedy::Purpose { purposes } => ("purpose", format!("State a purpose: {}.", list(purposes)), None),
        Remedy::WithoutFields { fields } => {
            ("without-fields", format!("Ask without {}.", list(fields)), None)
        }
        Remedy::Clearance => ("clearance", "Be cleared for its classification.".to_owned(), None),
        Remedy::Administrator { reason } => {
            ("administrator", format!("Only an administrator can change it: {reason}."), None)
        }
    };
    RemedyView { kind: kind.to_owned(), text, command }
}

/// What narrows a grant, in words; nothing when nothing does.
pub(crate) fn conditions(conditions: &Conditions) -> Option<String> {
    let Conditions { environments, regions, segments, windows, purposes, fields, max_uses, max_bytes } =
        conditions;
    let mut parts = Vec::new();
    let mut named = |what: &str, names: &Option<BTreeSet<_>>| {
        if let Some(names) = names {
            parts.push(format!("{what} {}", list(names)));
        }
    };
    named("in", environments);
    named("from region", regions);
    named("from network", segments);
    named("for", purposes);
    if let Some(fields) = fields {
        parts.push(format!("fields {}", list(fields)));
    }
    for span in windows.iter().flatten() {
        parts.push(window(span));
    }
    if let Some(uses) = max_uses {
        parts.push(format!("at most {uses} uses"));
    }
    if let Some(bytes) = max_bytes {
        parts.push(format!("at most {bytes} bytes"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `Mon–Fri 08:00–18:00 Europe/Berlin`.
fn window(window: &Window) -> String {
    const WEEK: [(Day, &str); 7] = [
        (Day::Mon, "Mon"),
        (Day::Tue, "Tue"),
        (Day::Wed, "Wed"),
        (Day::Thu, "Thu"),
        (Day::Fri, "Fri"),
        (Day::Sat, "Sat"),
        (Day::Sun, "Sun"),
    ];
    let mut runs: Vec<(&str, &str)> = Vec::new();
    let mut open = false;
    for (day, word) in WEEK {
        if !window.days.contains(&day) {
            open = false;
            continue;
        }
        match runs.last_mut() {
            Some(run) if open => run.1 = word,
            _ => runs.push((word, word)),
        }
        open = true;
    }
    let days: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| if first == last { first.to_owned() } else { format!("{first}–{last}") })
        .collect();
    let (from, until) = (window.from.strftime("%H:%M"), window.until.strftime("%H:%M"));
    format!("{} {from}–{until} {}", days.join(", "), window.zone)
}

pub(crate) const fn source(source: Source) -> &'static str {
    match source {
        Source::Socket => "socket",
        Source::Credential => "credential",
        Source::TrustedProxy => "trusted-proxy",
        Source::Operator => "operator",
        Source::Signal => "signal",
        Source::Caller => "caller",
        Source::Default => "default",
    }
}

pub(crate) const fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::None => "none",
        Confidence::Claimed => "claimed",
        Confidence::Managed => "managed",
        Confidence::Proved => "proved",
    }
}

pub(crate) const fn on_sensitive_ask(choice: OnSensitiveAsk) -> &'static str {
    match choice {
        OnSensitiveAsk::Refuse => "refuse",
        OnSensitiveAsk::Strip => "strip",
    }
}

pub(crate) const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::OpenInference => "open-inference",
        Protocol::OpenAi => "open-ai",
    }
}

#[cfg(test)]
mod tests {
    use modelward_decision::vocabulary::Name;

    use super::*;

    #[test]
    fn conditions_read_as_people_write_them() {
        let conditions = Conditions {
            environments: Some(BTreeSet::from([Name::new("production").unwrap()])),
            windows: Some(vec![Window {
                days: BTreeSet::from([Day::Mon, Day::Tue, Day::Wed, Day::Sat]),
                from: "08:00".parse().unwrap(),
                until: "18:00".parse().unwrap(),
                zone: "Europe/Berlin".to_owned(),
            }]),
            max_uses: Some(3),
            ..Conditions::default()
        };
        assert_eq!(
            super::conditions(&conditions).unwrap(),
            "in production, Mon–Wed, Sat 08:00–18:00 Europe/Berlin, at most 3 uses"
        );
        assert_eq!(super::conditions(&Conditions::default()), None);
    }
}
