//! Filters: RFC 7644 section 3.4.2.2.
//!
//! A filter is read without knowing what it will be asked of, and asked of a resource by the tables of
//! [`crate::schema`]: names have no case, text has none unless the attribute says so, dates compare as moments.

mod parse;

use jiff::Timestamp;
use serde_json::Value;

use crate::error::shown;
use crate::schema::{Attribute, Form, find};
use crate::{Error, ErrorKind, Kind, Object};

pub(crate) use parse::{Lexed, Parser};

/// In bytes, of a filter or path.
pub const TEXT_MAX: usize = 4096;
/// Brackets within brackets.
pub const DEPTH_MAX: usize = 16;
/// Tests in one filter.
pub const TESTS_MAX: usize = 128;

#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test {
        path: Path,
        test: Test,
    },
    /// One value of the attribute passes the filter, which speaks of its parts.
    Within {
        path: Path,
        filter: Box<Self>,
    },
}

/// An attribute, or a part of one, as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The schema it was prefixed with.
    pub schema: Option<String>,
    pub attribute: String,
    pub part: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Present,
    Compare(Operator, Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// Reads a filter for resources of these kinds. A name that none of them knows is an error: a filter that never
    /// matches would look like an empty house.
    pub fn read(text: &str, kinds: &[Kind]) -> Result<Self, Error> {
        let mut parser = Parser::new(text, ErrorKind::InvalidFilter)?;
        let filter = parser.filter()?;
        parser.end()?;
        let known = kinds.iter().any(|kind| filter.check(&Scope::Of(*kind)).is_ok());
        if !known && let Some(kind) = kinds.first() {
            filter.check(&Scope::Of(*kind))?;
        }
        Ok(filter)
    }

    /// Whether every name in it is one, and every comparison makes sense.
    pub(crate) fn check(&self, scope: &Scope) -> Result<(), Error> {
        match self {
            Self::All(filters) | Self::Any(filters) => {
                filters.iter().try_for_each(|filter| filter.check(scope))
            }
            Self::Not(filter) => filter.check(scope),
            Self::Within { path, filter } => {
                let Some(attribute) = scope.attribute(path)? else { return Ok(()) };
                if path.part.is_some() || attribute.parts().is_empty() {
                    return Err(invalid(format!("`{path}` has no parts to filter by")));
                }
                filter.check(&Scope::Parts(attribute.parts()))
            }
            Self::Test { path, test } => {
                let Some(attribute) = scope.tested(path)? else { return Ok(()) };
                match test {
                    Test::Present => Ok(()),
                    Test::Compare(operator, _) if operator.is_order() && attribute.form == Form::Boolean => {
                        Err(invalid(format!("`{path}` is true or false and has no order")))
                    }
                    Test::Compare(..) if attribute.is_whole() => {
                        Err(invalid(format!("`{path}` has parts: compare one of them")))
                    }
                    Test::Compare(..) => Ok(()),
                }
            }
        }
    }

    /// Whether a whole resource passes, with everything the server adds to it.
    pub fn matches(&self, kind: Kind, resource: &Object) -> bool {
        self.passes(&Scope::Of(kind), resource)
    }

    pub(crate) fn passes(&self, scope: &Scope, object: &Object) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.passes(scope, object)),
            Self::Any(filters) => filters.iter().any(|filter| filter.passes(scope, object)),
            Self::Not(filter) => !filter.passes(scope, object),
            Self::Within { path, filter } => {
                let Ok(Some(attribute)) = scope.attribute(path) else { return false };
                let scope = Scope::Parts(attribute.parts());
                values(object.get(attribute.name))
                    .iter()
                    .filter_map(|value| value.as_object())
                    .any(|value| filter.passes(&scope, value))
            }
            Self::Test { path, test } => {
                let Ok(Some(attribute)) = scope.attribute(path) else { return false };
                let found = values(object.get(attribute.name));
                match (tested_part(attribute, path), test) {
                    (Some(part), test) => {
                        let parts: Vec<&Value> =
                            found.iter().filter_map(|value| value.as_object()?.get(part.name)).collect();
                        test.holds(part, &parts)
                    }
                    (None, test) => test.holds(attribute, &found),
                }
            }
        }
    }

    /// The values that a filter made only of equalities joined by `and` asks for: what an element must hold to pass.
    pub(crate) fn equalities(&self, scope: &Scope) -> Option<Vec<(&'static Attribute, &Value)>> {
        match self {
            Self::All(filters) => {
                let parts = filters.iter().map(|filter| filter.equalities(scope));
                parts.collect::<Option<Vec<_>>>().map(|parts| parts.into_iter().flatten().collect())
            }
            Self::Test { path, test: Test::Compare(Operator::Equal, value) } if path.part.is_none() => {
                let attribute = scope.attribute(path).ok()??;
                Some(vec![(attribute, value)])
            }
            Self::Any(_) | Self::Not(_) | Self::Test { .. } | Self::Within { .. } => None,
        }
    }

    /// The one value this attribute must have, where the filter is nothing but that: such a filter is a lookup.
    pub fn looks_up(&self, attribute: &str) -> Option<&str> {
        match self {
            Self::Test { path, test: Test::Compare(Operator::Equal, Value::String(text)) }
                if path.part.is_none() && path.attribute.eq_ignore_ascii_case(attribute) =>
            {
                Some(text)
            }
            _ => None,
        }
    }
}

