//! The issuers this installation knows, with what was last fetched from them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use modelward_decision::vocabulary::Name;
use modelward_identity::federation::{
    Algorithm, FETCH_EVERY, FRESH, Flow, ForeignKeys, KeyCache, KeySource, LAST_GOOD, Metadata, Plan,
    TrustedIssuer, WebUrl, WorkloadRule,
};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::outbound::{NoOutbound, Outbound, OutboundError, Outgoing, escape, form};
use crate::problem::Problem;
use crate::wire::ErrorCode;

/// What is believed from elsewhere.
#[derive(Debug)]
pub struct Federation {
    issuers: BTreeMap<Name, Arc<Issuer>>,
    workloads: Vec<WorkloadRule>,
    /// What is shown to transmitters that are asked for something.
    stream_tokens: BTreeMap<Name, ClientSecret>,
    outbound: Arc<dyn Outbound>,
}

/// One issuer. Whoever needs a document of it waits for whoever is fetching it.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) trusted: TrustedIssuer,
    client_secret: Option<ClientSecret>,
    fetched: Mutex<Fetched>,
    /// The sign of life that was asked for last. Behind a plain lock: each use is a copy.
    asked: std::sync::Mutex<Option<(String, Timestamp)>>,
}

/// The secret the console shows at an issuer's token endpoint.
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<String>);

#[derive(Debug, Default)]
struct Fetched {
    metadata: Option<(Metadata, Timestamp)>,
    asked_at: Option<Timestamp>,
    keys: KeyCache,
}

impl Federation {
    /// Believes nobody.
    pub fn none() -> Self {
        Self::new([], Vec::new(), Arc::new(NoOutbound))
    }

    pub fn new(
        issuers: impl IntoIterator<Item = (TrustedIssuer, Option<ClientSecret>)>,
        workloads: Vec<WorkloadRule>,
        outbound: Arc<dyn Outbound>,
    ) -> Self {
        let known = |(trusted, client_secret): (TrustedIssuer, Option<ClientSecret>)| {
            let (fetched, asked) = (Mutex::default(), std::sync::Mutex::default());
            (trusted.name.clone(), Arc::new(Issuer { trusted, client_secret, fetched, asked }))
        };
        let issuers = issuers.into_iter().map(known).collect();
        Self { issuers, workloads, stream_tokens: BTreeMap::new(), outbound }
    }

    /// With what is shown to each transmitter that is asked for something.
    #[must_use]
    pub fn authorised(mut self, tokens: impl IntoIterator<Item = (Name, ClientSecret)>) -> Self {
        self.stream_tokens = tokens.into_iter().collect();
        self
    }

    pub(crate) fn issuers(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.issuers.values()
    }

    pub(crate) fn workloads(&self) -> &[WorkloadRule] {
        &self.workloads
    }

    pub(crate) fn issuer(&self, name: &str) -> Result<&Arc<Issuer>, Problem> {
        self.issuers.get(name).ok_or_else(|| Problem::not_found("issuer", name))
    }

    /// The issuer a workload's token says it is of, if anything of it could be believed.
    pub(crate) fn of_workload(&self, token: &str) -> Option<&Arc<Issuer>> {
        let has_rule = |issuer: &Issuer| self.workloads.iter().any(|rule| rule.issuer == issuer.trusted.name);
        self.issuers.values().find(|issuer| has_rule(issuer) && issuer.trusted.is_named_by(token))
    }

    /// What the issuer says about itself, as last seen.
    pub(crate) async fn metadata(&self, issuer: &Issuer, now: Timestamp) -> Result<Metadata, Problem> {
        let mut fetched = issuer.fetched.lock().await;
        self.metadata_in(issuer, &mut fetched, now).await
    }

    async fn metadata_in(
        &self,
        issuer: &Issuer,
        fetched: &mut Fetched,
        now: Timestamp,
    ) -> Result<Metadata, Problem> {
        if let Some((metadata, seen)) = &fetched.metadata
            && now.duration_since(*seen) < FRESH
        {
            return Ok(metadata.clone());
        }
        if fetched.asked_at.is_none_or(|asked| now.duration_since(asked) >= FETCH_EVERY) {
            fetched.asked_at = Some(now);
            match self.discover(issuer).await {
                Ok(metadata) => fetched.metadata = Some((metadata, now)),
                Err(why) => tracing::warn!(issuer = %issuer.trusted.name, %why, "discovery failed"),
            }
        }
        match &fetched.metadata {
            Some((metadata, seen)) if now.duration_since(*seen) < LAST_GOOD => Ok(metadata.clone()),
            Some(_) | None => Err(silent(issuer)),
        }
    }

