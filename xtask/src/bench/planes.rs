//! From a revocation to the last of three gateways in processes of their own.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hyper::{Method, Uri};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::flood::grants;
use super::side::circumstances;
use super::{Figure, Reach, median};
use crate::load::{Connection, Message};
use crate::process::Running;
use crate::system::{Behind, Profile, Session, System, build};
use crate::{Error, say};

const GATEWAYS: [&str; 3] = ["edge-1", "edge-2", "edge-3"];
const READY_SECONDS: u64 = 60;
const DENIED_SECONDS: u64 = 30;

/// Milliseconds from asking for a revocation to the first denial.
struct Round {
    here: f64,
    last: f64,
}

pub(super) async fn run(rounds: usize) -> Result<Vec<Figure>, Error> {
    say(&format!("planes: {}; {rounds} rounds", circumstances()));
    let (mut here, mut last) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let round = measure().await?;
        say(&format!("  in one process {:.1} ms, at the last of three {:.1} ms", round.here, round.last));
        here.push(round.here);
        last.push(round.last);
    }
    let figure = |name: &str, ours: f64, limit: f64| Figure {
        name: name.to_owned(),
        unit: "ms".to_owned(),
        ours,
        peer: None,
        reach: Some(Reach::AtMost(limit)),
    };
    Ok(vec![
        figure("revocation to denial in one process", median(here), 20.0),
        figure("revocation to denial at the last of three gateways", median(last), 250.0),
    ])
}

async fn measure() -> Result<Round, Error> {
    let planes = free_port()?;
    // No model is needed: what is allowed fails behind the gateway, what is denied fails in it.
    let behind = Behind::Given { url: "http://127.0.0.1:9".to_owned(), credential: "unused".to_owned() };
    let variables = [("MODELWARD_PLANES_LISTEN", format!("127.0.0.1:{planes}"))];
    let system = System::start_with(build(Profile::Dist)?, &behind, None, &variables).await?;
    let (governor, user) = tokio::join!(system.sign_in("govern"), system.sign_in("inference"));
    let (governor, user) = (governor?, user?);
    let folder = TempDir::new().map_err(Error::file("a temporary folder"))?;
    let mut outposts = Vec::new();
    for name in GATEWAYS {
        outposts.push(Outpost::start(&system.program, &governor, folder.path(), name, planes).await?);
    }
    let token = user.token("inference").await?;
    let offer = &system.info.open_inference;
    let own = question(&format!("{}/v2/models/{}/infer", offer.base_url, offer.model), &token)?;
    let path = own.uri().path().to_owned();
    let mut messages = vec![own];
    for outpost in &outposts {
        messages.push(question(&format!("http://127.0.0.1:{}{path}", outpost.port), &token)?);
    }
    let mut watching = JoinSet::new();
    for (place, message) in messages.into_iter().enumerate() {
        // Looked at before, so that nobody pays for being asked the first time.
        let mut connection = Connection::open(message.uri()).await?;
        let (status, told) = connection.exchange(&message).await?;
        if is_denial(status) {
            return Err(Error::Unmet(format!("denied before: {}", String::from_utf8_lossy(&told))));
        }
        watching.spawn(async move {
            while !is_denial(connection.exchange(&message).await?.0) {}
            Ok::<_, Error>((place, Instant::now()))
        });
    }
    let [inference, _] = grants(&governor).await?;
    let from = Instant::now();
    governor.post(&format!("/api/v1/grants/{inference}/revoke"), &json!({ "reason": "bench" })).await?;
    let (mut here, mut last) = (f64::NAN, 0.0_f64);
    let late = || Error::Late { what: "a denial".to_owned(), seconds: DENIED_SECONDS };
    let limit = Duration::from_secs(DENIED_SECONDS);
    while let Some(seen) = tokio::time::timeout(limit, watching.join_next()).await.map_err(|_| late())? {
        let (place, at) = seen.map_err(|error| Error::Unmet(format!("a watcher ended early: {error}")))??;
        let took = at.duration_since(from).as_secs_f64() * 1e3;
        if place == 0 { here = took } else { last = last.max(took) }
    }
    Ok(Round { here, last })
}

/// Whoever holds no grant any more is not even told that the model exists.
const fn is_denial(status: u16) -> bool {
    matches!(status, 403 | 404)
}

/// A gateway in a process of its own.
struct Outpost {
    port: u16,
    _running: Running,
}

impl Outpost {
    async fn start(
        program: &Path,
        governor: &Session,
        folder: &Path,
        name: &str,
        planes: u16,
    ) -> Result<Self, Error> {
        let home = folder.join(name);
        fs::create_dir(&home).map_err(Error::file(&home))?;
        let (port, probes) = (free_port()?, free_port()?);
        let config = home.join("modelward.toml");
        let text = format!(
            "role = \"gateway\"\ndata_dir = \"data\"\nplanes.control = \"127.0.0.1:{planes}\"\n\
             gateway.listen = \"127.0.0.1:{port}\"\ntelemetry.listen = \"127.0.0.1:{probes}\"\n\
             ledger.origin = \"localhost/{name}\"\n[upstreams.hospital]\nurls = [\"http://127.0.0.1:9\"]\n"
        );
        fs::write(&config, text).map_err(Error::file(&config))?;
        let invited = governor.post("/api/v1/gateways", &json!({ "name": name })).await?;
        let code = invited.get("code").and_then(Value::as_str).unwrap_or_default();
        enrol(program, &config, code)?;
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(&config).stderr(Stdio::null());
        let mut running = Running::start("modelward serve --role gateway", &mut command)?;
        ready(&mut running, probes).await?;
        Ok(Self { port, _running: running })
    }
}

fn enrol(program: &Path, config: &Path, code: &str) -> Result<(), Error> {
    let name = "modelward gateway enrol";
    let mut child = Command::new(program)
        .args(["gateway", "enrol", "--stdin", "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(Error::run(name))?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{code}").map_err(Error::run(name))?;
    }
    let status = child.wait().map_err(Error::run(name))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Ended { program: name.to_owned(), status: status.to_string() })
}

async fn ready(running: &mut Running, probes: u16) -> Result<(), Error> {
    let url = format!("http://127.0.0.1:{probes}/healthz/ready");
    let uri: Uri = url.parse().map_err(|_| Error::Unmet(format!("`{url}` is not an address")))?;
    let probe = Message::new(Method::GET, uri.clone(), "");
    for _ in 0..READY_SECONDS * 20 {
        if let Ok(mut connection) = Connection::open(&uri).await
            && let Ok((200, _)) = connection.exchange(&probe).await
        {
            return Ok(());
        }
        running.must_run()?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Error::Late { what: "a gateway".to_owned(), seconds: READY_SECONDS })
}

fn question(url: &str, token: &str) -> Result<Message, Error> {
    let uri: Uri = url.parse().map_err(|_| Error::Unmet(format!("`{url}` is not an address")))?;
    let body = json!({ "inputs": [{
        "name": "measurements", "shape": [1, 30], "datatype": "FP64", "data": vec![14.25; 30],
    }]});
    Ok(Message::new(Method::POST, uri, body.to_string())
        .header("content-type", "application/json")
        .header("authorization", &format!("Bearer {token}")))
}

/// A port nobody listens on at this moment.
fn free_port() -> Result<u16, Error> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(Error::connect("127.0.0.1"))
}
