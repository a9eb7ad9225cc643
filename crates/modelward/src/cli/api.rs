//! What every command that asks the control API shares.

use std::path::PathBuf;

use modelward_server::wire::{ErrorCode, Secret};

use super::Context;
use super::again::AtTerminal;
use crate::client::{Client, ClientError};
use crate::config::HttpUrl;
use crate::credentials::{Credentials, Session};
use crate::exit::{Exit, Failure};
use crate::step_up;

/// Which control plane to ask.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Server {
    /// The control plane [default: the one signed in to last]
    #[arg(long, env = "MODELWARD_SERVER", value_name = "URL")]
    server: Option<HttpUrl>,
    /// Certificate authorities to believe instead of those of the system, in PEM
    #[arg(long, env = "MODELWARD_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// Where `modelward serve` listens unless told otherwise.
const DEFAULT_SERVER: &str = "http://127.0.0.1:7080";

/// The server a command goes to, and what is known of it.
pub(super) struct Target {
    pub(super) url: HttpUrl,
    pub(super) ca: Option<PathBuf>,
    pub(super) credentials_file: PathBuf,
    pub(super) credentials: Credentials,
}

impl Server {
    pub(super) fn target(&self, context: &Context) -> Result<Target, Failure> {
        let credentials_file = Credentials::path(&context.environment)?;
        let credentials = Credentials::read(&credentials_file)?;
        let url = match &self.server {
            Some(url) => url.clone(),
            None => {
                let text = credentials.current.as_deref().unwrap_or(DEFAULT_SERVER);
                text.parse().map_err(|why| Failure::new(Exit::Usage, format!("the server `{text}` {why}")))?
            }
        };
        let known = credentials.servers.get(&url.to_string());
        let ca = self.ca.clone().or_else(|| known?.ca.clone());
        Ok(Target { url, ca, credentials_file, credentials })
    }

    /// A client without a session.
    pub(super) fn anonymous(&self, context: &Context) -> Result<Client, Failure> {
        let target = self.target(context)?;
        Ok(Client::new(target.url, target.ca, None)?)
    }

    /// A client that shows the session of this user.
    pub(super) fn signed_in(&self, context: &Context) -> Result<Client, Failure> {
        let target = self.target(context)?;
        let session = target.session()?;
        let sign_in = AtTerminal::of(&target);
        let client = Client::new(target.url, target.ca, Some(session))?;
        Ok(match sign_in {
            Some(sign_in) => client.asking(sign_in),
            None => client,
        })
    }
}

impl Target {
    /// The secret of the session at this server.
    pub(super) fn session(&self) -> Result<Secret, Failure> {
        Ok(self.signed_in()?.secret.clone())
    }

    /// Whose session it is.
    pub(super) fn name(&self) -> Result<String, Failure> {
        Ok(self.signed_in()?.name.clone())
    }

    fn signed_in(&self) -> Result<&Session, Failure> {
        let session = self.credentials.servers.get(&self.url.to_string());
        session.ok_or_else(|| {
            Failure::new(Exit::Unauthenticated, format!("nobody is signed in at `{}`", self.url))
                .hint("sign in with `modelward login`")
        })
    }
}

/// Runs a command's conversation with a server.
pub(super) fn wait<T>(conversation: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(conversation)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = exit_of(&error);
        let failure = Self::of(exit, &error);
        match &error {
            ClientError::PlainText(_) => failure.hint("use an `https://` address"),
            ClientError::Unreachable { server, .. } if server.is_loopback() => {
                failure.hint("is `modelward serve` running?")
            }
            ClientError::Refused { body, .. } => {
                let detail = &body.error;
                let mut failure = failure;
                if let Some(asked) = detail.step_up {
                    failure = failure.hint(step_up::hint(asked));
                } else if let Some(hint) = &detail.hint {
                    failure = failure.hint(hint);
                } else if detail.code == ErrorCode::Unauthenticated {
                    failure = failure.hint("sign in with `modelward login`");
                }
                if let Some(seconds) = detail.retry_after {
                    failure = failure.hint(format!("try again in {seconds} s"));
                }
                if let Some(decision) = detail.decision {
                    failure = failure.hint(format!("`modelward explain {decision}` says why"));
                }
                failure
            }
            ClientError::Unreachable { .. }
            | ClientError::Trust(_)
            | ClientError::Slow { .. }
            | ClientError::TooLarge { .. }
            | ClientError::Token(_)
            | ClientError::Nonce(_)
            | ClientError::Foreign { .. }
            | ClientError::Request { .. } => failure,
        }
    }
}

fn exit_of(error: &ClientError) -> Exit {
    match error {
        ClientError::PlainText(_) | ClientError::Trust(_) => Exit::Usage,
        ClientError::Unreachable { .. } | ClientError::Slow { .. } => Exit::Unavailable,
        ClientError::Token(body) => match body.error.as_str() {
            "invalid_grant" => Exit::Unauthenticated,
            "access_denied" | "invalid_scope" => Exit::Denied,
            _ => Exit::Failure,
        },
        ClientError::Refused { body, .. } => match body.error.code {
            ErrorCode::Unauthenticated | ErrorCode::BadCredentials | ErrorCode::StepUp => {
                Exit::Unauthenticated
            }
            ErrorCode::Denied | ErrorCode::Refused => Exit::Denied,
            ErrorCode::TooManyTries | ErrorCode::Unavailable => Exit::Unavailable,
            ErrorCode::Malformed
            | ErrorCode::CrossSite
            | ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::Conflict
            | ErrorCode::TooLarge
            | ErrorCode::MediaType
            | ErrorCode::Internal => Exit::Failure,
        },
        ClientError::TooLarge { .. }
        | ClientError::Nonce(_)
        | ClientError::Foreign { .. }
        | ClientError::Request { .. } => Exit::Failure,
    }
}
