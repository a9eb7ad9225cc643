//! `modelward who-can`

use modelward_decision::vocabulary::Name;
use modelward_server::wire::{WhoCanAnswer, WhoCanRequest};

use super::api::{Server, wait};
use super::time::Moment;
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
    let request = WhoCanRequest {
        action: args.action,
        resource: args.resource,
        environment: args.environment,
        network: args.network,
        at: args.at.map(|at| at.0),
        after: args.after,
        limit: args.limit,
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
    let more = answer.next.map(|next| format!("; go on with --after {next}")).unwrap_or_default();
    terminal.note(&format!(
        "{} may do {} on {} in {}{more}",
        answer.allowed.len(),
        answer.action,
        answer.resource.name,
        answer.environment
    ));
    Ok(Exit::Ok)
}
