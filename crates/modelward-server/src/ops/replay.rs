//! Recorded decisions made again: one under the bundle of its time, to prove that it says the same; many under another
//! bundle, to see which would flip.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::replay::{Batch, Flip, FlipKey, Flips, Item, Recorded, flips};
use modelward_decision::vocabulary::{Action, DecisionId, ResourceRef};
use modelward_decision::{Bundle, Obligation, Outcome, Request, Snapshot};
use modelward_enforcement::Summary;
use modelward_governance::policy::PolicyState;
use modelward_ledger::entry::{Entry, Kind};
use modelward_policy::BundleFile;
use modelward_seal::Digest;
use modelward_store::{Moment, StoreError};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::names;
use crate::ops::decisions::{blocking, place_of, time_of};
use crate::problem::{Problem, chain};
use crate::wire::{
    DifferenceView, ErrorCode, FlipGroupView, FlipView, ReplayReport, ReplayRequest, ReplayTextRequest,
    ReplayView,
};

/// Entries found and looked at in one go while collecting decisions.
const PAGE: usize = 1_024;
const LOOKED: u64 = 16_384;

/// Which recorded decisions are tried.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// How many at most.
    pub max: usize,
    /// None that is older.
    pub since: Option<Timestamp>,
    /// None that stands at this place of the ledger or after it.
    pub before: Option<u64>,
}

impl ControlPlane {
    /// The newest decisions that policies settled and whose facts are still there, each with the revision it was made on,
    /// for [`Self::replay_many`]; and where older ones begin, if there are any.
    pub async fn recorded_decisions(
        self: &Arc<Self>,
        wanted: Wanted,
    ) -> Result<(Vec<(u64, Item)>, Option<u64>), Problem> {
        let plane = Arc::clone(self);
        blocking(move || {
            let mut items = Vec::new();
            let mut before = wanted.before;
            loop {
                let page = plane.reader().search(before, PAGE, LOOKED, |_, entry| is_of_policy(entry))?;
                for (index, entry) in &page.found {
                    if wanted.since.is_some_and(|since| time_of(entry) < since) {
                        return Ok((items, None));
                    }
                    items.extend(item(&plane, entry));
                    if items.len() >= wanted.max {
                        return Ok((items, (*index > 0).then_some(*index)));
                    }
                }
                before = page.next_before;
                if before.is_none() {
                    return Ok((items, None));
                }
            }
        })
        .await
    }

    /// Tries recorded decisions, each with the revision it was made on, under a candidate. States are rebuilt one from
    /// the other, revision by revision, and decisions are made on every core.
    pub async fn replay_many(
        self: &Arc<Self>,
        candidate: Arc<Bundle>,
        items: Vec<(u64, Item)>,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Flips, Problem> {
        let plane = Arc::clone(self);
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let mut failed = None;
            let mut states = States { plane, candidate, current: None };
            let groups = grouped(items).into_iter();
            let batches = groups.map_while(|(revision, items)| match runtime.block_on(states.at(revision)) {
                Ok(snapshot) => Some(Batch { snapshot, items }),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            });
            let found = flips(batches, workers, &progress);
            failed.map_or(Ok(found), |error| Err(Problem::from(error)))
        };
        blocking(work).await
    }
}

/// Whether the policies had the last word; a check after them looks at more than facts and state.
fn is_of_policy(entry: &Entry) -> bool {
    entry.kind == Kind::Decision && check_of(entry) == POLICY
}

const POLICY: &str = "policy";

/// Which check denied; an allow passed them all.
fn check_of(entry: &Entry) -> &str {
    entry.details.get("check").and_then(serde_json::Value::as_str).unwrap_or(POLICY)
}

fn item(plane: &ControlPlane, entry: &Entry) -> Option<(u64, Item)> {
    let item = Item {
        decision: entry.id.parse().ok()?,
        request: request_of(plane, entry).ok()?,
        outcome: outcome(entry.outcome.as_deref()?)?,
        determining: entry.determining.iter().map(Into::into).collect(),
        obligations: obligations(entry),
    };
    Some((entry.revision?, item))
}

fn obligations(entry: &Entry) -> Vec<Obligation> {
    entry.obligations.iter().filter_map(|value| serde_json::from_value(value.clone()).ok()).collect()
}

