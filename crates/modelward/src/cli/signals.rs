//! `modelward signals`

use modelward_decision::vocabulary::Name;
use modelward_server::wire::{LiftRequest, List, ReceivedView, SignalLifted, StandingView, TransmitterView};

use super::Context;
use super::api::{Server, wait};
use super::time;
use crate::client::escape;
use crate::exit::{Exit, Outcome};
use crate::output::{Style, Table};

/// Security signals: what stands against whom, what was received, and from whom
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the signals that stand now, with what each does to which privilege
    List {
        #[command(flatten)]
        server: Server,
    },
    /// List the security events received last, with what was done about each
    Received {
        #[command(flatten)]
        server: Server,
    },
    /// List the transmitters that are believed; they are issuers with `signals_audience` in the configuration
    Transmitters {
        #[command(flatten)]
        server: Server,
    },
    /// Ask a transmitter for a sign of life; it comes as an event of its own
    Verify {
        /// The transmitter, as the configuration calls it
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Lift a signal that stands against somebody else
    Lift {
        /// A person's name, `machine:` and a machine's, or the id of a session
        about: String,
        /// The signal, as `signals.toml` of the policy bundle calls it
        signal: Name,
        /// Why, for the ledger
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List { server } => list(context, &server),
        Command::Received { server } => received(context, &server),
        Command::Transmitters { server } => {
            let client = server.signed_in(context)?;
            let path = "/api/v1/signals/transmitters";
            let list: List<TransmitterView> = wait(async { Ok(client.read(path).await?) })?;
            show(context, list.items)
        }
        Command::Verify { name, server } => {
            let client = server.signed_in(context)?;
            let path = format!("/api/v1/signals/transmitters/{}/verify", escape(&name));
            let asked: TransmitterView = wait(async { Ok(client.act(&path).await?) })?;
            show(context, vec![asked])
        }
        Command::Lift { about, signal, reason, server } => {
            lift(context, &server, &LiftRequest { about, signal, reason })
        }
    }
}

fn list(context: &Context, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let standing: List<StandingView> = wait(async { Ok(client.read("/api/v1/signals").await?) })?;
    if context.terminal.json() {
        context.terminal.value(&standing.items)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["about", "signal", "since", "until", "by", "does"]);
    for one in standing.items {
        let does = one.responses.iter().map(|does| format!("{} {}", does.response, does.privilege));
        table.styled([
            (one.about, Some(Style::Strong)),
            (one.signal.to_string(), Some(Style::Bad)),
            (time::shown(one.raised_at).to_string(), None),
            (time::shown(one.until).to_string(), None),
            (one.by.to_string(), None),
            (does.collect::<Vec<_>>().join(", "), None),
        ]);
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}

fn received(context: &Context, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let path = "/api/v1/signals/received";
    let received: List<ReceivedView> = wait(async { Ok(client.read(path).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&received.items)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["received", "from", "event", "about", "effect", "reason"]);
    for event in received.items {
        table.row([
            time::shown(event.at).to_string(),
            event.transmitter,
            event.event,
            event.about,
            event.effect,
            event.reason,
        ]);
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}

fn show(context: &Context, transmitters: Vec<TransmitterView>) -> Outcome {
    if context.terminal.json() {
        context.terminal.value(&transmitters)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["name", "issuer", "state", "heard of", "delivers", "audience"]);
    for one in transmitters {
        let (state, style) = match (one.distrusted_at, one.silent) {
            (Some(_), _) => ("distrusted", Style::Bad),
            (None, true) => ("silent", Style::Bad),
            (None, false) => ("believed", Style::Good),
        };
        let heard = one.heard_at.map_or_else(|| "never".to_owned(), time::shown);
        let delivers = if one.polled { "fetched from it".to_owned() } else { format!("to {}", one.push_url) };
        table.styled([
            (one.name.to_string(), Some(Style::Strong)),
            (one.url, None),
            (state.to_owned(), Some(style)),
            (heard, None),
            (delivers, None),
            (one.audience, None),
        ]);
    }
    table.print(&context.terminal)?;
    Ok(Exit::Ok)
}

fn lift(context: &Context, server: &Server, request: &LiftRequest) -> Outcome {
    let client = server.signed_in(context)?;
    let lifted: SignalLifted = wait(async { Ok(client.post("/api/v1/signals/lift", request).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&lifted)?;
        return Ok(Exit::Ok);
    }
    context.terminal.note(&format!(
        "{} no longer stands against {}; in force from revision {} on",
        request.signal, request.about, lifted.revision
    ));
    Ok(Exit::Ok)
}
