//! The listener: connections, their bounds, and how they end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use modelward_decision::vocabulary::{Name, NameError};
use modelward_enforcement::{
    Capabilities, Enforcer, ObligationKind, Peer, Rejection, RejectionKind, Situation,
};
use modelward_identity::token::{Admission, Proofs, Thumbprint, Verifier};
use modelward_seal::source::Ids;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::GatewayConfig;
use crate::identify;
use crate::observe::Observer;
use crate::pdp::{self, Point, Points};
use crate::phases;
use crate::tls::Tls;
use crate::upstream::Upstreams;

/// The data plane. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Shared>);

/// What the gateway is made of.
#[derive(Debug)]
pub struct Parts {
    pub config: GatewayConfig,
    pub enforcer: Enforcer,
    /// Of access tokens; no other credential counts here.
    pub verifier: Arc<Verifier>,
    /// Makes the nonces of proofs.
    pub ids: Arc<dyn Ids>,
    pub upstreams: Upstreams,
    pub observer: Arc<dyn Observer>,
    /// Whether no other process answers at the same address. Where one does, each proof needs a nonce of this process.
    pub alone: bool,
}

/// The certificate a client showed in its handshake. That it is trusted by nobody does not matter: a token is bound to
/// this one (RFC 8705 section 3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientCertificate(pub(crate) Thumbprint);

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) enforcer: Enforcer,
    pub(crate) admission: Admission,
    /// What a client must know to get a token (RFC 9728).
    pub(crate) metadata: Bytes,
    pub(crate) upstreams: Upstreams,
    pub(crate) observer: Arc<dyn Observer>,
    /// The value of facts nobody states.
    pub(crate) unknown: Name,
    /// The environment of what is reached through no endpoint.
    pub(crate) control: Name,
    /// Cancelled once the gateway takes no new connections.
    pub(crate) draining: CancellationToken,
}

/// The obligations this enforcement point does to bytes. Rate and step-up are done before a permit exists.
const CAPABILITIES: Capabilities = Capabilities::NONE
    .with(ObligationKind::StripFields)
    .with(ObligationKind::Round)
    .with(ObligationKind::TopK)
    .with(ObligationKind::LabelOnly)
    .with(ObligationKind::AnswerBytes);

/// How a client of HTTP/2 without TLS begins; no method of HTTP/1.1 does.
const H2_BEGINNING: &[u8] = b"PRI";

impl Gateway {
    pub fn new(parts: Parts) -> Result<Self, NameError> {
        let Parts { config, enforcer, verifier, ids, upstreams, observer, alone } = parts;
        let metadata = identify::metadata(&verifier);
        let admission = Admission::new(verifier, Proofs::new(ids, enforcer.now()));
        let admission = if alone { admission } else { admission.among_others() };
        Ok(Self(Arc::new(Shared {
            config,
            enforcer: enforcer.able_to(CAPABILITIES),
            admission,
            metadata,
            upstreams,
            observer,
            unknown: Name::new("unknown")?,
            control: Name::new(Situation::CONTROL)?,
            draining: CancellationToken::new(),
        })))
    }

    /// The upstreams, to show their health.
    pub fn upstreams(&self) -> &Upstreams {
        &self.0.upstreams
    }

    /// Serves one listener until `stop` is ready, then lets requests under way come to their end, within the time the
    /// limits give them.
    pub async fn serve(&self, listener: TcpListener, tls: Option<Tls>, stop: impl Future<Output = ()>) {
        self.open(Door::Models, listener, tls, stop).await;
        self.0.draining.cancel();
    }

    /// Serves one listener to another kind of enforcement point, in the same way.
    pub async fn serve_point(
        &self,
        point: Point,
        points: &Points,
        listener: TcpListener,
        tls: Option<Tls>,
        stop: impl Future<Output = ()>,
    ) {
        self.open(Door::Point(point, points.clone()), listener, tls, stop).await;
    }

