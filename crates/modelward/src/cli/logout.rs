//! `modelward logout`

use modelward_server::wire::{ErrorCode, LoggedOut};

use super::Context;
use super::api::{Server, wait};
use crate::client::Client;
use crate::exit::{Exit, Outcome};

/// End the session, here and at the server
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let mut target = args.server.target(context)?;
    let client = Client::new(target.url.clone(), target.ca.clone(), Some(target.session()?))?;
    let ended = wait(async {
        match client.act::<LoggedOut>("/api/v1/logout").await {
            Ok(ended) => Ok(Some(ended)),
            // It had ended already: what is left to do is to forget it.
            Err(error) if error.code() == Some(ErrorCode::Unauthenticated) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })?;
    let url = target.url.to_string();
    target.credentials.servers.remove(&url);
    target.credentials.current = target.credentials.current.filter(|current| *current != url);
    target.credentials.write(&target.credentials_file)?;
    if context.terminal.json() {
        context.terminal.value(&ended)?;
    } else {
        context.terminal.note(&format!("signed out at {url}"));
        if let Some(there) = ended.and_then(|ended| ended.issuer_sign_out_url) {
            context.terminal.note(&format!("to sign out at the issuer too, open {there}"));
        }
    }
    Ok(Exit::Ok)
}
