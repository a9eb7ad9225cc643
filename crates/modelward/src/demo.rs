//! The demonstration: a whole installation on loopback, and a story told through its front doors.
//!
//! Nothing here is pretended. The people enrol as anybody would, every request goes over HTTP, the model is trained on
//! real cases in another process, and the log is verified from its files. What it makes lies in a temporary folder and
//! goes with it.

mod device_desk;
mod evidence;
mod gateway;
mod people;
mod policy;
mod report;
mod story;
mod system;
mod upstream;

use std::path::PathBuf;

use serde::Serialize;

use crate::config::Environment;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Terminal;
use report::Step;
use story::Teller;
use system::System;

/// See it work: a real model, three people, denials with their reasons, a revocation, a proof
///
/// Starts everything on this machine's loopback addresses, tells the story, and stays up until stopped.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stop after the story; the exit code says whether each step went as expected
    #[arg(long)]
    once: bool,
    /// Tell no story: set the system up for tests, and wait to be stopped
    #[arg(long, hide = true)]
    stay_for_tests: bool,
    /// Where to write the addresses and the people of the system, as JSON
    #[arg(long, hide = true, env = "MODELWARD_DEMO_INFO", value_name = "FILE")]
    info: Option<PathBuf>,
    /// A model server that runs already, in place of the demonstration's own
    #[arg(long, hide = true, env = "MODELWARD_DEMO_UPSTREAM", value_name = "URL")]
    upstream: Option<String>,
    /// The credential of that model server
    #[arg(
        long,
        hide = true,
        hide_env_values = true,
        env = "MODELWARD_DEMO_UPSTREAM_CREDENTIAL",
        value_name = "SECRET"
    )]
    upstream_credential: Option<String>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Told<'a> {
    as_expected: bool,
    steps: &'a [Step],
}

pub fn run(terminal: &Terminal, environment: &Environment, args: &Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let given = args.upstream.clone().zip(args.upstream_credential.clone());
        let (system, code) = System::start(environment, given, !args.once && !args.stay_for_tests).await?;
        let outcome = tell(terminal, &system, args, code).await;
        system.stop().await;
        outcome
    })
}

async fn tell(
    terminal: &Terminal,
    system: &System,
    args: &Args,
    code: modelward_server::wire::Secret,
) -> Outcome {
    let mut teller = Teller::new(terminal, system, args.stay_for_tests);
    let cast = teller.set_up(code).await?;
    if let Some(file) = &args.info {
        system.write_info(file, &cast)?;
    }
    if !args.stay_for_tests {
        teller.tell(&cast).await?;
    }
    let as_expected = teller.report.is_as_expected();
    if terminal.json() && !args.stay_for_tests {
        terminal.value(&Told { as_expected, steps: teller.report.steps() })?;
    }
    if !args.once {
        system.wait_for_the_end(terminal, &cast, args.stay_for_tests).await?;
    }
    if as_expected {
        Ok(Exit::Ok)
    } else {
        Err(Failure::new(Exit::Failure, "not every step went as expected"))
    }
}
