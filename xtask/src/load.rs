//! Load, and what it felt like from outside: HTTP/1.1 over kept connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::Error;

/// A request that is sent again and again.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Message {
    pub(crate) fn new(method: Method, uri: Uri, body: impl Into<Bytes>) -> Self {
        Self { method, uri, headers: Vec::new(), body: body.into() }
    }

    /// Adds a header; one that cannot be sent is left out, and the answer will show it.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, Error> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request =
            Request::builder().method(&self.method).uri(path).header("host", address(&self.uri));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body.clone())).map_err(Error::connect(address(&self.uri)))
    }
}

fn address(uri: &Uri) -> String {
    uri.authority().map(ToString::to_string).unwrap_or_default()
}

/// One connection, for one exchange after the other.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    pub(crate) async fn open(uri: &Uri) -> Result<Self, Error> {
        let address = address(uri);
        let stream = TcpStream::connect(&address).await.map_err(Error::connect(&address))?;
        stream.set_nodelay(true).map_err(Error::connect(&address))?;
        let (sender, driver) =
            http1::handshake(TokioIo::new(stream)).await.map_err(Error::connect(&address))?;
        let driver = tokio::spawn(async move { drop(driver.await) }).abort_handle();
        Ok(Self { sender, driver })
    }

    async fn send(&mut self, message: &Message) -> Result<Response<Incoming>, Error> {
        let failed = |error| Error::connect(address(&message.uri))(error);
        self.sender.ready().await.map_err(failed)?;
        self.sender.send_request(message.request()?).await.map_err(Error::connect(address(&message.uri)))
    }

    /// Status and whole body.
    pub(crate) async fn exchange(&mut self, message: &Message) -> Result<(u16, Bytes), Error> {
        let response = self.send(message).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(Error::connect(address(&message.uri)))?;
        Ok((status, body.to_bytes()))
    }
}

/// What one round of requests gave.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Microseconds from sending a request to having its whole answer, ascending.
    latencies_us: Vec<u32>,
    /// Answers other than 2xx.
    pub(crate) refused: u64,
    pub(crate) elapsed: Duration,
}

impl Round {
    pub(crate) fn requests(&self) -> usize {
        self.latencies_us.len()
    }

    /// Microseconds; `share` from 0 to 1.
    pub(crate) fn latency_us(&self, share: f64) -> f64 {
        quantile(&self.latencies_us, share)
    }
}

fn quantile(ascending: &[u32], share: f64) -> f64 {
    let last = ascending.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is a place within it"
    )]
    let place = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
    ascending.get(place).copied().map_or(f64::NAN, f64::from)
}

/// As many requests as `connections` callers get answered within `duration`, each sending the next one when it has the
/// answer to the last.
pub(crate) async fn closed_loop(
    message: &Message,
    connections: usize,
    duration: Duration,
) -> Result<Round, Error> {
    let mut callers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..connections {
        let message = message.clone();
        callers.spawn(async move {
            let mut connection = Connection::open(&message.uri).await?;
            let mut round = Round::default();
            while begun.elapsed() < duration {
                let sent = Instant::now();
                let (status, _) = connection.exchange(&message).await?;
                round.latencies_us.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                round.refused += u64::from(!(200..300).contains(&status));
            }
            Ok::<_, Error>(round)
        });
    }
    let mut all = Round::default();
    while let Some(joined) = callers.join_next().await {
        let round = joined.map_err(|_| Error::Unmet("a caller failed".to_owned()))??;
        all.latencies_us.extend(round.latencies_us);
        all.refused += round.refused;
    }
    all.elapsed = begun.elapsed();
    all.latencies_us.sort_unstable();
    Ok(all)
}

/// What a steady rate gave.
#[derive(Debug, Default)]
pub(crate) struct Paced {
    pub(crate) answered: u64,
    pub(crate) elapsed: Duration,
}

/// `rate` requests a second over all `connections` together until told to stop; fewer when the other side is slower.
pub(crate) async fn paced(
    message: &Message,
    connections: usize,
    rate: u32,
    stop: &Arc<AtomicBool>,
) -> Result<Paced, Error> {
    let mut callers = JoinSet::new();
    let begun = Instant::now();
    let next = Arc::new(AtomicU32::new(0));
    for _ in 0..connections {
        let (message, next, stop) = (message.clone(), Arc::clone(&next), Arc::clone(stop));
        callers.spawn(async move {
            let mut connection = Connection::open(&message.uri).await?;
            let mut answered = 0;
            while !stop.load(Ordering::Relaxed) {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep_until(begun + Duration::from_secs(1) / rate * turn).await;
                connection.exchange(&message).await?;
                answered += 1;
            }
            Ok::<u64, Error>(answered)
        });
    }
    let mut all = Paced::default();
    while let Some(joined) = callers.join_next().await {
        all.answered += joined.map_err(|_| Error::Unmet("a caller failed".to_owned()))??;
    }
    all.elapsed = begun.elapsed();
    Ok(all)
}

/// What one round of streams gave.
#[derive(Debug, Default)]
pub(crate) struct StreamRound {
    /// Events received, by their `data:`.
    pub(crate) events: u64,
    /// Answers other than 2xx.
    pub(crate) refused: u64,
    pub(crate) elapsed: Duration,
}

/// `streams` callers at once, each reading one stream to its end.
pub(crate) async fn streams(message: &Message, streams: usize) -> Result<StreamRound, Error> {
    let mut callers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..streams {
        let message = message.clone();
        callers.spawn(async move {
            let mut connection = Connection::open(&message.uri).await?;
            let response = connection.send(&message).await?;
            let refused = !response.status().is_success();
            let mut body = response.into_body();
            let mut counter = Events::default();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(Error::connect(address(&message.uri)))?;
                if let Some(data) = frame.data_ref() {
                    counter.read(data);
                }
            }
            Ok::<_, Error>((counter.found, refused))
        });
    }
    let mut all = StreamRound::default();
    while let Some(joined) = callers.join_next().await {
        let (events, refused) = joined.map_err(|_| Error::Unmet("a reader failed".to_owned()))??;
        all.events += events;
        all.refused += u64::from(refused);
    }
    all.elapsed = begun.elapsed();
    Ok(all)
}

/// Counts events by the blank line that ends each, wherever the bytes were cut.
#[derive(Debug, Default)]
struct Events {
    found: u64,
    after_newline: bool,
}

impl Events {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let newline = *byte == b'\n';
            if newline && self.after_newline {
                self.found += 1;
            }
            self.after_newline = newline && !self.after_newline;
        }
    }
}

#[cfg(test)]
mod tests;
