//! The demonstration system as a stranger finds it: started from its program, known by the file it writes.
//!
//! Agreement with `modelward demo --stay-for-tests`: it sets the system up, plays no story, writes the file named in
//! `MODELWARD_DEMO_INFO` (whole, by renaming) once everything listens, and ends on SIGTERM. With
//! `MODELWARD_DEMO_UPSTREAM` it uses that model server, with the credential in `MODELWARD_DEMO_UPSTREAM_CREDENTIAL`, in
//! place of the one it would start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hyper::{Method, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use totp_rs::{Algorithm, Builder, Secret};

use crate::load::{Connection, Message};
use crate::process::{self, Running};
use crate::{Error, packages, tidy};

/// How long the system may take until it is ready.
const READY: Duration = Duration::from_secs(120);

/// What `modelward demo` writes about itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Info {
    pub(crate) control_url: String,
    pub(crate) open_inference: Offer,
    pub(crate) openai: Offer,
    pub(crate) users: Vec<User>,
}

/// A model as a caller reaches it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Offer {
    /// What a client of the protocol is given: ends before `/v2`, or in `/v1`.
    pub(crate) base_url: String,
    pub(crate) model: String,
}

/// Somebody who can sign in.
#[derive(Clone, Deserialize)]
pub(crate) struct User {
    name: String,
    password: String,
    /// Base 32.
    totp_secret: String,
    /// Privileges of the live grants this person has.
    holds: Vec<String>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("holds", &self.holds).finish_non_exhaustive()
    }
}

/// A running system.
#[derive(Debug)]
pub(crate) struct System {
    running: Running,
    pub(crate) info: Info,
    pub(crate) info_file: PathBuf,
    /// What was started.
    pub(crate) program: PathBuf,
    _folder: TempDir,
}

/// What the system is put in front of.
#[derive(Debug)]
pub(crate) enum Behind {
    /// The model server that the demonstration starts itself.
    Own,
    /// One that runs already.
    Given { url: String, credential: String },
}

impl System {
    /// Starts the program on `cpu`, and waits until it is ready.
    pub(crate) async fn start(program: PathBuf, behind: &Behind, cpu: Option<usize>) -> Result<Self, Error> {
        Self::start_with(program, behind, cpu, &[]).await
    }

