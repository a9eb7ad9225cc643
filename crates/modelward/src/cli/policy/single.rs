//! One policy of a bundle, and two bundles beside each other.

use modelward_server::wire::{
    BundleDifference, ClauseCoverageView, ErrorCode, FileChange, Leaning, PolicyEffect, PolicyEffects,
    PolicyInFull, PolicyLine, SeenView,
};

use super::super::api::wait;
use super::super::{time, view};
use super::life;
use crate::client::{Client, ClientError, escape};
use crate::exit::{Exit, Outcome};
use crate::output::{Style, Table, Terminal, clean};

/// The policies of a bundle, each with how much of it tests have seen.
pub(super) fn lines(terminal: &Terminal, policies: &[PolicyLine]) -> Outcome {
    let mut table = Table::new(["policy", "effect", "kept by", "stands in", "tests saw", "title"]);
    for policy in policies {
        let style = if policy.seen == policy.halves { Style::Faint } else { Style::Warn };
        table.styled([
            (policy.id.clone(), None),
            (word(policy.effect).to_owned(), None),
            (policy.owner.clone(), Some(Style::Faint)),
            (format!("{}:{}", policy.at.file, policy.at.line), Some(Style::Faint)),
            (format!("{} of {}", policy.seen, policy.halves), Some(style)),
            (policy.title.clone(), None),
        ]);
    }
    table.print(terminal)?;
    Ok(Exit::Ok)
}

const fn word(effect: PolicyEffect) -> &'static str {
    match effect {
        PolicyEffect::Permit => "permit",
        PolicyEffect::Forbid => "forbid",
        PolicyEffect::Obligation => "obligation",
    }
}

pub(super) fn show(terminal: &Terminal, client: &Client, bundle: &str, policy: &str) -> Outcome {
    let path = format!("/api/v1/policy/bundles/{}/policies/{}", escape(bundle), escape(policy));
    let (found, effects): (PolicyInFull, Option<PolicyEffects>) = wait(async {
        Ok((client.read(&path).await?, allowed(client.read(&format!("{path}/effects")).await)?))
    })?;
    if terminal.json() {
        terminal.value(&serde_json::json!({ "policy": found, "effects": effects }))?;
        return Ok(Exit::Ok);
    }
    lines(terminal, std::slice::from_ref(&found.policy))?;
    terminal.line("")?;
    for (number, line) in (found.policy.at.line..).zip(found.text.lines()) {
        terminal.line(&format!(
            "{}  {}",
            terminal.paint(Style::Faint, &format!("{number:>5}")),
            clean(line)
        ))?;
    }
    if !found.reason.is_empty() {
        terminal.line("")?;
        view::fact(terminal, "denies with", &found.reason)?;
    }
    clauses(terminal, &found.clauses)?;
    match effects {
        Some(effects) => settled(terminal, &effects),
        None => {
            terminal.note("which decisions it settled is shown with the audit right");
            Ok(Exit::Ok)
        }
    }
}

/// Whoever may see a policy and no decisions sees the policy.
fn allowed<T>(read: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.code(), Some(ErrorCode::Denied | ErrorCode::StepUp)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn clauses(terminal: &Terminal, clauses: &[ClauseCoverageView]) -> Outcome {
    if clauses.is_empty() {
        return Ok(Exit::Ok);
    }
    terminal.line("")?;
    let mut table = Table::new(["line", "clause", "seen true", "seen false"]);
    for clause in clauses {
        let [seen_true, seen_false] = [&clause.seen_true, &clause.seen_false].map(seen);
        table.styled([
            (clause.at.line.to_string(), Some(Style::Faint)),
            (clause.text.clone(), None),
            seen_true,
            seen_false,
        ]);
    }
    table.print(terminal)?;
    Ok(Exit::Ok)
}

fn seen(half: &SeenView) -> (String, Option<Style>) {
    match (half.titles.first(), &half.excuse) {
        (Some(first), _) if half.scenarios == 1 => (first.clone(), None),
        (Some(first), _) => (format!("{first}, and {} more", half.scenarios - 1), None),
        (None, Some(excuse)) => (format!("excused: {excuse}"), Some(Style::Faint)),
        (None, None) => ("never".to_owned(), Some(Style::Warn)),
    }
}

fn settled(terminal: &Terminal, effects: &PolicyEffects) -> Outcome {
    terminal.line("")?;
    for line in &effects.recent {
        view::feed_line(terminal, line)?;
    }
    let since = effects.since.map(|since| format!(", since {}", time::shown(since))).unwrap_or_default();
    terminal.note(&format!(
        "{} allowed and {} denied by it, among the newest {} entries of the ledger{since}",
        effects.allowed, effects.denied, effects.looked_at
    ));
    Ok(Exit::Ok)
}

pub(super) fn compare(terminal: &Terminal, client: &Client, bundle: &str, other: &str) -> Outcome {
    let path = format!("/api/v1/policy/bundles/{}/difference?from={}", escape(bundle), escape(other));
    let found: BundleDifference = wait(async { Ok(client.read(&path).await?) })?;
    if terminal.json() {
        terminal.value(&found)?;
        return Ok(Exit::Ok);
    }
    life::lines(terminal, &[found.from, found.to])?;
    terminal.line("")?;
    for file in found.files.iter().filter(|file| file.change != FileChange::Same) {
        view::fact(terminal, life::change(file.change), &file.name)?;
    }
    if found.files.iter().any(|file| file.change != FileChange::Same) {
        terminal.line("")?;
    }
    let mut table = Table::new(["becomes", "action", "on a", "by a", "circumstances", "from", "to"]);
    for cell in &found.cells {
        let (becomes, style) = match cell.leaning {
            Leaning::Looser => ("looser", Style::Warn),
            Leaning::Stricter => ("stricter", Style::Good),
            Leaning::Other => ("other", Style::Faint),
        };
        let outcome = |outcome: &Option<String>| outcome.clone().unwrap_or_else(|| "not there".to_owned());
        table.styled([
            (becomes.to_owned(), Some(style)),
            (cell.action.clone(), None),
            (cell.resource.clone(), None),
            (cell.holder.clone(), None),
            (cell.condition.clone(), None),
            (outcome(&cell.before), Some(Style::Faint)),
            (outcome(&cell.after), None),
        ]);
    }
    if !table.is_empty() {
        table.print(terminal)?;
    }
    terminal.note(&format!(
        "{} cells become looser, {} stricter, {} deny for another reason",
        found.looser, found.stricter, found.other
    ));
    Ok(Exit::Ok)
}
