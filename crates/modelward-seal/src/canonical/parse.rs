//! Parsing that rejects what two parsers could read differently.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Upper bounds for one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub bytes: usize,
    /// Nesting of arrays and objects; at most 100.
    pub depth: usize,
    /// All values together, keys not counted.
    pub values: usize,
}

impl Limits {
    /// Room for a request body of our own APIs; raise by name where a protocol needs more.
    pub const DEFAULT: Self = Self { bytes: 1 << 20, depth: 64, values: 100_000 };

    pub const fn bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What is wrong, and where: `offset` counts bytes from the start, line and column count from one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at line {line}, column {column}")]
pub struct ParseError {
    pub kind: ParseErrorKind,
    pub line: usize,
    pub column: usize,
    pub offset: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    #[error("the document is larger than {max} bytes")]
    TooLarge { max: usize },
    #[error("nesting deeper than {max}")]
    TooDeep { max: usize },
    #[error("more than {max} values")]
    TooManyValues { max: usize },
    #[error("the key `{key}` stands twice in one object")]
    DuplicateKey { key: String },
    #[error("{message}")]
    Syntax { message: String },
}

/// Parses one JSON document and nothing after it.
///
/// Rejects duplicate keys at any depth, nesting, size and value counts above `limits`, invalid UTF-8, lone
/// surrogates and numbers that overflow a double.
pub fn parse_strict(bytes: &[u8], limits: Limits) -> Result<Value, ParseError> {
    if bytes.len() > limits.bytes {
        let kind = ParseErrorKind::TooLarge { max: limits.bytes };
        return Err(ParseError { kind, line: 1, column: 1, offset: 0 });
    }
    let run = Run { limits, state: RefCell::default() };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Element { run: &run, depth: 0 }.deserialize(&mut deserializer);
    let whole = value.and_then(|value| deserializer.end().map(|()| value));
    whole.map_err(|error| locate(bytes, &error, run.state.into_inner().refusal))
}

fn locate(bytes: &[u8], error: &serde_json::Error, refusal: Option<ParseErrorKind>) -> ParseError {
    let (line, column) = (error.line(), error.column());
    let before: usize =
        bytes.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    let offset = before.saturating_add(column.saturating_sub(1)).min(bytes.len());
    let kind = refusal.unwrap_or_else(|| {
        let full = error.to_string();
        let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message).to_owned();
        ParseErrorKind::Syntax { message }
    });
    ParseError { kind, line, column, offset }
}

struct Run {
    limits: Limits,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    values: usize,
    refusal: Option<ParseErrorKind>,
}

impl Run {
    /// Remembers the typed reason, since the deserializer can carry only a text.
    fn refuse<E: serde::de::Error>(&self, kind: ParseErrorKind) -> E {
        let message = kind.to_string();
        self.state.borrow_mut().refusal = Some(kind);
        E::custom(message)
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let values = {
            let mut state = self.state.borrow_mut();
            state.values = state.values.saturating_add(1);
            state.values
        };
        if values > self.limits.values {
            return Err(self.refuse(ParseErrorKind::TooManyValues { max: self.limits.values }));
        }
        Ok(())
    }

    fn descend<E: serde::de::Error>(&self, depth: usize) -> Result<usize, E> {
        let max = self.limits.depth.min(100);
        if depth >= max {
            return Err(self.refuse(ParseErrorKind::TooDeep { max }));
        }
        Ok(depth.saturating_add(1))
    }
}

struct Element<'r> {
    run: &'r Run,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.run.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.run.descend(self.depth)?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Element { run: self.run, depth })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.run.descend(self.depth)?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                let key = key.chars().take(80).collect();
                return Err(self.run.refuse(ParseErrorKind::DuplicateKey { key }));
            }
            let value = access.next_value_seed(Element { run: self.run, depth })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
