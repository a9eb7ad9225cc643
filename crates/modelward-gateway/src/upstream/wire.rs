//! HTTP/1.1 to an upstream: one request written, one answer read, nothing believed that contradicts itself.

mod framing;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::client::TlsStream;

use super::pool::{Replica, Turn};
use super::{Address, Credential, Timeouts};
use framing::Framing;

/// Bytes of an answer's head.
const HEAD_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
/// Interim answers (1xx) before the real one.
const INTERIM_MAX: usize = 4;
/// Up to here a request goes out in one piece with its head.
const JOINED_MAX: usize = 64 * 1024;
/// Room for one read.
const READ: usize = 16 * 1024;

/// Why there is no answer, or no more of it. Its text is for operators.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("every replica has as many requests as it may")]
    Busy,
    #[error("no replica could be reached")]
    Unreachable,
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("it took too long")]
    Slow,
    #[error("the answer is not HTTP as we take it: {0}")]
    Protocol(&'static str),
    #[error("the answer is larger than its bound")]
    TooLarge,
}

/// What kind of body follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Json,
    Events,
    Other,
}

/// A request as it goes out.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) method: &'static str,
    pub(super) address: &'a Address,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
    pub(super) events: bool,
    pub(super) credential: Option<&'a Credential>,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) content: Content,
    pub(super) retry_after_seconds: Option<u32>,
    framing: Framing,
    is_kept: bool,
}

/// An open connection with what was read ahead.
pub(crate) struct Connection {
    io: Io,
    read: BytesMut,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The body of an answer. Read to its end, the connection is used again; dropped before, it is closed.
pub(crate) struct Body {
    connection: Option<Connection>,
    framing: Framing,
    is_kept: bool,
    replica: Arc<Replica>,
    _turn: Turn,
    idle: Duration,
    read_at: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Writes the request and reads the head of its answer.
pub(super) async fn exchange(
    mut connection: Connection,
    outgoing: &Outgoing<'_>,
    timeouts: Timeouts,
) -> Result<(Head, Connection), Fault> {
    let exchange = async {
        // An upstream may answer and close before it has read everything; its answer then says why.
        let written = connection.write(outgoing).await;
        match connection.head().await {
            Ok(head) => Ok((head, written.is_ok())),
            Err(fault) => Err(written.err().map_or(fault, Fault::Io)),
        }
    };
    let (mut head, is_whole) = timeout(timeouts.first_byte, exchange).await.map_err(|_| Fault::Slow)??;
    head.is_kept &= is_whole;
    Ok((head, connection))
}

impl Connection {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { io: Io::Plain(stream), read: BytesMut::new() }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { io: Io::Tls(Box::new(stream)), read: BytesMut::new() }
    }

    /// Whether the upstream has neither closed it nor sent anything nobody asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0_u8; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(std::task::Waker::noop());
        self.read.is_empty() && Pin::new(&mut self.io).poll_read(&mut context, &mut buffer).is_pending()
    }

    async fn write(&mut self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let mut head = Vec::with_capacity(512 + outgoing.body.len().min(JOINED_MAX));
        for piece in [outgoing.method, " ", outgoing.address.base(), outgoing.path, " HTTP/1.1\r\nhost: "] {
            head.extend_from_slice(piece.as_bytes());
        }
        head.extend_from_slice(outgoing.address.authority().as_bytes());
        head.extend_from_slice(b"\r\nuser-agent: modelward\r\naccept-encoding: identity\r\naccept: ");
        let accept: &[u8] = if outgoing.events { b"text/event-stream" } else { b"application/json" };
        head.extend_from_slice(accept);
        if outgoing.method != "GET" {
            head.extend_from_slice(b"\r\ncontent-type: application/json\r\ncontent-length: ");
            head.extend_from_slice(outgoing.body.len().to_string().as_bytes());
        }
        if let Some(credential) = outgoing.credential {
            head.extend_from_slice(b"\r\n");
            head.extend_from_slice(credential.header.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(credential.value.expose_secret().as_bytes());
        }
        head.extend_from_slice(b"\r\n\r\n");
        if outgoing.body.len() <= JOINED_MAX {
            head.extend_from_slice(outgoing.body);
            self.io.write_all(&head).await?;
        } else {
            self.io.write_all(&head).await?;
            self.io.write_all(outgoing.body).await?;
        }
        self.io.flush().await
    }

    async fn head(&mut self) -> Result<Head, Fault> {
        for _ in 0..INTERIM_MAX {
            let head = loop {
                if let Some(head) = self.parse_head()? {
                    break head;
                }
                if self.read.len() >= HEAD_MAX {
                    return Err(Fault::Protocol("its head is too long"));
                }
                self.read.reserve(READ);
                if self.io.read_buf(&mut self.read).await? == 0 {
                    return Err(Fault::Io(io::ErrorKind::UnexpectedEof.into()));
                }
            };
            match head.status {
                101 => return Err(Fault::Protocol("it switches protocols")),
                100..200 => {}
                _ => return Ok(head),
            }
        }
        Err(Fault::Protocol("it never comes to its answer"))
    }

    fn parse_head(&mut self) -> Result<Option<Head>, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        let length = match answer.parse(&self.read) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Fault::Protocol("its head cannot be read")),
        };
        let head = Head::read(&answer)?;
        drop(self.read.split_to(length));
        Ok(Some(head))
    }
}

