//! `modelward enrol`

use modelward_server::wire::{EnrolConfirmRequest, EnrolRequest, EnrolStarted, Enrolled, Secret};

use super::api::{Server, wait};
use super::{Context, ask};
use crate::exit::{Exit, Outcome};
use crate::output::clean;

/// Become a person of an installation, with the code that `modelward init` or `modelward invite` gave
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Read the enrolment code, the password and then the authenticator's code from standard input, one per line
    #[arg(long)]
    stdin: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let client = args.server.anonymous(context)?;
    let code =
        if args.stdin { Secret::new(ask::piped("enrolment code")?) } else { ask::secret("Enrolment code")? };
    let request = EnrolRequest { code };
    let terminal = &context.terminal;
    wait(async {
        let started: EnrolStarted = client.post("/api/v1/enrol", &request).await?;
        let password = if args.stdin {
            // A script makes the authenticator's code from this line, and answers on its standard input.
            terminal.value(&started)?;
            Secret::new(ask::piped("password")?)
        } else {
            terminal.note(&format!("Welcome, {}.", clean(&started.display_name)));
            let password = ask::new_password()?;
            terminal.note("Add this to an authenticator app:");
            terminal.note(&format!("  {}", started.otpauth.expose()));
            terminal.note(&format!("or type this secret into it: {}", started.secret.expose()));
            password
        };
        let totp =
            if args.stdin { ask::piped("authenticator code")? } else { ask::line("Code the app shows")? };
        let confirm = EnrolConfirmRequest { code: request.code, password, totp: Secret::new(totp) };
        let enrolled: Enrolled = client.post("/api/v1/enrol/confirm", &confirm).await?;
        if terminal.json() || args.stdin {
            terminal.value(&enrolled)?;
            return Ok(Exit::Ok);
        }
        terminal.note(&format!(
            "{} is enrolled. Recovery codes, each good for one sign-in without the app:",
            enrolled.name
        ));
        for code in &enrolled.recovery_codes {
            terminal.line(code.expose())?;
        }
        terminal.note("They are not shown again.");
        terminal.hint(&format!("sign in with `modelward login {}`", enrolled.name));
        Ok(Exit::Ok)
    })
}
