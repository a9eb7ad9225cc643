//! Signing in through an issuer: in the browser of this machine (RFC 8252), or with a code typed into any browser
//! (RFC 8628). What comes out is an ID token, which the control plane exchanges for a session of its own.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use modelward_decision::vocabulary::Name;
use modelward_identity::federation::{
    Algorithms, Callback, Flow, KeySource, Metadata, Purpose, Reach, Tier, TrustedIssuer, WebUrl,
};
use modelward_seal::source::Clock as _;
use modelward_server::outbound::{Outbound as _, OutboundError, Outgoing};
use modelward_server::wire::{IssuerLoginRequest, LoggedIn, Secret, SignInOption, SignInOptions};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use super::super::Context;
use crate::client::{Client, ClientError};
use crate::clock::{SystemClock, SystemIds};
use crate::exit::{Exit, Failure};
use crate::outbound::{Fetcher, SystemResolver};

/// How the browser comes into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Loopback,
    Device,
}

/// A sign-in at the issuer may be this old, in seconds; asking makes it say when it was.
const MAX_AGE: &str = "43200";
/// RFC 8628 section 3.2 and 3.5.
const POLL_EVERY_SECONDS: u64 = 5;
const SLOW_DOWN_SECONDS: u64 = 5;
const WAIT_SECONDS_MAX: u64 = 1800;
/// Of a request to the loopback address.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// How long somebody may take in the browser.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(600);

pub(super) async fn sign_in(
    context: &Context,
    client: &Client,
    name: &Name,
    ca: Option<PathBuf>,
    way: Way,
) -> Result<LoggedIn, Failure> {
    let options: SignInOptions = client.read("/api/v1/sign-in").await?;
    let option = options.issuers.into_iter().find(|option| option.name == *name).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("one cannot sign in through `{name}` there"))
            .hint("the page to sign in shows the issuers there are")
    })?;
    let there = There::find(option, ca).await?;
    let (id_token, nonce) = match way {
        Way::Loopback => there.by_browser_here(context).await?,
        Way::Device => (there.by_code(context).await?, None),
    };
    let request = IssuerLoginRequest { issuer: name.clone(), id_token, nonce };
    let answer: Result<LoggedIn, ClientError> = client.post("/api/v1/login/issuer", &request).await;
    Ok(answer?)
}

/// The issuer, and the client the command line is there.
struct There {
    fetcher: Fetcher,
    issuer: TrustedIssuer,
    client_id: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<Secret>,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
}

impl There {
    async fn find(option: SignInOption, ca: Option<PathBuf>) -> Result<Self, Failure> {
        let refused = |why: String| Failure::new(Exit::Failure, format!("`{}` {why}", option.url));
        let url: WebUrl = option.url.parse().map_err(|why| refused(format!("cannot be asked: {why}")))?;
        let client_id = option.cli_client_id.clone().ok_or_else(|| {
            Failure::new(Exit::Usage, format!("the command line is no client of `{}`", option.name)).hint(
                "sign in to the console with it, or ask whoever runs the installation for `cli_client_id`",
            )
        })?;
        let fetcher = Fetcher::new([(option.name.clone(), ca)], Arc::new(SystemResolver))
            .map_err(|error| Failure::of(Exit::Usage, &error))?;
        let mut issuer = believed(&option, url);
        let document = issuer.url.below(Metadata::PATH).map_err(|why| refused(why.to_string()))?;
        let document = fetch(&fetcher, &issuer, document, None).await?;
        let metadata = Metadata::read(&document, &issuer.url).map_err(|why| refused(why.to_string()))?;
        issuer.reach = reach(&issuer.url, &metadata);
        Ok(Self { fetcher, issuer, client_id, metadata })
    }

