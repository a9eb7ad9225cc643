//! `modelward what-can`

use modelward_server::wire::{WhatCanAnswer, WhatCanRequest};

use super::api::wait;
use super::within::{Within, more};
use super::{Context, time, view};
use crate::exit::{Exit, Outcome};
use crate::output::Table;

/// Ask what somebody would be allowed to do
///
/// With the best sign-in and device there can be, so that what decides are grants and guardrails.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `me`, `dana` or `machine:scorer`
    principal: String,
    /// Only this action, such as `downloadWeights`
    action: Option<String>,
    #[command(flatten)]
    within: Within,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let within = args.within;
    let client = within.server.signed_in(context)?;
    let request = WhatCanRequest {
        principal: if args.principal == "me" { None } else { Some(args.principal) },
        action: args.action,
        environment: within.environment,
        network: within.network,
        at: within.at.map(|at| at.0),
        after: within.after,
        limit: within.limit,
    };
    let answer: WhatCanAnswer = wait(async { Ok(client.post("/api/v1/what-can", &request).await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&answer)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["action", "privilege", "on", "in", "by grant", "until"]);
    for row in &answer.allowed {
        table.row([
            row.action.to_string(),
            row.privilege.to_string(),
            row.resource.name.clone(),
            row.environment.clone(),
            row.grant.map(|grant| grant.to_string()).unwrap_or_default(),
            row.until.map(time::shown).unwrap_or_default(),
        ]);
    }
    if !table.is_empty() {
        table.print(terminal)?;
    }
    let more = more(answer.next);
    let who = view::principal(&answer.principal);
    terminal.note(&format!("{} things {who} may do{more}", answer.allowed.len()));
    Ok(Exit::Ok)
}