/// By revision, oldest first; within one in the order given.
fn grouped(mut items: Vec<(u64, Item)>) -> Vec<(u64, Vec<Item>)> {
    items.sort_by_key(|(revision, _)| *revision);
    let mut groups: Vec<(u64, Vec<Item>)> = Vec::new();
    for (revision, item) in items {
        match groups.last_mut() {
            Some((last, items)) if *last == revision => items.push(item),
            _ => groups.push((revision, vec![item])),
        }
    }
    groups
}

/// One past state after another, each made from the one before.
struct States {
    plane: Arc<ControlPlane>,
    candidate: Arc<Bundle>,
    current: Option<Arc<Snapshot>>,
}

impl States {
    async fn at(&mut self, revision: u64) -> Result<Arc<Snapshot>, StoreError> {
        let store = &self.plane.store;
        let next = match &self.current {
            None => {
                let empty = Snapshot::empty(Arc::clone(&self.candidate));
                store.restore(empty, Moment::Revision(revision), self.plane.now()).await?
            }
            Some(current) => {
                let changes = store.changes_between(current.revision(), revision).await?;
                current.with(changes).at_revision(revision)
            }
        };
        let next = Arc::new(next);
        self.current = Some(Arc::clone(&next));
        Ok(next)
    }
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    pub(crate) replayed: u64,
    /// Unknown while decisions are still collected from the ledger.
    pub(crate) of: Option<u64>,
}

/// Tries the newest recorded decisions under a bundle that was proposed, and says which would flip.
pub(crate) async fn replay_bundle(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    which: &str,
    request: ReplayRequest,
) -> Result<Allowed<ReplayReport>, Problem> {
    replay_watched(plane, caller, which, request, watch::Sender::default()).await
}

/// The same for somebody who wants to know how far it is.
pub(crate) async fn replay_watched(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    which: &str,
    request: ReplayRequest,
    progress: watch::Sender<Progress>,
) -> Result<Allowed<ReplayReport>, Problem> {
    let last = request.last.unwrap_or(ReplayRequest::LAST_MAX);
    let summary = Summary::default().with("what", "replay").with("bundle", which).with("last", last);
    let (which, pass) =
        plane.permit(caller, Action::ReadDecisions, ResourceRef::Platform, summary, which.to_owned()).await?;
    pass.carry_out(async move {
        let digest = which.parse().map_err(|_| Problem::not_found("bundle", &which))?;
        let wanted = wanted(plane, request)?;
        let file = plane.policies.file(digest).await?;
        tried(plane, file, wanted, progress).await
    })
    .await
}

/// The same under a bundle that nobody proposed.
pub(crate) async fn replay_text(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: ReplayTextRequest,
) -> Result<Allowed<ReplayReport>, Problem> {
    let ReplayTextRequest { file, last, days, before } = request;
    let opened = BundleFile::open(file.as_bytes());
    let named = opened.as_ref().map_or_else(|_| "unreadable".to_owned(), |file| file.digest().to_string());
    let last = last.unwrap_or(ReplayRequest::LAST_MAX);
    let summary = Summary::default().with("what", "replay").with("bundle", named).with("last", last);
    let (opened, pass) =
        plane.permit(caller, Action::ReadDecisions, ResourceRef::Platform, summary, opened).await?;
    pass.carry_out(async move {
        let file = opened.map_err(|error| Problem::new(ErrorCode::Refused, chain(&error)))?;
        let wanted = wanted(plane, ReplayRequest { last: Some(last), days, before })?;
        tried(plane, file, wanted, watch::Sender::default()).await
    })
    .await
}

fn wanted(plane: &ControlPlane, request: ReplayRequest) -> Result<Wanted, Problem> {
    let last = request.last.unwrap_or(ReplayRequest::LAST_MAX);
    if !(1..=ReplayRequest::LAST_MAX).contains(&last) {
        return Err(Problem::malformed(format!("`last` is 1 to {}", ReplayRequest::LAST_MAX)));
    }
    let ago = |days: u32| plane.now().checked_sub(SignedDuration::from_hours(24 * i64::from(days)));
    Ok(Wanted {
        max: usize::try_from(last).unwrap_or(usize::MAX),
        // What is longer ago than time itself leaves nothing out.
        since: Some(ago(request.days.unwrap_or(ReplayRequest::DAYS)).unwrap_or(Timestamp::MIN)),
        before: request.before,
    })
}

