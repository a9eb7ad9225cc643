//! `modelward ledger`

mod verify;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelward_server::wire::{
    DecisionFilter, DecisionLine, LedgerEntryView, Page, ProofView, Verdict, Whose,
};

use super::api::{Server, wait};
use super::{Context, time, view};
use crate::client::{Client, query};
use crate::exit::{Exit, Failure, Outcome};

/// Read the ledger, and check it
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Verify(verify::Args),
    /// Show one entry
    Show {
        /// The place of the entry, from 0
        index: u64,
        /// Write the exact bytes that were hashed
        #[arg(long, conflicts_with = "json")]
        raw: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Write the proof that an entry is in the ledger, in C2SP tlog-proof form
    Prove {
        /// The place of the entry, from 0
        index: u64,
        #[command(flatten)]
        server: Server,
    },
    /// Show decisions as they are recorded
    Tail(TailArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {
    /// How many of the latest to show first
    #[arg(short = 'n', long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=500))]
    last: u32,
    /// Show those, and do not wait for more
    #[arg(long)]
    no_follow: bool,
    /// Decisions about everybody, not only oneself
    #[arg(long)]
    all: bool,
    /// Only denials
    #[arg(long)]
    denied: bool,
    /// Only this person or machine
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Only this model, version, endpoint or dataset
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Verify(args) => verify::run(context, &args),
        Command::Show { index, raw, server } => show(context, index, raw, &server),
        Command::Prove { index, server } => prove(context, index, &server),
        Command::Tail(args) => tail(context, args),
    }
}

fn show(context: &Context, index: u64, raw: bool, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let path = format!("/api/v1/ledger/entries/{index}");
    let entry: LedgerEntryView = wait(async { Ok(client.read(&path).await?) })?;
    let terminal = &context.terminal;
    if raw {
        let bytes = STANDARD
            .decode(&entry.bytes)
            .map_err(|_| Failure::new(Exit::Failure, "the server sent bytes that are no base64"))?;
        std::io::Write::write_all(&mut std::io::stdout().lock(), &bytes)?;
        return Ok(Exit::Ok);
    }
    if terminal.json() {
        terminal.value(&entry)?;
        return Ok(Exit::Ok);
    }
    view::fact(terminal, "entry", &entry.place.index.to_string())?;
    view::fact(terminal, "kind", &entry.kind)?;
    view::fact(terminal, "at", &time::shown(entry.at))?;
    view::fact(terminal, "leaf", &entry.place.leaf_hash)?;
    let covered = entry.place.tree_size.map_or_else(
        || "no checkpoint covers it yet".to_owned(),
        |size| format!("covered by the checkpoint over {size} entries"),
    );
    view::fact(terminal, "proof", &covered)?;
    let text =
        serde_json::to_string_pretty(&entry.entry).map_err(|error| Failure::of(Exit::Failure, &error))?;
    terminal.line(&crate::output::clean(&text))?;
    Ok(Exit::Ok)
}

fn prove(context: &Context, index: u64, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let path = format!("/api/v1/ledger/entries/{index}/proof");
    let proof: ProofView = wait(async { Ok(client.read(&path).await?) })?;
    if context.terminal.json() {
        context.terminal.value(&proof)?;
    } else {
        context.terminal.line(crate::output::clean(&proof.tlog_proof).trim_end_matches('\n'))?;
    }
    Ok(Exit::Ok)
}

fn tail(context: &Context, args: TailArgs) -> Outcome {
    let client = args.server.signed_in(context)?;
    let filter = DecisionFilter {
        whose: Some(if args.all || args.principal.is_some() { Whose::All } else { Whose::Me }),
        principal: args.principal,
        resource: args.resource,
        verdict: args.denied.then_some(Verdict::Deny),
        ..DecisionFilter::default()
    };
    wait(async {
        // The stream first: what happens while the page is read is not lost, only seen twice, and that is dropped.
        let mut stream = match args.no_follow {
            true => None,
            false => Some(client.events(&format!("/api/v1/decisions/stream{}", query(&filter))).await?),
        };
        let mut seen = latest(context, &client, &filter, args.last).await?;
        let Some(stream) = &mut stream else { return Ok(Exit::Ok) };
        while let Some(line) = stream.next::<DecisionLine>().await? {
            if seen.is_none_or(|seen| line.index > seen) {
                print(context, &line)?;
                seen = Some(line.index);
            }
        }
        Err(Failure::new(Exit::Unavailable, "the server ended the stream"))
    })
}

/// Shows the latest decisions, oldest first; answers the index of the last one.
async fn latest(
    context: &Context,
    client: &Client,
    filter: &DecisionFilter,
    number: u32,
) -> Result<Option<u64>, Failure> {
    if number == 0 {
        return Ok(None);
    }
    let filter = DecisionFilter { limit: Some(number), ..filter.clone() };
    let page: Page<DecisionLine> = client.read(&format!("/api/v1/decisions{}", query(&filter))).await?;
    for line in page.items.iter().rev() {
        print(context, line)?;
    }
    Ok(page.items.first().map(|line| line.index))
}

fn print(context: &Context, line: &DecisionLine) -> Result<(), Failure> {
    if context.terminal.json() {
        // One line each, on a terminal too: a stream has no end to indent towards.
        let text = serde_json::to_string(line).map_err(|error| Failure::of(Exit::Failure, &error))?;
        context.terminal.line(&text)?;
    } else {
        view::feed_line(&context.terminal, line)?;
    }
    Ok(())
}
