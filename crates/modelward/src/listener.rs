//! The listener of the control plane: bounded, encrypted where configured, drained when told to stop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use futures_util::StreamExt as _;
use http::header::CONTENT_TYPE;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use modelward_gateway::Tls;
use modelward_seal::Digest;
use modelward_server::gateways::PeerCertificate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::Instrument as _;
use tracing::field::Empty;

/// Open connections; one more is closed at once.
const CONNECTIONS: usize = 1024;

/// How long a handshake or the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

const HEADERS: usize = 64;
const HEAD_BYTES: usize = 32 * 1024;
const H2_STREAMS: u32 = 64;

/// Media types of answers that go on and on.
const FEEDS: [&[u8]; 2] = [b"text/event-stream", b"application/vnd.modelward.feed"];

/// Connections that wait to be accepted; further ones are answered late or not at all.
const BACKLOG: u32 = 1024;

/// Listens on an address, for either plane.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restart does not wait for connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` is cancelled, then lets requests under way finish for `drain`.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    drain: Duration,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
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
            tracing::debug!(%peer, "a connection was turned away: there are too many");
            continue;
        };
        let connection = Connection {
            router: router.clone(),
            watcher: graceful.watcher(),
            peer,
            stop: stop.clone(),
            _place: place,
        };
        drop(tokio::spawn(connection.serve(stream, tls.clone())));
    }
    drop(listener);
    if timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("control requests were still under way when the time to drain was over");
    }
}

struct Connection {
    router: Router,
    watcher: Watcher,
    peer: SocketAddr,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Tls>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return;
        }
        let Some(tls) = tls else { return self.speak(stream, None).await };
        match timeout(HEAD_TIMEOUT, TlsAcceptor::from(tls.current()).accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let certificate = shown.map(|shown| PeerCertificate(Digest::of(shown)));
                self.speak(stream, certificate).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, peer = %self.peer, "a handshake failed"),
            Err(_) => tracing::debug!(peer = %self.peer, "a handshake took too long"),
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        certificate: Option<PeerCertificate>,
    ) {
        let Self { router, watcher, peer, stop, _place } = self;
        let service = service_fn(move |request: http::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(certificate) = certificate {
                request.extensions_mut().insert(certificate);
            }
            let span = tracing::debug_span!(
                "control request",
                otel.kind = "server",
                http.request.method = request.method().as_str(),
                url.path = request.uri().path(),
                http.response.status_code = Empty,
            );
            let answer = router.clone().oneshot(request).instrument(span.clone());
            let stop = stop.clone();
            async move {
                let answer = answer.await?;
                span.record("http.response.status_code", answer.status().as_u16());
                Ok::<_, Infallible>(ending(answer, stop))
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_headers(HEADERS)
            .max_buf_size(HEAD_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(H2_STREAMS)
            .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
            .keep_alive_interval(Some(HEAD_TIMEOUT));
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, %peer, "a connection ended early");
        }
    }
}

/// A feed has no end of its own: it ends when the listener is told to stop, or draining would wait for it.
fn ending(answer: Response, stop: CancellationToken) -> Response {
    let is_feed = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| FEEDS.iter().any(|feed| kind.as_bytes().starts_with(feed)));
    if !is_feed {
        return answer;
    }
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(stop.cancelled_owned())))
}
