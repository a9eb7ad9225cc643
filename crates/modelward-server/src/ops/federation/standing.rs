//! Which issuers there are, how far each is trusted, and ending that at once.

use std::sync::Arc;

use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{Action, ResourceRef};
use modelward_enforcement::Summary;
use modelward_identity::federation::Standing;
use modelward_store::StateChange;

use super::sign_in::mappings;
use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::federation::Issuer;
use crate::ops;
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};
use crate::turn::Changed;
use crate::wire::{GroupMappingView, IssuerChanged, IssuerView, List, WorkloadView};

pub(crate) async fn issuers(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<IssuerView>>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = Summary::default().with("what", "issuers");
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let mut items = Vec::new();
        for issuer in plane.federation.issuers() {
            items.push(view(plane, issuer).await?);
        }
        Ok(List { items, revision: plane.snapshot().revision() })
    })
    .await
}

pub(crate) async fn issuer(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<IssuerView>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = Summary::default().with("what", "issuer");
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async { view(plane, plane.federation.issuer(name)?).await }).await
}

/// From now on nothing of the issuer counts, and everything that rests on it ends.
pub(crate) async fn distrust(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<IssuerChanged>, Problem> {
    let summary = Summary::default().with("what", "distrust").with("issuer", known_as(plane, name));
    let ((), pass) = plane.permit(caller, Action::ManageKeys, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let issuer = Arc::clone(plane.federation.issuer(name)?);
        let standing =
            Standing { issuer: issuer.trusted.url.as_str().to_owned(), distrusted_at: Some(plane.now()) };
        let mut distrust = Some(StateChange::Issuer(Box::new(standing)));
        let mut sessions_ended = 0;
        // The standing is in force with the first round, so nothing new comes after the last.
        let revision = loop {
            let url = issuer.trusted.url.as_str();
            let sessions = plane.store.sessions_from(url, None, None, modelward_store::PAGE_MAX).await?;
            let ids: Vec<_> = sessions.iter().map(|session| session.record.id).collect();
            let bump = Bump::new(Some(caller.who.principal()), Cause::Distrusted)
                .of_each(ids.iter().copied().map(EpochScope::Session))
                .line(format!("{name} is distrusted; {} sessions ended", ids.len()));
            let bump = distrust.take().into_iter().fold(bump, Bump::along);
            let bumped = plane.turn().await?.bump(bump).await?;
            sessions_ended += bumped.sessions;
            if ids.is_empty() || ids.len() < modelward_store::PAGE_MAX as usize {
                break bumped.settled.revision;
            }
        };
        plane.federation.forget(&issuer).await;
        Ok(IssuerChanged { issuer: view(plane, &issuer).await?, sessions_ended, revision })
    })
    .await
}

/// What the issuer says counts again. Nobody is signed in by that.
pub(crate) async fn trust(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<IssuerChanged>, Problem> {
    let summary = Summary::default().with("what", "trust").with("issuer", known_as(plane, name));
    let ((), pass) = plane.permit(caller, Action::ManageKeys, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let issuer = Arc::clone(plane.federation.issuer(name)?);
        let standing = Standing { issuer: issuer.trusted.url.as_str().to_owned(), distrusted_at: None };
        let changed = Changed {
            actor: Some(caller.who.principal()),
            what: "trust-issuer",
            lines: vec![format!("{name} is trusted again")],
            changes: vec![StateChange::Issuer(Box::new(standing))],
        };
        let settled = plane.turn().await?.make(changed).await?;
        let issuer = view(plane, &issuer).await?;
        Ok(IssuerChanged { issuer, sessions_ended: 0, revision: settled.revision })
    })
    .await
}

/// How the ledger calls an issuer: a name nobody configured is the caller's to choose, so it does not stand there.
fn known_as(plane: &ControlPlane, name: &str) -> String {
    let known = plane.federation.issuer(name);
    known.map_or_else(|_| "nobody known".to_owned(), |issuer| issuer.trusted.name.to_string())
}

async fn view(plane: &ControlPlane, issuer: &Issuer) -> Result<IssuerView, Problem> {
    let trusted = &issuer.trusted;
    let snapshot = plane.snapshot();
    let (keys, keys_seen_at) = plane.federation.keys_at_hand(issuer, plane.now()).await;
    let standing = plane.store.issuer_standing(trusted.url.as_str()).await?;
    let sessions =
        plane.store.sessions_from(trusted.url.as_str(), None, None, modelward_store::PAGE_MAX).await?;
    let now = plane.now();
    let live = sessions.iter().filter(|session| now < session.record.ends_at()).count();
    let mapped = mappings(&snapshot)?.mappings.into_iter();
    let workloads = plane.federation.workloads().iter();
    Ok(IssuerView {
        name: trusted.name.clone(),
        title: trusted.title.clone(),
        url: trusted.url.as_str().to_owned(),
        distrusted_at: standing.and_then(|said| said.distrusted_at),
        console: trusted.console_client.is_some(),
        cli: trusted.cli_client.is_some(),
        privileges: trusted.tier.privileges.iter().copied().collect(),
        group_prefix: trusted.tier.group_prefix.clone(),
        acr: trusted.tier.acr.iter().map(|(acr, worth)| format!("{acr}={}", worth.acr())).collect(),
        algorithms: trusted.algorithms.iter().map(|algorithm| algorithm.to_string()).collect(),
        keys,
        keys_seen_at,
        mappings: mapped
            .filter(|mapping| mapping.provider == trusted.name)
            .map(|mapping| GroupMappingView {
                counts: trusted.may_give(mapping.group.as_str())
                    && snapshot.group_named(mapping.group.as_str()).is_some(),
                external: mapping.external,
                group: mapping.group,
            })
            .collect(),
        workloads: workloads
            .filter(|rule| rule.issuer == trusted.name)
            .map(|rule| WorkloadView {
                name: rule.name.clone(),
                machine: rule.machine.clone(),
                claims: rule.claims.iter().map(ToString::to_string).collect(),
                audience: trusted.workload_audience.clone(),
                life_max_seconds: rule.life_max.as_secs().unsigned_abs(),
            })
            .collect(),
        sessions: u64::try_from(live).unwrap_or(u64::MAX),
    })
}
