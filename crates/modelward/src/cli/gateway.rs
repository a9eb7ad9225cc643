//! `modelward gateway`

use modelward_decision::vocabulary::Name;
use modelward_identity::join::JoinCode;
use modelward_server::wire::{
    GatewayInvited, GatewayState, GatewayView, GatewaysChanged, InviteGatewayRequest, List,
};

use super::api::{Server, wait};
use super::config::ConfigFile;
use super::{Context, ask, time};
use crate::client::escape;
use crate::config::Role;
use crate::exit::{Exit, Failure, Outcome};
use crate::house::outpost::{self, EnrolError};
use crate::output::{Style, Table};
use crate::planes::link::LinkError;
use crate::planes::member::MemberError;

/// Let gateways in that run in processes of their own, and look after them
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a code for a new gateway; it is typed into `modelward gateway enrol` there
    Invite {
        /// How the gateway is called
        name: Name,
        #[command(flatten)]
        server: Server,
    },
    /// Make this machine's data directory that of a gateway, with a code typed or on standard input
    Enrol {
        /// Read the code from standard input
        #[arg(long)]
        stdin: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List every gateway: state, revision in force, last seen
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Remove a gateway: its certificate counts for nothing from now on
    Remove {
        /// How the gateway is called
        name: Name,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Invite { name, server } => invite(context, name, &server),
        Command::Enrol { stdin, config } => enrol(context, stdin, &config),
        Command::List { server } => {
            let client = server.signed_in(context)?;
            let list: List<GatewayView> = wait(async { Ok(client.read("/api/v1/gateways").await?) })?;
            show(context, &list.items)
        }
        Command::Remove { name, server } => {
            let client = server.signed_in(context)?;
            let path = format!("/api/v1/gateways/{}/remove", escape(name.as_str()));
            let changed: GatewaysChanged = wait(async { Ok(client.act(&path).await?) })?;
            show(context, &changed.gateways)
        }
    }
}

fn invite(context: &Context, name: Name, server: &Server) -> Outcome {
    let client = server.signed_in(context)?;
    let request = InviteGatewayRequest { name };
    let invited: GatewayInvited = wait(async { Ok(client.post("/api/v1/gateways", &request).await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&invited)?;
        return Ok(Exit::Ok);
    }
    terminal.line(invited.code.expose())?;
    terminal.note(&format!("Good once, for {}, until {}.", invited.name, time::shown(invited.expires_at)));
    terminal.hint("type it into `modelward gateway enrol` on the machine of the gateway");
    Ok(Exit::Ok)
}

fn enrol(context: &Context, stdin: bool, config: &ConfigFile) -> Outcome {
    let loaded = config.load_as(context, Some(Role::Gateway))?;
    let typed =
        if stdin { ask::piped("code")? } else { ask::secret("Code for this gateway")?.expose().to_owned() };
    let code = JoinCode::read(&typed).map_err(|error| Failure::of(Exit::Usage, &error))?;
    let name = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(outpost::enrol(&loaded.config, code))
        .map_err(|error| failure(&error))?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&serde_json::json!({ "name": name }))?;
        return Ok(Exit::Ok);
    }
    terminal.note(&format!("This is the gateway {name} now."));
    terminal.hint("start it with `modelward serve --role gateway`");
    Ok(Exit::Ok)
}

fn failure(error: &EnrolError) -> Failure {
    match error {
        EnrolError::Member(MemberError::Enrolled { .. }) => Failure::of(Exit::Failure, error)
            .hint("to enrol it anew, remove it at the control plane and begin with an empty data directory"),
        EnrolError::Link(LinkError::Unknown(_) | LinkError::Refused(_)) => {
            Failure::of(Exit::Denied, error).hint("ask for a new code with `modelward gateway invite`")
        }
        EnrolError::Link(_) => Failure::of(Exit::Unavailable, error).hint(
            "`planes.control` names the control plane's `planes.listen`; a code names one control plane",
        ),
        EnrolError::NoControl => Failure::of(Exit::Usage, error),
        EnrolError::House(_) | EnrolError::Member(_) | EnrolError::Mutual(_) | EnrolError::NoAuthority => {
            Failure::of(Exit::Failure, error)
        }
    }
}

fn show(context: &Context, gateways: &[GatewayView]) -> Outcome {
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&gateways)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["gateway", "state", "revision", "behind", "seen", "enrolled"]);
    for gateway in gateways {
        let style = match gateway.state {
            GatewayState::Current => Style::Good,
            GatewayState::Stale | GatewayState::Fenced => Style::Warn,
            GatewayState::Invited => Style::Faint,
        };
        let revision = gateway.revision.map(|revision| revision.to_string()).unwrap_or_default();
        table.styled([
            (gateway.name.to_string(), None),
            (gateway.state.as_str().to_owned(), Some(style)),
            (revision, None),
            (gateway.behind.to_string(), None),
            (gateway.seen_at.map(time::shown).unwrap_or_default(), None),
            (gateway.enrolled_at.map(time::shown).unwrap_or_default(), Some(Style::Faint)),
        ]);
    }
    table.print(terminal)?;
    Ok(Exit::Ok)
}
