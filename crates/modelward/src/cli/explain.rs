//! `modelward explain`

use modelward_decision::vocabulary::DecisionId;
use modelward_server::wire::{DecisionView, ReplayView};

use super::api::{Server, wait};
use super::{Context, view};
use crate::client::Client;
use crate::exit::{Exit, Outcome};
use crate::output::{Style, clean};

/// Show a decision in full: who asked for what, the answer, why, and where the ledger has it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The decision, `de_…`; denials name it
    decision: DecisionId,
    /// Decide it again with the bundle and the facts of its time, and compare byte for byte
    ///
    /// Exit code 0 means that it agrees, 1 that it does not.
    #[arg(long)]
    replay: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    if args.replay {
        return again(context, &client, args.decision);
    }
    let path = format!("/api/v1/decisions/{}", args.decision);
    let decision: DecisionView = wait(async { Ok(client.read(&path).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&decision)?;
    } else {
        view::decision(&context.terminal, &decision)?;
    }
    Ok(Exit::Ok)
}

fn again(context: &Context, client: &Client, decision: DecisionId) -> Outcome {
    let path = format!("/api/v1/decisions/{decision}/replay");
    let replay: ReplayView = wait(async { Ok(client.read(&path).await?) })?;
    let exit = if replay.agrees { Exit::Ok } else { Exit::Failure };
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&replay)?;
        return Ok(exit);
    }
    let (word, style) = if replay.agrees { ("agrees", Style::Good) } else { ("differs", Style::Bad) };
    terminal.line(&format!("{}  {}", terminal.paint(style, word), clean(&replay.text)))?;
    view::fact(terminal, "decision", &replay.decision.to_string())?;
    view::fact(terminal, "revision", &replay.revision.to_string())?;
    view::fact(terminal, "bundle", &replay.bundle)?;
    if let Some(difference) = &replay.difference {
        view::fact(terminal, "differs in", &difference.part)?;
        view::fact(terminal, "recorded", &difference.recorded)?;
        view::fact(terminal, "replayed", &difference.replayed)?;
    }
    Ok(exit)
}
