//! Security events of elsewhere: taken, obeyed, and looked at (Shared Signals Framework 1.0).
//!
//! What each event has us do stands in [`bidding`]; whom it is about is found in [`find`]. An event is acknowledged once
//! what it did is in force and in the ledger. One that comes again is acknowledged and does nothing.

mod bidding;
mod find;
mod follow;
mod look;

use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::Snapshot;
use modelward_decision::signal::{Raised, SignalKey};
use modelward_decision::vocabulary::{Confidence, Name};
use modelward_identity::federation::{EventKind, ForeignRefusal, SecurityEvent, Transmitter};
use modelward_store::StateChange;
use modelward_store::received::ReceivedEvent;

use self::bidding::Bidding;
use self::find::Found;
use super::federation::{believe, refused};
use crate::caller::Visit;
use crate::control::ControlPlane;
use crate::federation::Issuer;
use crate::problem::Problem;
use crate::revocation::{Bump, Cause};

pub(crate) use follow::follow;
pub(crate) use look::{lift, received, standing, transmitters, verify};

/// Why an event was not taken.
#[derive(Debug)]
pub(crate) enum Untaken {
    /// It is no event of this transmitter, or not for us.
    Refused(ForeignRefusal, Problem),
    /// Something here is in the way; it has to come again.
    Failed(Problem),
}

/// An event that was obeyed.
struct Obeyed {
    /// Who of here it was about; empty where that is nobody.
    about: String,
    effect: String,
}

/// Takes an event that a transmitter brought.
pub(crate) async fn pushed(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    name: &str,
    token: &str,
) -> Result<(), Untaken> {
    let issuer = Arc::clone(plane.federation.issuer(name)?);
    take(plane, &issuer, token).await.map_err(|untaken| match untaken {
        Untaken::Refused(why, _) => Untaken::Refused(why, refused(plane, visit, &issuer, why)),
        Untaken::Failed(problem) => Untaken::Failed(problem),
    })
}

/// Verifies an event and does its bidding.
async fn take(plane: &Arc<ControlPlane>, issuer: &Issuer, token: &str) -> Result<(), Untaken> {
    let transmitter = transmitter(issuer)?;
    believe(plane, issuer).await?;
    let key = issuer.trusted.key_of_event(token)?;
    let keys = plane.federation.keys(issuer, key, plane.now()).await?;
    let event = issuer.trusted.event(token, &keys, &transmitter.audience, plane.now())?;
    if plane.store.was_used(&event.once).await.map_err(Problem::from)? {
        return Ok(());
    }
    let Obeyed { about, effect } = obey(plane, issuer, transmitter, &event).await?;
    tracing::info!(transmitter = %issuer.trusted.name, event = event.kind.as_str(), %effect, "a security event");
    let row = ReceivedEvent {
        at: plane.now(),
        transmitter: issuer.trusted.name.to_string(),
        event: event.kind.as_str().to_owned(),
        about,
        happened_at: event.at,
        effect,
        reason: event.reason.clone().unwrap_or_default(),
    };
    plane.store.note_received(&row).await.map_err(Problem::from)?;
    // Noted last: where doing its bidding failed, the event comes again, and has to count then.
    plane.store.use_once(&event.once, event.once_until, plane.now()).await.map_err(Problem::from)?;
    Ok(())
}

/// The transmitter an issuer is, if it is one.
fn transmitter(issuer: &Issuer) -> Result<&Transmitter, Problem> {
    let signals = issuer.trusted.signals.as_ref();
    signals.ok_or_else(|| Problem::not_found("transmitter of security events", issuer.trusted.name.as_str()))
}

async fn obey(
    plane: &Arc<ControlPlane>,
    issuer: &Issuer,
    transmitter: &Transmitter,
    event: &SecurityEvent,
) -> Result<Obeyed, Problem> {
    let nobody = |effect: &str| Obeyed { about: String::new(), effect: effect.to_owned() };
    let bidding = match Bidding::of(&event.kind) {
        Ok(bidding) => bidding,
        Err(words) => {
            if let EventKind::Verification { state } = &event.kind {
                return Ok(nobody(issuer.answered(state.as_deref())));
            }
            return Ok(nobody(words));
        }
    };
    // Whom it is about is read while nobody else changes that.
    let turn = plane.turn().await?;
    let state = Arc::clone(turn.state());
    let found = find::find(plane, &state, (issuer, transmitter), &event.subject, bidding).await?;
    if found.is_nobody() {
        return Ok(nobody("it is about nobody here"));
    }
    let about = found.in_words(&state);
    let (changes, mut words) = changes(&state, (issuer, transmitter), event, bidding, &found, plane.now())?;
    if changes.is_empty() && found.ends.is_empty() {
        words.push("nothing stood".to_owned());
        return Ok(Obeyed { about, effect: words.join("; ") });
    }
    let line = format!("{} says {} of {about}", issuer.trusted.name, event.kind.as_str());
    let bump = Bump::new(None, Cause::Signalled).of_each(found.ends).line(line);
    let bump = words.iter().cloned().fold(bump, Bump::line);
    let bump = event.reason.iter().fold(bump, |bump, reason| bump.because(reason));
    let bumped = turn.bump(changes.into_iter().fold(bump, Bump::along)).await?;
    words.push(format!("{} sessions ended", bumped.sessions));
    Ok(Obeyed { about, effect: words.join("; ") })
}

/// The signals that stand from now on and those that no longer do, and what that means in words.
fn changes(
    state: &Snapshot,
    (issuer, transmitter): (&Issuer, &Transmitter),
    event: &SecurityEvent,
    bidding: Bidding,
    found: &Found,
    now: Timestamp,
) -> Result<(Vec<StateChange>, Vec<String>), Problem> {
    let by = &issuer.trusted.name;
    let (mut changes, mut words) = (Vec::new(), Vec::new());
    if let Some(signal) = bidding.raises {
        let signal = Name::new(signal).map_err(|error| Problem::internal("naming a signal", &error))?;
        let is_answered = state.bundle().signals().is_none_or(|table| table.signals.contains_key(&signal));
        words.push(match is_answered {
            true => format!("`{signal}` stands"),
            false => format!("`{signal}` stands, and the policy in force says nothing of it"),
        });
        for about in found.about.iter().copied() {
            let what = SignalKey { about, signal: signal.clone(), device: found.device };
            let (until, confidence) =
                (now.checked_add(transmitter.lasts).unwrap_or(Timestamp::MAX), Confidence::Managed);
            let raised = Raised { what, raised_at: event.at, until, by: by.clone(), confidence };
            changes.push(StateChange::Raise(Box::new(raised)));
        }
    }
    for raised in found.about.iter().flat_map(|about| state.raised_against(*about)) {
        // What somebody else said, or was said later, still stands.
        let is_over = bidding.lifts.contains(&raised.what.signal.as_str())
            && raised.what.device == found.device
            && raised.by == *by
            && raised.raised_at <= event.at;
        if is_over {
            words.push(format!("`{}` stands no more", raised.what.signal));
            changes.push(StateChange::Lift(Box::new(raised.what.clone())));
        }
    }
    if bidding.unlinks {
        let unlinked = found.identities.iter().cloned();
        changes.extend(unlinked.map(|identity| StateChange::Unlink(Box::new(identity))));
    }
    Ok((changes, words))
}

impl From<ForeignRefusal> for Untaken {
    fn from(refusal: ForeignRefusal) -> Self {
        Self::Refused(refusal, Problem::malformed(refusal.to_string()))
    }
}

impl From<Problem> for Untaken {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}
