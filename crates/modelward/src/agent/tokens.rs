//! Tokens for routes: taken when needed, kept until shortly before they end, and proved for each request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use modelward_decision::vocabulary::Privilege;
use modelward_identity::token::ProofKey;
use modelward_seal::Digest;
use modelward_seal::source::Clock as _;
use modelward_server::wire::{Secret, StepUp, TokenRequest, TokenResponse, TokenRevoked};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::Problem;
use crate::client::{Client, ClientError, SignIn};
use crate::clock::{SystemClock, SystemIds};
use crate::credentials::Credentials;
use crate::exit::Failure;

/// The tokens of one sign-in, bound to one key.
#[derive(Debug)]
pub struct Tokens {
    control: Client,
    sign_in: SignedIn,
    key: ProofKey,
    clock: SystemClock,
    /// Held while a token is taken: of many requests that need the same one, one asks.
    kept: Mutex<Keeping>,
}

/// Where sessions of the one whose agent this is come from.
#[derive(Debug)]
pub struct SignedIn {
    file: PathBuf,
    server: String,
    name: String,
    /// Whoever can be asked to sign in again.
    ask: Option<Box<dyn SignIn>>,
    /// Held while somebody is asked: of many requests that need it, one asks.
    asking: Mutex<()>,
}

#[derive(Debug, Default)]
struct Keeping {
    /// The session that was last used, by its digest.
    session: Option<Digest>,
    tokens: BTreeMap<BTreeSet<Privilege>, Kept>,
    /// What the next token is taken with, so that a run outlives the idleness of the session. Each use answers with
    /// another one.
    handle: Option<Secret>,
}

#[derive(Debug)]
struct Kept {
    token: Secret,
    renewed_from: Instant,
}

const TOKEN_PATH: &str = "/api/v1/token";
const REVOKE_PATH: &str = "/api/v1/revoke";

/// An answer to a refresh that is not here by then is lost. The server gives it again for ten seconds, and takes the same
/// handle later for a copy.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(4);
const REFRESH_TRIES: u32 = 2;
/// Saying good-bye takes no longer.
const END_TIMEOUT: Duration = Duration::from_secs(2);

impl Tokens {
    pub fn new(control: Client, sign_in: SignedIn, key: ProofKey) -> Self {
        Self { control, sign_in, key, clock: SystemClock::unmarked(), kept: Mutex::default() }
    }

    /// Takes what comes from now on with another sign-in: one that came since, or one that somebody is asked for now. False
    /// where there is none.
    pub(super) async fn sign_in_again(&self, asked: StepUp) -> bool {
        let _asking = self.sign_in.asking.lock().await;
        let used = self.kept.lock().await.session;
        let is_new = |session: &Secret| Some(digest(session)) != used;
        if !self.sign_in.session().is_ok_and(|session| is_new(&session)) {
            let Some(ask) = &self.sign_in.ask else { return false };
            if ask.again(asked).await.is_none() {
                return false;
            }
        }
        let mut kept = self.kept.lock().await;
        kept.tokens.clear();
        // The former one ends with the sign-in it was taken with.
        kept.handle = None;
        true
    }

    /// A token good for these privileges, as far as the session's holder has them.
    pub(super) async fn token(&self, privileges: &BTreeSet<Privilege>) -> Result<Secret, Problem> {
        let mut kept = self.kept.lock().await;
        if let Some(known) = kept.tokens.get(privileges).filter(|known| Instant::now() < known.renewed_from) {
            return Ok(known.token.clone());
        }
        let answer = self.take(&mut kept, privileges).await?;
        // Three quarters of its life: the rest is for requests under way.
        let lasts = Duration::from_secs(answer.expires_in) * 3 / 4;
        let taken = Kept { token: answer.access_token.clone(), renewed_from: Instant::now() + lasts };
        kept.tokens.insert(privileges.clone(), taken);
        Ok(answer.access_token)
    }

    /// Forgets what was taken, so that the next request asks anew.
    pub(super) async fn forget(&self) {
        self.kept.lock().await.tokens.clear();
    }

    /// Ends what more tokens could be taken with.
    pub async fn end(&self) {
        let mut kept = self.kept.lock().await;
        kept.tokens.clear();
        let Some(handle) = kept.handle.take() else { return };
        let form = [("token", handle.expose())];
        let ended = timeout(END_TIMEOUT, self.control.form::<TokenRevoked>(REVOKE_PATH, &form)).await;
        if !matches!(ended, Ok(Ok(_))) {
            tracing::debug!("the refresh handle could not be ended; it is worth nothing without the key");
        }
    }

    /// A proof that whoever sends this token holds the key it is bound to.
    pub(super) fn prove(
        &self,
        method: &str,
        url: &str,
        token: &str,
        nonce: Option<&str>,
    ) -> Result<String, Problem> {
        self.sign(method, url, Some(token), nonce)
            .ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a proof could not be made"))
    }

