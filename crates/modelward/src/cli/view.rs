//! How the answers of the control API look in a terminal. Shared by several commands.

use std::io;

use modelward_server::wire::{
    DecisionLine, DecisionView, GrantState, GrantView, MarkState, MatrixMark, ObligationView, PolicyView,
    PrincipalView, RemedyView, SmallestView, TraceView,
};

use super::time;
use crate::output::{Style, Table, Terminal, clean};

/// A principal as commands take it: `dana`, `machine:scorer`, `group:analysts`.
pub(super) fn principal(who: &PrincipalView) -> String {
    match who.kind.as_str() {
        "person" => who.name.clone(),
        kind => format!("{kind}:{}", who.name),
    }
}

/// A verdict in a word and a colour.
pub(super) fn verdict(allowed: bool) -> (&'static str, Style) {
    if allowed { ("allow", Style::Good) } else { ("deny", Style::Bad) }
}

/// Marks of a cell: `R` as it is, `R?` needs something, `R!` forbidden.
pub(super) fn marks(marks: &[MatrixMark]) -> String {
    let letters: Vec<String> = marks
        .iter()
        .map(|mark| match mark.state {
            MarkState::Allow => mark.letter.to_string(),
            MarkState::Needs => format!("{}?", mark.letter),
            MarkState::Deny => format!("{}!", mark.letter),
        })
        .collect();
    letters.join(" ")
}

pub(super) fn grants(terminal: &Terminal, grants: &[GrantView]) -> io::Result<()> {
    let mut table =
        Table::new(["grant", "state", "grantee", "", "privilege", "scope", "until", "origin", "conditions"]);
    for grant in grants {
        let state = match grant.state {
            GrantState::Live => Some(Style::Good),
            GrantState::Pending => Some(Style::Warn),
            GrantState::Expired | GrantState::Revoked => Some(Style::Faint),
        };
        table.styled([
            (grant.id.to_string(), None),
            (grant.state.as_str().to_owned(), state),
            (principal(&grant.grantee), None),
            (grant.privilege.letter().to_string(), Some(Style::Strong)),
            (grant.privilege.to_string(), None),
            (grant.scope.name.clone(), None),
            (time::shown(grant.not_after), None),
            (grant.origin.kind.clone(), None),
            (grant.conditions_text.clone().unwrap_or_default(), None),
        ]);
    }
    table.print(terminal)
}

/// One decision on one line, for feeds.
pub(super) fn feed_line(terminal: &Terminal, line: &DecisionLine) -> io::Result<()> {
    let (word, style) = verdict(line.allowed);
    let who = line.principal.as_ref().map_or_else(|| "-".to_owned(), principal);
    let times = if line.count > 1 { format!(" (×{})", line.count) } else { String::new() };
    terminal.line(&format!(
        "{}  {:>8}  {}  {} {}  {}  {}{times}  {}",
        time::shown(line.at),
        line.index,
        terminal.paint(style, &format!("{word:<5}")),
        line.privilege.letter(),
        clean(&who),
        line.action,
        clean(&line.resource.name),
        terminal.paint(Style::Faint, &clean(&line.sentence)),
    ))
}

/// A line under a heading of its own: `label   text`.
pub(super) fn fact(terminal: &Terminal, label: &str, text: &str) -> io::Result<()> {
    terminal.line(&format!("{}  {}", terminal.paint(Style::Faint, &format!("{label:<12}")), clean(text)))
}

pub(super) fn remedies(terminal: &Terminal, remedies: &[RemedyView]) -> io::Result<()> {
    for remedy in remedies {
        fact(terminal, "would help", &remedy.text)?;
        if let Some(command) = &remedy.command {
            fact(terminal, "", command)?;
        }
    }
    Ok(())
}

pub(super) fn smallest(terminal: &Terminal, smallest: Option<&SmallestView>) -> io::Result<()> {
    let Some(smallest) = smallest else { return Ok(()) };
    fact(terminal, "is enough", &smallest.sentence)?;
    if let Some(template) = &smallest.access_request {
        let text = serde_json::to_string(template).map_err(io::Error::other)?;
        fact(terminal, "to file", &text)?;
    }
    Ok(())
}

pub(super) fn obligations(terminal: &Terminal, obligations: &[ObligationView]) -> io::Result<()> {
    for obligation in obligations {
        fact(terminal, "obligation", &obligation.text)?;
    }
    Ok(())
}

pub(super) fn policies(terminal: &Terminal, policies: &[PolicyView]) -> io::Result<()> {
    for policy in policies {
        fact(terminal, "policy", &format!("{} ({}), owned by {}", policy.title, policy.id, policy.owner))?;
    }
    Ok(())
}

pub(super) fn trace(terminal: &Terminal, trace: &TraceView) -> io::Result<()> {
    for candidate in &trace.candidates {
        let grant = candidate.grant.map(|grant| format!(" for {grant}")).unwrap_or_default();
        terminal.line("")?;
        terminal.line(&format!(
            "{} {}{grant}: {}",
            candidate.effect,
            clean(&candidate.policy.title),
            clean(&candidate.verdict)
        ))?;
        for clause in &candidate.clauses {
            let style = match clause.verdict.as_str() {
                "true" => Style::Good,
                "not-reached" => Style::Faint,
                _ => Style::Bad,
            };
            let verdict = terminal.paint(style, &format!("{:<11}", clause.verdict));
            terminal.line(&format!("  {verdict}  {}", clean(&clause.text).replace('\n', " ")))?;
            for value in &clause.values {
                terminal.line(&format!("               {}", terminal.paint(Style::Faint, &clean(value))))?;
            }
        }
    }
    Ok(())
}

pub(super) fn decision(terminal: &Terminal, view: &DecisionView) -> io::Result<()> {
    let (word, style) = verdict(view.line.allowed);
    terminal.line(&format!("{}  {}", terminal.paint(style, word), clean(&view.line.sentence)))?;
    let who = view.line.principal.as_ref().map_or_else(|| "-".to_owned(), principal);
    fact(terminal, "decision", &view.line.id.to_string())?;
    fact(terminal, "at", &time::shown(view.line.at))?;
    fact(terminal, "who", &who)?;
    fact(terminal, "action", &format!("{} ({}: {})", view.line.action, view.line.privilege, view.phrase))?;
    fact(terminal, "resource", &format!("{} in {}", view.line.resource.name, view.line.environment))?;
    fact(terminal, "outcome", &view.line.outcome)?;
    if let Some(grant) = view.grant {
        fact(terminal, "grant", &grant.to_string())?;
    }
    policies(terminal, &view.determining)?;
    obligations(terminal, &view.obligations)?;
    remedies(terminal, &view.remedies)?;
    smallest(terminal, view.smallest.as_ref())?;
    if let Some(outcome) = &view.outcome_entry {
        fact(terminal, "afterwards", &format!("{} (entry {})", outcome.text, outcome.index))?;
    }
    fact(terminal, "state", &format!("revision {}, bundle {}", view.revision, view.bundle))?;
    fact(terminal, "ledger", &format!("entry {}, {}", view.ledger.index, view.ledger.leaf_hash))?;
    if !view.facts.is_empty() {
        terminal.line("")?;
        let mut table = Table::new(["fact", "value", "source", "confidence"]);
        for fact in &view.facts {
            table.row([&fact.name, &fact.value, &fact.source, &fact.confidence]);
        }
        table.print(terminal)?;
    }
    if let Some(clauses) = &view.trace {
        trace(terminal, clauses)?;
    }
    Ok(())
}
