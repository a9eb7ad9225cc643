//! `modelward token`

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use modelward_decision::vocabulary::{Action, Privilege};
use modelward_server::wire::{AuthorizationDetail, Secret, TokenRequest, TokenResponse};

use super::Context;
use super::api::{Server, wait};
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};

/// Exchange the session for an access token, good for minutes, and write it to stdout
///
/// `OPENAI_API_KEY=$(modelward token)` is all an OpenAI client needs beside the address of the endpoint.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A privilege the token carries; can be given several times
    #[arg(long = "privilege", value_name = "NAME", default_value = "inference")]
    privileges: Vec<Privilege>,
    /// A single action the token is good for, in the place of privileges; can be given several times
    #[arg(long = "action", value_name = "NAME", conflicts_with = "privileges")]
    actions: Vec<Action>,
    /// A model the token is good for; every model one has rights on when absent
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// File with the token by which a workload proves itself, in the place of a session: of its Kubernetes service account, its
    /// SPIFFE trust domain or its CI system
    #[arg(long, value_name = "FILE")]
    workload_token: Option<PathBuf>,
    /// Who takes the token, by its URL; the gateway when absent
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let target = args.server.target(context)?;
    let (subject, kind) = match &args.workload_token {
        Some(path) => (proof(path)?, TokenRequest::SUBJECT_WORKLOAD),
        None => (target.session()?, TokenRequest::SUBJECT_SESSION),
    };
    // The proof stands in the form; beside it, no credential.
    let client = Client::new(target.url, target.ca, None)?;
    let scope: Vec<&str> = args.privileges.iter().map(|privilege| privilege.as_str()).collect();
    let scope = scope.join(" ");
    let models = args.models.join(" ");
    let details = details(args)?;
    let mut form = vec![
        ("grant_type", TokenRequest::GRANT_TYPE),
        ("subject_token", subject.expose()),
        ("subject_token_type", kind),
    ];
    match &details {
        Some(details) => form.push(("authorization_details", details)),
        None => form.push(("scope", &scope)),
    }
    if !models.is_empty() && details.is_none() {
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

/// What a token for single actions is asked for with (RFC 9396).
fn details(args: &Args) -> Result<Option<String>, Failure> {
    if args.actions.is_empty() {
        return Ok(None);
    }
    let detail = AuthorizationDetail {
        kind: "modelward".to_owned(),
        privileges: None,
        actions: Some(args.actions.clone()),
        models: (!args.models.is_empty()).then(|| args.models.clone()),
    };
    serde_json::to_string(&[detail]).map(Some).map_err(|error| Failure::of(Exit::Failure, &error))
}

/// Longer ones are refused by the server anyway.
const PROOF_BYTES_MAX: u64 = 16 * 1024;

fn proof(path: &Path) -> Result<Secret, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Usage, format!("failed to read `{}`: {error}", path.display()))
    };
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(PROOF_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(Secret::new(text.trim()))
}