    async fn open(
        &self,
        door: Door,
        listener: TcpListener,
        tls: Option<Tls>,
        stop: impl Future<Output = ()>,
    ) {
        let draining = match door {
            Door::Models => self.0.draining.clone(),
            Door::Point(..) => CancellationToken::new(),
        };
        let limits = &self.0.config.limits;
        let places = Arc::new(Semaphore::new(limits.connections));
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        let watched = Arc::clone(&self.0);
        let mut health = std::pin::pin!(async move { watched.upstreams.watch().await });
        let mut is_watching = matches!(door, Door::Models);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stop => break,
                () = &mut health, if is_watching => {
                    is_watching = false;
                    continue;
                }
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: others must close theirs first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                self.0.observer.turned_away();
                continue;
            };
            let connection = Connection {
                shared: Arc::clone(&self.0),
                door: door.clone(),
                draining: draining.clone(),
                watcher: graceful.watcher(),
                peer,
                open: limits.connections.saturating_sub(places.available_permits()),
                _place: place,
            };
            drop(tokio::spawn(connection.serve(stream, tls.clone())));
        }
        drop(listener);
        draining.cancel();
        if timeout(limits.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still under way when the time to drain was over");
        }
    }
}

/// What is behind a listener.
#[derive(Debug, Clone)]
enum Door {
    Models,
    Point(Point, Points),
}

/// One accepted connection.
struct Connection {
    shared: Arc<Shared>,
    door: Door,
    draining: CancellationToken,
    watcher: Watcher,
    peer: SocketAddr,
    open: usize,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Tls>) {
        self.shared.observer.connections(self.open);
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return;
        }
        let limits = &self.shared.config.limits;
        let Some(tls) = tls else {
            let is_h2 = tokio::select! {
                is_h2 = timeout(limits.head, begins_as_h2(&stream)) => is_h2,
                () = self.draining.cancelled() => return,
            };
            let Ok(Ok(is_h2)) = is_h2 else { return };
            return self.speak(stream, is_h2, None).await;
        };
        let handshake = TlsAcceptor::from(tls.current()).accept(stream);
        match timeout(limits.handshake, handshake).await {
            Ok(Ok(stream)) => {
                let session = stream.get_ref().1;
                let is_h2 = session.alpn_protocol() == Some(b"h2");
                let certificate = session.peer_certificates().and_then(<[_]>::first);
                let certificate = certificate.map(|der| ClientCertificate(Thumbprint::of_certificate(der)));
                self.speak(stream, is_h2, certificate).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, peer = %self.peer, "a handshake failed"),
            Err(_) => tracing::debug!(peer = %self.peer, "a handshake took too long"),
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        is_h2: bool,
        certificate: Option<ClientCertificate>,
    ) {
        let Self { shared, door, draining: _, watcher, peer, open: _, _place } = self;
        let limits = &shared.config.limits;
        let peer = peer.ip();
        let served = Arc::clone(&shared);
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(certificate) = certificate {
                request.extensions_mut().insert(certificate);
            }
            let (shared, door) = (Arc::clone(&served), door.clone());
            async move {
                Ok::<_, Infallible>(match door {
                    Door::Models => phases::serve(&shared, peer, request).await,
                    Door::Point(point, points) => pdp::serve(&shared, &points, point, peer, request).await,
                })
            }
        });
        let io = TokioIo::new(stream);
        let result = if is_h2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_concurrent_streams(limits.h2_streams)
                .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
                .keep_alive_interval(Duration::from_secs(20))
                .keep_alive_timeout(Duration::from_secs(20));
            watcher.watch(builder.serve_connection(io, service)).await
        } else {
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head)
                .max_headers(limits.headers)
                // One small copy and one plain write cost less than gathering the three pieces of a chunk.
                .writev(false)
                // What hyper takes at least.
                .max_buf_size(limits.head_bytes.max(8192));
            watcher.watch(builder.serve_connection(io, service)).await
        };
        if let Err(error) = result {
            ended(&shared, &error, peer);
        }
    }
}

/// What hyper refused by itself was answered by it; the ledger hears of it here.
fn ended(shared: &Shared, error: &hyper::Error, peer: IpAddr) {
    if error.is_parse() || error.is_parse_too_large() {
        let id = shared.enforcer.reject(&Rejection {
            kind: RejectionKind::Malformed,
            peer: Peer::of(peer),
            protocol: "http",
            reason: "the message is not HTTP as it is taken here".to_owned(),
            request: None,
        });
        tracing::info!(target: "modelward::access", decision = %id, refused = "malformed_http");
    } else {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

/// Looks at the first bytes without taking them.
async fn begins_as_h2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0_u8; 3];
    loop {
        let length = stream.peek(&mut first).await?;
        let seen = first.get(..length).unwrap_or_default();
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !H2_BEGINNING.starts_with(seen) {
            return Ok(false);
        }
        if length == H2_BEGINNING.len() {
            return Ok(true);
        }
        // A byte or two arrived alone; there is no event for "more than before".
        sleep(Duration::from_millis(2)).await;
    }
}