/// What names mean where a filter stands.
#[derive(Debug)]
pub(crate) enum Scope {
    Of(Kind),
    Parts(&'static [Attribute]),
}

impl Scope {
    /// The attribute a path begins with; nothing for one of the standard that is not kept.
    pub(crate) fn attribute(&self, path: &Path) -> Result<Option<&'static Attribute>, Error> {
        let unknown = || invalid(format!("there is no attribute `{path}`"));
        match self {
            Self::Parts(parts) => match &path.schema {
                None => find(parts, &path.attribute).map(Some).ok_or_else(unknown),
                Some(_) => Err(unknown()),
            },
            Self::Of(kind) => {
                let of_schema = match &path.schema {
                    None => true,
                    Some(schema) if schema.eq_ignore_ascii_case(kind.schema()) => true,
                    Some(schema) if crate::schema::is_not_kept(*kind, schema) => return Ok(None),
                    Some(_) => false,
                };
                match kind.attribute(&path.attribute) {
                    Some(attribute) if of_schema => Ok(Some(attribute)),
                    None if of_schema && crate::schema::is_not_kept(*kind, &path.attribute) => Ok(None),
                    Some(_) | None => Err(unknown()),
                }
            }
        }
    }

    /// The attribute whose values a test looks at.
    fn tested(&self, path: &Path) -> Result<Option<&'static Attribute>, Error> {
        let Some(attribute) = self.attribute(path)? else { return Ok(None) };
        match &path.part {
            Some(name) if attribute.part(name).is_none() => {
                Err(invalid(format!("there is no attribute `{path}`")))
            }
            Some(_) | None => Ok(Some(tested_part(attribute, path).unwrap_or(attribute))),
        }
    }
}

