//! `modelward login`

mod elsewhere;

use std::path::PathBuf;

use modelward_decision::vocabulary::Name;
use modelward_server::wire::{LoggedIn, LoginRequest, Secret};

use super::api::{Server, Target, wait};
use super::{Context, ask, time};
use crate::client::Client;
use crate::credentials::Session;
use crate::exit::{Exit, Failure, Outcome};
use elsewhere::Way;

/// Sign in, with a password or through an issuer
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name to sign in with; an issuer knows it without
    #[arg(required_unless_present = "issuer", conflicts_with = "issuer")]
    name: Option<Name>,
    /// Sign in through this issuer: in the browser of this machine, unless `--device` is given
    #[arg(long, value_name = "NAME", conflicts_with_all = ["password_stdin", "totp", "recovery_code"])]
    issuer: Option<Name>,
    /// Show a code to type into a browser on any machine
    #[arg(long, requires = "issuer")]
    device: bool,
    /// Certificate authorities to believe the issuer by, instead of those of the system, in PEM
    #[arg(long, value_name = "FILE", requires = "issuer")]
    issuer_ca: Option<PathBuf>,
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

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let mut target = args.server.target(context)?;
    let client = Client::new(target.url.clone(), target.ca.clone(), None)?;
    let answer = match (&args.issuer, args.name.clone()) {
        (Some(issuer), _) => {
            let way = if args.device { Way::Device } else { Way::Loopback };
            wait(elsewhere::sign_in(context, &client, issuer, args.issuer_ca.clone(), way))?
        }
        (None, Some(name)) => with_password(&client, args, name)?,
        (None, None) => return Err(Failure::new(Exit::Usage, "who signs in is not named")),
    };
    keep(context, &mut target, &answer)
}

fn with_password(client: &Client, args: &Args, name: Name) -> Result<LoggedIn, Failure> {
    let password =
        if args.password_stdin { Secret::new(ask::piped("password")?) } else { ask::secret("Password")? };
    let (totp, recovery_code) = match args.totp.clone() {
        _ if args.recovery_code => (None, Some(ask::secret("Recovery code")?)),
        Some(digits) => (Some(Secret::new(digits)), None),
        None => (Some(Secret::new(ask::line("Code of the authenticator app")?)), None),
    };
    let request = LoginRequest { name, password, totp, recovery_code };
    wait(async { Ok(client.post("/api/v1/login", &request).await?) })
}

/// Keeps the session for later commands, and says whose it is.
fn keep(context: &Context, target: &mut Target, answer: &LoggedIn) -> Outcome {
    let url = target.url.to_string();
    target.credentials.current = Some(url.clone());
    remember(target, answer)?;

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

/// Keeps the session in the place of the former one at this server.
pub(super) fn remember(target: &mut Target, answer: &LoggedIn) -> Result<(), Failure> {
    let session = Session {
        name: answer.person.name.clone(),
        secret: answer.session_secret.clone(),
        expires_at: answer.session.expires_at,
        ca: target.ca.as_ref().map(std::path::absolute).transpose()?,
    };
    target.credentials.servers.insert(target.url.to_string(), session);
    target.credentials.write(&target.credentials_file)
}
