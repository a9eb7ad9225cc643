//! Decisions as the ledger keeps them: a feed, and one in full.
//!
//! The ledger names principals by pseudonym and holds the facts sealed; here they are opened for whoever may see them.

use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::vocabulary::{Action, DecisionId, Privilege, ResourceRef};
use modelward_decision::{Bundle, Outcome, Request, Snapshot, explain, may_know_of};
use modelward_enforcement::Summary;
use modelward_ledger::LedgerReader;
use modelward_ledger::entry::{Entry, Kind, Verdict as EntryVerdict};
use modelward_store::Moment;

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane, Pass};
use crate::ops::access;
use crate::ops::explain::{Audience, remedies, smallest_view};
use crate::problem::Problem;
use crate::wire::{
    DecisionFilter, DecisionLine, DecisionView, LedgerPlace, ObligationView, OutcomeView, Page, PolicyView,
    RemedyView, ResourceView, Verdict, Whose,
};
use crate::{names, ops, words};

/// Entries looked at for one page of the feed.
const LOOKED_MAX: u64 = 20_000;
/// Entries looked at around the time of a decision to find it by its id.
const NEAR_MAX: u64 = 20_000;
/// Entries looked at after a decision to find how it ended.
const OUTCOME_MAX: usize = 4_096;

/// A filter with its names resolved, cheap enough to try on every entry.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Only of this pseudonym.
    of: Option<String>,
    action: Option<Action>,
    privilege: Option<Privilege>,
    resources: Option<Vec<String>>,
    verdict: Option<Verdict>,
    own_account: bool,
    /// For somebody who may see no more than what concerns them.
    partly: bool,
}

impl Wanted {
    fn new(
        plane: &ControlPlane,
        caller: &Caller,
        whose: Whose,
        filter: &DecisionFilter,
    ) -> Result<Self, Problem> {
        let snapshot = plane.snapshot();
        let principal = match (whose, filter.principal.as_deref()) {
            (Whose::Me, None) => Some(caller.who.principal()),
            (Whose::Me, Some(_)) => return Err(Problem::malformed("`principal` goes with `whose=all`")),
            (Whose::All, Some(name)) => Some(names::principal(&snapshot, name)?),
            (Whose::All, None) => None,
        };
        let action = filter.action.as_deref().map(crate::question::action).transpose()?;
        let privilege = filter.privilege.as_deref().map(str::parse).transpose();
        let privilege = privilege.map_err(|error: modelward_decision::vocabulary::UnknownPrivilege| {
            Problem::malformed(error.to_string())
        })?;
        let partly = whose == Whose::Me && !plane.may(caller, Action::ExplainOthers, ResourceRef::Platform);
        let resources = match filter.resource.as_deref().map(|text| ids_of(&snapshot, text)) {
            // Nothing is of a thing that is not there, as nothing is of one that may not be known of.
            Some(Err(_)) if partly => Some(Vec::new()),
            found => found.transpose()?,
        };
        // Whoever asks for an action or privilege of the own account means it.
        let about_oneself = action.is_some_and(|it| it.privilege() == Privilege::SelfService)
            || privilege == Some(Privilege::SelfService);
        Ok(Self {
            of: principal.map(|principal| plane.ledger.pseudonym(&principal.to_string())),
            action,
            privilege,
            resources,
            verdict: filter.verdict,
            own_account: filter.own_account.unwrap_or(false) || about_oneself,
            partly,
        })
    }

    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        if entry.kind != Kind::Decision {
            return false;
        }
        let Some(action) = entry.action.as_deref().and_then(|text| text.parse::<Action>().ok()) else {
            return false;
        };
        let allowed = entry.decision == Some(EntryVerdict::Allow);
        let verdict_fits = match self.verdict {
            None => true,
            Some(Verdict::Allow) => allowed,
            Some(Verdict::Deny) => !allowed,
        };
        let resource_fits = self
            .resources
            .as_ref()
            .is_none_or(|ids| entry.resource.as_ref().is_some_and(|resource| ids.contains(&resource.id)));
        let principal_fits = self
            .of
            .as_ref()
            .is_none_or(|of| entry.principal.as_ref().is_some_and(|principal| principal.pseudonym == *of));
        verdict_fits
            && resource_fits
            && principal_fits
            && self.action.is_none_or(|wanted| wanted == action)
            && self.privilege.is_none_or(|wanted| wanted == action.privilege())
            && (self.own_account || action.privilege() != Privilege::SelfService)
    }

    /// What the feed says of an entry that [`matches`](Self::matches).
    pub(crate) fn line(
        &self,
        plane: &ControlPlane,
        snapshot: &Snapshot,
        index: u64,
        entry: &Entry,
    ) -> Option<DecisionLine> {
        let request = request_of(plane, entry);
        let line = line_with(snapshot, index, entry, request.as_ref())?;
        let may_know = |request: &Request| may_know_of(snapshot, request);
        if !self.partly || line.allowed || request.as_ref().is_some_and(may_know) {
            return Some(line);
        }
        self.resources.is_none().then(|| veiled(line))
    }
}

