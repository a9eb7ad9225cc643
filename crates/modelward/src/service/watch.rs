//! Tells the log how the ledger is doing, when that changes.

use std::sync::Arc;
use std::time::Duration;

use modelward_ledger::{Ledger, Status};
use tokio_util::sync::CancellationToken;

/// How often it is looked at: about as often as a checkpoint is made.
const INTERVAL: Duration = Duration::from_secs(1);

/// Until told to stop.
pub(crate) async fn ledger(ledger: Arc<Ledger>, stop: CancellationToken) {
    let mut before = ledger.status();
    tell(None, &before);
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let now = ledger.status();
        tell(Some(&before), &now);
        before = now;
    }
}

fn tell(before: Option<&Status>, now: &Status) {
    let failed = before.and_then(|before| before.failed.as_ref());
    if let Some(reason) = &now.failed
        && failed.is_none()
    {
        tracing::error!(%reason, "the ledger takes nothing more until a restart; nothing is released");
    }
    match (before.and_then(|before| before.trouble.as_ref()), &now.trouble) {
        (None, Some(reason)) => tracing::error!(
            %reason,
            "the ledger cannot make its next checkpoint or segment; when what is prepared is used up, nothing is released"
        ),
        (Some(_), None) => tracing::info!("the ledger makes checkpoints and segments again"),
        (None, None) | (Some(_), Some(_)) => {}
    }
}
