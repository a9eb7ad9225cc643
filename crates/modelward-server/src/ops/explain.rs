//! What would allow a denied request, and what somebody can do. Worked out when somebody asks.

use std::sync::Arc;

use modelward_decision::smallest::authzen_context;
use modelward_decision::vocabulary::{
    Action, Binding, Confidence, DeviceFacts, Facts, PrincipalRef, ResourceRef,
};
use modelward_decision::{
    Counterfactual, Decision, Remedy, Request, Smallest, Snapshot, search, smallest, smallest_told,
};
use modelward_enforcement::Summary;

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::ops::access;
use crate::problem::Problem;
use crate::wire::{
    AccessRequestView, CanRequest, ChangeView, PrincipalView, RemedyView, SmallestView, WhatCanAnswer,
    WhatCanRequest, WhatCanRow,
};
use crate::{names, ops, question, words};

/// Decisions made for one page of "who can" or "what can".
pub(crate) const DECIDED_MAX: usize = 2_000;

/// Whom an explanation is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Audience<'a> {
    /// Sees policies, and may know of everything.
    pub(crate) admin: bool,
    /// The resource as the reader calls it, or as it is called where the reader may know of it.
    pub(crate) what: &'a str,
}

/// The smallest change for a denial; nothing for an allow.
pub(crate) fn smallest_view(
    snapshot: &Snapshot,
    request: &Request,
    decision: &Decision,
    audience: Audience<'_>,
) -> Option<SmallestView> {
    if decision.is_allow() {
        return None;
    }
    let found = if audience.admin { smallest(snapshot, request) } else { smallest_told(snapshot, request) };
    let privilege = request.action.privilege();
    let template = found.change().and_then(|change| template(snapshot, request, change, audience.what));
    let json = template.as_ref().and_then(|template| serde_json::to_value(template).ok());
    Some(SmallestView {
        sentence: found.sentence(privilege, audience.what),
        changes: changes(&found, request, audience.what),
        access_request: template,
        context: authzen_context(decision, &found, audience.what, json, audience.admin),
    })
}

fn changes(found: &Smallest, request: &Request, what: &str) -> Vec<ChangeView> {
    let all = found.change().map(|change| change.changes.as_slice()).unwrap_or_default();
    let view = |change: &modelward_decision::FactChange| ChangeView {
        kind: change.kind().to_owned(),
        text: change.in_words(request.action.privilege(), what),
    };
    all.iter().map(view).collect()
}

fn template(
    snapshot: &Snapshot,
    request: &Request,
    change: &Counterfactual,
    what: &str,
) -> Option<AccessRequestView> {
    let asked = change.access_request(request)?;
    Some(AccessRequestView {
        grantee: called(&names::principal_view(snapshot, request.principal)),
        privilege: asked.privilege,
        scope: what.to_owned(),
        conditions: asked.conditions,
        approvals: asked.approvals,
        duration_seconds: asked.duration_seconds,
        reason: asked.reason,
    })
}

/// As commands take it.
fn called(who: &PrincipalView) -> String {
    if who.kind == "person" { who.name.clone() } else { format!("{}:{}", who.kind, who.name) }
}

/// The remedies in words. Of a thing the reader may not know of they say no more than the reader said.
pub(crate) fn remedies(snapshot: &Snapshot, decision: &Decision, known: bool, what: &str) -> Vec<RemedyView> {
    let one = |remedy: &Remedy| match remedy {
        Remedy::Grant { privilege, .. } if !known => RemedyView {
            kind: "grant".to_owned(),
            text: format!(
                "Hold a grant of {privilege} on {what}. Somebody who governs can give or request it."
            ),
            command: None,
        },
        other => words::remedy(other, snapshot),
    };
    decision.remedies.iter().map(one).collect()
}

/// With the best that a sign-in and a device can be: what is left to deny lies in grants and guardrails.
pub(crate) fn at_best(mut facts: Facts) -> Facts {
    Arc::make_mut(&mut facts.session).binding = Binding::Dpop;
    facts.device = DeviceFacts { managed: true, compliant: true, confidence: Confidence::Managed };
    facts
}