    async fn by_browser_here(&self, context: &Context) -> Result<(Secret, Option<String>), Failure> {
        let authorization =
            self.endpoint(self.metadata.authorization.as_ref(), "an authorization endpoint")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let redirect_uri = format!("http://127.0.0.1:{}/", listener.local_addr()?.port());
        let now = SystemClock::unmarked().now();
        let start = Flow::begin(
            &self.issuer,
            &self.client_id,
            &redirect_uri,
            Purpose::SignIn,
            "/".to_owned(),
            &SystemIds,
            now,
        );
        let parameters: Vec<(&str, &str)> =
            start.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let join = if authorization.has_query() { '&' } else { '?' };
        context.terminal.note("to sign in, open this address in the browser of this machine:");
        context.terminal.note(&format!("{authorization}{join}{}", form(&parameters).as_str()));
        let answered = tokio::time::timeout(BROWSER_TIMEOUT, answered(&listener)).await;
        let answer =
            answered.map_err(|_| Failure::new(Exit::Failure, "nobody signed in within 10 minutes"))??;
        let callback = Callback {
            state: answer.get("state"),
            code: answer.get("code"),
            iss: answer.get("iss"),
            error: answer.get("error"),
        };
        let code = start
            .flow
            .code(&callback, &self.issuer, &self.metadata, SystemClock::unmarked().now())
            .map_err(|why| Failure::new(Exit::Unauthenticated, why.to_string()))?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("client_id", &self.client_id),
            ("code_verifier", start.flow.expose_verifier()),
        ];
        match self.token(&fields).await? {
            Ok(token) => Ok((token, Some(start.flow.nonce().to_owned()))),
            Err(error) => Err(Failure::new(Exit::Unauthenticated, format!("the issuer says no: {error}"))),
        }
    }

    async fn by_code(&self, context: &Context) -> Result<Secret, Failure> {
        let device = self.endpoint(self.metadata.device_authorization.as_ref(), "the device flow")?;
        let scope = self.issuer.scopes.join(" ");
        let fields = [("client_id", self.client_id.as_str()), ("scope", &scope), ("max_age", MAX_AGE)];
        let answer = fetch(&self.fetcher, &self.issuer, device.clone(), Some(form(&fields))).await?;
        let answer: DeviceAnswer = serde_json::from_slice(&answer).map_err(|_| {
            Failure::new(Exit::Failure, "the issuer does not answer as the device flow has it")
        })?;
        let address = answer.verification_uri_complete.as_ref().unwrap_or(&answer.verification_uri);
        context
            .terminal
            .note(&format!("to sign in, open {} and type {}", answer.verification_uri, answer.user_code));
        if *address != answer.verification_uri {
            context.terminal.note(&format!("or open {address}"));
        }
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", answer.device_code.expose()),
            ("client_id", &self.client_id),
        ];
        let mut every = answer.interval.unwrap_or(POLL_EVERY_SECONDS).clamp(1, 60);
        let mut left = answer.expires_in.min(WAIT_SECONDS_MAX);
        while left >= every {
            tokio::time::sleep(Duration::from_secs(every)).await;
            left -= every;
            match self.token(&fields).await? {
                Ok(token) => return Ok(token),
                Err(error) if error == "authorization_pending" => {}
                Err(error) if error == "slow_down" => every += SLOW_DOWN_SECONDS,
                Err(error) => {
                    return Err(Failure::new(Exit::Unauthenticated, format!("the issuer says no: {error}")));
                }
            }
        }
        Err(Failure::new(Exit::Unauthenticated, "the code was not used in time"))
    }

    /// An ID token, or the word with which the token endpoint refuses.
    async fn token(&self, fields: &[(&str, &str)]) -> Result<Result<Secret, String>, Failure> {
        let token = self.endpoint(self.metadata.token.as_ref(), "a token endpoint")?;
        let outgoing = outgoing(&self.issuer, token.clone(), Some(form(fields)));
        match self.fetcher.fetch(outgoing).await {
            Ok(answer) => {
                let answer = Zeroizing::new(answer);
                let answer: Option<TokenAnswer> = serde_json::from_slice(&answer).ok();
                let id_token = answer.and_then(|answer| answer.id_token);
                id_token.map(Ok).ok_or_else(|| {
                    Failure::new(Exit::Failure, "the issuer gave no ID token; is `openid` asked for?")
                })
            }
            Err(OutboundError::Status { status: 400..=499, body }) => {
                let refused: Option<TokenError> = serde_json::from_slice(&body).ok();
                let word = refused.map_or_else(|| "without a reason".to_owned(), |refused| refused.error);
                Ok(Err(word.chars().filter(|char| !char.is_control()).take(64).collect()))
            }
            Err(error) => Err(unanswered(&error)),
        }
    }

    fn endpoint<'a>(&self, found: Option<&'a WebUrl>, what: &str) -> Result<&'a WebUrl, Failure> {
        found.ok_or_else(|| Failure::new(Exit::Usage, format!("`{}` does not offer {what}", self.issuer.url)))
    }
}

