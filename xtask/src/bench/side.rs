//! Both sides of a comparison: one model server, nginx and the gateway in front of it, and the same request to each.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hyper::{Method, Uri};
use serde_json::json;

use crate::Error;
use crate::load::{Connection, Message};
use crate::nginx::Nginx;
use crate::process;
use crate::system::{Behind, Profile, Session, System, build};
use crate::upstream::Mode;

/// Model server and load.
pub(super) const LOAD_CPU: usize = 0;
/// Whoever stands in between.
pub(super) const PROXY_CPU: usize = 1;

const CREDENTIAL: &str = "bench-upstream-credential";

/// Everything that a comparison needs, running.
pub(super) struct Sides {
    upstream: std::process::Child,
    upstream_address: String,
    nginx: Nginx,
    system: System,
    session: Session,
}

impl Drop for Sides {
    fn drop(&mut self) {
        let _ended = self.upstream.kill();
        let _status = self.upstream.wait();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Direct,
    Nginx,
    Ours,
}

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Predict,
    Stream,
}

impl Sides {
    pub(super) async fn start() -> Result<Self, Error> {
        let own = std::env::current_exe().map_err(Error::run("xtask"))?;
        let mut upstream = process::pinned(LOAD_CPU, Path::new(&own))
            .arg("upstream")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::run("xtask upstream"))?;
        let mut upstream_address = String::new();
        if let Some(told) = upstream.stdout.take() {
            BufReader::new(told).read_line(&mut upstream_address).map_err(Error::run("xtask upstream"))?;
        }
        let upstream_address = upstream_address.trim().to_owned();
        let nginx = Nginx::start(&upstream_address, CREDENTIAL, PROXY_CPU).await?;
        let behind =
            Behind::Given { url: format!("http://{upstream_address}"), credential: CREDENTIAL.to_owned() };
        let system = System::start(build(Profile::Dist)?, &behind, Some(PROXY_CPU)).await?;
        let session = system.sign_in("inference").await?;
        Ok(Self { upstream, upstream_address, nginx, system, session })
    }

    pub(super) async fn set(&self, mode: Mode) -> Result<(), Error> {
        let uri = uri(&format!("http://{}/bench", self.upstream_address))?;
        let message = Message::new(Method::POST, uri.clone(), json!(mode).to_string());
        let (status, _) = Connection::open(&uri).await?.exchange(&message).await?;
        if status == 200 {
            Ok(())
        } else {
            Err(Error::Unmet(format!("the bench upstream answered {status}")))
        }
    }

    /// The request of one side. The token of ours is fresh, so that it outlives a round.
    pub(super) async fn message(&self, side: Side, question: Question) -> Result<Message, Error> {
        let offers = &self.system.info;
        let (ours, path, body) = match question {
            Question::Predict => {
                let offer = &offers.open_inference;
                let path = format!("/v2/models/{}/infer", offer.model);
                let inputs = json!([{
                    "name": "measurements", "shape": [1, 30], "datatype": "FP64", "data": vec![14.25; 30],
                }]);
                (&offer.base_url, path, json!({ "inputs": inputs, "outputs": [{ "name": "label" }] }))
            }
            Question::Stream => {
                let offer = &offers.openai;
                let messages = json!([{ "role": "user", "content": "What is the margin?" }]);
                let body = json!({ "model": offer.model, "stream": true, "messages": messages });
                (&offer.base_url, "/chat/completions".to_owned(), body)
            }
        };
        let version = if question == Question::Stream { "/v1" } else { "" };
        let (url, credential) = match side {
            Side::Direct => {
                (format!("http://{}{version}{path}", self.upstream_address), CREDENTIAL.to_owned())
            }
            Side::Nginx => (format!("{}{version}{path}", self.nginx.url), "of-the-caller".to_owned()),
            Side::Ours => (format!("{ours}{path}"), self.session.token("inference").await?),
        };
        Ok(Message::new(Method::POST, uri(&url)?, body.to_string())
            .header("content-type", "application/json")
            .header("authorization", &format!("Bearer {credential}")))
    }

    /// Microseconds of CPU that the proxy of a side has used.
    pub(super) fn cpu_us(&self, side: Side) -> Result<f64, Error> {
        match side {
            Side::Direct => Ok(0.0),
            Side::Nginx => process::cpu_us(self.nginx.id()),
            Side::Ours => process::cpu_us(self.system.id()),
        }
    }
}

fn uri(text: &str) -> Result<Uri, Error> {
    text.parse().map_err(|_| Error::Unmet(format!("`{text}` is not an address")))
}

/// Refuses a round that measured refusals.
pub(super) fn all_answered(side: Side, refused: u64) -> Result<(), Error> {
    if refused == 0 { Ok(()) } else { Err(Error::Unmet(format!("{side:?} refused {refused} requests"))) }
}

/// The commit and the machine, for whoever reads the table later.
pub(super) fn circumstances() -> String {
    let told = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    format!("commit {}, {}", told("git", &["describe", "--always", "--dirty"]), told("uname", &["-srm"]))
}