/// Tries decisions under what would decide with this bundle in force.
async fn tried(
    plane: &Arc<ControlPlane>,
    file: BundleFile,
    wanted: Wanted,
    progress: watch::Sender<Progress>,
) -> Result<ReplayReport, Problem> {
    let digest = file.digest();
    let (candidate, found, next) = alone(plane, file, wanted, progress).await?;
    let snapshot = plane.snapshot();
    let group = |(key, flips): (&FlipKey, &Vec<Flip>)| FlipGroupView {
        action: key.action.as_str().to_owned(),
        privilege: key.privilege,
        direction: serde_json::to_value(key.direction).ok().and_then(|it| it.as_str().map(str::to_owned)),
        policy: key.policy.as_ref().map(ToString::to_string),
        bundle: key.policy.as_ref().and_then(|it| candidate.origin(it.as_str())).map(|it| it.to_string()),
        count: u64::try_from(flips.len()).unwrap_or(u64::MAX),
        examples: flips
            .iter()
            .take(ReplayReport::EXAMPLES_MAX)
            .map(|flip| FlipView {
                decision: flip.decision,
                principal: names::principal_view(&snapshot, flip.principal).name,
                resource: snapshot.describe(flip.resource),
            })
            .collect(),
    };
    Ok(ReplayReport {
        bundle: digest.to_string(),
        replayed: found.replayed,
        flips: found.flips.values().map(|flips| u64::try_from(flips.len()).unwrap_or(u64::MAX)).sum(),
        groups: found.flips.iter().map(group).collect(),
        next,
    })
}

/// One replay at a time, since it takes every core; and it counts as running until it is done, even where nobody waits
/// for it any more.
async fn alone(
    plane: &Arc<ControlPlane>,
    file: BundleFile,
    wanted: Wanted,
    progress: watch::Sender<Progress>,
) -> Result<(Arc<Bundle>, Flips, Option<u64>), Problem> {
    let Ok(turn) = Arc::clone(&plane.replaying).try_acquire_owned() else {
        return Err(Problem::new(ErrorCode::Conflict, "another replay is running")
            .hint("try again when it is done, in a few seconds"));
    };
    let plane = Arc::clone(plane);
    let work = async move {
        let _turn = turn;
        let state = plane.store.policy(Moment::Now).await?;
        let state = state.unwrap_or_else(|| PolicyState::first(plane.snapshot().bundle().digest()));
        let candidate = plane.policies.with(&state, file).await?;
        let (items, next) = plane.recorded_decisions(wanted).await?;
        let of = u64::try_from(items.len()).ok();
        let tell = move |replayed| {
            progress.send_replace(Progress { replayed, of });
        };
        tell(0);
        let found = plane.replay_many(Arc::clone(&candidate), items, tell).await?;
        Ok((candidate, found, next))
    };
    tokio::spawn(work).await.map_err(|error| Problem::internal("replaying decisions", &error))?
}

/// Makes one recorded decision again.
pub(crate) async fn replay(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: DecisionId,
) -> Result<Allowed<ReplayView>, Problem> {
    let reading = Arc::clone(plane);
    let found = blocking(move || place_of(&reading.reader(), id)).await?;
    let mine = plane.pseudonym(caller.who.principal());
    let own = found.as_ref().is_some_and(|(_, entry)| {
        entry.principal.as_ref().is_some_and(|principal| principal.pseudonym == mine)
    });
    let action = if own { Action::ExplainOwn } else { Action::ExplainOthers };
    let summary = Summary::default().with("what", "replay").with("decision", id);
    let (found, pass) = plane.permit(caller, action, ResourceRef::Platform, summary, found).await?;
    pass.carry_out(async move {
        let (_, entry) = found.ok_or_else(|| Problem::not_found("decision", &id.to_string()))?;
        let mut view = again(plane, id, &entry).await?;
        // What a policy would have said is for those who may see others' decisions in full.
        if !plane.may(caller, Action::ExplainOthers, ResourceRef::Platform) {
            view.difference = None;
        }
        Ok(view)
    })
    .await
}

