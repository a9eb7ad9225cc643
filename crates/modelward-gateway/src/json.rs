//! A strict reader of JSON that is already in memory, for both directions.
//!
//! Requests and answers are read where they lie: values are checked and cut out, not built. A body of eight
//! million digits costs its own bytes and no more, and what is forwarded is made of keys this crate knows and of
//! values no two parsers can read differently: a key that stands twice, nesting beyond [`DEPTH_MAX`], a lone
//! surrogate and a number that overflows a double are all faults.

mod write;

pub(crate) use write::{write_number_rounded, write_text};

use std::borrow::Cow;

/// How deep lists and objects may nest.
pub(crate) const DEPTH_MAX: u8 = 32;
/// How many keys may be open at once, over all objects on the way down.
const KEYS_MAX: usize = 20_000;
/// Up to this many keys in one object are compared one by one; beyond, they are sorted at its end.
const KEYS_LINEAR: usize = 16;

/// Why bytes are not the JSON we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the JSON is malformed at byte {offset}: {expected} was expected")]
    Syntax { offset: usize, expected: &'static str },
    #[error("the JSON is not UTF-8 at byte {offset}")]
    Utf8 { offset: usize },
    #[error("the key `{key}` stands twice in one object")]
    Duplicate { key: String },
    #[error("the JSON nests deeper than {DEPTH_MAX}")]
    Depth,
    #[error("the JSON has more than {KEYS_MAX} keys open at once")]
    Keys,
    #[error("a number at byte {offset} is out of range")]
    Range { offset: usize },
}

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
    Object,
}

/// A place in one document. Everything it hands out points into the document.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
    seen: Vec<Cow<'a, str>>,
    lone_surrogates: bool,
}

