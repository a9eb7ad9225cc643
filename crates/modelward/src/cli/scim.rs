//! `modelward scim`

use modelward_decision::vocabulary::Name;
use modelward_server::wire::{
    List, ScimClientChanged, ScimClientMade, ScimClientRequest, ScimClientView, ScimSecretRequest, ScimState,
    ScimSubject,
};

use super::api::{Server, wait};
use super::{Context, time};
use crate::client::escape;
use crate::exit::{Exit, Outcome};
use crate::output::{Style, Table};

/// Provisioning clients, which say over SCIM 2.0 which people of an issuer come, change and go
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List them: state, last heard of, and whom they ended lately
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Let one in; prints its secret, once
    Add(AddArgs),
    /// Make another secret; the one before counts for a day
    Rotate {
        /// How the client is called
        name: Name,
        /// Days the new secret counts, at most 180
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
        /// End the secret before at once
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Let one go on that was paused because it ended too many people; for an hour nothing is counted
    Resume {
        /// How the client is called
        name: Name,
        #[command(flatten)]
        server: Server,
    },
    /// End one with its secrets; the people it brought stay as they are
    Revoke {
        /// How the client is called
        name: Name,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// How the client is called
    name: Name,
    /// The issuer its people sign in through, as the configuration calls it
    #[arg(long)]
    issuer: Name,
    /// Which attribute of a user is their `sub` at the issuer
    #[arg(long, value_enum, default_value_t = SubjectArg::ExternalId)]
    subject: SubjectArg,
    /// Days its secret counts, at most 180
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// Pause it when it ends more people than this within ten minutes; 10 unless said otherwise
    #[arg(long, value_name = "PEOPLE")]
    pause_above: Option<u32>,
    /// Pause it when it ends a greater share of its people; 10 unless said otherwise, 100 is no bound
    #[arg(long, value_name = "PERCENT")]
    pause_above_percent: Option<u32>,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SubjectArg {
    /// `externalId`
    ExternalId,
    /// `userName`
    UserName,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List { server } => {
            let client = server.signed_in(context)?;
            let list: List<ScimClientView> = wait(async { Ok(client.read("/api/v1/scim-clients").await?) })?;
            show(context, &list.items)
        }
        Command::Add(args) => add(context, args),
        Command::Rotate { name, days, now, server } => {
            let client = server.signed_in(context)?;
            let path = format!("/api/v1/scim-clients/{}/rotate", escape(name.as_str()));
            let request = ScimSecretRequest { days, at_once: now };
            let made = wait(async { Ok(client.post(&path, &request).await?) })?;
            tell(context, &made)
        }
        Command::Resume { name, server } => change(context, &server, &name, "resume"),
        Command::Revoke { name, server } => change(context, &server, &name, "revoke"),
    }
}

fn add(context: &Context, args: AddArgs) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = ScimClientRequest {
        name: args.name,
        issuer: args.issuer,
        subject: Some(match args.subject {
            SubjectArg::ExternalId => ScimSubject::ExternalId,
            SubjectArg::UserName => ScimSubject::UserName,
        }),
        days: args.days,
        pause_above: args.pause_above,
        pause_above_percent: args.pause_above_percent,
    };
    let made = wait(async { Ok(client.post("/api/v1/scim-clients", &request).await?) })?;
    tell(context, &made)
}

/// The secret is data and goes to standard output, alone; what to do with it stands beside it.
fn tell(context: &Context, made: &ScimClientMade) -> Outcome {
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(made)?;
        return Ok(Exit::Ok);
    }
    terminal.line(made.secret.expose())?;
    terminal.note(&format!(
        "The secret of {}, shown once; it counts until {}.",
        made.client.name,
        time::shown(made.expires_at)
    ));
    terminal.hint(&format!("give it to the client as a bearer token, for {}", made.address));
    Ok(Exit::Ok)
}

fn change(context: &Context, server: &Server, name: &Name, what: &str) -> Outcome {
    let client = server.signed_in(context)?;
    let path = format!("/api/v1/scim-clients/{}/{what}", escape(name.as_str()));
    let changed: ScimClientChanged = wait(async { Ok(client.act(&path).await?) })?;
    show(context, &changed.clients)
}

fn show(context: &Context, clients: &[ScimClientView]) -> Outcome {
    if context.terminal.json() {
        context.terminal.value(&clients)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new([
        "name",
        "issuer",
        "state",
        "people",
        "groups",
        "heard of",
        "changed",
        "ended lately",
        "secret ends",
    ]);
    let moment = |at: Option<jiff::Timestamp>| at.map_or_else(|| "never".to_owned(), time::shown);
    for client in clients {
        let style = match client.state {
            ScimState::Active => Style::Good,
            ScimState::Paused => Style::Bad,
            ScimState::Expired => Style::Warn,
        };
        table.styled([
            (client.name.to_string(), Some(Style::Strong)),
            (client.issuer.to_string(), None),
            (client.state.as_str().to_owned(), Some(style)),
            (client.people.to_string(), None),
            (client.groups.to_string(), None),
            (moment(client.seen_at), None),
            (moment(client.changed_at), None),
            (client.ended_lately.to_string(), None),
            (moment(client.secrets_end_at.first().copied()), None),
        ]);
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}
