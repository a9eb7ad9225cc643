//! One policy of a bundle: its text, what tests have seen of its clauses, and what it settled of late.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use modelward_decision::Bundle;
use modelward_decision::bundle::Place;
use modelward_decision::outline::PolicyOutline;
use modelward_decision::vocabulary::{Action, ResourceRef};
use modelward_enforcement::Summary;
use modelward_ledger::entry::{Entry, Kind, Verdict};
use modelward_policy::coverage::{Both, ClauseCoverage, PolicyCoverage, SeenIn};
use modelward_policy::gate::Report;
use modelward_policy::parts::{Parts, Uncovered, Value};
use modelward_seal::Digest;

use super::{History, digest, line};
use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::ops::decisions::{self, blocking, time_of};
use crate::problem::Problem;
use crate::wire::{
    ClauseCoverageView, PlaceView, PolicyEffect, PolicyEffects, PolicyInFull, PolicyLine, SeenView,
};

/// Newest entries of the ledger looked at for what a policy settled.
const LOOKED_MAX: u64 = 20_000;

/// The policies of a bundle, each with how much of it tests have seen. Of a project bundle its own are told, and not those
/// of the root bundle it was put together with.
pub(super) fn lines(bundle: &Bundle, digest: Digest, report: &Report) -> Vec<PolicyLine> {
    let covered = coverage(report);
    let own = |id: &str| bundle.origin(id).is_none_or(|origin| origin == digest);
    let outline = bundle.outline().into_iter().filter(|it| own(&it.id));
    outline.map(|it| policy_line(&it, covered.get(it.id.as_str()).copied())).collect()
}

fn coverage(report: &Report) -> BTreeMap<&str, &PolicyCoverage> {
    let policies = report.coverage.iter().flat_map(|coverage| &coverage.policies);
    policies.map(|policy| (policy.policy.as_str(), policy)).collect()
}

fn policy_line(outline: &PolicyOutline, covered: Option<&PolicyCoverage>) -> PolicyLine {
    let effect = match (outline.is_obligation_rule, outline.forbids) {
        (true, _) => PolicyEffect::Obligation,
        (false, true) => PolicyEffect::Forbid,
        (false, false) => PolicyEffect::Permit,
    };
    let halves = if outline.clauses.is_empty() { 1 } else { 2 * outline.clauses.len() };
    let seen = covered.map_or(0, |policy| match policy.clauses.as_slice() {
        [] => usize::from(policy.reached),
        clauses => clauses.iter().map(|clause| seen_halves(clause.both)).sum(),
    });
    PolicyLine {
        id: outline.id.to_string(),
        title: outline.title.to_string(),
        owner: outline.owner.to_string(),
        effect,
        at: place(covered.map_or(&outline.at, |policy| &policy.at)),
        halves: number(halves),
        seen: number(seen),
    }
}

fn seen_halves(both: Both) -> usize {
    usize::from(both.seen_true) + usize::from(both.seen_false)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn place(at: &Place) -> PlaceView {
    PlaceView { file: at.file.clone(), line: number(at.line), column: number(at.column) }
}

/// One policy in full.
pub(crate) async fn policy(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    which: &str,
    policy: &str,
) -> Result<Allowed<PolicyInFull>, Problem> {
    let summary = Summary::default().with("bundle", which).with("policy", policy);
    let ((), pass) =
        plane.permit(caller, Action::ReadConfiguration, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let digest = digest(which)?;
        let history = History::read(plane).await?;
        let kept = plane.policies.kept(digest).await?;
        let bundle = plane.policies.shown(&history.active, &kept).await?;
        let outline = outline(&bundle, policy)?;
        let report = plane.policies.report(&history.active, kept.file().await?).await?;
        let covered = coverage(&report).get(policy).copied();
        Ok(PolicyInFull {
            bundle: line(plane, &history, &kept).await?,
            policy: policy_line(&outline, covered),
            reason: outline.reason.to_string(),
            text: bundle.policy_text(policy).unwrap_or_default(),
            clauses: clauses(kept.file().await?.files(), covered),
        })
    })
    .await
}

