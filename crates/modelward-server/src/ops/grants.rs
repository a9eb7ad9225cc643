//! Grants: seeing them, giving one directly while that is possible, ending one.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::grant::{Grant, Origin};
use modelward_decision::vocabulary::{Action, GrantId, GranteeRef, PrincipalRef, ResourceRef};
use modelward_decision::{EpochScope, Snapshot};
use modelward_enforcement::Summary;
use modelward_governance::grants::{self as rules, Giver, Reason};
use modelward_store::StateChange;
use modelward_store::grants::{GrantRecord, GrantsOf};

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};
use crate::turn::Changed;
use crate::wire::{
    ErrorCode, GrantFilter, GrantRequest, GrantState, GrantView, Granted, OriginView, Page, RevokeEffect,
    RevokeRequest, Revoked, Whose,
};
use crate::{names, ops, words};

/// Grants looked at for one page, so that a rare filter cannot keep the database busy.
const LOOKED_MAX: usize = 20_000;

pub(crate) fn view(plane: &ControlPlane, snapshot: &Snapshot, grant: &Grant, state: GrantState) -> GrantView {
    let origin = match &grant.origin {
        Origin::Bootstrap { by } => OriginView {
            kind: "bootstrap".to_owned(),
            by: Some(names::grantee_view(snapshot, GranteeRef::Person(*by))),
            request: None,
            approvals: 0,
        },
        Origin::Request { request, approvals } => OriginView {
            kind: "request".to_owned(),
            by: None,
            request: Some(request.to_string()),
            approvals: *approvals,
        },
    };
    GrantView {
        id: grant.id,
        grantee: names::grantee_view(snapshot, grant.grantee),
        privilege: grant.privilege,
        scope: names::scope_view(snapshot, grant.scope),
        conditions: grant.conditions.clone(),
        conditions_text: words::conditions(&grant.conditions),
        not_before: grant.not_before,
        not_after: grant.not_after,
        state,
        origin,
        uses: grant.conditions.max_uses.map(|_| plane.reservations.spent(grant.id).uses),
    }
}

fn state(grant: &Grant, revoked: bool, now: Timestamp) -> GrantState {
    if revoked {
        GrantState::Revoked
    } else if now >= grant.not_after {
        GrantState::Expired
    } else if now < grant.not_before {
        GrantState::Pending
    } else {
        GrantState::Live
    }
}

/// Whether the grant is one's own: held directly, through a group, by a machine one answers for, or given by oneself.
fn concerns(snapshot: &Snapshot, grant: &Grant, principal: PrincipalRef) -> bool {
    let held = match grant.grantee {
        GranteeRef::Group(group) => names::groups_of(snapshot, principal).contains(&group),
        GranteeRef::Machine(id) => {
            principal.as_grantee() == grant.grantee
                || snapshot
                    .machine(id)
                    .is_some_and(|machine| PrincipalRef::Person(machine.owner) == principal)
        }
        GranteeRef::Person(_) => principal.as_grantee() == grant.grantee,
    };
    let given = matches!(grant.origin, Origin::Bootstrap { by } if PrincipalRef::Person(by) == principal);
    held || given
}

/// Live grants a principal holds, directly or through a group, soonest end first.
pub(crate) fn held(plane: &ControlPlane, snapshot: &Snapshot, principal: PrincipalRef) -> Vec<GrantView> {
    let now = plane.now();
    let groups = names::groups_of(snapshot, principal);
    let mut held: Vec<&Arc<Grant>> = snapshot
        .grants()
        .filter(|grant| grant.is_live(now))
        .filter(|grant| match grant.grantee {
            GranteeRef::Group(group) => groups.contains(&group),
            grantee => grantee == principal.as_grantee(),
        })
        .collect();
    held.sort_by_key(|grant| (grant.not_after, grant.id));
    held.into_iter().map(|grant| view(plane, snapshot, grant, GrantState::Live)).collect()
}

/// Whose grants a caller asks about when it does not say: everybody's for those who may see them.
fn whose(plane: &ControlPlane, caller: &Caller, asked: Option<Whose>) -> Whose {
    asked.unwrap_or_else(|| {
        let all = [Action::ReadAccess, Action::ReadConfiguration]
            .into_iter()
            .any(|action| plane.may(caller, action, ResourceRef::Platform));
        if all { Whose::All } else { Whose::Me }
    })
}

