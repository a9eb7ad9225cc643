//! `modelward what-can`

use modelward_decision::vocabulary::Name;
use modelward_server::wire::{WhatCanAnswer, WhatCanRequest};

use super::api::{Server, wait};
use super::time::Moment;
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
    /// The environment
    #[arg(long, visible_alias = "env", value_name = "NAME")]
    environment: Option<Name>,
    /// The network segment requests would come from
    #[arg(long, visible_alias = "from", value_name = "NAME")]
    network: Option<Name>,
    /// Another moment than now
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// Rows on a page, 1 to 500
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: Option<u32>,
    /// Go on where the page before ended
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = WhatCanRequest {
        principal: if args.principal == "me" { None } else { Some(args.principal) },
        action: args.action,
        environment: args.environment,
        network: args.network,
        at: args.at.map(|at| at.0),
        after: args.after,
        limit: args.limit,
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
    let more = answer.next.map(|next| format!("; go on with --after {next}")).unwrap_or_default();
    let who = view::principal(&answer.principal);
    terminal.note(&format!("{} things {who} may do{more}", answer.allowed.len()));
    Ok(Exit::Ok)
}
