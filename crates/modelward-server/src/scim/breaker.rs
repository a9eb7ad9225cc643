//! Too many people ended at once: an accident at the source, or somebody who stole its secret. Either way it stops here
//! until a person has looked.

use std::sync::Arc;

use jiff::SignedDuration;
use modelward_decision::vocabulary::PersonId;
use modelward_store::scim::{Client, ResourceKind};

use super::answer::Refusal;
use super::door::{Source, paused};
use crate::control::ControlPlane;
use crate::turn::Changed;

/// How far back people are counted.
pub(crate) const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How long nothing is counted once somebody let a client go on.
pub(crate) const PASS: SignedDuration = SignedDuration::from_hours(1);
/// A share of few people is nobody: so many always pass.
const ALWAYS: u64 = 3;

/// People who can be ended within the window: as many as the client may, but no greater share of its people.
pub(super) fn limit(people_max: u32, percent_max: u32, people: u64) -> u64 {
    let share = people.saturating_mul(u64::from(percent_max)) / 100;
    u64::from(people_max).min(share.max(ALWAYS))
}

/// Whether this person can be ended too.
pub(super) async fn lets(plane: &ControlPlane, client: &Client, person: PersonId) -> Result<bool, Refusal> {
    let now = plane.now();
    if client.passes_until.is_some_and(|until| now < until) {
        return Ok(true);
    }
    let since = now.checked_sub(WINDOW).unwrap_or(now);
    let ended = plane.store.scim_ended(&client.id, since).await?;
    if ended.contains(&person) {
        return Ok(true);
    }
    let ended = u64::try_from(ended.len()).unwrap_or(u64::MAX);
    let left = plane.store.scim_resource_count(&client.id, ResourceKind::User).await?;
    Ok(ended < limit(client.people_max, client.percent_max, left.saturating_add(ended)))
}

/// Pauses a client, and says so in the ledger and to whoever watches. Called without the turn: it takes one.
pub(super) async fn trip(plane: &Arc<ControlPlane>, source: &Source) -> Refusal {
    match pause(plane, source).await {
        Ok(()) => paused(&source.client),
        Err(refusal) => refusal,
    }
}

async fn pause(plane: &Arc<ControlPlane>, source: &Source) -> Result<(), Refusal> {
    let client = &source.client;
    if !plane.store.pause_scim_client(&client.id, plane.now()).await? {
        return Ok(());
    }
    tracing::error!(client = %client.name, issuer = %client.issuer, "a provisioning client ends too many people and is paused");
    let lines = vec![format!("{} ends too many people at once and is paused", client.name)];
    let changed = Changed { actor: None, what: "scim-pause", lines, changes: Vec::new() };
    plane.turn().await?.make(changed).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::limit;

    #[test]
    fn few_people_of_many_can_be_ended_and_three_of_few() {
        let limits: Vec<u64> =
            [0, 5, 29, 30, 60, 100, 1000, 50_000].map(|people| limit(10, 10, people)).to_vec();
        assert_eq!(limits, [3, 3, 3, 3, 6, 10, 10, 10]);
        assert_eq!(limit(10_000, 100, 200), 200);
        assert_eq!(limit(0, 10, 200), 0);
    }
}
