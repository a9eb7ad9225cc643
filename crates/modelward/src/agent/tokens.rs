//! Tokens for routes: taken when needed, kept until shortly before they end, and proved for each request.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::StatusCode;
use modelward_decision::vocabulary::Privilege;
use modelward_identity::token::ProofKey;
use modelward_seal::source::Clock as _;
use modelward_server::wire::{Secret, TokenRequest, TokenResponse};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Problem;
use crate::client::{Client, ClientError};
use crate::clock::{SystemClock, SystemIds};

/// The tokens of one session, bound to one key.
#[derive(Debug)]
pub struct Tokens {
    control: Client,
    session: Secret,
    key: ProofKey,
    clock: SystemClock,
    /// Held while a token is taken: of many requests that need the same one, one asks.
    kept: Mutex<BTreeMap<BTreeSet<Privilege>, Kept>>,
}

#[derive(Debug)]
struct Kept {
    token: Secret,
    renewed_from: Instant,
}

const TOKEN_PATH: &str = "/api/v1/token";

impl Tokens {
    pub fn new(control: Client, session: Secret, key: ProofKey) -> Self {
        Self { control, session, key, clock: SystemClock::unmarked(), kept: Mutex::default() }
    }

    /// A token good for these privileges, as far as the session's holder has them.
    pub(super) async fn token(&self, privileges: &BTreeSet<Privilege>) -> Result<Secret, Problem> {
        let mut kept = self.kept.lock().await;
        if let Some(known) = kept.get(privileges).filter(|known| Instant::now() < known.renewed_from) {
            return Ok(known.token.clone());
        }
        let answer = self.take(privileges).await?;
        // Three quarters of its life: the rest is for requests under way.
        let lasts = Duration::from_secs(answer.expires_in) * 3 / 4;
        let taken = Kept { token: answer.access_token.clone(), renewed_from: Instant::now() + lasts };
        kept.insert(privileges.clone(), taken);
        Ok(answer.access_token)
    }

    /// Forgets what was taken, so that the next request asks anew.
    pub(super) async fn forget(&self) {
        self.kept.lock().await.clear();
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

    async fn take(&self, privileges: &BTreeSet<Privilege>) -> Result<TokenResponse, ClientError> {
        let words: Vec<&str> = privileges.iter().map(|privilege| privilege.as_str()).collect();
        // Of a route nobody knows the gateway says so, whatever the token is for.
        let scope = if words.is_empty() { "inference read-only".to_owned() } else { words.join(" ") };
        let form = [
            ("grant_type", TokenRequest::GRANT_TYPE),
            ("subject_token", self.session.expose()),
            ("subject_token_type", TokenRequest::SUBJECT_SESSION),
            ("scope", scope.as_str()),
        ];
        let url = format!("{}{TOKEN_PATH}", self.control.server());
        let mut nonce = None;
        loop {
            let proof = self
                .sign("POST", &url, None, nonce.as_deref())
                .ok_or_else(|| ClientError::Request { reason: "a proof could not be made".to_owned() })?;
            match self.control.form_proved(TOKEN_PATH, &form, &proof).await {
                Err(ClientError::Nonce(asked)) if nonce.is_none() => nonce = Some(asked),
                other => return other,
            }
        }
    }
}
