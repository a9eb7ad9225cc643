//! `modelward people`

use modelward_decision::vocabulary::Classification;
use modelward_server::wire::{List, PersonChange, PersonChanged, PersonView};

use super::Context;
use super::api::{Server, wait};
use crate::client::escape;
use crate::exit::{Exit, Outcome};
use crate::output::{Style, Table};

/// List people, and change what they are cleared for
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List everybody: clearance, groups, whether active
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Change how a person is called or what they are cleared for
    Set(SetArgs),
    /// Switch a person off; every session, token and stream of theirs ends at once
    Deactivate {
        /// The name of the person
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Switch a person on again; they sign in anew
    Reactivate {
        /// The name of the person
        name: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct SetArgs {
    /// The name of the person
    name: String,
    /// How people call them
    #[arg(long, value_name = "TEXT", group = "change")]
    display_name: Option<String>,
    /// `public`, `internal`, `confidential` or `restricted`
    #[arg(long, value_name = "CLASS", group = "change")]
    clearance: Option<Classification>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List { server } => list(context, &server),
        Command::Set(SetArgs { name, display_name, clearance, server }) => {
            change(context, &server, &name, &PersonChange { display_name, clearance, active: None })
        }
        Command::Deactivate { name, server } => {
            change(context, &server, &name, &PersonChange { active: Some(false), ..PersonChange::default() })
        }
        Command::Reactivate { name, server } => {
            change(context, &server, &name, &PersonChange { active: Some(true), ..PersonChange::default() })
        }
    }
}

fn list(context: &Context, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let people: List<PersonView> = wait(async { Ok(client.read("/api/v1/people").await?) })?;
    if context.terminal.json() {
        context.terminal.value(&people.items)?;
        return Ok(Exit::Ok);
    }
    show(context, &people.items)
}

fn change(context: &Context, server: &Server, name: &str, change: &PersonChange) -> Outcome {
    let client = server.signed_in(context)?;
    let path = format!("/api/v1/people/{}", escape(name));
    let changed: PersonChanged = wait(async { Ok(client.post(&path, change).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&changed)?;
        return Ok(Exit::Ok);
    }
    show(context, std::slice::from_ref(&changed.person))?;
    context.terminal.note(&format!("in force from revision {} on", changed.revision));
    Ok(Exit::Ok)
}

fn show(context: &Context, people: &[PersonView]) -> Outcome {
    let mut table = Table::new(["name", "", "clearance", "state", "groups"]);
    for person in people {
        let (state, style) = if person.active { ("active", Style::Good) } else { ("off", Style::Faint) };
        table.styled([
            (person.name.clone(), Some(Style::Strong)),
            (person.display_name.clone(), None),
            (person.clearance.clone(), None),
            (state.to_owned(), Some(style)),
            (person.groups.join(", "), None),
        ]);
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}