impl Head {
    fn read(answer: &httparse::Response<'_, '_>) -> Result<Self, Fault> {
        let status = answer.code.unwrap_or_default();
        let is_new = answer.version == Some(1);
        let mut is_kept = is_new;
        let mut length: Option<u64> = None;
        let mut is_chunked = false;
        let mut content = Content::Other;
        let mut retry_after_seconds = None;
        for header in answer.headers.iter() {
            let name = header.name;
            let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
            if name.eq_ignore_ascii_case("content-length") {
                let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let number = value.parse().ok().filter(|_| is_number);
                let number = number.ok_or(Fault::Protocol("its length is no number"))?;
                if length.is_some_and(|other| other != number) {
                    return Err(Fault::Protocol("it names two lengths"));
                }
                length = Some(number);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                if is_chunked || !value.eq_ignore_ascii_case("chunked") {
                    return Err(Fault::Protocol("its transfer coding is not one `chunked`"));
                }
                is_chunked = true;
            } else if name.eq_ignore_ascii_case("connection") {
                is_kept &= !value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"));
            } else if name.eq_ignore_ascii_case("content-type") {
                content = Content::of(value);
            } else if name.eq_ignore_ascii_case("content-encoding") {
                if !value.eq_ignore_ascii_case("identity") {
                    return Err(Fault::Protocol("its body is encoded, which was not asked for"));
                }
            } else if name.eq_ignore_ascii_case("retry-after") {
                retry_after_seconds = value.parse().ok().map(|seconds: u32| seconds.min(3600));
            }
        }
        if is_chunked && length.is_some() {
            return Err(Fault::Protocol("it is both chunked and of a length"));
        }
        let has_no_body = matches!(status, 100..200 | 204 | 304);
        let framing = match (has_no_body, is_chunked, length) {
            (true, ..) => Framing::length(0),
            (false, true, _) => Framing::chunked(),
            (false, false, Some(length)) => Framing::length(length),
            (false, false, None) => Framing::until_close(),
        };
        is_kept &= !framing.is_until_close();
        Ok(Self { status, content, retry_after_seconds, framing, is_kept })
    }
}

impl Content {
    fn of(value: &str) -> Self {
        let kind = value.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else if kind.eq_ignore_ascii_case("text/event-stream") {
            Self::Events
        } else {
            Self::Other
        }
    }
}

impl Body {
    pub(super) fn new(
        head: Head,
        connection: Connection,
        replica: Arc<Replica>,
        turn: Turn,
        idle: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            connection: Some(connection),
            framing: head.framing,
            is_kept: head.is_kept,
            replica,
            _turn: turn,
            idle,
            read_at: now,
            timer: Box::pin(sleep_until(now + idle)),
        }
    }

    /// The next piece as soon as there is one; none at the end.
    pub(crate) fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
            match self.framing.next(&mut connection.read) {
                Err(fault) => return Poll::Ready(Some(Err(self.broken(fault)))),
                Ok(framing::Next::Piece(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(framing::Next::End) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Ok(framing::Next::More) => {}
            }
            connection.read.reserve(READ);
            let read = pin!(connection.io.read_buf(&mut connection.read)).poll(context);
            match read {
                Poll::Ready(Ok(0)) if self.framing.is_until_close() => {
                    self.connection = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Ok(0)) => {
                    let cut = Fault::Io(io::ErrorKind::UnexpectedEof.into());
                    return Poll::Ready(Some(Err(self.broken(cut))));
                }
                Poll::Ready(Ok(_)) => self.read_at = Instant::now(),
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(self.broken(error.into())))),
                Poll::Pending => {
                    ready!(self.poll_idle(context));
                    return Poll::Ready(Some(Err(self.broken(Fault::Slow))));
                }
            }
        }
    }

    /// The whole body.
    pub(crate) async fn collect(mut self, bytes_max: usize) -> Result<Vec<u8>, Fault> {
        let expected = self.framing.left().and_then(|left| usize::try_from(left).ok()).unwrap_or(0);
        if expected > bytes_max {
            return Err(Fault::TooLarge);
        }
        let mut whole = Vec::with_capacity(expected.min(1024 * 1024));
        while let Some(piece) = std::future::poll_fn(|context| self.poll_chunk(context)).await {
            let piece = piece?;
            if whole.len() + piece.len() > bytes_max {
                return Err(Fault::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// Ready when nothing came for too long. The timer is set anew only when it fires, not with every piece.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let due = self.read_at + self.idle;
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }

    fn finish(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.is_kept
            && connection.read.is_empty()
        {
            self.replica.keep(connection);
        }
    }

    fn broken(&mut self, fault: Fault) -> Fault {
        self.connection = None;
        self.replica.failed();
        tracing::warn!(replica = %self.replica.address(), %fault, "an upstream broke off its answer");
        fault
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("framing", &self.framing).finish_non_exhaustive()
    }
}
