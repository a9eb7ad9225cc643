//! Server-sent events, with a bound on each.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::ClientError;
use crate::config::HttpUrl;
use crate::exit::chain;

/// No event is longer than this.
const MAX_EVENT: usize = 1 << 20;

/// An open stream of events.
#[derive(Debug)]
pub struct Events {
    server: HttpUrl,
    body: Incoming,
    parser: Parser,
}

impl Events {
    pub(super) fn new(server: HttpUrl, body: Incoming) -> Self {
        Self { server, body, parser: Parser::default() }
    }

    /// The data of the next event that has any; `None` when the server ends the stream.
    ///
    /// # Errors
    /// The connection breaks, an event is too long, or its data is not of this type.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(data) = self.parser.event() {
                let parsed = serde_json::from_str(&data);
                return parsed
                    .map(Some)
                    .map_err(|_| ClientError::Foreign { server: self.server.clone(), status: 200 });
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| ClientError::Unreachable {
                server: self.server.clone(),
                reason: chain(&error),
            })?;
            if let Some(bytes) = frame.data_ref() {
                self.parser.push(bytes);
            }
            if self.parser.pending.len() > MAX_EVENT {
                return Err(ClientError::TooLarge { server: self.server.clone() });
            }
        }
    }
}

/// Splits a stream into the data of its events. Names, ids and comments are passed over.
#[derive(Debug, Default)]
struct Parser {
    pending: Vec<u8>,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) {
        // Line ends can be LF, CR LF or CR; our server writes LF, proxies leave it.
        self.pending.extend(bytes.iter().filter(|byte| **byte != b'\r'));
    }

    /// The data of the first whole event that has any.
    fn event(&mut self) -> Option<String> {
        loop {
            let end = self.pending.windows(2).position(|pair| pair == b"\n\n")?;
            let event: Vec<u8> = self.pending.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&event);
            let data: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .map(|data| data.strip_prefix(' ').unwrap_or(data))
                .collect();
            if !data.is_empty() {
                return Some(data.join("\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let stream = b": hello\n\nid: 7\ndata: {\"a\":\ndata: 1}\n\ndata: 2\r\n\r\ndata: unfin";
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for part in stream.chunks(size) {
                parser.push(part);
                events.extend(std::iter::from_fn(|| parser.event()));
            }
            assert_eq!(events, ["{\"a\":\n1}", "2"], "cut every {size} bytes");
        }
    }
}