/// Where a page of candidates begins.
pub(crate) fn position(after: Option<&str>) -> Result<usize, Problem> {
    let after = after.map(str::parse::<usize>).transpose();
    Ok(after.map_err(|_| Problem::malformed("`after` is what `next` of the page before said"))?.unwrap_or(0))
}

/// What somebody may do now or at another moment.
pub(crate) async fn what_can(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: WhatCanRequest,
) -> Result<Allowed<WhatCanAnswer>, Problem> {
    let at = access::moment(plane, request.at)?;
    let limit = usize::try_from(ops::page(request.limit)?).unwrap_or(usize::MAX);
    let from = position(request.after.as_deref())?;
    let action = request.action.as_deref().map(question::action).transpose()?;
    let mine = caller.who.principal();
    let principal = request.principal.as_deref().map(|name| names::principal(&plane.snapshot(), name));
    // Somebody unknown is denied like somebody else; only who may ask about others hears of it.
    let own = principal.as_ref().is_none_or(|found| found.as_ref().is_ok_and(|it| *it == mine));
    let asking = if own { Action::ReadSelf } else { Action::ReadAccess };
    let summary = Summary::default().with("what", "what-can").with(
        "principal",
        plane.pseudonym(principal.as_ref().and_then(|it| it.as_ref().ok().copied()).unwrap_or(mine)),
    );
    let (request, pass) = plane.permit(caller, asking, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async move {
        let principal = principal.transpose()?.unwrap_or(mine);
        let snapshot = access::snapshot_at(plane, at).await?;
        let circumstances = CanRequest {
            environment: request.environment.clone(),
            network: request.network.clone(),
            strength: Some(3),
            ..CanRequest::default()
        };
        let pairs = pairs(&snapshot, principal, action);
        let mut answer = WhatCanAnswer {
            principal: names::principal_view(&snapshot, principal),
            allowed: Vec::new(),
            considered: 0,
            next: None,
            revision: snapshot.revision(),
        };
        for (place, (action, resource)) in pairs.into_iter().enumerate().skip(from) {
            if answer.allowed.len() == limit || place - from == DECIDED_MAX {
                answer.next = Some(place.to_string());
                break;
            }
            let (environment, endpoint) =
                access::reached(&snapshot, caller, resource, request.environment.clone());
            let facts = access::facts(caller, &circumstances, at, environment, endpoint)?;
            let asked = Request { principal, action, resource, facts: at_best(facts) };
            let decision = plane.would(&snapshot, &asked);
            answer.considered += 1;
            if decision.is_allow() {
                answer.allowed.push(WhatCanRow {
                    action,
                    privilege: action.privilege(),
                    resource: names::resource_view(&snapshot, resource),
                    environment: asked.facts.environment.to_string(),
                    grant: decision.grant,
                    until: decision.grant.and_then(|id| snapshot.grant(id)).map(|grant| grant.not_after),
                });
            }
        }
        Ok(answer)
    })
    .await
}

/// Everything worth deciding, in order of actions and names.
fn pairs(snapshot: &Snapshot, principal: PrincipalRef, action: Option<Action>) -> Vec<(Action, ResourceRef)> {
    let wanted = Action::ALL.into_iter().filter(|each| match action {
        Some(action) => *each == action,
        // What everybody may do with their own account is no news.
        None => each.privilege() != modelward_decision::vocabulary::Privilege::SelfService,
    });
    let mut pairs = Vec::new();
    for action in wanted {
        let kinds = action.resources().iter();
        let mut near: Vec<ResourceRef> =
            kinds.flat_map(|kind| search::resources(snapshot, principal, action, *kind, None)).collect();
        near.sort_by_cached_key(|resource| names::resource_view(snapshot, *resource).name);
        pairs.extend(near.into_iter().map(|resource| (action, resource)));
    }
    pairs
}
