//! `modelward revoke`

use modelward_decision::vocabulary::GrantId;
use modelward_server::wire::{RevokeRequest, Revoked};

use super::api::{Server, wait};
use super::{Context, view};
use crate::exit::{Exit, Outcome};

/// Revoke a grant, with everything that rests on it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The grant, `gr_…`
    grant: GrantId,
    /// Why, in one sentence; the ledger keeps it
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    /// Say what it would end, and end nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = RevokeRequest { reason: args.reason, dry_run: args.dry_run };
    let path = format!("/api/v1/grants/{}/revoke", args.grant);
    let revoked: Revoked = wait(async { Ok(client.post(&path, &request).await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&revoked)?;
        return Ok(Exit::Ok);
    }
    view::grants(terminal, std::slice::from_ref(&revoked.grant))?;
    let effect = revoked.effect;
    terminal.note(&format!(
        "principals that lose it: {}, of whom {} keep the privilege by other grants; open streams cut: {}",
        effect.principals, effect.keep_by_other_grants, effect.streams
    ));
    match (revoked.dry_run, revoked.time_to_enforce_ms) {
        (true, _) => terminal.note("nothing was changed"),
        (false, Some(ms)) => terminal.note(&format!("enforced everywhere after {ms:.2} ms")),
        (false, None) => {}
    }
    Ok(Exit::Ok)
}
