//! `modelward invite`

use modelward_decision::vocabulary::{Classification, Name};
use modelward_server::wire::{InviteRequest, Invited};

use super::api::{Server, wait};
use super::{Context, time};
use crate::exit::{Exit, Outcome};

/// Make an enrolment code for a person
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name the code is good for
    name: Name,
    /// How people call them
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A group the person joins; can be given several times
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<Name>,
    /// `public`, `internal`, `confidential` or `restricted`
    #[arg(long, value_name = "CLASS")]
    clearance: Option<Classification>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = InviteRequest {
        name: args.name,
        display_name: args.display_name,
        groups: args.groups,
        clearance: args.clearance,
    };
    let terminal = &context.terminal;
    wait(async {
        let invited: Invited = client.post("/api/v1/enrolments", &request).await?;
        if terminal.json() {
            terminal.value(&invited)?;
            return Ok(Exit::Ok);
        }
        terminal.line(invited.code.expose())?;
        terminal.note(&format!(
            "Good once, for {}, until {}.",
            invited.name,
            time::shown(invited.expires_at)
        ));
        terminal.hint("hand it over in person; it is typed into `modelward enrol`");
        Ok(Exit::Ok)
    })
}