pub(crate) async fn list(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    filter: GrantFilter,
) -> Result<Allowed<(Page<GrantView>, Whose)>, Problem> {
    let limit = ops::page(filter.limit)?;
    let whose = whose(plane, caller, filter.whose);
    let action = match whose {
        Whose::Me => Action::ReadSelf,
        Whose::All => ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration),
    };
    let (filter, pass) = plane
        .permit(caller, action, ResourceRef::Platform, Summary::default().with("what", "grants"), filter)
        .await?;
    pass.carry_out(async move {
        let snapshot = plane.snapshot();
        let wanted = Wanted::of(&snapshot, &filter, whose, caller.who.principal())?;
        let complete_to = plane.reader().position().size;
        let page = if matches!(filter.state, Some(GrantState::Revoked | GrantState::Expired)) {
            from_store(plane, &snapshot, &wanted, filter.after.as_deref(), limit).await?
        } else {
            from_snapshot(plane, &snapshot, &wanted, filter.after.as_deref(), limit)?
        };
        Ok((Page { complete_to, ..page }, whose))
    })
    .await
}

/// A filter with its names resolved.
struct Wanted {
    grantee: Option<GranteeRef>,
    scope: Option<modelward_decision::vocabulary::ScopeRef>,
    privilege: Option<modelward_decision::vocabulary::Privilege>,
    state: Option<GrantState>,
    of: Option<PrincipalRef>,
}

impl Wanted {
    fn of(
        snapshot: &Snapshot,
        filter: &GrantFilter,
        whose: Whose,
        principal: PrincipalRef,
    ) -> Result<Self, Problem> {
        let privilege = filter.privilege.as_deref().map(str::parse).transpose();
        Ok(Self {
            grantee: filter.grantee.as_deref().map(|text| names::grantee(snapshot, text)).transpose()?,
            scope: filter.scope.as_deref().map(|text| names::scope(snapshot, text)).transpose()?,
            privilege: privilege.map_err(|error: modelward_decision::vocabulary::UnknownPrivilege| {
                Problem::malformed(error.to_string())
            })?,
            state: filter.state,
            of: (whose == Whose::Me).then_some(principal),
        })
    }

    fn matches(&self, snapshot: &Snapshot, grant: &Grant, state: GrantState) -> bool {
        let in_state = match self.state {
            Some(wanted) => wanted == state,
            None => matches!(state, GrantState::Live | GrantState::Pending),
        };
        in_state
            && self.grantee.is_none_or(|grantee| grantee == grant.grantee)
            && self.scope.is_none_or(|scope| scope == grant.scope)
            && self.privilege.is_none_or(|privilege| privilege == grant.privilege)
            && self.of.is_none_or(|principal| concerns(snapshot, grant, principal))
    }
}

fn after_id(after: Option<&str>) -> Result<Option<GrantId>, Problem> {
    after
        .map(str::parse)
        .transpose()
        .map_err(|error: modelward_decision::vocabulary::IdError| Problem::malformed(error.to_string()))
}

