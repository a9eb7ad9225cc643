//! Signing in again in the middle of a command, when what was asked for needs a stronger or fresher sign-in (RFC 9470).

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use modelward_decision::vocabulary::Name;
use modelward_server::wire::{LoggedIn, LoginRequest, Secret, StepUp};

use super::api::Target;
use super::{ask, login};
use crate::client::{Client, SignIn};
use crate::config::HttpUrl;
use crate::credentials::Credentials;
use crate::exit::{Exit, Failure};
use crate::step_up;

/// Asks whoever sits at the terminal for both factors.
#[derive(Debug)]
pub(super) struct AtTerminal {
    url: HttpUrl,
    ca: Option<PathBuf>,
    credentials_file: PathBuf,
    name: String,
}

impl AtTerminal {
    /// `None` where nobody can be asked.
    pub(super) fn of(target: &Target) -> Option<Self> {
        let session = target.credentials.servers.get(&target.url.to_string())?;
        io::stdin().is_terminal().then(|| Self {
            url: target.url.clone(),
            ca: target.ca.clone(),
            credentials_file: target.credentials_file.clone(),
            name: session.name.clone(),
        })
    }

    async fn ask(&self, asked: StepUp) -> Result<Secret, Failure> {
        let name: Name = self
            .name
            .parse()
            .map_err(|_| Failure::new(Exit::Usage, format!("`{}` is no name to sign in with", self.name)))?;
        writeln!(io::stderr().lock(), "this needs {}; sign in again as {name}", step_up::in_words(asked))?;
        // Who types takes their time: what else this process does goes on.
        let typed = tokio::task::spawn_blocking(|| {
            Ok::<_, Failure>((ask::secret("Password")?, ask::line("Code of the authenticator app")?))
        });
        let (password, code) = typed.await.map_err(|error| Failure::of(Exit::Failure, &error))??;
        let request = LoginRequest { name, password, totp: Some(Secret::new(code)), recovery_code: None };
        let client = Client::new(self.url.clone(), self.ca.clone(), None)?;
        let answer: LoggedIn = client.post("/api/v1/login", &request).await?;
        let mut target = Target {
            url: self.url.clone(),
            ca: self.ca.clone(),
            credentials_file: self.credentials_file.clone(),
            credentials: Credentials::read(&self.credentials_file)?,
        };
        login::remember(&mut target, &answer)?;
        Ok(answer.session_secret)
    }
}

impl SignIn for AtTerminal {
    fn again(&self, asked: StepUp) -> std::pin::Pin<Box<dyn Future<Output = Option<Secret>> + Send + '_>> {
        Box::pin(async move {
            if asked.strength > step_up::SHOWN {
                return None;
            }
            match self.ask(asked).await {
                Ok(session) => Some(session),
                Err(failure) => {
                    // The refusal that led here is told after this.
                    let _unread = writeln!(io::stderr().lock(), "not signed in: {}", failure.message());
                    None
                }
            }
        })
    }
}
