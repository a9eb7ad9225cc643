//! `modelward whoami`

use modelward_server::wire::Whoami;

use super::api::{Server, wait};
use super::{Context, time, view};
use crate::exit::{Exit, Outcome};

/// Show who is signed in, and what that person holds
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    let me: Whoami = wait(async { Ok(client.read("/api/v1/whoami").await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&me)?;
        return Ok(Exit::Ok);
    }
    let name = me.principal.display_name.as_deref().unwrap_or_default();
    view::fact(terminal, "who", &format!("{} ({name})", view::principal(&me.principal)))?;
    view::fact(terminal, "at", &client.server().to_string())?;
    view::fact(terminal, "clearance", &me.clearance)?;
    view::fact(terminal, "groups", &me.groups.join(", "))?;
    view::fact(
        terminal,
        "session",
        &format!(
            "{}, ends {} or after idling at {}",
            me.session.methods.join(" + "),
            time::shown(me.session.expires_at),
            time::shown(me.session.idle_until)
        ),
    )?;
    if me.bootstrap.open {
        view::fact(terminal, "bootstrap", &me.bootstrap.sentence)?;
    }
    terminal.line("")?;
    if me.grants.is_empty() {
        terminal.line("holds no grant")?;
    } else {
        view::grants(terminal, &me.grants)?;
    }
    Ok(Exit::Ok)
}
