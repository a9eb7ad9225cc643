//! `modelward key`

use modelward_server::wire::{KeyChanged, KeyState, KeyView, List, RotateKeyRequest};

use super::api::{Server, wait};
use super::{Context, time};
use crate::client::escape;
use crate::exit::{Exit, Outcome};
use crate::output::{Style, Table};

/// Look after the keys of the server; every change is decided and recorded
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List every key: purpose, state, age
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Put a new key in the place of the active one of a purpose
    Rotate {
        /// `access-token` or `control-token`
        purpose: String,
        /// The key before stops counting at once, for example because it leaked
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        server: Server,
    },
    /// End a key: nothing it signed counts any more
    Revoke {
        /// The id of the key
        key: String,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    let keys = match command {
        Command::List { server } => {
            let client = server.signed_in(context)?;
            let list: List<KeyView> = wait(async { Ok(client.read("/api/v1/keys").await?) })?;
            list.items
        }
        Command::Rotate { purpose, now, server } => {
            let client = server.signed_in(context)?;
            let path = format!("/api/v1/keys/{}/rotate", escape(&purpose));
            let request = RotateKeyRequest { now };
            let changed: KeyChanged = wait(async { Ok(client.post(&path, &request).await?) })?;
            changed.keys
        }
        Command::Revoke { key, server } => {
            let client = server.signed_in(context)?;
            let path = format!("/api/v1/keys/{}/revoke", escape(&key));
            let changed: KeyChanged = wait(async { Ok(client.act(&path).await?) })?;
            changed.keys
        }
    };
    show(context, &keys)
}

fn show(context: &Context, keys: &[KeyView]) -> Outcome {
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&keys)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["key", "purpose", "algorithm", "state", "since", "public"]);
    for key in keys {
        let (state, style) = match key.state {
            KeyState::Active => ("active".to_owned(), Style::Good),
            KeyState::Retiring => {
                let until = key.retires_at.map(time::shown).unwrap_or_default();
                (format!("retiring until {until}"), Style::Warn)
            }
            KeyState::Revoked => ("revoked".to_owned(), Style::Faint),
        };
        table.styled([
            (key.id.clone(), None),
            (key.purpose.clone(), None),
            (key.algorithm.clone(), None),
            (state, Some(style)),
            (time::shown(key.created_at), None),
            (key.public.clone().unwrap_or_default(), Some(Style::Faint)),
        ]);
    }
    table.print(terminal)?;
    Ok(Exit::Ok)
}
