//! One policy of a bundle: its text with what tests saw beside it, its clauses, and what it settled of late.

use axum::response::Response;
use modelward_decision::vocabulary::{Action, ResourceRef};

use super::super::{Site, page};
use crate::console::page::SinglePolicyPage;
use crate::console::part::{Count, When};
use crate::console::show;
use crate::console::view::{self, LineSeen, Section};
use crate::ops::policy;
use crate::problem::Problem;
use crate::wire::{
    ClauseCoverageView, PlaceView, PolicyEffect, PolicyEffects, PolicyInFull, PolicyLine, SeenView,
};

pub(super) fn row(bundle: &str, line: &PolicyLine) -> view::BundlePolicyRow {
    view::BundlePolicyRow {
        link: show::policy_link(bundle, &line.id),
        id: line.id.clone(),
        title: line.title.clone(),
        owner: line.owner.clone(),
        effect: effect(line.effect),
        place: place(&line.at),
        covered: format!("{} of {}", line.seen, line.halves),
        is_covered: line.seen == line.halves,
    }
}

const fn effect(effect: PolicyEffect) -> &'static str {
    match effect {
        PolicyEffect::Permit => "permit",
        PolicyEffect::Forbid => "forbid",
        PolicyEffect::Obligation => "obligation",
    }
}

fn place(at: &PlaceView) -> String {
    format!("{}:{}", at.file, at.line)
}

pub(in super::super) async fn show(site: &Site, bundle: &str, policy: &str) -> Result<Response, Problem> {
    let found = policy::policy(&site.plane, &site.caller, bundle, policy).await?.into_part()?;
    let effects = if site.may(Action::ReadDecisions, ResourceRef::Platform) {
        let effects = policy::effects(&site.plane, &site.caller, bundle, policy).await?.into_part()?;
        Some(recent(site, &effects))
    } else {
        None
    };
    let PolicyLine { id, title, owner, effect: kind, at, halves, seen } = &found.policy;
    let view = view::SinglePolicy {
        id: id.clone(),
        title: title.clone(),
        owner: owner.clone(),
        effect: effect(*kind),
        reason: Some(found.reason.clone()).filter(|reason| !reason.is_empty()),
        place: place(at),
        bundle: super::row(site, &found.bundle),
        lines: lines(&found),
        clauses: found.clauses.iter().zip(1..).map(clause).collect(),
        covered: covered(*seen, *halves, found.clauses.is_empty()),
        effects,
    };
    page(&SinglePolicyPage { shell: site.shell(Section::Policy, title).await, view })
}

fn covered(seen: u64, halves: u64, is_scope_only: bool) -> String {
    match (is_scope_only, seen) {
        (true, 0) => "No test comes within its scope.".to_owned(),
        (true, _) => "Tests come within its scope.".to_owned(),
        (false, seen) => format!("Tests saw {seen} of {halves} halves of clauses."),
    }
}

fn lines(policy: &PolicyInFull) -> Vec<view::CoveredLine> {
    let line = |(text, number): (&str, u64)| {
        let here: Vec<&ClauseCoverageView> =
            policy.clauses.iter().filter(|clause| clause.at.line == number).collect();
        view::CoveredLine { number, text: text.to_owned(), seen: seen_of(&here) }
    };
    policy.text.lines().zip(policy.policy.at.line..).map(line).collect()
}

fn seen_of(clauses: &[&ClauseCoverageView]) -> LineSeen {
    let halves = clauses.iter().flat_map(|clause| [&clause.seen_true, &clause.seen_false]);
    let (seen, all) =
        halves.fold((0, 0), |(seen, all), half| (seen + u32::from(half.scenarios > 0), all + 1));
    match (seen, all) {
        (_, 0) => LineSeen::NoClause,
        (seen, all) if seen == all => LineSeen::Both,
        (0, _) => LineSeen::Neither,
        _ => LineSeen::One,
    }
}

fn clause((clause, number): (&ClauseCoverageView, usize)) -> view::CoveredClause {
    view::CoveredClause {
        number,
        text: clause.text.clone(),
        line: clause.at.line,
        seen_true: half(&clause.seen_true),
        seen_false: half(&clause.seen_false),
    }
}

fn half(seen: &SeenView) -> view::SeenHalf {
    let named = u64::try_from(seen.titles.len()).unwrap_or(u64::MAX);
    view::SeenHalf {
        scenarios: seen.scenarios,
        titles: seen.titles.clone(),
        more: seen.scenarios.saturating_sub(named),
        excuse: seen.excuse.clone(),
    }
}

fn recent(site: &Site, effects: &PolicyEffects) -> view::RecentEffects {
    view::RecentEffects {
        allowed: Count(effects.allowed),
        denied: Count(effects.denied),
        looked_at: Count(effects.looked_at),
        since: effects.since.map(|since| When::new(since, site.now)),
        rows: effects.recent.iter().map(|line| show::decision_row(line, site.now)).collect(),
        complete_to: Count(effects.complete_to),
    }
}