    async fn discover(&self, issuer: &Issuer) -> Result<Metadata, String> {
        let url = issuer.trusted.url.below(Metadata::PATH).map_err(|error| error.to_string())?;
        let document = self.get(issuer, url).await.map_err(|error| error.to_string())?;
        Metadata::read(&document, &issuer.trusted.url).map_err(|error| error.to_string())
    }

    /// The keys to check a token with that names this key.
    pub(crate) async fn keys(
        &self,
        issuer: &Issuer,
        (id, algorithm): (Option<String>, Algorithm),
        now: Timestamp,
    ) -> Result<ForeignKeys, Problem> {
        if let KeySource::Fixed(keys) = &issuer.trusted.keys {
            return Ok(keys.clone());
        }
        let mut fetched = issuer.fetched.lock().await;
        if fetched.keys.plan(id.as_deref(), algorithm, now) == Plan::Fetch {
            fetched.keys.asked(now);
            match self.fetch_keys(issuer, &mut fetched, now).await {
                Ok(keys) => fetched.keys.learned(keys, now),
                Err(why) => tracing::warn!(issuer = %issuer.trusted.name, why, "its keys were not fetched"),
            }
        }
        fetched.keys.keys(now).cloned().map_err(|_| silent(issuer))
    }

    async fn fetch_keys(
        &self,
        issuer: &Issuer,
        fetched: &mut Fetched,
        now: Timestamp,
    ) -> Result<ForeignKeys, String> {
        let url = match &issuer.trusted.keys {
            KeySource::Url(url) => url.clone(),
            KeySource::Discovery | KeySource::Fixed(_) => {
                self.metadata_in(issuer, fetched, now).await.map_err(|problem| problem.message)?.jwks
            }
        };
        let document = self.get(issuer, url).await.map_err(|error| error.to_string())?;
        ForeignKeys::read(&document, &issuer.trusted.algorithms).map_err(|error| error.to_string())
    }

    /// The ids of the keys at hand, and when they were last seen.
    pub(crate) async fn keys_at_hand(
        &self,
        issuer: &Issuer,
        now: Timestamp,
    ) -> (Vec<String>, Option<Timestamp>) {
        let ids = |keys: &ForeignKeys| keys.ids().map(str::to_owned).collect();
        if let KeySource::Fixed(keys) = &issuer.trusted.keys {
            return (ids(keys), None);
        }
        let fetched = issuer.fetched.lock().await;
        (fetched.keys.keys(now).map(ids).unwrap_or_default(), fetched.keys.seen_at())
    }

    /// Forgets what was fetched.
    pub(crate) async fn forget(&self, issuer: &Issuer) {
        let mut fetched = issuer.fetched.lock().await;
        fetched.keys.forget();
        fetched.metadata = None;
    }

