//! Refresh handles: given for a session, used up for a token and the next one, and what happens when one comes back.

use std::sync::Arc;

use http::request::Parts;
use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{Action, ResourceRef};
use modelward_enforcement::Summary;
use modelward_identity::Rights;
use modelward_identity::refresh::{self, Family, Handle, HandleRefusal, Presented};
use modelward_identity::token::{Ask, ExchangeRefusal, Held};
use modelward_store::refresh::Found;

use super::{
    Refused, actions, asked, held, mint, models, profile, refusal, rights, scope, seconds_until, subject,
};
use crate::caller::{self, Caller, Visit};
use crate::control::{Allowed, ControlPlane};
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};
use crate::wire::{Secret, TokenRequest, TokenResponse};

/// Gives the first handle of a family for a session (RFC 8693 section 2.1, `requested_token_type`).
pub(super) async fn begin(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    parts: &Parts,
    request: &TokenRequest,
) -> Result<Allowed<TokenResponse>, Refused> {
    let ask = asked(plane, request)?;
    let (secret, kind) = subject(request)?;
    if kind != TokenRequest::SUBJECT_SESSION || request.actor_token.is_some() {
        let message = format!("a refresh handle is given for a {} alone", TokenRequest::SUBJECT_SESSION);
        return Err(Refused::new("invalid_request", message));
    }
    let Some(held) = held(plane, visit, parts, &ask.rights)? else {
        let message =
            "a refresh handle is bound to its holder: prove a key (DPoP) or show a client certificate";
        return Err(Refused::new("invalid_request", message));
    };
    let (caller, _) = caller::session(plane, visit, secret.expose()).await?;
    let summary = summary("refresh-handle", &ask.rights);
    let (ask, pass) = plane.permit(&caller, Action::SignIn, ResourceRef::Platform, summary, ask).await?;
    let given = pass
        .carry_out(async {
            let now = plane.now();
            let session = caller.session.as_deref().ok_or_else(Problem::unauthenticated)?;
            let plan = (ask.profile, ask.client.clone());
            let (handle, family) = refresh::begin(session, &ask.rights, plan, held, &*plane.ids, now)
                .ok_or_else(|| refusal(&ExchangeRefusal::NothingLeft))?;
            plane.store.begin_refresh(&family, &handle.digest()).await?;
            let rights = family.rights();
            Ok(TokenResponse {
                access_token: Secret::new(handle.expose().as_str()),
                issued_token_type: TokenRequest::REFRESH_TOKEN.to_owned(),
                token_type: "N_A".to_owned(),
                expires_in: seconds_until(family.ends_at, now),
                scope: scope(&rights),
                privileges: rights.privileges.iter().copied().collect(),
                models: models(&rights),
                actions: actions(&rights),
                refresh_token: None,
            })
        })
        .await?;
    Ok(given)
}

/// A token for a handle, and the next handle.
pub(super) async fn refresh(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    parts: &Parts,
    request: &TokenRequest,
) -> Result<Allowed<TokenResponse>, Refused> {
    let text = presented(request)?;
    let refused = |why: HandleRefusal| {
        let problem = visit.unauthenticated(plane, &why.to_string());
        Problem { message: why.to_string(), ..problem }
    };
    let handle = Handle::parse(text.expose()).map_err(refused)?;
    let found = plane.store.refresh_handle(&handle.digest()).await.map_err(Problem::from)?;
    let found = found.ok_or_else(|| refused(HandleRefusal::Unknown))?;
    if profile(plane, request)?.is_some_and(|asked| asked != found.family.profile) {
        return Err(Refused::new("invalid_target", "the refresh handle is for another audience"));
    }
    let rights = rights(plane, request)?.unwrap_or_else(|| found.family.rights());
    let held = held(plane, visit, parts, &rights)?;
    if found.ended_at.is_some() {
        return Err(refused(HandleRefusal::Ended).into());
    }
    let presented = match found.family.present(&handle, &found.handle, held, &*plane.ids, plane.now()) {
        Err(HandleRefusal::Reused) => {
            end_for_reuse(plane, &found.family).await?;
            return Err(refused(HandleRefusal::Reused).into());
        }
        other => other.map_err(refused)?,
    };
    let caller = signed_in(plane, visit, &found, held).await?.map_err(refused)?;
    let ask = Ask {
        profile: found.family.profile,
        rights,
        client: found.family.client.clone(),
        ttl: None,
        binding: Some(found.family.holder),
    };
    let summary = summary("refresh", &ask.rights);
    let (ask, pass) = plane.permit(&caller, Action::SignIn, ResourceRef::Platform, summary, ask).await?;
    let given = pass
        .carry_out(async {
            // First the token: a refusal leaves the handle as it is.
            let answer = mint(plane, &caller, None, &ask)?;
            let next = next(plane, &found.family, &handle, presented, held).await?.map_err(refused)?;
            Ok(TokenResponse { refresh_token: Some(Secret::new(next.expose().as_str())), ..answer })
        })
        .await?;
    Ok(given)
}

