//! `modelward agent`

use std::fs;
use std::path::{Path, PathBuf};

use modelward_identity::token::ProofKey;
use modelward_server::wire::{EndpointView, List};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use super::again::AtTerminal;
use super::api::{Server, wait};
use crate::agent::{Agent, Door, Listening, RunSecret, SignedIn, Tokens};
use crate::client::{Client, SignIn, wire};
use crate::clock::SystemIds;
use crate::config::HttpUrl;
use crate::exit::{Exit, Failure, Outcome};
use crate::private;

/// Stand between programs of this user and the gateway: hold a key, take tokens bound to it, prove it on each request
///
/// Programs that know nothing of this project send their requests here, with the secret of this run as their API key.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Port on 127.0.0.1; a free one when absent
    #[arg(long, value_name = "PORT", default_value_t = 0, conflicts_with = "socket")]
    port: u16,
    /// Listen on a Unix socket, which needs no secret, instead of a port
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    pub(super) ahead: Ahead,
}

/// What is ahead of the agent.
#[derive(Debug, clap::Args)]
pub(super) struct Ahead {
    /// The gateway [default: the one the control plane gives tokens for]
    #[arg(long, value_name = "URL")]
    gateway: Option<HttpUrl>,
    /// Endpoint that `OPENAI_BASE_URL` leads to [default: the only one that speaks OpenAI]
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Whom an agent asks to sign in again, when a request needs that.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks {
    /// Whoever started it.
    AtTerminal,
    /// The terminal belongs to another program.
    Nobody,
}

/// An agent on loopback, and what programs need to know of it.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) agent: Agent,
    pub(super) listening: Listening,
    /// Names and values for the environment of a program.
    pub(super) variables: Vec<(&'static str, String)>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    wait(async {
        let ready = match &args.socket {
            None => args.ahead.on_loopback(context, args.port, Asks::AtTerminal).await?,
            Some(path) => args.ahead.on_socket(context, path).await?,
        };
        let terminal = &context.terminal;
        if terminal.json() {
            let variables: serde_json::Map<_, _> = ready
                .variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
                .collect();
            terminal.value(&variables)?;
        } else {
            for (name, value) in &ready.variables {
                terminal.line(&format!("export {name}={value}"))?;
            }
        }
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = ready.agent.clone().serve(ready.listening) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        ready.agent.end().await;
        Ok(Exit::Ok)
    })
}

impl Ahead {
    /// An agent that asks for a secret.
    pub(super) async fn on_loopback(
        &self,
        context: &Context,
        port: u16,
        asks: Asks,
    ) -> Result<Ready, Failure> {
        let (listening, address) = Listening::loopback(port).await?;
        let secret = RunSecret::random(&SystemIds);
        let door = Door::Secret { digest: secret.digest(), address };
        let mut variables = vec![
            ("MODELWARD_AGENT_URL", format!("http://{address}")),
            ("MODELWARD_AGENT_KEY", secret.expose().to_owned()),
        ];
        let (agent, endpoint) = self.agent(context, door, asks).await?;
        if let Some(endpoint) = endpoint {
            variables.push(("OPENAI_BASE_URL", format!("http://{address}/{endpoint}/v1")));
            variables.push(("OPENAI_API_KEY", secret.expose().to_owned()));
        }
        Ok(Ready { agent, listening, variables })
    }

    /// An agent that answers whoever can open its socket.
    async fn on_socket(&self, context: &Context, path: &Path) -> Result<Ready, Failure> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        private::check_folder(&fs::canonicalize(folder)?).map_err(|error| {
            let failure = Failure::of(Exit::Usage, &error);
            match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure.hint("put the socket into a folder that is yours alone"),
            }
        })?;
        let (agent, _) = self.agent(context, Door::Socket, Asks::AtTerminal).await?;
        let listening = Listening::socket(path.to_owned())?;
        Ok(Ready {
            agent,
            listening,
            variables: vec![("MODELWARD_AGENT_SOCKET", path.display().to_string())],
        })
    }

    async fn agent(
        &self,
        context: &Context,
        door: Door,
        asks: Asks,
    ) -> Result<(Agent, Option<String>), Failure> {
        let target = self.server.target(context)?;
        let control = Client::new(target.url.clone(), target.ca.clone(), Some(target.session()?))?;
        let gateway = match &self.gateway {
            Some(gateway) => gateway.clone(),
            None => gateway_of(&control).await?,
        };
        let endpoint = match &self.endpoint {
            Some(endpoint) => Some(endpoint.clone()),
            None => openai_endpoint(&control).await?,
        };
        let key = ProofKey::generate(&SystemIds).map_err(|error| Failure::of(Exit::Failure, &error))?;
        let wire = wire(&gateway, target.ca.clone())?;
        let sign_in = match asks {
            Asks::AtTerminal => AtTerminal::of(&target).map(|ask| Box::new(ask) as Box<dyn SignIn>),
            Asks::Nobody => None,
        };
        let name = target.name()?;
        let sign_in = SignedIn::new(target.credentials_file, target.url.to_string(), name, sign_in);
        // The proof of who asks stands in the forms; beside it, no credential.
        let control = Client::new(target.url, target.ca, None)?;
        Ok((Agent::new(door, Tokens::new(control, sign_in, key), wire, gateway), endpoint))
    }
}

/// The one resource that the control plane gives access tokens for (RFC 8414, RFC 9728 section 4).
async fn gateway_of(control: &Client) -> Result<HttpUrl, Failure> {
    #[derive(Deserialize)]
    struct Metadata {
        protected_resources: Vec<String>,
    }

    let metadata: Metadata = control.read("/.well-known/oauth-authorization-server").await?;
    let named = metadata.protected_resources.first().and_then(|resource| resource.parse().ok());
    named.ok_or_else(|| {
        Failure::new(Exit::Failure, "the control plane names no gateway").hint("name it with `--gateway`")
    })
}

/// The endpoint for OpenAI clients, where there is no doubt which.
async fn openai_endpoint(control: &Client) -> Result<Option<String>, Failure> {
    let endpoints: List<EndpointView> = control.read("/api/v1/endpoints").await?;
    let mut speaking = endpoints.items.into_iter().filter(|endpoint| endpoint.protocol == "openai");
    let first = speaking.next();
    Ok(first.filter(|_| speaking.next().is_none()).map(|endpoint| endpoint.name))
}