/// A model stands for its versions too.
fn ids_of(snapshot: &Snapshot, text: &str) -> Result<Vec<String>, Problem> {
    let resource = names::resource(snapshot, text)?;
    let mut ids = vec![resource.to_string()];
    if let ResourceRef::Model(model) = resource {
        let versions = snapshot.versions().filter(|version| version.model == model);
        ids.extend(versions.map(|version| version.id.to_string()));
    }
    Ok(ids)
}

fn whose(plane: &ControlPlane, caller: &Caller, asked: Option<Whose>) -> Whose {
    asked.unwrap_or_else(|| {
        let all = plane.may(caller, Action::ReadDecisions, ResourceRef::Platform);
        if all { Whose::All } else { Whose::Me }
    })
}

const fn action_for(whose: Whose) -> Action {
    match whose {
        Whose::Me => Action::ExplainOwn,
        Whose::All => Action::ReadDecisions,
    }
}

pub(crate) async fn list(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    filter: DecisionFilter,
) -> Result<Allowed<(Page<DecisionLine>, Whose)>, Problem> {
    let limit = ops::page(filter.limit)?;
    let whose = whose(plane, caller, filter.whose);
    let summary = Summary::default().with("what", "decisions");
    let (filter, pass) =
        plane.permit(caller, action_for(whose), ResourceRef::Platform, summary, filter).await?;
    pass.carry_out(async move {
        let before = filter.after.as_deref().map(str::parse::<u64>).transpose();
        let before = before.map_err(|_| Problem::malformed("`after` is the number of an entry"))?;
        let wanted = Wanted::new(plane, caller, whose, &filter)?;
        Ok((page(plane, wanted, before, limit).await?, whose))
    })
    .await
}

async fn page(
    plane: &Arc<ControlPlane>,
    wanted: Wanted,
    before: Option<u64>,
    limit: u32,
) -> Result<Page<DecisionLine>, Problem> {
    let plane = Arc::clone(plane);
    let read = move || {
        let reader = plane.reader();
        let found_max = usize::try_from(limit).unwrap_or(usize::MAX);
        let found = reader.search(before, found_max, LOOKED_MAX, |_, entry| wanted.matches(entry))?;
        let snapshot = plane.snapshot();
        let items = found
            .found
            .iter()
            .filter_map(|(index, entry)| wanted.line(&plane, &snapshot, *index, entry))
            .collect();
        Ok(Page {
            items,
            next: found.next_before.map(|index| index.to_string()),
            total: None,
            complete_to: found.complete_below,
        })
    };
    blocking(read).await
}

/// Reads the ledger where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::internal("reading the ledger", &error))?
}

/// What was asked, as long as its key exists.
fn request_of(plane: &ControlPlane, entry: &Entry) -> Option<Request> {
    let clear = plane.ledger.open_facts(entry.facts.as_ref()?).ok()??;
    serde_json::from_slice(&clear).ok()
}

