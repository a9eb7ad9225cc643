//! Whether a flood of denials keeps a revocation waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::{Method, Uri};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::side::{PROXY_CPU, circumstances};
use super::{Figure, Reach, median};
use crate::load::{Connection, Message, Paced, paced};
use crate::system::{Behind, Profile, Session, System, build};
use crate::{Error, say};

/// Denials a second, from one caller.
const RATE: u32 = 20_000;
const CONNECTIONS: usize = 64;
/// How long the flood runs before somebody revokes.
const BEFORE: Duration = Duration::from_secs(2);

/// What one system gave.
struct Round {
    idle_ms: f64,
    flooded_ms: f64,
    denials_per_second: f64,
}

pub(super) async fn run(rounds: usize) -> Result<Vec<Figure>, Error> {
    say(&format!("flood: {}; {rounds} rounds", circumstances()));
    let (mut idle, mut flooded, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let measured = measure(round % 2 == 1).await?;
        say(&format!(
            "  idle {:.1} ms, flooded {:.1} ms, {:.0} denials/s",
            measured.idle_ms, measured.flooded_ms, measured.denials_per_second
        ));
        idle.push(measured.idle_ms);
        flooded.push(measured.flooded_ms);
        rates.push(measured.denials_per_second);
    }
    Ok(vec![
        Figure {
            name: "revocation durable and in force, under the flood".to_owned(),
            unit: "ms".to_owned(),
            ours: median(flooded),
            peer: Some(("idle".to_owned(), median(idle))),
            reach: Some(Reach::RatioAtMost(2.0)),
        },
        Figure {
            name: "denials a second meanwhile".to_owned(),
            unit: "/s".to_owned(),
            ours: median(rates),
            peer: None,
            // What is sent is paced: a little late is not less.
            reach: Some(Reach::AtLeast(f64::from(RATE) * 0.95)),
        },
    ])
}

/// A fresh system has two grants to revoke: one of them idle, one under the flood. The order alternates, because the
/// first revocation is the colder one.
async fn measure(flood_first: bool) -> Result<Round, Error> {
    // Nothing is ever asked of a model: whoever floods may not, and whoever may is revoked first.
    let behind = Behind::Given { url: "http://127.0.0.1:9".to_owned(), credential: "unused".to_owned() };
    let system = System::start(build(Profile::Dist)?, &behind, Some(PROXY_CPU)).await?;
    let (governor, reader) = tokio::join!(system.sign_in("govern"), system.sign_in("read-only"));
    let (governor, reader) = (governor?, reader?);
    let grants = grants(&governor).await?;
    let message = prediction(&system, &reader.token("read-only").await?)?;
    let [first, second] = &grants;
    if flood_first {
        let (flooded_ms, denials_per_second) = flooded(&governor, first, message).await?;
        let idle_ms = revoke(&governor, second).await?;
        return Ok(Round { idle_ms, flooded_ms, denials_per_second });
    }
    let idle_ms = revoke(&governor, first).await?;
    let (flooded_ms, denials_per_second) = flooded(&governor, second, message).await?;
    Ok(Round { idle_ms, flooded_ms, denials_per_second })
}

async fn flooded(governor: &Session, grant: &str, message: Message) -> Result<(f64, f64), Error> {
    let flood = Flood::start(message)?;
    tokio::time::sleep(BEFORE).await;
    let took = revoke(governor, grant).await?;
    let sent = flood.stop()?;
    Ok((took, sent.answered as f64 / sent.elapsed.as_secs_f64()))
}

/// Milliseconds from asking to the answer. It comes when the revocation is durable and every enforcement point has it.
async fn revoke(governor: &Session, grant: &str) -> Result<f64, Error> {
    let path = format!("/api/v1/grants/{grant}/revoke");
    let ask = |dry_run| json!({ "reason": "bench", "dry_run": dry_run });
    // The same way once without an effect, so that neither side pays for being first.
    governor.post(&path, &ask(true)).await?;
    let from = Instant::now();
    let answer = governor.post(&path, &ask(false)).await?;
    let took = from.elapsed().as_secs_f64() * 1e3;
    if answer.get("time_to_enforce_ms").is_some_and(Value::is_number) {
        Ok(took)
    } else {
        Err(Error::Unmet(format!("the revocation was not enforced: {answer}")))
    }
}

/// The two grants of the demonstration.
pub(super) async fn grants(governor: &Session) -> Result<[String; 2], Error> {
    let page = governor.read("/api/v1/grants?whose=all").await?;
    let privilege = |wanted: &str| {
        let items = page.get("items")?.as_array()?;
        let found =
            items.iter().find(|grant| grant.get("privilege").and_then(Value::as_str) == Some(wanted))?;
        Some(found.get("id")?.as_str()?.to_owned())
    };
    match (privilege("inference"), privilege("read-only")) {
        (Some(inference), Some(read_only)) => Ok([inference, read_only]),
        _ => Err(Error::Unmet("the demonstration does not have the grants it is known for".to_owned())),
    }
}

/// A prediction that whoever may only read is denied.
fn prediction(system: &System, token: &str) -> Result<Message, Error> {
    let offer = &system.info.open_inference;
    let url = format!("{}/v2/models/{}/infer", offer.base_url, offer.model);
    let uri: Uri = url.parse().map_err(|_| Error::Unmet(format!("`{url}` is not an address")))?;
    let body = json!({ "inputs": [{
        "name": "measurements", "shape": [1, 30], "datatype": "FP64", "data": vec![14.25; 30],
    }]});
    Ok(Message::new(Method::POST, uri, body.to_string())
        .header("content-type", "application/json")
        .header("authorization", &format!("Bearer {token}")))
}

/// Denials from a thread of their own, so that whoever revokes does not wait for whoever floods.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Paced, Error>>,
}

impl Flood {
    fn start(message: Message) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::run("the flood"))?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                // One that is let through would not be a denial.
                let (status, _) = Connection::open(message.uri()).await?.exchange(&message).await?;
                if (200..400).contains(&status) {
                    return Err(Error::Unmet(format!("the flood is answered {status}, not denied")));
                }
                paced(&message, CONNECTIONS, RATE, &told).await
            })
        });
        Ok(Self { stop, thread })
    }

    fn stop(self) -> Result<Paced, Error> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Error::Unmet("the flood failed".to_owned()))?
    }
}