/// What is in force stands in the snapshot already. Newest first, as ids are sorted by time.
fn from_snapshot(
    plane: &ControlPlane,
    snapshot: &Snapshot,
    wanted: &Wanted,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<GrantView>, Problem> {
    let now = plane.now();
    let after = after_id(after)?;
    let mut found: Vec<(&Arc<Grant>, GrantState)> = snapshot
        .grants()
        .map(|grant| (grant, state(grant, false, now)))
        .filter(|(grant, state)| wanted.matches(snapshot, grant, *state))
        .collect();
    found.sort_by_key(|(grant, _)| std::cmp::Reverse(grant.id));
    let total = u64::try_from(found.len()).ok();
    let mut rest =
        found.into_iter().filter(|(grant, _)| after.is_none_or(|after| grant.id < after)).peekable();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut last = None;
    while let Some((grant, state)) = rest.next_if(|_| items.len() < limit) {
        last = Some(grant.id);
        items.push(view(plane, snapshot, grant, state));
    }
    let next = rest.peek().and(last).map(|id| id.to_string());
    Ok(Page { items, next, total, complete_to: 0 })
}

/// What is over stands in the store only, oldest first.
async fn from_store(
    plane: &ControlPlane,
    snapshot: &Snapshot,
    wanted: &Wanted,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<GrantView>, Problem> {
    let now = plane.now();
    let mut after = after_id(after)?;
    let of = match (wanted.grantee, wanted.scope) {
        (Some(grantee), _) => GrantsOf::Grantee(grantee),
        (None, Some(scope)) => GrantsOf::Scope(scope),
        (None, None) => GrantsOf::Everyone,
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut page = Page { items: Vec::new(), next: None, total: None, complete_to: 0 };
    let mut looked = 0;
    loop {
        let records: Vec<GrantRecord> = plane.store.grants(of, after, modelward_store::PAGE_MAX).await?;
        let Some(last) = records.last().map(|record| record.grant.id) else { return Ok(page) };
        looked += records.len();
        for GrantRecord { grant, revoked_at, .. } in &records {
            let state = state(grant, revoked_at.is_some(), now);
            if wanted.matches(snapshot, grant, state) {
                page.items.push(view(plane, snapshot, grant, state));
            }
            if page.items.len() >= limit {
                page.next = Some(grant.id.to_string());
                return Ok(page);
            }
        }
        after = Some(last);
        if looked >= LOOKED_MAX {
            page.next = Some(last.to_string());
            return Ok(page);
        }
    }
}

async fn find(plane: &ControlPlane, id: GrantId) -> Result<GrantRecord, Problem> {
    plane.store.grant(id).await?.ok_or_else(|| Problem::not_found("grant", &id.to_string()))
}

pub(crate) async fn one(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: GrantId,
) -> Result<Allowed<GrantView>, Problem> {
    let found = plane.store.grant(id).await?;
    let snapshot = plane.snapshot();
    let own = found.as_ref().is_some_and(|found| concerns(&snapshot, &found.grant, caller.who.principal()));
    let action = if own {
        Action::ReadSelf
    } else {
        ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration)
    };
    let summary = Summary::default().with("grant", id);
    let (found, pass) = plane.permit(caller, action, ResourceRef::Platform, summary, found).await?;
    pass.carry_out(async {
        let found = found.ok_or_else(|| Problem::not_found("grant", &id.to_string()))?;
        let state = state(&found.grant, found.revoked_at.is_some(), plane.now());
        Ok(view(plane, &plane.snapshot(), &found.grant, state))
    })
    .await
}

pub(crate) async fn give(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: GrantRequest,
) -> Result<Allowed<Granted>, Problem> {
    let snapshot = plane.snapshot();
    let now = plane.now();
    let scope = names::scope(&snapshot, &request.scope)?;
    let grantee = names::grantee(&snapshot, &request.grantee)?;
    let PrincipalRef::Person(giver) = caller.who.principal() else {
        return Err(Problem::new(ErrorCode::Refused, "only a person gives grants"));
    };
    let grant = Grant {
        id: GrantId::from_uuid(plane.ids.uuid()),
        grantee,
        privilege: request.privilege,
        scope,
        conditions: request.conditions,
        not_before: request.not_before.unwrap_or(now),
        not_after: request.not_after,
        origin: Origin::Bootstrap { by: giver },
    };
    let summary = Summary::default()
        .with("grant", grant.id)
        .with("grantee", plane.pseudonym(grantee))
        .with("privilege", grant.privilege)
        .with("scope", scope)
        .with("dry_run", request.dry_run);
    let resource = names::governed(&snapshot, scope);
    let (grant, pass) = plane.permit(caller, Action::GrantAccess, resource, summary, grant).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let snapshot = Arc::clone(turn.state());
        let bootstrap = plane.bootstrap_seen(&snapshot).await?;
        rules::may_grant_directly(bootstrap, &Giver::of(giver, &snapshot), &grant, &snapshot, plane.now())?;
        let gains = u64::try_from(holders(&snapshot, grant.grantee).len()).unwrap_or(u64::MAX);
        let mut revision = None;
        if !request.dry_run {
            let changed = Changed {
                actor: Some(caller.who.principal()),
                what: "grant",
                lines: vec![line(&snapshot, &grant)],
                changes: vec![StateChange::Grant(Box::new(grant.clone()))],
            };
            revision = Some(turn.make(changed).await?.revision);
        }
        let state = state(&grant, false, plane.now());
        Ok(Granted {
            grant: view(plane, &snapshot, &grant, state),
            gains,
            dry_run: request.dry_run,
            revision,
        })
    })
    .await
}

/// A grant in one line: `analysts: inference on fraud until 2026-12-01T00:00:00Z, in production`.
fn line(snapshot: &Snapshot, grant: &Grant) -> String {
    let grantee = names::grantee_view(snapshot, grant.grantee);
    let scope = names::scope_view(snapshot, grant.scope);
    let base = format!("{}: {} on {} until {}", grantee.name, grant.privilege, scope.name, grant.not_after);
    match words::conditions(&grant.conditions) {
        Some(conditions) => format!("{base}, {conditions}"),
        None => base,
    }
}

