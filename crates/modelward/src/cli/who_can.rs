//! `modelward who-can`

use modelward_server::wire::{WhoCanAnswer, WhoCanRequest};

use super::api::wait;
use super::within::{Within, more};
use super::{Context, time, view};
use crate::exit::{Exit, Outcome};
use crate::output::Table;

/// Ask who would be allowed to do something
///
/// With the best sign-in and device there can be, so that what decides are grants and guardrails.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An action, such as `downloadWeights` or `"download weights"`
    action: String,
    /// `fraud`, `fraud/3`, `fraud@champion`, `endpoint:scoring`, `dataset:claims`, `project:risk` or `platform`
    resource: String,
    #[command(flatten)]
    within: Within,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let within = args.within;
    let client = within.server.signed_in(context)?;
    let request = WhoCanRequest {
        action: args.action,
        resource: args.resource,
        environment: within.environment,
        network: within.network,
        at: within.at.map(|at| at.0),
        after: within.after,
        limit: within.limit,
    };
    let answer: WhoCanAnswer = wait(async { Ok(client.post("/api/v1/who-can", &request).await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&answer)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["who", "by grant", "until", "obligations"]);
    for row in &answer.allowed {
        let obligations: Vec<&str> =
            row.obligations.iter().map(|obligation| obligation.text.as_str()).collect();
        table.row([
            view::principal(&row.principal),
            row.grant.map(|grant| grant.to_string()).unwrap_or_default(),
            row.until.map(time::shown).unwrap_or_default(),
            obligations.join(", "),
        ]);
    }
    if !table.is_empty() {
        table.print(terminal)?;
    }
    let more = more(answer.next);
    terminal.note(&format!(
        "{} may do {} on {} in {}{more}",
        answer.allowed.len(),
        answer.action,
        answer.resource.name,
        answer.environment
    ));
    Ok(Exit::Ok)
}
