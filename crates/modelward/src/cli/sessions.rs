//! `modelward sessions`

use modelward_decision::vocabulary::SessionId;
use modelward_server::wire::{List, SessionView, SessionsEnded};

use super::api::{Server, wait};
use super::{Context, time};
use crate::client::escape;
use crate::exit::{Exit, Outcome};
use crate::output::{Style, Table};

/// List sessions, and end them
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the sessions that count
    List {
        /// The name of a person [default: oneself]
        who: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// End sessions, with every token and stream that came from them
    End {
        /// The name of a person, for all of theirs, or one session, `se_…`
        #[arg(required_unless_present = "others")]
        who: Option<String>,
        /// Every session of one's own but the present one
        #[arg(long, conflicts_with = "who")]
        others: bool,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List { who, server } => list(context, &server, who.as_deref()),
        Command::End { who, others: _, server } => end(context, &server, who.as_deref()),
    }
}

fn list(context: &Context, server: &Server, who: Option<&str>) -> Outcome {
    let client = server.signed_in(context)?;
    let path = match who {
        None => "/api/v1/sessions".to_owned(),
        Some(who) => format!("/api/v1/people/{}/sessions", escape(who)),
    };
    let sessions: List<SessionView> = wait(async { Ok(client.read(&path).await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&sessions.items)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["session", "signed in", "last used", "ends", "by", "where", "with"]);
    for session in &sessions.items {
        table.styled([
            (session.id.to_string(), session.current.then_some(Style::Strong)),
            (time::shown(session.authenticated_at), None),
            (time::shown(session.last_seen_at), None),
            (time::shown(session.expires_at.min(session.idle_until)), None),
            (session.methods.join(" + "), None),
            (session.source.clone(), None),
            (session.user_agent.clone(), Some(Style::Faint)),
        ]);
    }
    table.print(terminal)?;
    Ok(Exit::Ok)
}

fn end(context: &Context, server: &Server, who: Option<&str>) -> Outcome {
    let client = server.signed_in(context)?;
    let ended: SessionsEnded = wait(async {
        let Some(who) = who else { return Ok(client.act("/api/v1/sessions/end-others").await?) };
        Ok(match who.parse::<SessionId>() {
            Ok(session) => client.delete(&format!("/api/v1/sessions/{session}")).await?,
            Err(_) => client.act(&format!("/api/v1/people/{}/end-sessions", escape(who))).await?,
        })
    })?;
    if context.terminal.json() {
        context.terminal.value(&ended)?;
    } else {
        context.terminal.note(&format!("sessions ended: {}", ended.sessions));
    }
    Ok(Exit::Ok)
}