fn presented(request: &TokenRequest) -> Result<&Secret, Refused> {
    let invalid = |message| Refused::new("invalid_request", message);
    let is_exchange = request.subject_token.is_some()
        || request.subject_token_type.is_some()
        || request.actor_token.is_some()
        || request.actor_token_type.is_some()
        || request.requested_token_type.is_some();
    if is_exchange {
        return Err(invalid("with `grant_type=refresh_token` goes `refresh_token` alone"));
    }
    request.refresh_token.as_ref().ok_or_else(|| invalid("`refresh_token` is missing"))
}

/// Whoever holds the family, as long as the session behind it goes on. That it idles does not end it.
async fn signed_in(
    plane: &ControlPlane,
    visit: &Visit,
    found: &Found,
    held: Option<Held>,
) -> Result<Result<Caller, HandleRefusal>, Problem> {
    let session = plane.store.session(found.family.session).await?;
    let Some(session) = session.filter(|session| session.ended_at.is_none()) else {
        return Ok(Err(HandleRefusal::SignedOut));
    };
    let Some(held) = held else { return Ok(Err(HandleRefusal::Holder)) };
    let who = found.family.authenticate(&session.record, held, &plane.snapshot(), plane.now());
    let (situation, mark) = (visit.situation.clone(), visit.mark);
    Ok(who.map(|who| Caller { who, situation, mark, session: None, form_token: None }))
}

/// The handle that follows. Of two who ask at once, the second gets what the first got.
async fn next(
    plane: &ControlPlane,
    family: &Family,
    handle: &Handle,
    presented: Presented,
    held: Option<Held>,
) -> Result<Result<Handle, HandleRefusal>, Problem> {
    let (used, next) = match presented {
        Presented::Again { next } => return Ok(Ok(next)),
        Presented::Fresh { used, next } => (used, next),
    };
    if plane.store.use_refresh(family.id, &handle.digest(), &used, &next.digest()).await? {
        return Ok(Ok(next));
    }
    let found = plane.store.refresh_handle(&handle.digest()).await?;
    let Some(found) = found.filter(|found| found.ended_at.is_none()) else {
        return Ok(Err(HandleRefusal::Ended));
    };
    Ok(match family.present(handle, &found.handle, held, &*plane.ids, plane.now()) {
        Ok(Presented::Again { next }) => Ok(next),
        // Unused still: the family had too many.
        Ok(Presented::Fresh { .. }) => Err(HandleRefusal::Ended),
        Err(why) => Err(why),
    })
}

/// A handle came back after its use, so somebody has a copy: the sign-in behind it ends, with every token and stream.
async fn end_for_reuse(plane: &Arc<ControlPlane>, family: &Family) -> Result<(), Problem> {
    tracing::warn!(family = %family.id, session = %family.session, "a refresh handle was used twice");
    let bump = Bump::new(None, Cause::RefreshReused)
        .of(EpochScope::Session(family.session))
        .line(format!("a refresh handle of session {} came back after its use", family.session));
    plane.turn().await?.bump(bump).await?;
    // The family last: as long as it goes on, whoever comes again meets the same.
    plane.store.end_refresh(family.id, plane.now()).await?;
    Ok(())
}

fn summary(what: &'static str, rights: &Rights) -> Summary {
    Summary::default().with("what", what).with("privileges", scope(rights))
}
