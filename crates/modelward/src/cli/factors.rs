//! `modelward factors`

use modelward_server::wire::{FactorsChanged, FactorsView, PasskeyView, RecoveryCodesMade};

use super::api::{Server, wait};
use super::{Context, time};
use crate::client::escape;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Style, Table};

/// See what one signs in with, and change it
///
/// Passkeys and authenticator apps are added in the console, where there is a device to make them.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List passkeys, the authenticator app and how many recovery codes are left
    List {
        /// The name of a person [default: oneself]
        who: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Remove one of one's own passkeys; the last second factor stays
    RemovePasskey {
        /// What it is called, or its id
        passkey: String,
        #[command(flatten)]
        server: Server,
    },
    /// Make ten new recovery codes; the ones before are void
    RecoveryCodes {
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List { who, server } => list(context, &server, who.as_deref()),
        Command::RemovePasskey { passkey, server } => remove(context, &server, &passkey),
        Command::RecoveryCodes { server } => recovery_codes(context, &server),
    }
}

fn list(context: &Context, server: &Server, who: Option<&str>) -> Outcome {
    let client = server.signed_in(context)?;
    let path = match who {
        None => "/api/v1/factors".to_owned(),
        Some(who) => format!("/api/v1/people/{}/factors", escape(who)),
    };
    let factors: FactorsView = wait(async { Ok(client.read(&path).await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&factors)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["factor", "called", "added", "last used", ""]);
    let set_up = |is: bool| if is { "set up" } else { "none" };
    table.row(["password", "", "", "", set_up(factors.password)]);
    table.row(["authenticator app", "", "", "", set_up(factors.authenticator)]);
    table.row(["recovery codes", "", "", "", &format!("{} left", factors.recovery_codes_left)]);
    for passkey in &factors.passkeys {
        let (remark, style) = match passkey.copied_at {
            Some(at) => (format!("copied: not accepted since {}", time::shown(at)), Style::Strong),
            None if passkey.synced => ("in several devices".to_owned(), Style::Faint),
            None => ("in one device".to_owned(), Style::Faint),
        };
        table.styled([
            ("passkey".to_owned(), None),
            (passkey.name.clone(), None),
            (time::shown(passkey.added_at), None),
            (passkey.used_at.map_or_else(|| "never".to_owned(), time::shown), None),
            (remark, Some(style)),
        ]);
    }
    table.print(terminal)?;
    Ok(Exit::Ok)
}

fn remove(context: &Context, server: &Server, which: &str) -> Outcome {
    let client = server.signed_in(context)?;
    let factors: FactorsView = wait(async { Ok(client.read("/api/v1/factors").await?) })?;
    let fits = |passkey: &&PasskeyView| passkey.id == which || passkey.name == which;
    let found: Vec<&PasskeyView> = factors.passkeys.iter().filter(fits).collect();
    let [passkey] = found.as_slice() else {
        let what = if found.is_empty() { "you have no passkey" } else { "more than one passkey is" };
        return Err(Failure::new(Exit::Usage, format!("{what} called `{which}`"))
            .hint("name it by its id; `modelward factors list --json` shows them"));
    };
    let path = format!("/api/v1/factors/passkeys/{}", escape(&passkey.id));
    let changed: FactorsChanged = wait(async { Ok(client.delete(&path).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&changed)?;
    } else {
        context.terminal.note(&format!(
            "passkey `{}` removed; in force from revision {} on",
            passkey.name, changed.revision
        ));
    }
    Ok(Exit::Ok)
}

fn recovery_codes(context: &Context, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let made: RecoveryCodesMade = wait(async { Ok(client.act("/api/v1/factors/recovery-codes").await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&made)?;
        return Ok(Exit::Ok);
    }
    for code in &made.recovery_codes {
        terminal.line(code.expose())?;
    }
    terminal.note("keep them: they are shown now and never again; the ones before are void");
    Ok(Exit::Ok)
}