async fn again(plane: &Arc<ControlPlane>, id: DecisionId, entry: &Entry) -> Result<ReplayView, Problem> {
    let gone =
        |why: &str| Problem::new(ErrorCode::Conflict, format!("this decision cannot be replayed: {why}"));
    let request = request_of(plane, entry)?;
    let policy = entry.policy.ok_or_else(|| gone("its entry names no bundle"))?;
    let revision = entry.revision.ok_or_else(|| gone("its entry names no revision"))?;
    let check = check_of(entry);
    if check == "credential" {
        return Err(gone("the credential counted no more, so nothing was decided"));
    }
    let bundle = plane.policies.recorded(policy.bundle, revision).await?;
    let moment = Moment::Revision(revision);
    let then = plane.store.restore(Snapshot::empty(bundle), moment, time_of(entry)).await?;
    let decided = modelward_decision::decide(&then, &request, id);
    let replayed = Recorded::of(&decided);
    let recorded = recorded(entry, &replayed, check).ok_or_else(|| gone("its entry cannot be read"))?;
    let difference = recorded.compare(&replayed);
    Ok(ReplayView {
        decision: id,
        agrees: difference.is_none(),
        text: text(difference.as_ref().map(|it| it.part.as_str()), check),
        difference: difference.map(|it| DifferenceView {
            part: it.part,
            recorded: it.recorded,
            replayed: it.replayed,
        }),
        revision,
        bundle: policy.bundle.to_string(),
    })
}

fn text(difference: Option<&str>, check: &str) -> String {
    match (difference, check) {
        (Some(part), _) => format!("The {part} differ from what was recorded."),
        (None, POLICY) => {
            "Decided again on the facts and the state of then: outcome, policies and sentence are the same, byte for byte."
                .to_owned()
        }
        (None, check) => format!(
            "Decided again on the facts and the state of then: the policies allow it, as they did; it was denied after that by the \
             check `{check}`, which looks at more than policies do."
        ),
    }
}

/// The request as it was decided, as long as its key exists.
fn request_of(plane: &ControlPlane, entry: &Entry) -> Result<Request, Problem> {
    let lost =
        |why: &str| Problem::new(ErrorCode::Conflict, format!("this decision cannot be replayed: {why}"));
    let facts = entry.facts.as_ref().ok_or_else(|| lost("its entry holds no facts"))?;
    if facts.sealed.is_none() {
        return Err(lost("its facts were too long to be kept; the entry has only their digest"));
    }
    let clear = plane.ledger.open_facts(facts).map_err(|error| Problem::internal("opening facts", &error))?;
    let clear = clear.ok_or_else(|| lost("its facts were erased with the key they were sealed under"))?;
    serde_json::from_slice(&clear).map_err(|error| Problem::internal("reading facts", &error))
}

/// What the entry says. A part that was cut to fit is taken as replayed where its digest is the one of what was cut.
fn recorded(entry: &Entry, replayed: &Recorded, check: &str) -> Option<Recorded> {
    let cut = |field: &str, digest: Option<Digest>| {
        entry.truncated.get(field).is_some_and(|recorded| Some(*recorded) == digest)
    };
    let mut recorded = Recorded {
        outcome: outcome(entry.outcome.as_deref()?)?,
        determining: entry.determining.iter().map(Into::into).collect(),
        sentence: entry.rationale.clone().unwrap_or_default(),
        grant: entry.grant.as_deref().and_then(|text| text.parse().ok()),
        obligations: obligations(entry),
        held_fields: entry
            .details
            .get("held_fields")
            .and_then(|fields| serde_json::from_value(fields.clone()).ok())
            .unwrap_or_default(),
    };
    if cut("rationale", Some(Digest::of(replayed.sentence.as_bytes()))) {
        recorded.sentence.clone_from(&replayed.sentence);
    }
    if cut("determining", Digest::of_canonical(&replayed.determining).ok()) {
        recorded.determining.clone_from(&replayed.determining);
    }
    // A check after an allow has its own words; what the policies said before it is in the policies and the grant.
    if check != POLICY {
        recorded = Recorded {
            outcome: Outcome::Permitted,
            determining: recorded.determining,
            grant: recorded.grant,
            ..replayed.clone()
        };
    }
    Some(recorded)
}

fn outcome(text: &str) -> Option<Outcome> {
    serde_json::from_value(serde_json::Value::from(text)).ok()
}
