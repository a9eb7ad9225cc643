//! `modelward issuer`

use modelward_server::wire::{
    IdentitiesChanged, IdentityRequest, IdentityView, IssuerChanged, IssuerView, List, StrangerView,
};

use super::Context;
use super::api::{Server, wait};
use super::time;
use crate::client::escape;
use crate::exit::{Exit, Outcome};
use crate::output::{Style, Table};

/// Issuers of elsewhere, how far they are trusted, and who their people are here
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the issuers that are configured
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Show one: its tier, keys, group mappings and workloads
    Show {
        /// The issuer, as the configuration calls it
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Believe nothing of it from now on; every session, token and stream that rests on it ends at once
    Distrust {
        /// The issuer, as the configuration calls it
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Believe it again
    Trust {
        /// The issuer, as the configuration calls it
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// List who proved who they are at an issuer and is nobody here yet
    Strangers {
        #[command(flatten)]
        server: Server,
    },
    /// List who a person is elsewhere
    Identities {
        /// The name of the person
        person: String,
        #[command(flatten)]
        server: Server,
    },
    /// Say that an identity is a person who has no way to sign in yet
    Link(LinkArgs),
    /// Take an identity away; what rests on it ends at once
    Unlink(LinkArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct LinkArgs {
    /// The name of the person
    person: String,
    /// The issuer, as the configuration calls it
    issuer: String,
    /// `sub`, as the issuer says it
    subject: String,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List { server } => list(context, &server),
        Command::Show { name, server } => show(context, &server, &name),
        Command::Distrust { name, server } => stand(context, &server, &name, "distrust"),
        Command::Trust { name, server } => stand(context, &server, &name, "trust"),
        Command::Strangers { server } => strangers(context, &server),
        Command::Identities { person, server } => identities(context, &server, &person),
        Command::Link(args) => link(context, &args, "identities"),
        Command::Unlink(args) => link(context, &args, "identities/unlink"),
    }
}

fn list(context: &Context, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let issuers: List<IssuerView> = wait(async { Ok(client.read("/api/v1/issuers").await?) })?;
    if context.terminal.json() {
        context.terminal.value(&issuers.items)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["name", "issuer", "state", "for", "reaches at most", "sessions"]);
    for issuer in &issuers.items {
        let (state, style) = match issuer.distrusted_at {
            Some(_) => ("distrusted", Style::Bad),
            None => ("trusted", Style::Good),
        };
        table.styled([
            (issuer.name.to_string(), Some(Style::Strong)),
            (issuer.url.clone(), None),
            (state.to_owned(), Some(style)),
            (ways(issuer), None),
            (reaches(issuer), None),
            (issuer.sessions.to_string(), None),
        ]);
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}

fn ways(issuer: &IssuerView) -> String {
    let ways = [
        (issuer.console, "console"),
        (issuer.cli, "command line"),
        (!issuer.workloads.is_empty(), "workloads"),
    ];
    let words: Vec<&str> = ways.into_iter().filter_map(|(is_one, word)| is_one.then_some(word)).collect();
    words.join(", ")
}

fn reaches(issuer: &IssuerView) -> String {
    let words: Vec<&str> = issuer.privileges.iter().map(|privilege| privilege.as_str()).collect();
    words.join(" ")
}

fn show(context: &Context, server: &Server, name: &str) -> Outcome {
    let client = server.signed_in(context)?;
    let path = format!("/api/v1/issuers/{}", escape(name));
    let issuer: IssuerView = wait(async { Ok(client.read(&path).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&issuer)?;
        return Ok(Exit::Ok);
    }
    let none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let mut table = Table::new(["", ""]);
    let mut row = |what: &str, value: String| table.row([what.to_owned(), value]);
    row("issuer", issuer.url.clone());
    row(
        "state",
        issuer
            .distrusted_at
            .map_or_else(|| "trusted".to_owned(), |at| format!("distrusted since {}", time::shown(at))),
    );
    row("for", none(ways(&issuer)));
    row("reaches at most", reaches(&issuer));
    row(
        "groups",
        issuer.group_prefix.clone().map_or_else(|| "none".to_owned(), |prefix| format!("{prefix}…")),
    );
    row("assurance", none(issuer.acr.join(" ")));
    row("algorithms", issuer.algorithms.join(" "));
    row("keys", none(issuer.keys.join(" ")));
    row("sessions", issuer.sessions.to_string());
    for mapping in &issuer.mappings {
        let counts = if mapping.counts { "" } else { " (does not count)" };
        row("group", format!("{} is {}{counts}", mapping.external, mapping.group));
    }
    for workload in &issuer.workloads {
        row("workload", format!("{} is {}: {}", workload.name, workload.machine, workload.claims.join(" ")));
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}

fn stand(context: &Context, server: &Server, name: &str, what: &str) -> Outcome {
    let client = server.signed_in(context)?;
    let path = format!("/api/v1/issuers/{}/{what}", escape(name));
    let changed: IssuerChanged = wait(async { Ok(client.act(&path).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&changed)?;
        return Ok(Exit::Ok);
    }
    let state = if changed.issuer.distrusted_at.is_some() { "distrusted" } else { "trusted" };
    context.terminal.note(&format!(
        "{name} is {state}; {} sessions ended; in force from revision {} on",
        changed.sessions_ended, changed.revision
    ));
    Ok(Exit::Ok)
}

fn strangers(context: &Context, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let strangers: List<StrangerView> = wait(async { Ok(client.read("/api/v1/strangers").await?) })?;
    if context.terminal.json() {
        context.terminal.value(&strangers.items)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["issuer", "subject", "called there", "", "seen"]);
    for stranger in strangers.items {
        table.row([
            stranger.issuer,
            stranger.subject,
            stranger.name,
            stranger.email,
            time::shown(stranger.seen_at).to_string(),
        ]);
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}

fn identities(context: &Context, server: &Server, person: &str) -> Outcome {
    let client = server.signed_in(context)?;
    let path = format!("/api/v1/people/{}/identities", escape(person));
    let identities: List<IdentityView> = wait(async { Ok(client.read(&path).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&identities.items)?;
        return Ok(Exit::Ok);
    }
    print(context, identities.items)
}

fn link(context: &Context, args: &LinkArgs, to: &str) -> Outcome {
    let client = args.server.signed_in(context)?;
    let path = format!("/api/v1/people/{}/{to}", escape(&args.person));
    let request = IdentityRequest { issuer: args.issuer.clone(), subject: args.subject.clone() };
    let changed: IdentitiesChanged = wait(async { Ok(client.post(&path, &request).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&changed)?;
        return Ok(Exit::Ok);
    }
    print(context, changed.identities)?;
    context.terminal.note(&format!("in force from revision {} on", changed.revision));
    Ok(Exit::Ok)
}

fn print(context: &Context, identities: Vec<IdentityView>) -> Outcome {
    let mut table = Table::new(["issuer", "subject", "linked"]);
    for identity in identities {
        table.row([identity.issuer, identity.subject, time::shown(identity.linked_at).to_string()]);
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}
