//! From text to a filter or a path: words, brackets and JSON values, by recursive descent with a bound on the depth.

use serde_json::Value;

use super::{DEPTH_MAX, Filter, Operator, Path, TESTS_MAX, TEXT_MAX, Test};
use crate::error::shown;
use crate::{Error, ErrorKind};

/// One piece of the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lexed {
    /// An attribute, an operator, or a bare value such as `true`.
    Word(String),
    Text(String),
    Open,
    Close,
    OpenSquare,
    CloseSquare,
    /// `.` after a closing square bracket.
    Dot,
}

#[derive(Debug)]
pub(crate) struct Parser {
    pieces: std::iter::Peekable<std::vec::IntoIter<Lexed>>,
    kind: ErrorKind,
    depth: usize,
    tests: usize,
}

impl Parser {
    /// `kind` is what an error of the text counts as.
    pub(crate) fn new(text: &str, kind: ErrorKind) -> Result<Self, Error> {
        if text.len() > TEXT_MAX {
            return Err(Error::new(kind, format!("longer than {TEXT_MAX} bytes")));
        }
        let pieces = lex(text).map_err(|detail| Error::new(kind, detail))?;
        Ok(Self { pieces: pieces.into_iter().peekable(), kind, depth: 0, tests: 0 })
    }

    pub(crate) fn error(&self, detail: impl Into<String>) -> Error {
        Error::new(self.kind, detail)
    }

    /// Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        match self.pieces.next() {
            None => Ok(()),
            Some(piece) => Err(self.error(format!("nothing can follow before {}", piece.words()))),
        }
    }

    pub(crate) fn next_is(&mut self, wanted: &Lexed) -> bool {
        self.pieces.next_if(|piece| piece == wanted).is_some()
    }

    fn expect(&mut self, wanted: &Lexed) -> Result<(), Error> {
        if self.next_is(wanted) {
            return Ok(());
        }
        let found = self.pieces.peek().map_or_else(|| "the end".to_owned(), Lexed::words);
        Err(self.error(format!("{} is missing before {found}", wanted.words())))
    }

    /// The next piece as a word, whatever it means.
    pub(crate) fn word(&mut self, what: &str) -> Result<String, Error> {
        match self.pieces.next() {
            Some(Lexed::Word(word)) => Ok(word),
            Some(piece) => Err(self.error(format!("{what} is missing before {}", piece.words()))),
            None => Err(self.error(format!("{what} is missing at the end"))),
        }
    }

    pub(crate) fn path(&mut self) -> Result<Path, Error> {
        let word = self.word("an attribute")?;
        Path::read(&word).ok_or_else(|| self.error(format!("`{}` is not an attribute", shown(&word))))
    }

    /// `or` binds least, then `and`, then `not`.
    pub(crate) fn filter(&mut self) -> Result<Filter, Error> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH_MAX {
            return Err(self.error(format!("more than {DEPTH_MAX} brackets within brackets")));
        }
        let filter = self.joined("or", |parser| parser.joined("and", Self::one, Filter::All), Filter::Any)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(filter)
    }

    fn joined(
        &mut self,
        word: &str,
        mut one: impl FnMut(&mut Self) -> Result<Filter, Error>,
        join: impl FnOnce(Vec<Filter>) -> Filter,
    ) -> Result<Filter, Error> {
        let first = one(self)?;
        let mut filters = vec![first];
        while self.next_word_is(word) {
            filters.push(one(self)?);
        }
        match (filters.pop(), filters.is_empty()) {
            (Some(only), true) => Ok(only),
            (last, _) => {
                filters.extend(last);
                Ok(join(filters))
            }
        }
    }

    fn next_word_is(&mut self, wanted: &str) -> bool {
        let is = |piece: &Lexed| matches!(piece, Lexed::Word(word) if word.eq_ignore_ascii_case(wanted));
        self.pieces.next_if(is).is_some()
    }

    fn one(&mut self) -> Result<Filter, Error> {
        if self.next_is(&Lexed::Open) {
            let filter = self.filter()?;
            self.expect(&Lexed::Close)?;
            return Ok(filter);
        }
        if self.next_word_is("not") {
            self.expect(&Lexed::Open)?;
            let filter = self.filter()?;
            self.expect(&Lexed::Close)?;
            return Ok(Filter::Not(Box::new(filter)));
        }
        let path = self.path()?;
        if self.next_is(&Lexed::OpenSquare) {
            let filter = Box::new(self.filter()?);
            self.expect(&Lexed::CloseSquare)?;
            return Ok(Filter::Within { path, filter });
        }
        self.test(path)
    }

    fn test(&mut self, path: Path) -> Result<Filter, Error> {
        self.tests = self.tests.saturating_add(1);
        if self.tests > TESTS_MAX {
            return Err(self.error(format!("more than {TESTS_MAX} tests")));
        }
        let word = self.word("an operator")?;
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Test { path, test: Test::Present });
        }
        let operator = Operator::read(&word)
            .ok_or_else(|| self.error(format!("`{}` is not an operator", shown(&word))))?;
        let value = match self.pieces.next() {
            Some(Lexed::Text(text)) => Value::String(text),
            Some(Lexed::Word(word)) => bare(&word).ok_or_else(|| {
                self.error(format!("`{}` is not a value: text stands in quotes", shown(&word)))
            })?,
            Some(piece) => return Err(self.error(format!("a value is missing before {}", piece.words()))),
            None => return Err(self.error("a value is missing at the end")),
        };
        Ok(Filter::Test { path, test: Test::Compare(operator, value) })
    }
}

