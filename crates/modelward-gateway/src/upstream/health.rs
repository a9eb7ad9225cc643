//! Asking a replica how it is, apart from the requests of callers.

use arc_swap::ArcSwap;
use modelward_decision::vocabulary::Privilege;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Credentials;
use super::pool::Replica;
use super::wire::{self, Outgoing};

/// Asks again and again. Ends at once for a replica that is not asked.
pub(super) async fn watch(replica: &Replica, credentials: &ArcSwap<Credentials>) {
    let check = replica.health();
    let Some(path) = &check.path else { return };
    let mut ticks = interval(check.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let passes = timeout(check.timeout, ask(replica, path, &credentials.load())).await.unwrap_or(false);
        replica.checked(passes);
    }
}

async fn ask(replica: &Replica, path: &str, credentials: &Credentials) -> bool {
    let Ok(connection) = replica.connect().await else { return false };
    let outgoing = Outgoing {
        method: "GET",
        address: replica.address(),
        path,
        body: &[],
        events: false,
        credential: credentials.of(Privilege::ReadOnly),
    };
    let check = super::Timeouts { first_byte: replica.health().timeout, ..super::Timeouts::default() };
    wire::exchange(connection, &outgoing, check)
        .await
        .is_ok_and(|(head, _)| (200..300).contains(&head.status))
}
