//! `modelward login`

use modelward_decision::vocabulary::Name;
use modelward_server::wire::{LoggedIn, LoginRequest, Secret};

use super::api::{Server, wait};
use super::{Context, ask, time};
use crate::client::Client;
use crate::credentials::Session;
use crate::exit::{Exit, Outcome};

/// Sign in
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    name: Name,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Six digits from the authenticator app; asked for when absent
    #[arg(long, value_name = "DIGITS")]
    totp: Option<String>,
    /// A recovery code in the place of the authenticator app
    #[arg(long, conflicts_with = "totp")]
    recovery_code: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let mut target = args.server.target(context)?;
    let client = Client::new(target.url.clone(), target.ca.clone(), None)?;
    let password =
        if args.password_stdin { Secret::new(ask::piped("password")?) } else { ask::secret("Password")? };
    let (totp, recovery_code) = match args.totp {
        _ if args.recovery_code => (None, Some(ask::secret("Recovery code")?)),
        Some(digits) => (Some(Secret::new(digits)), None),
        None => (Some(Secret::new(ask::line("Code of the authenticator app")?)), None),
    };
    let request = LoginRequest { name: args.name, password, totp, recovery_code };
    let answer: LoggedIn = wait(async { Ok(client.post("/api/v1/login", &request).await?) })?;

    let url = target.url.to_string();
    let session = Session {
        name: answer.person.name.clone(),
        secret: answer.session_secret.clone(),
        expires_at: answer.session.expires_at,
        ca: target.ca.as_ref().map(std::path::absolute).transpose()?,
    };
    target.credentials.servers.insert(url.clone(), session);
    target.credentials.current = Some(url.clone());
    target.credentials.write(&target.credentials_file)?;

    let terminal = &context.terminal;
    if terminal.json() {
        // The secret is in the credentials file; a script has no use for a second copy.
        terminal.value(&serde_json::json!({
            "server": url,
            "person": answer.person,
            "session": answer.session,
            "recovery_codes_left": answer.recovery_codes_left,
        }))?;
        return Ok(Exit::Ok);
    }
    terminal.note(&format!(
        "signed in at {url} as {} until {}",
        answer.person.name,
        time::shown(answer.session.expires_at)
    ));
    if let Some(left) = answer.recovery_codes_left {
        terminal.note(&format!("{left} recovery codes are left"));
    }
    Ok(Exit::Ok)
}