/// A value without quotes (RFC 7159): the three words, or a number.
fn bare(word: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(word).ok()?;
    matches!(value, Value::Null | Value::Bool(_) | Value::Number(_)).then_some(value)
}

impl Path {
    /// `userName`, `name.givenName`, or either after the URN of its schema and a colon.
    pub(crate) fn read(word: &str) -> Option<Self> {
        let (schema, rest) = match word.rsplit_once(':') {
            Some((schema, rest)) => (Some(schema.to_owned()), rest),
            None => (None, word),
        };
        if schema.as_ref().is_some_and(|schema| !is_urn(schema)) {
            return None;
        }
        let (attribute, part) = match rest.split_once('.') {
            Some((attribute, part)) => (attribute, Some(part)),
            None => (rest, None),
        };
        if !is_name(attribute) || part.is_some_and(|part| !is_name(part)) {
            return None;
        }
        Some(Self { schema, attribute: attribute.to_owned(), part: part.map(str::to_owned) })
    }
}

fn is_urn(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

/// `ATTRNAME` of RFC 7643 section 2.1, and `$ref`.
fn is_name(text: &str) -> bool {
    let name = text.strip_prefix('$').unwrap_or(text);
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn lex(text: &str) -> Result<Vec<Lexed>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let single = match first {
            '(' => Some(Lexed::Open),
            ')' => Some(Lexed::Close),
            '[' => Some(Lexed::OpenSquare),
            ']' => Some(Lexed::CloseSquare),
            '.' if pieces.last() == Some(&Lexed::CloseSquare) => Some(Lexed::Dot),
            _ => None,
        };
        let taken = match single {
            Some(piece) => {
                pieces.push(piece);
                first.len_utf8()
            }
            None if first == ' ' => 1,
            None if first == '"' => {
                let (text, taken) = quoted(rest)?;
                pieces.push(Lexed::Text(text));
                taken
            }
            None => {
                let taken = rest.find(|char: char| !is_of_word(char)).unwrap_or(rest.len());
                if taken == 0 {
                    return Err(format!("`{}` has no meaning here", shown(&first.to_string())));
                }
                pieces.push(Lexed::Word(rest.get(..taken).unwrap_or_default().to_owned()));
                taken
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(pieces)
}

const fn is_of_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '$' | '.' | ':' | '+')
}

/// A JSON string at the start, and how many bytes it takes.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let mut escaped = false;
    for (place, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let taken = place.saturating_add(1);
                let string = text.get(..taken).unwrap_or_default();
                let read = serde_json::from_str(string);
                return read
                    .map(|read| (read, taken))
                    .map_err(|_| "the text in quotes cannot be read".to_owned());
            }
            _ => {}
        }
    }
    Err("a quote is not closed".to_owned())
}

impl Lexed {
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Word(word) => format!("`{}`", shown(word)),
            Self::Text(text) => format!("\"{}\"", shown(text)),
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::OpenSquare => "`[`".to_owned(),
            Self::CloseSquare => "`]`".to_owned(),
            Self::Dot => "`.`".to_owned(),
        }
    }
}