impl<'a> Scanner<'a> {
    /// Reads what a caller sent.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|error| Fault::Utf8 { offset: error.valid_up_to() })?;
        Ok(Self { text, at: 0, depth: 0, seen: Vec::new(), lone_surrogates: false })
    }

    /// Reads what an upstream answered: model servers cut characters in half, so that a lone surrogate inside a
    /// value (never a key) is let through as it came.
    pub(crate) const fn answer(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, seen: Vec::new(), lone_surrogates: true }
    }

    /// The kind of the next value.
    pub(crate) fn peek(&mut self) -> Result<Kind, Fault> {
        self.skip_space();
        match self.byte() {
            Some(b'"') => Ok(Kind::Text),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::List),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            _ => Err(self.expected("a value")),
        }
    }

    /// Checks the next value, whatever it is, and cuts it out.
    pub(crate) fn value(&mut self) -> Result<&'a str, Fault> {
        let kind = self.peek()?;
        let from = self.at;
        match kind {
            Kind::Null => self.word("null")?,
            Kind::Bool if self.byte() == Some(b't') => self.word("true")?,
            Kind::Bool => self.word("false")?,
            Kind::Number => {
                self.number()?;
            }
            Kind::Text => {
                self.string(self.lone_surrogates)?;
            }
            Kind::List => self.list(|scanner| scanner.value().map(drop))?,
            Kind::Object => self.object(|scanner, _| scanner.value().map(drop))?,
        }
        self.cut(from)
    }

    /// Cuts out whatever `read` reads.
    pub(crate) fn cut_by<E: From<Fault>>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<&'a str, E> {
        self.skip_space();
        let from = self.at;
        read(self)?;
        Ok(self.cut(from)?)
    }

    /// Reads an object; `visit` is called behind each key and must read exactly its value.
    pub(crate) fn object<E: From<Fault>>(
        &mut self,
        mut visit: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', "`{`")?;
        let mark = self.seen.len();
        self.skip_space();
        if self.byte() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.skip_space();
                let key = self.key(mark)?;
                self.skip_space();
                self.expect(b':', "`:`")?;
                visit(self, &key)?;
                self.skip_space();
                match self.byte() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(self.expected("`,` or `}`").into()),
                }
            }
        }
        self.forget_keys(mark)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Reads a list; `visit` must read exactly one value each time.
    pub(crate) fn list<E: From<Fault>>(
        &mut self,
        mut visit: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', "`[`")?;
        self.skip_space();
        if self.byte() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                visit(self)?;
                self.skip_space();
                match self.byte() {
                    Some(b',') => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(self.expected("`,` or `]`").into()),
                }
            }
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Nothing but space follows.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("the end")) }
    }

    /// Where the next byte is read.
    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    fn key(&mut self, mark: usize) -> Result<Cow<'a, str>, Fault> {
        if self.byte() != Some(b'"') {
            return Err(self.expected("a key"));
        }
        let from = self.at;
        let escaped = self.string(false)?;
        let raw = self.text.get(from + 1..self.at - 1).unwrap_or_default();
        let key = if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) };
        if self.seen.len() >= KEYS_MAX {
            return Err(Fault::Keys);
        }
        let siblings = self.seen.get(mark..).unwrap_or_default();
        if siblings.len() < KEYS_LINEAR && siblings.contains(&key) {
            return Err(duplicate(&key));
        }
        self.seen.push(key.clone());
        Ok(key)
    }

    fn forget_keys(&mut self, mark: usize) -> Result<(), Fault> {
        let Some(siblings) = self.seen.get_mut(mark..) else { return Ok(()) };
        if siblings.len() > KEYS_LINEAR {
            siblings.sort_unstable();
            let twice = siblings.windows(2).find_map(|pair| match pair {
                [one, other] if one == other => Some(one),
                _ => None,
            });
            if let Some(key) = twice {
                return Err(duplicate(key));
            }
        }
        self.seen.truncate(mark);
        Ok(())
    }

    /// Reads a text and says whether it holds escapes.
    fn string(&mut self, lone_surrogates: bool) -> Result<bool, Fault> {
        let mut escaped = false;
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let Some(special) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return Err(self.expected("`\"`"));
            };
            let plain = rest.get(..special).unwrap_or_default();
            if plain.iter().any(|byte| *byte < 0x20) {
                return Err(self.expected("an escaped control character"));
            }
            self.at += special;
            if self.byte() == Some(b'"') {
                self.at += 1;
                return Ok(escaped);
            }
            escaped = true;
            self.escape(lone_surrogates)?;
        }
    }

    fn escape(&mut self, lone_surrogates: bool) -> Result<(), Fault> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.unit()?;
                let is_low = (0xDC00..0xE000).contains(&unit);
                let is_high = (0xD800..0xDC00).contains(&unit);
                if lone_surrogates || !(is_low || is_high) {
                    return Ok(());
                }
                let follows = self.text.as_bytes().get(self.at..self.at + 2);
                if is_low || follows != Some(b"\\u") {
                    return Err(self.expected("a whole surrogate pair"));
                }
                self.at += 1;
                let low = self.unit()?;
                if (0xDC00..0xE000).contains(&low) {
                    Ok(())
                } else {
                    Err(self.expected("a whole surrogate pair"))
                }
            }
            _ => Err(self.expected("an escape")),
        }
    }

    /// Reads `uXXXX`.
    fn unit(&mut self) -> Result<u16, Fault> {
        let digits = self.text.get(self.at + 1..self.at + 5).unwrap_or_default();
        let is_hex = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let unit = if is_hex { u16::from_str_radix(digits, 16).ok() } else { None };
        let unit = unit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Fault> {
        let from = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.expected("a digit")),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let mut has_exponent = false;
        if matches!(self.byte(), Some(b'e' | b'E')) {
            has_exponent = true;
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // Below 300 digits without an exponent nothing overflows a double.
        if has_exponent || self.at - from > 300 {
            let number: Option<f64> = self.text.get(from..self.at).and_then(|digits| digits.parse().ok());
            if !number.is_some_and(f64::is_finite) {
                return Err(Fault::Range { offset: from });
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.expected("a digit"));
        }
        self.at += count;
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        if self.text.get(self.at..self.at + word.len()) == Some(word) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.expected(word))
    }

    fn open(&mut self, bracket: u8, name: &'static str) -> Result<(), Fault> {
        self.skip_space();
        self.expect(bracket, name)?;
        if self.depth >= DEPTH_MAX {
            return Err(Fault::Depth);
        }
        self.depth += 1;
        Ok(())
    }

    fn expect(&mut self, byte: u8, name: &'static str) -> Result<(), Fault> {
        if self.byte() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.expected(name))
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn cut(&self, from: usize) -> Result<&'a str, Fault> {
        self.text.get(from..self.at).ok_or_else(|| self.expected("a value"))
    }

    const fn expected(&self, expected: &'static str) -> Fault {
        Fault::Syntax { offset: self.at, expected }
    }
}

fn duplicate(key: &str) -> Fault {
    Fault::Duplicate { key: shown(key) }
}

/// A text as errors show it: short, and without what could disturb a terminal.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}

/// What a text value stands for: its characters without quotes and escapes.
pub(crate) fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { Some(Cow::Owned(unescape(inner))) } else { Some(Cow::Borrowed(inner)) }
}

/// Undoes the escapes of a text that was checked before.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    let mut high: Option<u16> = None;
    while let Some(one) = chars.next() {
        let plain = if one == '\\' {
            match chars.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let unit = u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD);
                    if (0xD800..0xDC00).contains(&unit) {
                        high = Some(unit);
                        continue;
                    }
                    let units = high.take().into_iter().chain([unit]);
                    char::decode_utf16(units).next().and_then(Result::ok).unwrap_or('\u{fffd}')
                }
                Some(other) => other,
                None => break,
            }
        } else {
            one
        };
        text.push(plain);
    }
    text
}

#[cfg(test)]
mod tests;
