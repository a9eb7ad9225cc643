//! Where the body of an answer ends (RFC 9112 section 6 and 7).

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use super::Fault;

/// Bytes of a chunk's size line with its extensions, and of one trailer.
const LINE_MAX: usize = 1024;
const TRAILERS_MAX: u8 = 16;

/// How far the body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    UntilClose,
    /// Before a chunk's size.
    Size,
    /// Within a chunk.
    Chunk(u64),
    /// Before the line end behind a chunk.
    ChunkEnd,
    /// Behind the last chunk; so many trailers were dropped.
    Trailers(u8),
    End,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Piece(Bytes),
    /// More must be read first.
    More,
    End,
}

impl Framing {
    pub(super) const fn length(length: u64) -> Self {
        Self::Length(length)
    }

    pub(super) const fn chunked() -> Self {
        Self::Size
    }

    pub(super) const fn until_close() -> Self {
        Self::UntilClose
    }

    pub(super) const fn is_until_close(&self) -> bool {
        matches!(self, Self::UntilClose)
    }

    /// How many bytes are left, where that is known.
    pub(super) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            _ => None,
        }
    }

    /// Takes the next piece out of what was read.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> Result<Next, Fault> {
        loop {
            match self {
                Self::Length(0) | Self::End => return Ok(Next::End),
                Self::Length(left) => return Ok(take(left, read)),
                Self::UntilClose if read.is_empty() => return Ok(Next::More),
                Self::UntilClose => return Ok(Next::Piece(read.split().freeze())),
                Self::Size => {
                    let Some(line) = line(read)? else { return Ok(Next::More) };
                    *self = match size(&line)? {
                        0 => Self::Trailers(0),
                        size => Self::Chunk(size),
                    };
                }
                Self::Chunk(0) => *self = Self::ChunkEnd,
                Self::Chunk(left) => return Ok(take(left, read)),
                Self::ChunkEnd => {
                    let Some(line) = line(read)? else { return Ok(Next::More) };
                    if !line.is_empty() {
                        return Err(Fault::Protocol("a chunk is longer than it says"));
                    }
                    *self = Self::Size;
                }
                Self::Trailers(count) => {
                    let Some(line) = line(read)? else { return Ok(Next::More) };
                    *self = match line.is_empty() {
                        true => Self::End,
                        false if *count < TRAILERS_MAX => Self::Trailers(*count + 1),
                        false => return Err(Fault::Protocol("it has too many trailers")),
                    };
                }
            }
        }
    }
}

fn take(left: &mut u64, read: &mut BytesMut) -> Next {
    if read.is_empty() {
        return Next::More;
    }
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    *left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
    Next::Piece(read.split_to(length).freeze())
}

/// One line without its end, if it is whole. A line feed alone does not end a line.
fn line(read: &mut BytesMut) -> Result<Option<BytesMut>, Fault> {
    let Some(end) = memchr(b'\n', read) else {
        return if read.len() > LINE_MAX { Err(Fault::Protocol("a line is too long")) } else { Ok(None) };
    };
    let mut line = read.split_to(end + 1);
    if line.len() > LINE_MAX || !line.ends_with(b"\r\n") {
        return Err(Fault::Protocol("a line does not end as it must"));
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

fn size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let is_hex = (1..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| is_hex)
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or(Fault::Protocol("a chunk's size is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(framing: &Framing, chunks: &[&[u8]]) -> Result<(String, bool, usize), &'static str> {
        let mut framing = framing.clone();
        let mut buffer = BytesMut::new();
        let mut out = Vec::new();
        let mut is_end = false;
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            loop {
                match framing.next(&mut buffer) {
                    Ok(Next::Piece(piece)) => out.extend_from_slice(&piece),
                    Ok(Next::More) => break,
                    Ok(Next::End) => {
                        is_end = true;
                        break;
                    }
                    Err(Fault::Protocol(why)) => return Err(why),
                    Err(_) => return Err("another fault"),
                }
            }
        }
        Ok((String::from_utf8(out).unwrap(), is_end, buffer.len()))
    }

    #[test]
    fn chunks_are_joined_wherever_the_stream_is_cut() {
        let body = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nx: y\r\n\r\nnext";
        let expected = Ok(("hello world".to_owned(), true, 4));
        assert_eq!(read(&Framing::chunked(), &[body]), expected);
        for cut in 0..body.len() {
            let (first, second) = body.split_at(cut);
            assert_eq!(read(&Framing::chunked(), &[first, second]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn chunks_that_lie_are_refused() {
        for body in [
            b"5\r\nhello!\r\n".as_slice(),
            b"5\nhello\r\n",
            b"\r\n",
            b"+5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"-1\r\n",
            b"fffffffffffffffff\r\n",
            b"5 5\r\n",
        ] {
            assert!(read(&Framing::chunked(), &[body]).is_err(), "{}", String::from_utf8_lossy(body));
        }
        let long = [b"5;".as_slice(), &[b'x'; 2000]].concat();
        assert!(read(&Framing::chunked(), &[&long]).is_err());
        let trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(40)].concat();
        assert!(read(&Framing::chunked(), &[&trailers]).is_err());
    }

    #[test]
    fn a_length_is_kept_to() {
        assert_eq!(read(&Framing::length(3), &[b"ab", b"cd"]), Ok(("abc".to_owned(), true, 1)));
        assert_eq!(read(&Framing::length(3), &[b"ab"]), Ok(("ab".to_owned(), false, 0)));
        assert_eq!(read(&Framing::length(0), &[b""]), Ok((String::new(), true, 0)));
    }
}