pub(crate) fn time_of(entry: &Entry) -> Timestamp {
    Timestamp::from_microsecond(entry.t).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// An own denial about what one may not know of: the same for what is not there.
fn veiled(line: DecisionLine) -> DecisionLine {
    let name = format!("a {} you may not know of", line.resource.kind);
    let resource = ResourceView { id: None, name, ..line.resource };
    let outcome = Outcome::NotPermitted.as_str().to_owned();
    DecisionLine { resource, environment: String::new(), outcome, ..line }
}

/// A decision for somebody who may see everybody's.
pub(crate) fn line(
    plane: &ControlPlane,
    snapshot: &Snapshot,
    index: u64,
    entry: &Entry,
) -> Option<DecisionLine> {
    line_with(snapshot, index, entry, request_of(plane, entry).as_ref())
}

fn line_with(
    snapshot: &Snapshot,
    index: u64,
    entry: &Entry,
    request: Option<&Request>,
) -> Option<DecisionLine> {
    let action: Action = entry.action.as_deref()?.parse().ok()?;
    let resource = match (request, &entry.resource) {
        (Some(request), _) => names::resource_view(snapshot, request.resource),
        (None, Some(resource)) => ResourceView {
            kind: resource.kind.clone(),
            id: Some(resource.id.clone()),
            name: resource.id.clone(),
        },
        (None, None) => ResourceView { kind: "platform".to_owned(), id: None, name: "platform".to_owned() },
    };
    Some(DecisionLine {
        id: entry.id.parse().ok()?,
        index,
        at: time_of(entry),
        principal: request.map(|request| names::principal_view(snapshot, request.principal)),
        action,
        privilege: action.privilege(),
        resource,
        environment: request.map(|request| request.facts.environment.to_string()).unwrap_or_default(),
        allowed: entry.decision == Some(EntryVerdict::Allow),
        outcome: entry.outcome.clone().unwrap_or_default(),
        sentence: entry.rationale.clone().unwrap_or_default(),
        count: 1,
    })
}

/// Where a decision stands. Its id holds the moment it was made, so only entries of about then are looked at.
pub(crate) fn place_of(reader: &LedgerReader, id: DecisionId) -> Result<Option<(u64, Entry)>, Problem> {
    const MILLIS_SHIFT: u32 = 80;
    const EARLY_MILLIS: i64 = 2_000;
    let millis = i64::try_from(id.bits() >> MILLIS_SHIFT).unwrap_or(i64::MAX);
    let from = millis.saturating_sub(EARLY_MILLIS).saturating_mul(1000);
    let size = reader.position().size;
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        if reader.entry(middle)?.t < from { low = middle + 1 } else { high = middle }
    }
    let wanted = id.to_string();
    let mut next = low;
    while next < size && next - low < NEAR_MAX {
        let entries = reader.range(next, 512)?;
        let Some((last, _)) = entries.last() else { break };
        next = last + 1;
        if let Some(found) =
            entries.into_iter().find(|(_, entry)| entry.kind == Kind::Decision && entry.id == wanted)
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

pub(crate) async fn one(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: DecisionId,
) -> Result<Allowed<DecisionView>, Problem> {
    let reading = Arc::clone(plane);
    let found = blocking(move || place_of(&reading.reader(), id)).await?;
    let mine = plane.ledger.pseudonym(&caller.who.principal().to_string());
    let own = found.as_ref().is_some_and(|(_, entry)| {
        entry.principal.as_ref().is_some_and(|principal| principal.pseudonym == mine)
    });
    let action = if own { Action::ExplainOwn } else { Action::ExplainOthers };
    let summary = Summary::default().with("decision", id);
    let (found, pass) = plane.permit(caller, action, ResourceRef::Platform, summary, found).await?;
    pass.carry_out(async move {
        let (index, entry) = found.ok_or_else(|| Problem::not_found("decision", &id.to_string()))?;
        // Whoever may see others' decisions in full may see their own so.
        let partly = own && !plane.may(caller, Action::ExplainOthers, ResourceRef::Platform);
        full(plane, index, entry, partly).await
    })
    .await
}

async fn full(
    plane: &Arc<ControlPlane>,
    index: u64,
    entry: Entry,
    partly: bool,
) -> Result<DecisionView, Problem> {
    let request = request_of(plane, &entry);
    let present = plane.snapshot();
    let line = line_with(&present, index, &entry, request.as_ref())
        .ok_or_else(|| Problem::not_found("decision", &entry.id))?;
    // The state it was decided on, so that the trace is the one of then.
    let then = match entry.revision {
        Some(revision) if revision < present.revision() => {
            Arc::new(plane.state_at(Moment::Revision(revision), time_of(&entry)).await?)
        }
        _ => Arc::clone(&present),
    };
    let again = request.as_ref().map(|request| plane.would(&then, request));
    // An own denial about a thing one may not know of tells nothing of the thing, then as now.
    let known =
        !partly || line.allowed || request.as_ref().is_some_and(|request| may_know_of(&then, request));
    let line = if known { line } else { veiled(line) };
    let hidden =
        partly && !line.allowed && again.as_ref().is_none_or(|decision| decision.covering.is_empty());
    let held = again.as_ref().map(|decision| decision.held_fields.iter().copied().collect::<Vec<_>>());
    let held = held.unwrap_or_default();
    let trace = request
        .as_ref()
        .filter(|_| !hidden)
        .map(|request| access::trace_view(&then, &explain(&then, request, &held)));
    let denied = again.as_ref().zip(request.as_ref()).filter(|_| !line.allowed);
    let remedies: Vec<RemedyView> = denied
        .map(|(decision, _)| remedies(&present, decision, known, &line.resource.name))
        .unwrap_or_default();
    let audience = Audience { admin: !partly, what: &line.resource.name };
    let smallest = denied.and_then(|(decision, request)| smallest_view(&then, request, decision, audience));
    let reader = plane.reader();
    let (place, outcome) = blocking(move || {
        let place = place(&reader, index)?;
        Ok((place, outcome_of(&reader, index)?))
    })
    .await?;
    let bundle = match &request {
        Some(request) => then.bundle_for(request.principal),
        None => then.bundle(),
    };
    Ok(DecisionView {
        phrase: line.action.phrase().to_owned(),
        grant: entry.grant.as_deref().and_then(|text| text.parse().ok()),
        covering: again.map(|decision| decision.covering).unwrap_or_default(),
        determining: entry.determining.iter().filter(|_| known).map(|id| policy(bundle, id)).collect(),
        obligations: obligations(&entry),
        held_fields: held,
        remedies,
        smallest,
        facts: request.as_ref().map(|it| access::fact_views(&then, it, hidden)).unwrap_or_default(),
        revision: entry.revision.unwrap_or_default(),
        bundle: entry.policy.map(|policy| policy.bundle.to_string()).unwrap_or_default(),
        bundles: bundles(&entry),
        schema: entry.policy.map(|policy| policy.schema.to_string()).unwrap_or_default(),
        outcome_entry: outcome,
        trace,
        ledger: place,
        line,
    })
}

/// The bundles whose policies settled it, as far as its entry names them one by one.
pub(super) fn bundles(entry: &Entry) -> Vec<String> {
    let named = entry.details.get("bundles").and_then(serde_json::Value::as_array);
    named.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

fn policy(bundle: &Bundle, id: &str) -> PolicyView {
    let text = bundle.policy_text(id);
    let said = |what: &str| {
        let text = text.as_deref()?;
        let (_, rest) = text.split_once(&format!("@{what}(\""))?;
        rest.split_once('"').map(|(said, _)| said.to_owned())
    };
    PolicyView {
        id: id.to_owned(),
        title: said("title").unwrap_or_else(|| id.to_owned()),
        owner: said("owner").unwrap_or_default(),
        bundle: bundle.origin(id).map(|bundle| bundle.to_string()),
        text,
    }
}

fn obligations(entry: &Entry) -> Vec<ObligationView> {
    let read = |value: &serde_json::Value| serde_json::from_value(value.clone()).ok();
    entry.obligations.iter().filter_map(read).map(|obligation| words::obligation(&obligation)).collect()
}

pub(crate) fn place(reader: &LedgerReader, index: u64) -> Result<LedgerPlace, Problem> {
    let bytes = reader.entry_bytes(index)?;
    let leaf_hash = modelward_seal::merkle::leaf_hash(&bytes).to_string();
    // Durable but not under a checkpoint yet: the proof follows within a moment.
    let proof = reader.proof(index).ok();
    Ok(LedgerPlace {
        index,
        leaf_hash,
        tree_size: proof.as_ref().and_then(|proof| ops::ledger::size_of(&proof.checkpoint)),
        proof: proof.map(|proof| proof.to_string()),
    })
}

fn outcome_of(reader: &LedgerReader, index: u64) -> Result<Option<OutcomeView>, Problem> {
    let following = reader.range(index + 1, OUTCOME_MAX)?;
    let found = following.into_iter().find(|(_, entry)| {
        matches!(entry.kind, Kind::Outcome | Kind::Indeterminate)
            && entry.intent.as_ref().is_some_and(|intent| intent.index == index)
    });
    Ok(found.map(|(index, entry)| OutcomeView { index, at: time_of(&entry), text: ended(&entry) }))
}

/// `done, 4218 bytes left`.
fn ended(entry: &Entry) -> String {
    let status = match entry.kind {
        Kind::Indeterminate => "never known: the process ended in between".to_owned(),
        _ => entry.outcome.clone().unwrap_or_default(),
    };
    match entry.details.get("bytes").and_then(serde_json::Value::as_u64) {
        Some(bytes) if bytes > 0 => format!("{status}, {bytes} bytes left"),
        _ => status,
    }
}

/// A feed that may be followed: what to look for, from where on, and the permit that it runs under.
pub(crate) struct Feed {
    pub(crate) wanted: Wanted,
    pub(crate) from: u64,
    pub(crate) pass: Pass,
}

pub(crate) async fn follow(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    filter: DecisionFilter,
) -> Result<Feed, Problem> {
    let whose = whose(plane, caller, filter.whose);
    let summary = Summary::default().with("what", "decisions as they come");
    let (filter, pass) =
        plane.permit(caller, action_for(whose), ResourceRef::Platform, summary, filter).await?;
    let wanted = Wanted::new(plane, caller, whose, &filter)?;
    Ok(Feed { wanted, from: plane.reader().position().size, pass })
}
