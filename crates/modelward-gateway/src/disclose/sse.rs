//! Server-sent events, read as they come: across chunk boundaries, in any line ending.
//!
//! (WHATWG HTML, section 9.2.6.) Only the name and the data of an event are kept; ids and retry times are the upstream's.

use memchr::memchr2;

/// A piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    Message {
        name: &'a str,
        data: &'a [u8],
    },
    /// A comment, which keeps a quiet connection open.
    Comment,
}

/// What has arrived of the event under way. Its buffers are used again for each event.
#[derive(Debug)]
pub(super) struct EventReader {
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    name: String,
    /// The last line ended in a carriage return; a line feed right after belongs to it.
    after_return: bool,
    is_first_line: bool,
    bytes_max: usize,
}

/// The event under way is larger than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than its bound")]
pub(super) struct TooLarge;

impl EventReader {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            name: String::new(),
            after_return: false,
            is_first_line: true,
            bytes_max,
        }
    }

    /// Reads on; `take` gets each event that is now complete and says whether to go on.
    pub(super) fn read<E: From<TooLarge>>(
        &mut self,
        mut chunk: &[u8],
        mut take: impl FnMut(Event<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        while let Some(first) = chunk.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                chunk = chunk.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', chunk) else {
                if self.line.len() + chunk.len() > self.bytes_max {
                    return Err(TooLarge.into());
                }
                self.line.extend_from_slice(chunk);
                return Ok(());
            };
            let (piece, rest) = chunk.split_at(end);
            self.after_return = rest.first() == Some(&b'\r');
            chunk = rest.get(1..).unwrap_or_default();
            let goes_on = if self.line.is_empty() {
                self.line_of(piece, &mut take)?
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(piece);
                let goes_on = self.line_of(&line, &mut take)?;
                line.clear();
                self.line = line;
                goes_on
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    fn line_of<E: From<TooLarge>>(
        &mut self,
        line: &[u8],
        take: &mut impl FnMut(Event<'_>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let line = match std::mem::take(&mut self.is_first_line) {
            true => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            false => line,
        };
        if line.is_empty() {
            return self.dispatch(take);
        }
        if line.first() == Some(&b':') {
            return take(Event::Comment);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default()),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.data.len() + value.len() >= self.bytes_max {
                    return Err(TooLarge.into());
                }
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.name.clear();
                self.name.push_str(&String::from_utf8_lossy(
                    value.get(..value.len().min(128)).unwrap_or_default(),
                ));
            }
            _ => {}
        }
        Ok(true)
    }

    fn dispatch<E>(&mut self, take: &mut impl FnMut(Event<'_>) -> Result<bool, E>) -> Result<bool, E> {
        let goes_on = match std::mem::take(&mut self.has_data) {
            true => take(Event::Message { name: &self.name, data: &self.data }),
            false => Ok(true),
        };
        self.data.clear();
        self.name.clear();
        goes_on
    }
}