/// Active people and machines behind a grantee.
fn holders(snapshot: &Snapshot, grantee: GranteeRef) -> BTreeSet<PrincipalRef> {
    let group = match grantee {
        GranteeRef::Person(id) => return BTreeSet::from([PrincipalRef::Person(id)]),
        GranteeRef::Machine(id) => return BTreeSet::from([PrincipalRef::Machine(id)]),
        GranteeRef::Group(group) => group,
    };
    let people =
        snapshot.people().filter(|person| person.active).map(|person| PrincipalRef::Person(person.id));
    let machines =
        snapshot.machines().filter(|machine| machine.active).map(|machine| PrincipalRef::Machine(machine.id));
    people
        .chain(machines)
        .filter(|principal| names::groups_of(snapshot, *principal).contains(&group))
        .collect()
}

/// What ending a grant would end, in numbers.
pub(crate) fn effect(plane: &ControlPlane, snapshot: &Snapshot, grant: &Grant) -> RevokeEffect {
    let now = plane.now();
    let holders = holders(snapshot, grant.grantee);
    let others: Vec<&Arc<Grant>> = snapshot
        .grants()
        .filter(|other| {
            other.id != grant.id
                && other.privilege == grant.privilege
                && other.scope == grant.scope
                && other.is_live(now)
        })
        .collect();
    let keeps = |holder: &&PrincipalRef| {
        let groups = names::groups_of(snapshot, **holder);
        others.iter().any(|other| match other.grantee {
            GranteeRef::Group(group) => groups.contains(&group),
            grantee => grantee == holder.as_grantee(),
        })
    };
    RevokeEffect {
        principals: u64::try_from(holders.len()).unwrap_or(u64::MAX),
        keep_by_other_grants: u64::try_from(holders.iter().filter(keeps).count()).unwrap_or(u64::MAX),
        streams: plane.enforcer().streams_under(grant.id),
    }
}

/// Whether a caller would give the grant back rather than revoke it.
fn is_holder(grant: &Grant, principal: PrincipalRef) -> bool {
    grant.grantee == principal.as_grantee()
}

pub(crate) async fn revoke(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: GrantId,
    request: RevokeRequest,
) -> Result<Allowed<Revoked>, Problem> {
    let found = find(plane, id).await;
    let snapshot = plane.snapshot();
    let principal = caller.who.principal();
    let (action, resource) = match &found {
        Ok(found) if is_holder(&found.grant, principal) => (Action::DropGrant, ResourceRef::Platform),
        Ok(found) => (Action::RevokeAccess, names::governed(&snapshot, found.grant.scope)),
        Err(_) => (Action::RevokeAccess, ResourceRef::Platform),
    };
    let summary = Summary::default().with("grant", id).with("dry_run", request.dry_run);
    let (found, pass) = plane.permit(caller, action, resource, summary, found).await?;
    pass.carry_out(async {
        let found = found?;
        let now = plane.now();
        let snapshot = plane.snapshot();
        if found.revoked_at.is_some() {
            return Err(Problem::new(ErrorCode::Conflict, "the grant was revoked before"));
        }
        let reason = if request.reason.trim().is_empty() { "no reason was given" } else { &request.reason };
        let reason = Reason::new(reason)?;
        let grant = found.grant;
        let revocation = match action {
            Action::DropGrant => rules::drop_own(&grant, principal, &snapshot, reason, now)?,
            _ => rules::revoke(&grant, principal, reason, now)?,
        };
        let effect = effect(plane, &snapshot, &grant);
        if request.dry_run {
            let grant = view(plane, &snapshot, &grant, state(&grant, false, now));
            return Ok(Revoked { grant, effect, dry_run: true, revision: None, time_to_enforce_ms: None });
        }
        let cause = if action == Action::DropGrant { Cause::Dropped } else { Cause::Revoked };
        let bump = Bump::new(Some(principal), cause)
            .of(EpochScope::Grant(id))
            .line(line(&snapshot, &grant))
            .because(&revocation.reason);
        let settled = plane.turn().await?.bump(bump).await?.settled;
        Ok(Revoked {
            grant: view(plane, &snapshot, &grant, GrantState::Revoked),
            effect,
            dry_run: false,
            revision: Some(settled.revision),
            time_to_enforce_ms: Some(settled.enforced_after.as_secs_f64() * 1000.0),
        })
    })
    .await
}
