//! `modelward token`

use modelward_decision::vocabulary::Privilege;
use modelward_server::wire::{TokenRequest, TokenResponse};

use super::Context;
use super::api::{Server, wait};
use crate::client::Client;
use crate::exit::{Exit, Outcome};

/// Exchange the session for an access token, good for minutes, and write it to stdout
///
/// `OPENAI_API_KEY=$(modelward token)` is all an OpenAI client needs beside the address of the endpoint.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A privilege the token carries; can be given several times
    #[arg(long = "privilege", value_name = "NAME", default_value = "inference")]
    privileges: Vec<Privilege>,
    /// A model the token is good for; every model one has rights on when absent
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// Who takes the token, by its URL; the gateway when absent
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let target = args.server.target(context)?;
    let session = target.session()?;
    let client = Client::new(target.url, target.ca, Some(session.clone()))?;
    let scope: Vec<&str> = args.privileges.iter().map(|privilege| privilege.as_str()).collect();
    let scope = scope.join(" ");
    let models = args.models.join(" ");
    let mut form = vec![
        ("grant_type", TokenRequest::GRANT_TYPE),
        ("subject_token", session.expose()),
        ("subject_token_type", TokenRequest::SUBJECT_SESSION),
        ("scope", scope.as_str()),
    ];
    if !models.is_empty() {
        form.push(("models", &models));
    }
    if let Some(audience) = &args.audience {
        form.push(("audience", audience));
    }
    let answer: TokenResponse = wait(async { Ok(client.form("/api/v1/token", &form).await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&answer)?;
        return Ok(Exit::Ok);
    }
    terminal.line(answer.access_token.expose())?;
    terminal.note(&format!("good for {} s, for: {}", answer.expires_in, answer.scope));
    Ok(Exit::Ok)
}