fn outline(bundle: &Bundle, policy: &str) -> Result<PolicyOutline, Problem> {
    let found = bundle.outline().into_iter().find(|outline| outline.id == policy);
    found.ok_or_else(|| Problem::not_found("policy", policy))
}

fn clauses(files: &BTreeMap<String, String>, covered: Option<&PolicyCoverage>) -> Vec<ClauseCoverageView> {
    let Some(covered) = covered else { return Vec::new() };
    let excuses = Parts::read(files).map(|parts| parts.gate.uncovered).unwrap_or_default();
    let view = |(clause, number): (&ClauseCoverage, usize)| {
        let excuse = |value| {
            let fits = |it: &&Uncovered| {
                it.policy.as_str() == covered.policy && it.clause == number && it.value == value
            };
            excuses.iter().find(fits).map(|it| it.reason.clone())
        };
        ClauseCoverageView {
            text: clause.text.clone(),
            at: place(&clause.at),
            seen_true: seen(&clause.true_in, excuse(Value::True)),
            seen_false: seen(&clause.false_in, excuse(Value::False)),
        }
    };
    covered.clauses.iter().zip(1..).map(view).collect()
}

fn seen(by: &SeenIn, excuse: Option<String>) -> SeenView {
    SeenView {
        scenarios: number(by.scenarios),
        titles: by.titles.iter().map(ToString::to_string).collect(),
        excuse,
    }
}

/// What a policy settled of late, under this bundle.
pub(crate) async fn effects(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    which: &str,
    policy: &str,
) -> Result<Allowed<PolicyEffects>, Problem> {
    let summary = Summary::default().with("what", "effects").with("bundle", which).with("policy", policy);
    let ((), pass) = plane.permit(caller, Action::ReadDecisions, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let digest = digest(which)?;
        let (history, kept) = (History::read(plane).await?, plane.policies.kept(digest).await?);
        outline(&*plane.policies.shown(&history.active, &kept).await?, policy)?;
        let (plane, policy) = (Arc::clone(plane), policy.to_owned());
        blocking(move || looked_up(&plane, digest, policy)).await
    })
    .await
}

fn looked_up(plane: &ControlPlane, bundle: Digest, policy: String) -> Result<PolicyEffects, Problem> {
    let reader = plane.reader();
    let (allowed, denied, since) = (Cell::new(0), Cell::new(0), Cell::new(None));
    // Everything is counted; only the newest are kept.
    let settled = |_, entry: &Entry| {
        since.set(Some(time_of(entry)));
        if !settles(entry, bundle, &policy) {
            return false;
        }
        let count = if entry.decision == Some(Verdict::Allow) { &allowed } else { &denied };
        count.set(count.get() + 1);
        allowed.get() + denied.get() <= number(PolicyEffects::RECENT_MAX)
    };
    let page = reader.search(None, usize::MAX, LOOKED_MAX, settled)?;
    let snapshot = plane.snapshot();
    let recent = page.found.iter();
    Ok(PolicyEffects {
        bundle: bundle.to_string(),
        looked_at: page.complete_below.min(LOOKED_MAX),
        since: since.get(),
        allowed: allowed.get(),
        denied: denied.get(),
        recent: recent
            .filter_map(|(index, entry)| decisions::line(plane, &snapshot, *index, entry))
            .collect(),
        complete_to: page.complete_below,
        policy,
    })
}

/// Of a decision under several bundles, its entry names those that settled it one by one.
fn settles(entry: &Entry, bundle: Digest, policy: &str) -> bool {
    entry.kind == Kind::Decision
        && (entry.policy.is_some_and(|it| it.bundle == bundle)
            || decisions::bundles(entry).contains(&bundle.to_string()))
        && entry.determining.iter().any(|id| id == policy)
}
