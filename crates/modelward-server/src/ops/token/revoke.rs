//! Revocation by whoever has the token (RFC 7009): found in a log or left behind by a program, it is ended the same way.

use std::sync::Arc;

use modelward_decision::EpochScope;
use modelward_identity::refresh::Handle;

use super::{Refused, inspect};
use crate::control::ControlPlane;
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};
use crate::wire::{RevokeTokenRequest, TokenRevoked};

/// Ends a token, or a refresh handle with all that follow from it. The answer is the same whether there was one.
pub(crate) async fn revoke(
    plane: &Arc<ControlPlane>,
    request: &RevokeTokenRequest,
) -> Result<TokenRevoked, Refused> {
    let token = request.token.expose();
    if let Ok(handle) = Handle::parse(token) {
        end_handle(plane, &handle).await?;
    } else if let Some((found, _)) = inspect(plane, token)
        && let Some(id) = found.token()
    {
        let bump = Bump::new(Some(found.principal()), Cause::TokenRevoked)
            .of(EpochScope::Token(id))
            .line(format!("token {id} ended by whoever had it"));
        plane.turn().await?.bump(bump).await?;
    }
    Ok(TokenRevoked {})
}

async fn end_handle(plane: &Arc<ControlPlane>, handle: &Handle) -> Result<(), Refused> {
    let found = plane.store.refresh_handle(&handle.digest()).await.map_err(Problem::from)?;
    let now = plane.now();
    let Some(found) = found.filter(|found| found.ended_at.is_none() && now < found.family.ends_at) else {
        return Ok(());
    };
    let family = found.family;
    // No epoch goes up: the handles count no more, and the tokens they gave end in minutes.
    let line =
        format!("refresh handles {} of session {} ended by whoever had one", family.id, family.session);
    let bump = Bump::new(Some(family.principal), Cause::RefreshRevoked).line(line);
    plane.turn().await?.bump(bump).await?;
    plane.store.end_refresh(family.id, now).await.map_err(Problem::from)?;
    Ok(())
}