    /// The same with settings of its own.
    pub(crate) async fn start_with(
        program: PathBuf,
        behind: &Behind,
        cpu: Option<usize>,
        variables: &[(&str, String)],
    ) -> Result<Self, Error> {
        let folder = TempDir::new().map_err(Error::file("a temporary folder"))?;
        let info_file = folder.path().join("demo.json");
        let mut command = cpu.map_or_else(|| Command::new(&program), |cpu| process::pinned(cpu, &program));
        command.args(["demo", "--json", "--stay-for-tests"]).env("MODELWARD_DEMO_INFO", &info_file);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        if let Behind::Given { url, credential } = behind {
            command.env("MODELWARD_DEMO_UPSTREAM", url).env("MODELWARD_DEMO_UPSTREAM_CREDENTIAL", credential);
        }
        let mut running = Running::start("modelward demo", command.stdout(Stdio::null()))?;
        let info = wait_for_info(&mut running, &info_file).await?;
        Ok(Self { running, info, info_file, program, _folder: folder })
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// Signs somebody in who holds `privilege`, and keeps the session.
    pub(crate) async fn sign_in(&self, privilege: &str) -> Result<Session, Error> {
        let user = self
            .info
            .users
            .iter()
            .find(|user| user.holds.iter().any(|held| held == privilege))
            .ok_or_else(|| Error::Unmet(format!("nobody in the demonstration holds `{privilege}`")))?;
        let url = format!("{}/api/v1/login", self.info.control_url);
        // A code counts once and is taken half a minute early; whoever used it already waits for the next.
        for _ in 0..3 {
            let now = unix_seconds();
            let code = user.code(now + 30)?;
            let body = json!({ "name": user.name, "password": user.password, "totp": code });
            match call(Method::POST, &url, "application/json", body.to_string(), None).await {
                Ok(answer) => {
                    let secret = answer.get("session_secret").and_then(Value::as_str).unwrap_or_default();
                    return Ok(Session {
                        control_url: self.info.control_url.clone(),
                        secret: secret.to_owned(),
                    });
                }
                Err(Error::Refused { .. }) => {
                    tokio::time::sleep(Duration::from_secs(30 - now % 30 + 1)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unmet(format!("`{}` cannot sign in", user.name)))
    }
}

/// Somebody signed in.
pub(crate) struct Session {
    control_url: String,
    secret: String,
}

impl Session {
    pub(crate) async fn read(&self, path: &str) -> Result<Value, Error> {
        let url = format!("{}{path}", self.control_url);
        call(Method::GET, &url, "application/json", String::new(), Some(&self.secret)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let url = format!("{}{path}", self.control_url);
        call(Method::POST, &url, "application/json", body.to_string(), Some(&self.secret)).await
    }

    /// A fresh access token for the gateway, good for minutes.
    pub(crate) async fn token(&self, scope: &str) -> Result<String, Error> {
        let form = format!(
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange\
             &subject_token_type=urn:modelward:params:oauth:token-type:session\
             &subject_token={}&scope={}",
            self.secret,
            scope.replace(' ', "+")
        );
        let url = format!("{}/api/v1/token", self.control_url);
        let answer =
            call(Method::POST, &url, "application/x-www-form-urlencoded", form, Some(&self.secret)).await?;
        let token = answer.get("access_token").and_then(Value::as_str);
        token
            .map(str::to_owned)
            .ok_or_else(|| Error::Unmet("the control API gave no access token".to_owned()))
    }
}

impl User {
    fn code(&self, now: u64) -> Result<String, Error> {
        let secret = Secret::try_from_base32(&self.totp_secret).map_err(|_| {
            Error::Unmet("a second factor in the file of the demonstration is not base 32".to_owned())
        })?;
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(30)
            .with_secret(secret)
            .build_noncompliant();
        Ok(totp.generate(now).to_string())
    }
}

#[expect(clippy::disallowed_methods, reason = "a chore plays a person whose authenticator app has a clock")]
fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// One request to the control API.
async fn call(
    method: Method,
    url: &str,
    content_type: &str,
    body: String,
    bearer: Option<&str>,
) -> Result<Value, Error> {
    let uri: Uri = url.parse().map_err(|_| Error::Unmet(format!("`{url}` is not an address")))?;
    let mut message = Message::new(method, uri.clone(), body).header("content-type", content_type);
    if let Some(bearer) = bearer {
        message = message.header("authorization", &format!("Bearer {bearer}"));
    }
    let (status, text) = Connection::open(&uri).await?.exchange(&message).await?;
    if !(200..300).contains(&status) {
        return Err(Error::Refused {
            url: url.to_owned(),
            status,
            told: String::from_utf8_lossy(&text).into_owned(),
        });
    }
    serde_json::from_slice(&text)
        .map_err(|source| Error::Parse { what: format!("the answer of `{url}`"), source })
}

async fn wait_for_info(running: &mut Running, path: &Path) -> Result<Info, Error> {
    let step = Duration::from_millis(50);
    for _ in 0..READY.as_millis() / step.as_millis() {
        if let Ok(text) = fs::read_to_string(path) {
            let what = "the file of the demonstration".to_owned();
            return serde_json::from_str(&text).map_err(|source| Error::Parse { what, source });
        }
        running.must_run()?;
        tokio::time::sleep(step).await;
    }
    Err(Error::Late { what: "the demonstration".to_owned(), seconds: READY.as_secs() })
}

/// How the program is built.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Profile {
    /// By the same selection as `cargo run --release`, so that nothing is built twice.
    Release,
    /// As it is shipped.
    Dist,
}

impl Profile {
    const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }
}

pub(crate) fn build(profile: Profile) -> Result<PathBuf, Error> {
    packages::run(
        Command::new("cargo")
            .args(["build", "--quiet", "--profile", profile.name(), "--bin", "modelward"])
            .current_dir(tidy::root()),
    )?;
    Ok(target()?.join(profile.name()).join("modelward"))
}

/// The folder of everything built.
pub(crate) fn target() -> Result<PathBuf, Error> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let told = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(tidy::root())
        .output()
        .map_err(Error::run("cargo metadata"))?;
    let what = "the answer of `cargo metadata`".to_owned();
    let metadata: Metadata =
        serde_json::from_slice(&told.stdout).map_err(|source| Error::Parse { what, source })?;
    Ok(metadata.target_directory)
}