    /// Hands the code of a flow to the issuer's token endpoint, for the ID token.
    pub(crate) async fn redeem(
        &self,
        issuer: &Issuer,
        metadata: &Metadata,
        flow: &Flow,
        (client, redirect_uri, code): (&str, &str, &str),
    ) -> Result<Zeroizing<String>, Problem> {
        let refused = || {
            Problem::new(ErrorCode::Refused, "the issuer did not confirm the sign-in").hint("sign in again")
        };
        let url = metadata.token.clone().ok_or_else(refused)?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", flow.expose_verifier()),
        ];
        let basic = issuer.client_secret.as_ref().map(|secret| secret.basic(client));
        if basic.is_none() {
            fields.push(("client_id", client));
        }
        let answer = self.post(issuer, url, &fields, basic).await.map_err(|error| {
            tracing::warn!(issuer = %issuer.trusted.name, %error, "a code was not redeemed");
            refused()
        })?;
        let answer = Zeroizing::new(answer);
        let id_token = serde_json::from_slice::<serde_json::Value>(&answer)
            .ok()
            .and_then(|answer| answer.get("id_token")?.as_str().map(str::to_owned));
        id_token.map(Zeroizing::new).ok_or_else(refused)
    }

    /// Hands the parameters of a flow to the issuer beforehand (RFC 9126), where it takes them.
    pub(crate) async fn push(
        &self,
        issuer: &Issuer,
        url: WebUrl,
        client: &str,
        parameters: &[(&'static str, String)],
    ) -> Result<String, Problem> {
        let fields: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let basic = issuer.client_secret.as_ref().map(|secret| secret.basic(client));
        let answer = self.post(issuer, url, &fields, basic).await.map_err(|error| {
            tracing::warn!(issuer = %issuer.trusted.name, %error, "a request was not pushed");
            silent(issuer)
        })?;
        let reference = serde_json::from_slice::<serde_json::Value>(&answer)
            .ok()
            .and_then(|answer| answer.get("request_uri")?.as_str().map(str::to_owned));
        reference.filter(|reference| reference.len() <= 512).ok_or_else(|| silent(issuer))
    }

    /// Tells a transmitter something, and returns what it answers.
    pub(crate) async fn tell(
        &self,
        issuer: &Issuer,
        url: WebUrl,
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, Problem> {
        let bearer = self.stream_tokens.get(&issuer.trusted.name).map(|secret| secret.0.clone());
        let outgoing = Outgoing { json: Some(body.to_string()), bearer, ..outgoing(issuer, url) };
        self.outbound.fetch(outgoing).await.map_err(|error| {
            tracing::warn!(transmitter = %issuer.trusted.name, %error, "a transmitter does not answer");
            silent(issuer)
        })
    }

    async fn get(&self, issuer: &Issuer, url: WebUrl) -> Result<Vec<u8>, OutboundError> {
        self.outbound.fetch(outgoing(issuer, url)).await
    }

    async fn post(
        &self,
        issuer: &Issuer,
        url: WebUrl,
        fields: &[(&str, &str)],
        basic: Option<Zeroizing<String>>,
    ) -> Result<Vec<u8>, OutboundError> {
        self.outbound.fetch(Outgoing { form: Some(form(fields)), basic, ..outgoing(issuer, url) }).await
    }
}

fn outgoing(issuer: &Issuer, url: WebUrl) -> Outgoing {
    let reach = issuer.trusted.reach.clone();
    let issuer = issuer.trusted.name.clone();
    Outgoing { issuer, url, reach, form: None, json: None, basic: None, bearer: None }
}

impl Issuer {
    /// Notes what sign of life was asked for.
    pub(crate) fn asks(&self, state: String, at: Timestamp) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((state, at));
    }

    /// When one was asked for last.
    pub(crate) fn asked_at(&self) -> Option<Timestamp> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, at)| *at)
    }

    /// What a sign of life is worth.
    pub(crate) fn answered(&self, state: Option<&str>) -> &'static str {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match (asked.as_ref(), state) {
            (Some((asked, _)), Some(state)) if asked == state => "the sign of life that was asked for",
            _ => "a sign of life that was not asked for",
        }
    }
}

fn silent(issuer: &Issuer) -> Problem {
    Problem::new(
        ErrorCode::Unavailable,
        format!("{} does not answer, or not as an issuer does", issuer.trusted.title),
    )
    .retry_after(60)
}

impl ClientSecret {
    pub const fn new(secret: Zeroizing<String>) -> Self {
        Self(secret)
    }

    /// RFC 6749 section 2.3.1: both parts are escaped as in a form first.
    fn basic(&self, client: &str) -> Zeroizing<String> {
        let mut pair = Zeroizing::new(String::with_capacity(256));
        escape(client, &mut pair);
        pair.push(':');
        escape(&self.0, &mut pair);
        Zeroizing::new(STANDARD.encode(pair.as_bytes()))
    }
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_is_not_shown() {
        let secret = ClientSecret::new(Zeroizing::new("tues:day".to_owned()));
        assert!(!format!("{secret:?}").contains("day"));
        assert_eq!(secret.basic("a b").as_str(), STANDARD.encode("a%20b:tues%3Aday"));
    }
}
