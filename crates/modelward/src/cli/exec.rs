//! `modelward exec`

use std::ffi::OsString;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use super::agent::{Ahead, Asks, Ready};
use super::api::wait;
use crate::exit::{Exit, Failure, Outcome};

/// Run a command with an agent around it, and the variables that lead it there
///
/// `modelward exec -- python ask.py` sets `OPENAI_BASE_URL` and `OPENAI_API_KEY`, so that a stock OpenAI client works as it
/// is. The command ends the agent, and its exit code is that of `modelward exec`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ahead: Ahead,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    wait(async {
        let Ready { agent, listening, variables } = args.ahead.on_loopback(context, 0, Asks::Nobody).await?;
        let [program, arguments @ ..] = args.command.as_slice() else {
            return Err(Failure::new(Exit::Usage, "there is no command to run"));
        };
        // Whoever interrupts means the command, which hears of it too; the agent ends with it.
        let _interrupt = signal(SignalKind::interrupt())?;
        let mut child =
            Command::new(program).args(arguments).envs(variables).kill_on_drop(true).spawn().map_err(
                |error| Failure::new(Exit::Usage, format!("failed to run `{}`: {error}", program.display())),
            )?;
        let ended = tokio::select! {
            () = agent.clone().serve(listening) => return Err(Failure::new(Exit::Failure, "the agent ended")),
            ended = child.wait() => ended?,
        };
        agent.end().await;
        let code = ended.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(Exit::Failure, Exit::Ran))
    })
}
