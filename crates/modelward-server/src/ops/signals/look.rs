//! What was received, what stands, who tells, and lifting what stands.

use std::sync::Arc;

use modelward_decision::Snapshot;
use modelward_decision::signal::{About, Raised};
use modelward_decision::vocabulary::{Action, Privilege, ResourceRef, SessionId};
use modelward_enforcement::Summary;
use modelward_store::StateChange;

use super::follow;
use super::transmitter;
use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::federation::Issuer;
use crate::problem::Problem;
use crate::turn::Changed;
use crate::wire::{
    ErrorCode, LiftRequest, List, ReceivedView, ResponseView, SignalLifted, StandingView, TransmitterView,
};
use crate::{names, ops};

/// Events shown at once.
const SHOWN: u32 = 200;

pub(crate) async fn received(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<ReceivedView>>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = Summary::default().with("what", "signals received");
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let rows = plane.store.received(None, SHOWN).await?;
        let items = rows.into_iter().map(|(number, event)| ReceivedView {
            number,
            at: event.at,
            transmitter: event.transmitter,
            event: event.event,
            about: event.about,
            happened_at: event.happened_at,
            effect: event.effect,
            reason: event.reason,
        });
        Ok(List { items: items.collect(), revision: plane.snapshot().revision() })
    })
    .await
}

/// What stands against somebody now, the newest first.
pub(crate) async fn standing(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<StandingView>>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = Summary::default().with("what", "signals");
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let snapshot = plane.snapshot();
        let now = plane.now();
        let mut standing: Vec<_> = snapshot.raised().filter(|raised| raised.counts(now)).collect();
        standing.sort_by_key(|raised| std::cmp::Reverse(raised.raised_at));
        let items = standing.into_iter().map(|raised| view(&snapshot, raised)).collect();
        Ok(List { items, revision: snapshot.revision() })
    })
    .await
}

fn view(snapshot: &Snapshot, raised: &Raised) -> StandingView {
    let (about, bundle) = match raised.what.about {
        About::Principal(principal) => {
            (names::principal_view(snapshot, principal).name, snapshot.bundle_for(principal))
        }
        About::Session(session) => (session.to_string(), snapshot.bundle()),
    };
    let signal = &raised.what.signal;
    let table = bundle.signals();
    let response = |privilege: Privilege| {
        let response = table?.response(signal.as_str(), privilege)?;
        Some(ResponseView { privilege, response: response.as_str().to_owned() })
    };
    StandingView {
        about,
        signal: signal.clone(),
        title: table
            .and_then(|table| table.signals.get(signal))
            .map_or_else(|| "the policy in force says nothing of it".to_owned(), |row| row.title.clone()),
        raised_at: raised.raised_at,
        until: raised.until,
        by: raised.by.clone(),
        responses: Privilege::ALL.into_iter().filter_map(response).collect(),
    }
}

pub(crate) async fn transmitters(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<TransmitterView>>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = Summary::default().with("what", "transmitters");
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let mut items = Vec::new();
        for issuer in plane.federation.issuers() {
            if issuer.trusted.signals.is_some() {
                items.push(one(plane, issuer).await?);
            }
        }
        Ok(List { items, revision: plane.snapshot().revision() })
    })
    .await
}

/// Asks a transmitter for a sign of life.
pub(crate) async fn verify(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<TransmitterView>, Problem> {
    let summary = Summary::default().with("what", "verify transmitter");
    let ((), pass) = plane.permit(caller, Action::ManageKeys, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let issuer = Arc::clone(plane.federation.issuer(name)?);
        transmitter(&issuer)?;
        follow::ask(plane, &issuer).await?;
        one(plane, &issuer).await
    })
    .await
}

async fn one(plane: &ControlPlane, issuer: &Issuer) -> Result<TransmitterView, Problem> {
    let trusted = &issuer.trusted;
    let transmitter = transmitter(issuer)?;
    let heard_at = plane.store.last_received(trusted.name.as_str()).await?;
    let stream = transmitter.stream.as_ref();
    let standing = plane.store.issuer_standing(trusted.url.as_str()).await?;
    Ok(TransmitterView {
        name: trusted.name.clone(),
        title: trusted.title.clone(),
        url: trusted.url.as_str().to_owned(),
        audience: transmitter.audience.clone(),
        push_url: format!("{}/api/v1/issuers/{}/events", plane.settings.external_url, trusted.name),
        polled: stream.is_some_and(|stream| stream.poll.is_some()),
        heard_at,
        silent: stream.is_some_and(|stream| follow::is_silent(stream, heard_at, plane.now())),
        distrusted_at: standing.and_then(|said| said.distrusted_at),
    })
}

/// A signal stands no more against somebody. Nobody does that for themselves.
pub(crate) async fn lift(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: LiftRequest,
) -> Result<Allowed<SignalLifted>, Problem> {
    let summary = Summary::default().with("signal", request.signal.as_str());
    let (request, pass) =
        plane.permit(caller, Action::LiftLock, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let state = Arc::clone(turn.state());
        let about = about(&state, &request.about)?;
        let own = match about {
            About::Principal(principal) => principal == caller.who.principal(),
            About::Session(session) => {
                let found = plane.store.session(session).await?;
                found.is_none_or(|found| found.record.principal == caller.who.principal())
            }
        };
        if own {
            return Err(Problem::new(
                ErrorCode::Refused,
                "nobody lifts a signal that stands against themselves",
            )
            .hint("ask another person who governs"));
        }
        let changes: Vec<StateChange> = state
            .raised_against(about)
            .filter(|raised| raised.what.signal == request.signal)
            .map(|raised| StateChange::Lift(Box::new(raised.what.clone())))
            .collect();
        if changes.is_empty() {
            return Err(Problem::not_found("signal that stands", request.signal.as_str()));
        }
        let reason = if request.reason.trim().is_empty() { "no reason was given" } else { &request.reason };
        let lines = vec![
            format!("{} no longer stands against {}", request.signal, request.about),
            format!("reason: {reason}"),
        ];
        let lifted = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        let actor = Some(caller.who.principal());
        let settled = turn.make(Changed { actor, what: "lift-signal", lines, changes }).await?;
        Ok(SignalLifted { lifted, revision: settled.revision })
    })
    .await
}

fn about(state: &Snapshot, text: &str) -> Result<About, Problem> {
    if let Ok(session) = text.parse::<SessionId>() {
        return Ok(About::Session(session));
    }
    names::principal(state, text).map(About::Principal)
}
