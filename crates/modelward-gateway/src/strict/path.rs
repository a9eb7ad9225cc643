//! Paths that mean one thing: decoded once, compared decoded, forwarded encoded again.

use std::borrow::Cow;

use crate::refusal::{Reason, Refusal};

const LENGTH_MAX: usize = 2048;
const SEGMENTS_MAX: usize = 16;

/// An absolute path whose encoded form is the only one of its decoded form.
#[derive(Debug)]
pub(crate) struct Path<'r> {
    segments: Vec<Cow<'r, str>>,
}

impl<'r> Path<'r> {
    /// Refuses what a server behind us could read as another path: dot segments, empty segments, encoded
    /// separators, parameters, and every spelling that does not come back when decoded and encoded again.
    pub(crate) fn parse(raw: &'r str) -> Result<Self, Refusal> {
        let refused = |message: &'static str| Err(Refusal::new(Reason::Http, message));
        if raw.len() > LENGTH_MAX {
            return refused("the path is too long");
        }
        let Some(rest) = raw.strip_prefix('/') else { return refused("the path must begin with `/`") };
        if raw.contains(';') || raw.contains('\\') {
            return refused("the path holds `;` or `\\`");
        }
        if rest.is_empty() {
            return Ok(Self { segments: Vec::new() });
        }
        let mut segments = Vec::with_capacity(6);
        for piece in rest.split('/') {
            if segments.len() == SEGMENTS_MAX {
                return refused("the path has too many segments");
            }
            if piece.is_empty() {
                return refused("the path holds an empty segment");
            }
            let Some(segment) = decode(piece) else {
                return refused("the path is not in its one canonical spelling");
            };
            if matches!(segment.as_ref(), "." | "..") {
                return refused("the path holds a dot segment");
            }
            segments.push(segment);
        }
        Ok(Self { segments })
    }

    /// The decoded segments.
    pub(crate) fn segments(&self) -> &[Cow<'r, str>] {
        &self.segments
    }
}

/// Appends `/` and the segment in its canonical encoding.
pub(crate) fn push_segment(path: &mut String, segment: &str) {
    path.push('/');
    for byte in segment.bytes() {
        if stands_plain(byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// The decoded segment, if `raw` is exactly how [`push_segment`] would write it.
fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if raw.bytes().all(stands_plain) {
        return Some(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if stands_plain(byte) {
            bytes.push(byte);
            continue;
        }
        if byte != b'%' {
            return None;
        }
        let decoded = hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?;
        // An encoded separator, a second layer of encoding, a control character, or a needless encoding.
        let is_ambiguous = decoded < 0x20 || decoded == 0x7f || matches!(decoded, b'/' | b'\\' | b'%' | b';');
        if is_ambiguous || stands_plain(decoded) {
            return None;
        }
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Upper case only: `%c3` and `%C3` would be two spellings of one path.
const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `pchar` of RFC 3986 without `;` and `%`.
const fn stands_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
        )
}

/// Undoes percent encoding as a careless server would, to find secrets by any spelling of their name.
pub(super) fn decode_leniently(raw: &str) -> String {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).map(u8::to_ascii_uppercase).and_then(hex_digit);
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(path: &Path<'_>) -> String {
        let mut text = String::new();
        for segment in path.segments() {
            push_segment(&mut text, segment);
        }
        if text.is_empty() { "/".to_owned() } else { text }
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for raw in [
            "",
            "*",
            "v2/models",
            "//v2",
            "/v2//models",
            "/v2/",
            "/v2/./models",
            "/v2/../models",
            "/v2/..",
            "/v2/%2e%2e/x",
            "/v2/%2E%2E/x",
            "/v2/a%2Fb",
            "/v2/a%2fb",
            "/v2/a%5Cb",
            "/v2/a\\b",
            "/v2/a;b=c",
            "/v2/a%3Bb",
            "/v2/b%63",
            "/v2/a%00",
            "/v2/a%0A",
            "/v2/a%7F",
            "/v2/a%2561",
            "/v2/a%25",
            "/v2/%",
            "/v2/%4",
            "/v2/%zz",
            "/v2/%c3%a9",
            "/v2/%C3",
            "/v2/a\"b",
            "/v2/a<b",
            "/v2/a|b",
            "/v2/é",
        ] {
            assert!(Path::parse(raw).is_err(), "{raw}");
        }
        let long = format!("/{}", "a".repeat(2048));
        assert!(Path::parse(&long).is_err());
        assert!(Path::parse(&"/a".repeat(17)).is_err());
    }

    #[test]
    fn plain_paths_keep_their_spelling() {
        for raw in ["/", "/e/v2/models/bc/infer", "/e/v1/models/ft:gpt@1", "/e/v2/models/a%20b", "/x/%C3%A9"]
        {
            assert_eq!(canonical(&Path::parse(raw).unwrap()), raw);
        }
    }

    proptest! {
        /// What policy decides on is what the upstream is asked for, whatever the spelling.
        #[test]
        fn what_is_accepted_comes_back_byte_for_byte(raw in "(/[a-c%./;\\\\2eE5cCfF~ é]{0,8}){0,4}") {
            if let Ok(path) = Path::parse(&raw) {
                prop_assert_eq!(canonical(&path), raw.clone());
                for segment in path.segments() {
                    prop_assert!(!segment.is_empty() && segment != "." && segment != "..");
                    let has_separator = segment.contains(['/', '\\', ';', '%']);
                    prop_assert!(!has_separator);
                }
            }
        }

        #[test]
        fn every_name_survives_its_path(name in "[^/\\\\;%\\x00-\\x1f\\x7f]{1,40}") {
            prop_assume!(name != "." && name != "..");
            let mut raw = String::new();
            push_segment(&mut raw, &name);
            let path = Path::parse(&raw).unwrap();
            prop_assert_eq!(path.segments(), &[Cow::<str>::Borrowed(&name)]);
        }
    }
}
