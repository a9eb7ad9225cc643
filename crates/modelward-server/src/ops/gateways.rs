//! Gateways: letting them in, seeing how they are doing, removing them.

use std::sync::Arc;

use modelward_decision::vocabulary::{Action, Name, ResourceRef};
use modelward_enforcement::Summary;
use modelward_identity::join::{JOIN_LIFE, JoinCode};
use modelward_store::gateway::GatewayInvitation;

use super::keys::record;
use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::problem::Problem;
use crate::wire::{
    ErrorCode, GatewayInvited, GatewayView, GatewaysChanged, InviteGatewayRequest, List, Secret,
};

pub(crate) async fn list(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<GatewayView>>, Problem> {
    let summary = Summary::default().with("what", "gateways");
    let ((), pass) =
        plane.permit(caller, Action::ReadConfiguration, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async { Ok(List { items: views(plane).await?, revision: plane.snapshot().revision() }) })
        .await
}

pub(crate) async fn invite(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: InviteGatewayRequest,
) -> Result<Allowed<GatewayInvited>, Problem> {
    let summary = Summary::default().with("what", "invite-gateway").with("gateway", request.name.as_str());
    let (request, pass) =
        plane.permit(caller, Action::ManageKeys, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let Some(authority) = &plane.gateways.authority else {
            return Err(Problem::new(ErrorCode::Refused, "this control plane has no address for gateways")
                .hint("set `planes.listen` and start it again"));
        };
        let now = plane.now();
        let code = JoinCode::new(authority.digest(), &*plane.ids);
        let expires_at = now.checked_add(JOIN_LIFE).unwrap_or(now);
        let invitation = GatewayInvitation {
            id: plane.ids.uuid().to_string(),
            name: request.name.clone(),
            invited_by: caller.who.principal(),
            invited_at: now,
            code_hash: code.digest(),
            code_until: expires_at,
        };
        // First the record: what lets somebody in does not overtake it.
        record(plane, caller, "invite-gateway", request.name.as_str()).await?;
        if !plane.store.invite_gateway(&invitation).await? {
            let message = format!("there is a gateway `{}` already", request.name);
            return Err(
                Problem::new(ErrorCode::Conflict, message).hint("remove it first, or take another name")
            );
        }
        let code = Secret::new(code.expose().as_str());
        Ok(GatewayInvited { code, name: request.name, expires_at })
    })
    .await
}

pub(crate) async fn remove(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<GatewaysChanged>, Problem> {
    let summary = Summary::default().with("what", "remove-gateway").with("gateway", name);
    let (name, pass) = plane.permit(caller, Action::ManageKeys, ResourceRef::Platform, summary, name).await?;
    pass.carry_out(async {
        let unknown = || Problem::not_found("gateway", name);
        let parsed: Name = name.parse().map_err(|_| unknown())?;
        let removed = plane.store.remove_gateway(&parsed, plane.now()).await?.ok_or_else(unknown)?;
        plane.gateways.removed(&removed.id);
        record(plane, caller, "remove-gateway", name).await?;
        Ok(GatewaysChanged { gateways: views(plane).await? })
    })
    .await
}

pub(crate) async fn views(plane: &ControlPlane) -> Result<Vec<GatewayView>, Problem> {
    let now = plane.now();
    let views = plane.store.gateways().await?.into_iter().map(|gateway| {
        let doing = plane.gateways.doing(&gateway, now);
        GatewayView {
            id: gateway.id,
            name: gateway.name,
            state: doing.state,
            revision: doing.revision,
            behind: doing.behind,
            seen_at: doing.seen_at,
            invited_at: gateway.invited_at,
            enrolled_at: gateway.enrolled_at,
        }
    });
    Ok(views.collect())
}
