//! Who somebody of elsewhere is here: said by a person who manages people, or by the owner, and by nobody else.

use std::sync::Arc;

use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{Action, PersonId, PrincipalRef, ResourceRef, SessionId};
use modelward_enforcement::Summary;
use modelward_identity::Strength;
use modelward_identity::federation::{Identity, Link};
use modelward_store::StateChange;

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::ops::{self, people};
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};
use crate::turn::{Changed, Settled};
use crate::wire::{ErrorCode, IdentitiesChanged, IdentityRequest, IdentityView, List, StrangerView};

const IDENTITIES_MAX: usize = 16;

/// People who proved who they are elsewhere and are nobody here.
pub(crate) async fn strangers(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<StrangerView>>, Problem> {
    let summary = Summary::default().with("what", "strangers");
    let ((), pass) = plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let seen = plane.store.sightings().await?;
        let items = seen
            .into_iter()
            .map(|sighting| StrangerView {
                issuer: issuer_name(plane, &sighting.identity),
                subject: sighting.identity.subject,
                name: sighting.name,
                email: sighting.email,
                seen_at: sighting.seen_at,
            })
            .collect();
        Ok(List { items, revision: plane.snapshot().revision() })
    })
    .await
}

pub(crate) async fn identities(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    person: &str,
) -> Result<Allowed<List<IdentityView>>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary =
        Summary::default().with("what", "identities").with("person", people::known_as(plane, person));
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let snapshot = plane.snapshot();
        let id = people::person_named(&snapshot, person)?;
        Ok(List { items: views(plane, id).await?, revision: snapshot.revision() })
    })
    .await
}

/// Links an identity to somebody who has no way to sign in yet. Whoever has one links further ones themselves: else
/// whoever manages people could sign in as anybody.
pub(crate) async fn link(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    person: &str,
    request: IdentityRequest,
) -> Result<Allowed<IdentitiesChanged>, Problem> {
    let summary = Summary::default().with("what", "link").with("person", people::known_as(plane, person));
    let (request, pass) =
        plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let identity = identity(plane, &request)?;
        let id = people::person_named(&plane.snapshot(), person)?;
        let has_own = plane.store.credential(id).await?.is_some();
        if has_own || !plane.store.links_of(id).await?.is_empty() {
            return Err(Problem::new(ErrorCode::Conflict, "this person has a way to sign in already")
                .hint("they link another identity themselves, on the page of their sessions"));
        }
        let settled = make(plane, caller, id, identity).await?;
        changed(plane, id, 0, settled.revision).await
    })
    .await
}

/// Links who the caller is elsewhere to who they are here: they just proved both.
pub(super) async fn link_own(
    plane: &Arc<ControlPlane>,
    caller: Option<&Caller>,
    (person, session): (PersonId, SessionId),
    identity: &Identity,
) -> Result<(), Problem> {
    let same = |caller: &&Caller| {
        caller.who.principal() == PrincipalRef::Person(person) && caller.who.session().id == session
    };
    let caller = caller.filter(same).ok_or_else(|| {
        Problem::new(ErrorCode::Refused, "the session that wanted to link an identity is another one")
            .hint("sign in and begin again from the page of your sessions")
    })?;
    if caller.who.session().strength < Strength::TwoFactors.level() {
        return Err(Problem::new(ErrorCode::Refused, "linking takes a sign-in with two factors")
            .hint("sign in with both factors and begin again"));
    }
    let summary = Summary::default().with("what", "link");
    let (identity, pass) =
        plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, identity.clone()).await?;
    let done = pass.carry_out(async { make(plane, caller, person, identity).await.map(drop) }).await?;
    done.release(|()| Ok(Vec::new())).map(drop)
}

async fn make(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    person: PersonId,
    identity: Identity,
) -> Result<Settled, Problem> {
    let turn = plane.turn().await?;
    if let Some(known) = plane.store.link(&identity).await? {
        let words = if known.person == person { "this person" } else { "somebody else" };
        return Err(Problem::new(ErrorCode::Conflict, format!("this identity is linked to {words} already")));
    }
    if plane.store.links_of(person).await?.len() >= IDENTITIES_MAX {
        return Err(Problem::new(
            ErrorCode::Conflict,
            format!("nobody has more than {IDENTITIES_MAX} identities"),
        ));
    }
    let name = turn.state().person(person).map(|person| person.name.to_string()).unwrap_or_default();
    let lines = vec![format!("{name} is {identity}")];
    let link = Link { identity: identity.clone(), person, linked_at: plane.now() };
    let changes = vec![StateChange::Link(Box::new(link))];
    let actor = Some(caller.who.principal());
    let settled = turn.make(Changed { actor, what: "link-identity", lines, changes }).await?;
    plane.store.forget_sighting(&identity).await?;
    Ok(settled)
}

/// Takes an identity away, and ends the sessions that rest on it.
pub(crate) async fn unlink(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    person: &str,
    request: IdentityRequest,
) -> Result<Allowed<IdentitiesChanged>, Problem> {
    let summary = Summary::default().with("what", "unlink").with("person", people::known_as(plane, person));
    let (request, pass) =
        plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let id = people::person_named(&plane.snapshot(), person)?;
        let turn = plane.turn().await?;
        // Also one of an issuer that the configuration no longer names: by its URL, as it is shown.
        let links = plane.store.links_of(id).await?;
        let identity = links
            .into_iter()
            .map(|link| link.identity)
            .find(|known| known.subject == request.subject && issuer_name(plane, known) == request.issuer)
            .ok_or_else(|| Problem::not_found("identity", &request.subject))?;
        let sessions = plane
            .store
            .sessions_from(&identity.issuer, Some(&identity.subject), None, modelward_store::PAGE_MAX)
            .await?;
        let name = turn.state().person(id).map(|person| person.name.to_string()).unwrap_or_default();
        let bump = Bump::new(Some(caller.who.principal()), Cause::Unlinked)
            .of_each(sessions.iter().map(|session| EpochScope::Session(session.record.id)))
            .line(format!("{name} is no longer {identity}; {} sessions ended", sessions.len()))
            .along(StateChange::Unlink(Box::new(identity)));
        let bumped = turn.bump(bump).await?;
        changed(plane, id, bumped.sessions, bumped.settled.revision).await
    })
    .await
}

async fn changed(
    plane: &ControlPlane,
    person: PersonId,
    sessions_ended: u64,
    revision: u64,
) -> Result<IdentitiesChanged, Problem> {
    Ok(IdentitiesChanged { identities: views(plane, person).await?, sessions_ended, revision })
}

async fn views(plane: &ControlPlane, person: PersonId) -> Result<Vec<IdentityView>, Problem> {
    let links = plane.store.links_of(person).await?;
    let view = |link: Link| IdentityView {
        issuer: issuer_name(plane, &link.identity),
        subject: link.identity.subject,
        linked_at: link.linked_at,
    };
    Ok(links.into_iter().map(view).collect())
}

fn identity(plane: &ControlPlane, request: &IdentityRequest) -> Result<Identity, Problem> {
    let issuer = plane.federation.issuer(&request.issuer)?;
    Identity::new(&issuer.trusted.url, &request.subject)
        .map_err(|error| Problem::malformed(error.to_string()))
}

/// How the configuration calls an issuer, or else its URL.
fn issuer_name(plane: &ControlPlane, identity: &Identity) -> String {
    let known = plane.federation.issuers().find(|issuer| issuer.trusted.url.as_str() == identity.issuer);
    known.map_or_else(|| identity.issuer.clone(), |issuer| issuer.trusted.name.to_string())
}
