//! `modelward explain`

use modelward_decision::vocabulary::DecisionId;
use modelward_server::wire::DecisionView;

use super::api::{Server, wait};
use super::{Context, view};
use crate::exit::{Exit, Outcome};

/// Show a decision in full: who asked for what, the answer, why, and where the ledger has it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The decision, `de_…`; denials name it
    decision: DecisionId,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    let path = format!("/api/v1/decisions/{}", args.decision);
    let decision: DecisionView = wait(async { Ok(client.read(&path).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&decision)?;
    } else {
        view::decision(&context.terminal, &decision)?;
    }
    Ok(Exit::Ok)
}