/// The part a test is about: the one it names, or `value` of an attribute with several values (RFC 7643 section 2.4).
fn tested_part(attribute: &'static Attribute, path: &Path) -> Option<&'static Attribute> {
    match &path.part {
        Some(name) => attribute.part(name),
        None if attribute.is_many => attribute.part("value"),
        None => None,
    }
}

impl Attribute {
    /// An object with parts, which as a whole compares with nothing.
    const fn is_whole(&self) -> bool {
        matches!(self.form, Form::Complex(_))
    }
}

/// The values of an attribute, whether it has one or many.
fn values(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

impl Test {
    fn holds(&self, attribute: &Attribute, found: &[&Value]) -> bool {
        match self {
            Self::Present => found.iter().any(|value| is_present(value)),
            Self::Compare(Operator::Equal, Value::Null) => found.is_empty(),
            Self::Compare(Operator::NotEqual, Value::Null) => !found.is_empty(),
            Self::Compare(Operator::NotEqual, wanted) => {
                !found.iter().any(|value| compare(attribute, Operator::Equal, value, wanted))
            }
            Self::Compare(operator, wanted) => {
                found.iter().any(|value| compare(attribute, *operator, value, wanted))
            }
        }
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare(attribute: &Attribute, operator: Operator, found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Bool(found), wanted) => {
            operator == Operator::Equal && boolean(wanted).is_some_and(|wanted| *found == wanted)
        }
        (Value::String(found), Value::String(wanted)) if attribute.form == Form::DateTime => {
            match (found.parse::<Timestamp>(), wanted.parse::<Timestamp>()) {
                (Ok(found), Ok(wanted)) => operator.orders(&found, &wanted),
                _ => false,
            }
        }
        (Value::String(found), Value::String(wanted)) if attribute.is_case_exact => {
            operator.relates(found, wanted)
        }
        (Value::String(found), Value::String(wanted)) => {
            operator.relates(&found.to_lowercase(), &wanted.to_lowercase())
        }
        _ => false,
    }
}

/// True and false, also as the text some clients send.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

impl Operator {
    const ALL: [(&'static str, Self); 9] = [
        ("eq", Self::Equal),
        ("ne", Self::NotEqual),
        ("co", Self::Contains),
        ("sw", Self::StartsWith),
        ("ew", Self::EndsWith),
        ("gt", Self::Greater),
        ("ge", Self::GreaterOrEqual),
        ("lt", Self::Less),
        ("le", Self::LessOrEqual),
    ];

    pub(crate) fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, operator)| *operator)
    }

    const fn is_order(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual)
    }

    fn relates(self, found: &str, wanted: &str) -> bool {
        match self {
            Self::Contains => found.contains(wanted),
            Self::StartsWith => found.starts_with(wanted),
            Self::EndsWith => found.ends_with(wanted),
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::Less
            | Self::LessOrEqual => self.orders(found, wanted),
        }
    }

    fn orders<T: PartialOrd + ?Sized>(self, found: &T, wanted: &T) -> bool {
        match self {
            Self::Equal => found == wanted,
            Self::NotEqual => found != wanted,
            Self::Greater => found > wanted,
            Self::GreaterOrEqual => found >= wanted,
            Self::Less => found < wanted,
            Self::LessOrEqual => found <= wanted,
            Self::Contains | Self::StartsWith | Self::EndsWith => false,
        }
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidFilter, detail)
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}:", shown(schema))?;
        }
        f.write_str(&shown(&self.attribute))?;
        match &self.part {
            Some(part) => write!(f, ".{}", shown(part)),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = Self::ALL.iter().find(|(_, operator)| operator == self).map(|(word, _)| *word);
        f.write_str(word.unwrap_or("eq"))
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let joined = |f: &mut std::fmt::Formatter<'_>, filters: &[Self], word: &str| {
            for (place, filter) in filters.iter().enumerate() {
                if place > 0 {
                    write!(f, " {word} ")?;
                }
                match filter {
                    Self::All(_) | Self::Any(_) => write!(f, "({filter})")?,
                    Self::Not(_) | Self::Test { .. } | Self::Within { .. } => write!(f, "{filter}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::All(filters) => joined(f, filters, "and"),
            Self::Any(filters) => joined(f, filters, "or"),
            Self::Not(filter) => write!(f, "not ({filter})"),
            Self::Within { path, filter } => write!(f, "{path}[{filter}]"),
            Self::Test { path, test: Test::Present } => write!(f, "{path} pr"),
            Self::Test { path, test: Test::Compare(operator, value) } => {
                write!(f, "{path} {operator} {value}")
            }
        }
    }
}