/// The issuer as far as the command line has to know it: it checks no token, the control plane does.
fn believed(option: &SignInOption, url: WebUrl) -> TrustedIssuer {
    TrustedIssuer {
        name: option.name.clone(),
        title: option.title.clone(),
        // Whose machine it is says where it may connect to.
        reach: Reach::with_private([url.host().to_owned()]),
        url,
        algorithms: Algorithms::new([]),
        tier: Tier::modest(),
        keys: KeySource::Discovery,
        console_client: None,
        cli_client: option.cli_client_id.clone(),
        scopes: option.scopes.clone(),
        groups_claim: String::new(),
        workload_audience: String::new(),
        signals: None,
    }
}

fn reach(url: &WebUrl, metadata: &Metadata) -> Reach {
    let named = [Some(url), metadata.token.as_ref(), metadata.device_authorization.as_ref()];
    Reach::with_private(named.into_iter().flatten().map(|url| url.host().to_owned()))
}

fn outgoing(issuer: &TrustedIssuer, url: WebUrl, form: Option<Zeroizing<String>>) -> Outgoing {
    Outgoing {
        issuer: issuer.name.clone(),
        url,
        reach: issuer.reach.clone(),
        form,
        json: None,
        basic: None,
        bearer: None,
    }
}

async fn fetch(
    fetcher: &Fetcher,
    issuer: &TrustedIssuer,
    url: WebUrl,
    form: Option<Zeroizing<String>>,
) -> Result<Vec<u8>, Failure> {
    fetcher.fetch(outgoing(issuer, url, form)).await.map_err(|error| unanswered(&error))
}

fn unanswered(error: &OutboundError) -> Failure {
    Failure::new(Exit::Unavailable, format!("the issuer cannot be asked: {error}"))
}

fn form(fields: &[(&str, &str)]) -> Zeroizing<String> {
    modelward_server::outbound::form(fields)
}

/// The parameters of the one request that is an answer of the issuer.
struct Answer(Vec<(String, String)>);

impl Answer {
    /// A parameter that stands twice is none.
    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.next().filter(|_| found.next().is_none())
    }
}

/// Waits for the browser. Whatever else knocks, such as for an icon, is sent away.
async fn answered(listener: &TcpListener) -> io::Result<Answer> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Some(query) = query(&mut stream).await else { continue };
        let page =
            "<!doctype html><title>Modelward</title><p>You can close this page and go back to the terminal.";
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}",
            page.len()
        );
        let _told = stream.write_all(head.as_bytes()).await;
        let _closed = stream.shutdown().await;
        let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
        return Ok(Answer(parameters.map(|(name, value)| (unescape(name), unescape(value))).collect()));
    }
}

/// The query of `GET /?…`; nothing of any other request.
async fn query(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut chunk)).await.ok()?.ok()?;
        head.extend_from_slice(chunk.get(..read).filter(|bytes| !bytes.is_empty())?);
        if head.len() > REQUEST_BYTES_MAX {
            return None;
        }
    }
    let text = String::from_utf8(head).ok()?;
    let target = text.lines().next()?.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?;
    let query = target.strip_prefix("/?")?.to_owned();
    if query.is_empty() {
        let _told = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await;
        return None;
    }
    Some(query)
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let value = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match value {
            Some(value) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_browser_brings_is_read_once() {
        assert_eq!(unescape("https%3A%2F%2Fid.example.org+a%zz%4"), "https://id.example.org a%zz%4");
        let answer = Answer(vec![
            ("code".into(), "a".into()),
            ("code".into(), "b".into()),
            ("state".into(), "s".into()),
        ]);
        assert_eq!((answer.get("code"), answer.get("state"), answer.get("iss")), (None, Some("s"), None));
    }

    #[tokio::test]
    async fn only_an_answer_ends_the_wait() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let browser = tokio::spawn(async move {
            for request in [
                "GET /favicon.ico HTTP/1.1\r\n\r\n",
                "POST /?code=x HTTP/1.1\r\n\r\n",
                "GET /?code=right&state=s HTTP/1.1\r\n\r\n",
            ] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut told = Vec::new();
                let _read = stream.read_to_end(&mut told).await;
            }
        });
        let answer = answered(&listener).await.unwrap();
        assert_eq!(answer.get("code"), Some("right"));
        browser.await.unwrap();
    }
}