    fn sign(&self, method: &str, url: &str, token: Option<&str>, nonce: Option<&str>) -> Option<String> {
        self.key.prove(method, url, token.map(str::as_bytes), nonce, &SystemIds, self.clock.now())
    }

    /// A token, by the handle there is or else by one that is taken for the session.
    async fn take(
        &self,
        kept: &mut Keeping,
        privileges: &BTreeSet<Privilege>,
    ) -> Result<TokenResponse, Problem> {
        if let Some(known) = kept.handle.take() {
            match self.refresh(&mut kept.handle, known, privileges).await {
                // The handle ended, or nobody knows whether it was used: as long as the session counts, there is another.
                Err(error) if is_lost(&error) => tracing::debug!(%error, "the refresh handle is gone"),
                other => return Ok(other?),
            }
        }
        let session = self.sign_in.session()?;
        kept.session = Some(digest(&session));
        let first = self.begin(&session).await?.access_token;
        Ok(self.refresh(&mut kept.handle, first, privileges).await?)
    }

    /// A handle for whatever the session's holder has.
    async fn begin(&self, session: &Secret) -> Result<TokenResponse, ClientError> {
        let all: Vec<&str> = Privilege::ALL.iter().map(|privilege| privilege.as_str()).collect();
        let all = all.join(" ");
        let form = [
            ("grant_type", TokenRequest::GRANT_TYPE),
            ("subject_token", session.expose()),
            ("subject_token_type", TokenRequest::SUBJECT_SESSION),
            ("requested_token_type", TokenRequest::REFRESH_TOKEN),
            ("scope", all.as_str()),
        ];
        self.ask(&form).await
    }

    /// Uses a handle up, and keeps the next one.
    async fn refresh(
        &self,
        kept: &mut Option<Secret>,
        handle: Secret,
        privileges: &BTreeSet<Privilege>,
    ) -> Result<TokenResponse, ClientError> {
        let words: Vec<&str> = privileges.iter().map(|privilege| privilege.as_str()).collect();
        // Of a route nobody knows the gateway says so, whatever the token is for.
        let scope = if words.is_empty() { "inference read-only".to_owned() } else { words.join(" ") };
        let form = [
            ("grant_type", TokenRequest::REFRESH),
            ("refresh_token", handle.expose()),
            ("scope", scope.as_str()),
        ];
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = timeout(REFRESH_TIMEOUT, self.ask(&form)).await;
            let answer =
                asked.unwrap_or_else(|_| Err(ClientError::Slow { server: self.control.server().clone() }));
            match answer {
                Ok(answer) => {
                    *kept = answer.refresh_token.clone();
                    return Ok(answer);
                }
                Err(error) if is_unanswered(&error) && tries < REFRESH_TRIES => {}
                Err(error) => {
                    // A refusal that is not about the handle leaves it as it is.
                    if !is_lost(&error) {
                        *kept = Some(handle);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Asks the token endpoint with a proof, and once more if that needs a nonce.
    async fn ask(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let url = format!("{}{TOKEN_PATH}", self.control.server());
        let mut nonce = None;
        loop {
            let proof = self
                .sign("POST", &url, None, nonce.as_deref())
                .ok_or_else(|| ClientError::Request { reason: "a proof could not be made".to_owned() })?;
            match self.control.form_proved(TOKEN_PATH, form, &proof).await {
                Err(ClientError::Nonce(asked)) if nonce.is_none() => nonce = Some(asked),
                other => return other,
            }
        }
    }
}

impl SignedIn {
    /// Whoever is signed in there, in this file.
    pub const fn new(file: PathBuf, server: String, name: String, ask: Option<Box<dyn SignIn>>) -> Self {
        Self { file, server, name, ask, asking: Mutex::const_new(()) }
    }

    /// Their session of this moment.
    fn session(&self) -> Result<Secret, Problem> {
        let unreadable =
            |failure: Failure| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, failure.message());
        let known = Credentials::read(&self.file).map_err(unreadable)?;
        let session = known.servers.get(&self.server).filter(|session| session.name == self.name);
        session.map(|session| session.secret.clone()).ok_or_else(|| {
            let message =
                format!("{} is no longer signed in; sign in with `modelward login {}`", self.name, self.name);
            Problem::new(StatusCode::UNAUTHORIZED, message)
        })
    }
}

fn digest(session: &Secret) -> Digest {
    Digest::of(session.expose().as_bytes())
}

/// Whether a request may have been carried out without an answer.
const fn is_unanswered(error: &ClientError) -> bool {
    matches!(error, ClientError::Unreachable { .. } | ClientError::Slow { .. })
}

/// Whether a handle must not be shown again after this.
fn is_lost(error: &ClientError) -> bool {
    is_unanswered(error) || matches!(error, ClientError::Token(body) if body.error == "invalid_grant")
}
